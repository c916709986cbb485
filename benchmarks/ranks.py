"""Several devices agree: each run is trained by one process and by two or three (gloo, CPU).

    python benchmarks/ranks.py [--only NAME,NAME] [--bits 64,32] [--ranks 3] [--write]

The cases are every optimizer of the catalogue, data whose size no number divides, and what else a
run may have. All that is measured is held against the run of one process: every value of every row
of the history, and the metrics of the test. With 64 bits what rounding does stays far below what a
mistake would do, such as a share of a batch that counts for too much, and the weights at the end
are held as well. With 32 bits the difference is what a user sees; there Adam makes steps of the
rounding of a gradient that is zero, as a transformer's keys have for their biases.

Of each number of processes there is one group, forked from this process, which trains all cases one
after the other, as torchrun's would: a case costs no import. With --write the counts go into
docs/cluster.md, and the differences to benchmarks/results/ranks.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from experiments.config.composer import Composer, composer_at
from experiments.config.launch import Launch
from experiments.record.history import read_history
from experiments.record.host import processor
from experiments.record.record import read_record
from experiments.sweep.jobs.server import warm_up

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cluster.md"
RESULTS = ROOT / "benchmarks" / "results" / "ranks.json"
BEGIN, END = "<!-- ranks: begin -->", "<!-- ranks: end -->"
TOLERANCE = {64: 1e-9, 32: 1e-3}
"""By the bits of a number: the largest relative difference that rounding is allowed to make."""
SMALLEST = 1e-3
"""Values below which differences are taken of this and not of the value itself."""
LONGEST_WAIT = timedelta(seconds=120)
"""For another process, after which the group has come apart."""

# 145 = 9 * 16 + 1 points: an epoch's last batch has one point, fewer than there are processes.
BASE = [
    *("logger=none", "progress=none", "data=moons", "data.num_samples=216", "data.num_train=145"),
    *("data.batch_size=16", "model=mlp", "model.hidden=[16]", "trainer.threads=1"),
    *("trainer.accelerator=cpu", "trainer.max_epochs=3"),
]
FULL_BATCH = ("gd", "rprop")
NUMBERS = ["data=sine", "loss=mse", "data.num_train=145"]
DATA = {
    "points left over": ["data.num_train=151"],
    "an odd batch": ["data.batch_size=7"],
    "batches of one point": ["data.batch_size=1", "data.num_train=20"],
    "two points to train on": ["data.num_train=2", "trainer.max_epochs=9"],
    "one point to validate": ["data.num_samples=60", "data.num_train=41", "data.val_fraction=0.03"],
    "nothing to validate": ["data.val_fraction=0"],
    "all points in a batch": ["data.batch_size=full"],
    "fewer batches": ["trainer.limit_train_batches=4", "trainer.limit_val_batches=1"],
    "the same batches": ["trainer.overfit_batches=3"],
    "balanced draws": ["data.sampler=balanced", "data.label_noise=0.2"],
    "read by workers": ["data.memory_limit=0", "data.num_workers=0"],
    "folds": ["data.folds=3", "data.fold=1", "data.num_train=all"],
}
MORE = {
    "accumulation": ["trainer.accumulate_grad_batches=4"],
    "clipping by norm": ["trainer.gradient_clip_val=0.1"],
    "clipping by value": [
        *("trainer.gradient_clip_val=0.01", "trainer.gradient_clip_algorithm=value"),
    ],
    "an average of the weights": ["trainer.ema_decay=0.9"],
    "the loss of all points": ["log_full_loss=true"],
    "augmentation": ["data.augment.noise=0.3"],
    "validation by steps": ["trainer.val_check_interval=4"],
    "validation by parts": ["trainer.val_check_interval=0.3", "trainer.check_val_every_n_epoch=2"],
    "rows of steps": ["trainer.log_every_n_steps=3"],
    "checkpoints by steps": ["checkpoint.every_n_steps=4"],
    "checkpoints by the clock": ["checkpoint.every_seconds=0.01"],
    "one step in a call": ["steps_per_execution=1"],
    "seven steps in a call": ["steps_per_execution=7"],
    "early stopping": ["callbacks=early_stopping", "callbacks.early_stopping.patience=1"],
    "diagnostics": ["callbacks=diagnostics"],
    "metrics of classes": [
        "metrics=[auroc,balanced_accuracy,confusion,f1_macro,mcc]",
        "checkpoint.monitor=val/f1_macro",
    ],
    "metrics of one point": [
        *("metrics=[auroc,confusion,f1_macro,mcc]", "data.num_samples=60", "data.num_train=41"),
        "data.val_fraction=0.03",
    ],
    "a calibration error": ["metrics=[ece]"],
    "metrics of numbers": [*NUMBERS, "metrics=[rmse,spearman]"],
    "a schedule by steps": ["scheduler=cosine", "scheduler.interval=step"],
    "a plateau": ["scheduler=plateau", "scheduler.patience=0", "scheduler.threshold=0.2"],
    "a cycle of momentum": ["optim=momentum", "scheduler=onecycle"],
    "a number of steps": ["trainer.max_steps=23"],
    "group norm": ["model.norm=group", "model.norm_groups=4"],
    "layer norm": ["model.norm=layer"],
    "a CNN": ["data=digits", "~data.num_samples", "model=cnn", "~model.hidden"],
    "a GRU": ["data=digits", "~data.num_samples", "model=gru", "~model.hidden"],
    "a transformer": ["data=digits", "~data.num_samples", "model=transformer", "~model.hidden"],
    "a ResNet": [
        *("data=digits", "~data.num_samples", "model=resnet", "~model.hidden", "model.norm=group"),
    ],
    "another loss": ["loss=focal"],
    "all at once": [
        *("scheduler=cosine", "scheduler.interval=step", "trainer.gradient_clip_val=0.5"),
        *("trainer.accumulate_grad_batches=2", "trainer.ema_decay=0.5", "optim=nesterov"),
        *("trainer.val_check_interval=4", "trainer.log_every_n_steps=3", "log_full_loss=true"),
        "checkpoint.every_n_steps=5",
    ],
}
REFUSED = {
    "batch norm": (["model.norm=batch"], "model.norm=batch with"),
    "LBFGS": (["optim=lbfgs", "~data.batch_size"], "optim=lbfgs does not go with"),
    "mixup": (["data.augment.mixup=0.4"], "mixup"),
    "weights of classes": (["loss.weight=[1,3]"], "loss.weight does not go with"),
}
"""What several processes refuse, and words of the message."""


OF_32_BITS = ("a calibration error",)
"""What torchmetrics counts with 32 bits whatever the network has."""


class Case(NamedTuple):
    """A run that is trained by one process and by several."""

    kind: str
    name: str
    overrides: tuple[str, ...]
    num_ranks: int
    bits: int

    @property
    def folder(self) -> str:
        return f"{self.name} {self.num_ranks} {self.bits}".replace(" ", "-")


class Gap(NamedTuple):
    """By how much the run of several processes differs, relatively, and where the most."""

    size: float
    where: str


def merged(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return BASE with these; of a key that is in both the latter counts, and `~key` takes it out.

    >>> merged(["~model.hidden", "data.batch_size=7"])[5:7]
    ('model=mlp', 'trainer.threads=1')
    """
    keys = {word.removeprefix("~").partition("=")[0] for word in overrides}
    kept = [word for word in BASE if word.partition("=")[0] not in keys]
    return (*kept, *(word for word in overrides if not word.startswith("~")))


