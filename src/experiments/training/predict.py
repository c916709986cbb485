"""Predict new points by a trained run: what its folder holds is all that is asked.

    python -m experiments.training.predict run=FOLDER inputs=photos/
    python -m experiments.training.predict run=FOLDER inputs=table.csv output=mine.csv
    python -m experiments.training.predict run=FOLDER inputs=x.npz array=x_test checkpoint=last
    python -m experiments.training.predict run=FOLDER inputs=x.npz trusted=[nets]

Inputs are a folder of images (also in folders below it) or one image, a table with the columns that
the run was trained on, or an array in an .npz or .npy file. They are read and normalised as the
run's own data were. A run whose config names code of yours wants to hear that you mean it:
trusted=[nets]. predictions.csv has a row for each point: its file, the line of its row in the
table from 1 or its index in the array from 0, then class and probability, or the values in the
target's own unit.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from experiments.config.streams import mend_streams
from experiments.config.trusted import check_read
from experiments.data.loader import BatchLoader, FromMemory
from experiments.data.new_points import NewPoints, Reader
from experiments.data.order import BatchOrder
from experiments.data.sources import Points
from experiments.errors.commands import as_typed_here
from experiments.errors.messages import UserError, check_choice, unknown_key, user_error
from experiments.record.folder import write_atomic
from experiments.training import build, console, devices
from experiments.training.load import Run, load_run
from experiments.training.module import ExperimentModule
from experiments.training.recipe import build_recipe
from experiments.training.told_points import Told
from experiments.training.trainer import HalfNetwork

KEYS = ("run", "inputs", "output", "array", "checkpoint", "trusted")
NEEDED = ("run", "inputs")
CHECKPOINTS = ("best", "last")
OUTPUT = "predictions.csv"


def predict(
    run: str | Path,
    inputs: str | Path,
    output: str | Path = OUTPUT,
    array: str | None = None,
    checkpoint: str = "best",
    trusted: str | Sequence[str] = (),
) -> tuple[NewPoints, Told]:
    """Predict points by a run, write what it tells as a table, and return both.

    Of the test set's own files it tells, bit for bit, what the run kept of its test, on the same
    kind of machine. A run in 64 bits (`trainer.precision=64-true`) reads numbers in 64 here, of
    which it was trained on the nearest in 32 where these are enough.

    Args:
        run: the folder of a run.
        inputs: a folder of images, an image, a table, or an array.
        output: the table that is written.
        array: which one of an .npz file with several.
        checkpoint: `best` or `last`.
        trusted: packages or modules of one's own that the run's config may name.

    Raises:
        UserError: no such run or inputs, inputs that are not as its data, no checkpoint.
    """
    check_choice("checkpoint", checkpoint, CHECKPOINTS)
    names = trusted.strip("[]").split(",") if isinstance(trusted, str) else trusted
    loaded = load_run(Path(os.path.expanduser(run)), [name.strip() for name in names])
    module = loaded.module(checkpoint)
    bits = module.normalize.mean.dtype
    reader = Reader(str(loaded.folder), loaded.config["data"], module.spec, bits)
    points = reader.read(str(inputs), array)
    told = tell(loaded, module, points.inputs)
    write_table(Path(os.path.expanduser(output)), table_of(module, points, told))
    return points, told


def tell(run: Run, module: ExperimentModule, inputs: Tensor) -> Told:
    """Return what a module says of points (N, *shape), in the batches of the run's own test.

    Sums of other batches would differ in their last bits.
    """
    config = run.config
    if not module.is_measurable:
        raise user_error("module_predicts_nothing", path=run.folder)
    take_layout_of_training(run, module)
    work = devices.work_of(module.network, module.spec.shape)
    node = {**config["trainer"], "devices": 1}
    if node["accelerator"] != "cpu":
        node["accelerator"] = "auto"  # the run's own may not be here
    accelerator, _ = devices.choose_devices(node)
    trainer = trainer_of(node["precision"], accelerator)
    size = build.evaluation_batch_size(config, work)
    nothing = torch.zeros(len(inputs), dtype=torch.int64)  # new points have no targets
    fetch = FromMemory(Points(inputs, nothing), trainer.strategy.root_device)
    loader = BatchLoader(fetch, BatchOrder(len(inputs), size))
    threads = run.record["environment"].get("threads") or devices.cores_to_use()
    console.quiet_lightning()
    with devices.computing_with(threads, node["matmul_precision"]):
        parts: list[Told] = trainer.predict(module, loader)  # type: ignore[assignment]
    classes = [told.classes.cpu() for told in parts if told.classes is not None]
    shown = torch.cat([told.shown.cpu() for told in parts])
    return Told(torch.cat(classes) if classes else None, shown)


def take_layout_of_training(run: Run, module: ExperimentModule) -> None:
    """Put the kernels into memory as they were in training; else sums differ in their last bits."""
    with contextlib.suppress(UserError):  # an optimizer that is not here any more, or not trusted
        check_read(run.config, run.folder)
        if not build_recipe(run.config).optimizer.takes_channels_last():
            module.network.to(memory_format=torch.contiguous_format)


def trainer_of(precision: Any, accelerator: str) -> L.Trainer:
    """Return a Trainer that computes as that of a run, on one device, and writes nothing."""
    is_half = precision in ("16-true", "bf16-true")
    return L.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=None if is_half else precision,
        plugins=[HalfNetwork(precision)] if is_half else None,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def table_of(module: ExperimentModule, points: NewPoints, told: Told) -> list[list[str]]:
    """Return the rows of the table, its header first; numbers by as many digits as they have."""
    spec = module.spec
    if told.classes is None:
        several = [f"value_{number}" for number in range(1, spec.num_outputs + 1)]
        names = list(spec.target_names) or (several if len(several) > 1 else ["value"])
        values = told.shown if told.shown.dtype.itemsize > 2 else told.shown.float()
        rows = [[str(number) for number in row] for row in values.numpy()]
    else:
        names = ["class", "probability"]
        chosen = told.shown.float().gather(1, told.classes.unsqueeze(1)).squeeze(1)
        words = [spec.class_names[number] for number in told.classes.tolist()]
        rows = [[word, str(p)] for word, p in zip(words, chosen.numpy(), strict=True)]
    head = [points.kind, *names]
    return [head, *([name, *row] for name, row in zip(points.names, rows, strict=True))]


def write_table(path: Path, rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    try:
        write_atomic(path, text.getvalue())
    except OSError as error:
        reason = error.strerror or error
        raise user_error("predict_output", path=path, reason=reason) from error


def words_of(arguments: Sequence[str]) -> dict[str, str]:
    """Return what was typed as `key=value`, or raise UserError."""
    given: dict[str, str] = {}
    for argument in arguments:
        key, sign, value = argument.partition("=")
        if not sign or not value:
            raise user_error("predict_words", given=argument)
        if key not in KEYS:
            raise unknown_key(key, KEYS, parent="predict")
        given[key] = value
    for key in NEEDED:
        if key not in given:
            raise user_error("predict_words", given=f"There is no {key}=")
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Predict what the command line names, and return the exit code: 0, or 2 after a message."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    mend_streams()
    if {"--help", "-h"} & set(typed):
        print(as_typed_here(str(__doc__)))
        return 0
    try:
        words = words_of(typed)
        points, _ = predict(**words)
    except UserError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    print(f"Predicted {len(points.names):,} points: {words.get('output', OUTPUT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