def optimizers() -> dict[str, list[str]]:
    """Return every optimizer of the catalogue that several processes may have."""
    names = sorted(path.stem for path in (ROOT / "conf" / "optim").glob("*.yaml"))
    return {
        name: [f"optim={name}", *(["~data.batch_size"] if name in FULL_BATCH else [])]
        for name in names
        if name != "lbfgs"
    }


def cases(bits: Sequence[int], only: Sequence[str] = (), most_ranks: int = 3) -> list[Case]:
    """Return all cases, or those of these names."""
    kinds = {"an optimizer": optimizers(), "data": DATA, "what else a run has": MORE}
    return [
        Case(kind, name, merged([*overrides, f"trainer.precision={number}-true"]), ranks, number)
        for kind, named in kinds.items()
        for name, overrides in named.items()
        for number in bits
        for ranks in ((2, 3) if kind == "data" else (2,))
        if ranks <= most_ranks
        and (not only or name in only)
        and (number == 32 or name not in OF_32_BITS)
    ]


def trained(composer: Composer, overrides: list[str], folder: Path) -> None:
    """Train in this process, as one of the ranks that its environment tells of, or alone."""
    from experiments.training.run import train

    config: Any = OmegaConf.to_container(composer.task(overrides), resolve=True)
    train(config, Launch(overrides, run_dir=folder, is_quiet=True))


def as_rank(rank: int, num_ranks: int, composer: Composer, several: list[Case]) -> None:
    """Take part in the runs of several processes, as one that a launcher has started."""
    import torch.distributed as dist
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    from experiments.errors.messages import UserError
    from experiments.training import devices

    variables = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": num_ranks, "MASTER_PORT": 1}
    os.environ.update({name: str(value) for name, value in variables.items()})
    cores = devices.num_cores()
    devices.num_cores = lambda: max(cores, num_ranks)  # three processes also where there are two
    rank_zero_only.rank = rank  # which is read from the environment at the import
    store = f"file://{Path(f'store-{num_ranks}').resolve()}"
    dist.init_process_group(
        "gloo", init_method=store, rank=rank, world_size=num_ranks, timeout=LONGEST_WAIT
    )
    together = ["trainer.strategy=ddp", f"trainer.devices={num_ranks}"]
    for case in several:
        print(f"{case.name}, {num_ranks} processes, {case.bits} bits", flush=True)
        trained(composer, [*case.overrides, *together], Path("several", case.folder))
    for name, (overrides, words) in REFUSED.items():
        said = ""
        try:
            trained(composer, list(merged([*overrides, *together])), Path("refused", name))
        except UserError as error:
            said = str(error)
        assert words in said, f"{name}: {said or 'not refused'}"


def forked_rank(rank: int, num_ranks: int, composer: Composer, several: list[Case]) -> int:
    """Fork one process of a group, and return its number."""
    if child := os.fork():
        return child
    code = 1
    try:
        with Path(f"said-{num_ranks}-{rank}").open("ab") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        as_rank(rank, num_ranks, composer, several)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def first_to_fail(processes: list[int]) -> int | None:
    """Wait for a group, and return the rank that failed first; the others are killed then."""
    left = dict(zip(processes, range(len(processes)), strict=True))
    while left:
        child, status = os.wait()
        rank = left.pop(child)
        if status:
            for other in left:
                os.kill(other, signal.SIGKILL)
                os.waitpid(other, 0)
            return rank
    return None


def train_all(every: list[Case], composer: Composer) -> None:
    """Train all cases, in the current folder: by several processes, and by one."""
    for num_ranks in sorted({case.num_ranks for case in every}):
        several = [case for case in every if case.num_ranks == num_ranks]
        processes = [forked_rank(r, num_ranks, composer, several) for r in range(num_ranks)]
        first = first_to_fail(processes)
        assert first is None, Path(f"said-{num_ranks}-{first}").read_text()[-3000:]
    for case in every:
        folder = Path("alone", case.folder)
        if not folder.exists():
            trained(composer, list(case.overrides), folder)


def gap_between(one: float | None, other: float | None) -> float:
    """Return a relative difference; infinite where only one of the two is a number."""
    numbers = [value for value in (one, other) if value is not None and not math.isnan(value)]
    if len(numbers) < 2:
        return math.inf if numbers else 0.0
    return abs(numbers[0] - numbers[1]) / max(abs(numbers[0]), SMALLEST)


def gap_of(case: Case) -> Gap:
    """Return the largest difference between the two runs of a case."""
    import torch

    alone, several = (Path(where, case.folder) for where in ("alone", "several"))
    before, after = read_history(alone), read_history(several)
    is_as_long = bool(before) and len(before) == len(after)
    gaps = [Gap(0.0 if is_as_long else math.inf, "rows of history")]
    for one, other in zip(before, after, strict=False):
        for name in {*one, *other}:
            where = f"{name} at step {one.get('step')}"
            gaps.append(Gap(gap_between(one.get(name), other.get(name)), where))
    records = [read_record(folder) for folder in (alone, several)]
    for name in {name for record in records for name in record["metrics"]}:
        values = [record["metrics"].get(name) for record in records]
        gaps.append(Gap(gap_between(*values), name))
    if case.bits == 32:
        return max(gaps)
    weights = [
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (alone, several)
    ]
    for name, tensor in weights[0].items():
        largest = (tensor.double() - weights[1][name].double()).abs().max()
        gaps.append(Gap(float(largest) / max(float(tensor.abs().max()), SMALLEST), name))
    return max(gaps)


def table(gaps: dict[Case, Gap]) -> str:
    """Return the counts as a table of Markdown."""
    widths = sorted({case.bits for case in gaps}, reverse=True)
    heads = [f"equal within {TOLERANCE[b]:g}, {b} bits | largest difference" for b in widths]
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "---|" * (2 * len(widths))]
    for kind in dict.fromkeys(case.kind for case in gaps):
        cells = []
        for bits in widths:
            sizes = [g.size for c, g in gaps.items() if (c.kind, c.bits) == (kind, bits)]
            equal = sum(size <= TOLERANCE[bits] for size in sizes)
            cells += [f"{equal} of {len(sizes)}", f"{max(sizes):.1e}"]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def keep(gaps: dict[Case, Gap]) -> None:
    """Write the table into the page, and the differences beside the other results."""
    import torch

    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    where = f"{processor()}, torch {torch.__version__.partition('+')[0]}"
    where += ". `python benchmarks/ranks.py` repeats it."
    PAGE.write_text(f"{before}{BEGIN}\n{table(gaps)}\n\n{where}\n{END}{after}", encoding="utf-8")
    values = {
        f"{case.name}, {case.num_ranks} processes, {case.bits} bits": gap._asdict()
        for case, gap in gaps.items()
    }
    RESULTS.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, print, and write where that is asked for; 1 where a run differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="names of cases, with commas between them")
    parser.add_argument("--bits", default="64,32", help="of a number: 64, 32, or both")
    parser.add_argument("--ranks", type=int, default=3, help="at most so many processes")
    parser.add_argument("--write", action="store_true", help="into docs/cluster.md")
    given = parser.parse_args(arguments)
    warm_up()
    composer = composer_at(ROOT / "conf", "config")
    only = given.only.split(",") if given.only else []
    every = cases([int(bits) for bits in given.bits.split(",")], only, given.ranks)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        train_all(every, composer)
        gaps = {case: gap_of(case) for case in every}
        os.chdir("/")
    differing = {case: gap for case, gap in gaps.items() if gap.size > TOLERANCE[case.bits]}
    for case, gap in differing.items():
        print(f"{case.name}, {case.num_ranks} processes, {case.bits} bits: {gap.size:.2g} in "
              f"{gap.where}")  # fmt: skip
    print(table(gaps))
    print(f"refused by name: {', '.join(REFUSED)}")
    if given.write:
        keep(gaps)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
