"""A record whose numbers are not those of the run's other files is told, and does not count."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from running import QUIET, run_folders

from experiments.comparison.reading import read_runs
from experiments.record.checkpoint_numbers import numbers_of
from experiments.record.evidence import contradicted, doubted_times
from experiments.record.history import read_history
from experiments.record.record import read_record

TINY = ["data=moons", "data.num_samples=120", "model=mlp", "model.hidden=[6]"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained, selected by its accuracy in an epoch that is not its last."""
    from running import plain

    from experiments.config.launch import Launch
    from experiments.training.run import train

    output = tmp_path_factory.mktemp("trained")
    words = [*TINY, *QUIET, "trainer.max_epochs=4", f"paths.output={output}", "optim.lr=0.05"]
    train(plain(*words), Launch(words))
    [folder] = run_folders(output)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "runs" / trained.name))


def said_of(folder: Path) -> str | None:
    return contradicted(folder, read_record(folder), read_history(folder))


def in_record(folder: Path, **values: Any) -> None:
    path = folder / "record.json"
    record = json.loads(path.read_text())
    for name, value in values.items():
        if name == "metrics":
            record["metrics"] |= value
        else:
            record[name] = value
    path.write_text(json.dumps(record))


def in_history(folder: Path, epoch: int, name: str, value: float) -> None:
    path = folder / "history.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    for row in rows:
        if row["epoch"] == str(epoch):
            row[name] = str(value)
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def test_a_run_that_was_trained_contradicts_nothing(run: Path) -> None:
    assert said_of(run) is None
    assert doubted_times(read_record(run)) is None
    reading = read_runs([run])
    assert (reading.unread, reading.doubted) == ([], [])


def test_numbers_of_a_checkpoint_are_those_that_torch_reads(run: Path) -> None:
    path = run / "checkpoints" / "best.ckpt"
    saved = torch.load(path, weights_only=True)
    states = [s for s in saved["callbacks"].values() if "best_model_score" in s and s["monitor"]]
    told = numbers_of(path)
    assert told.epoch == saved["epoch"] + 1
    assert (told.monitor, told.score) == (
        states[0]["monitor"],
        float(states[0]["best_model_score"]),
    )


FORGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a validation": (
        lambda run: in_record(run, metrics={"val/accuracy": 0.9999}),
        "val/accuracy is 0.9999, and ",
    ),
    "a test": (
        lambda run: in_record(run, metrics={"test/accuracy": 0.123}),
        "test/accuracy is 0.1230, and ",
    ),
    "steps": (lambda run: in_record(run, steps=1), "steps=1, and history.csv ends at step "),
    "epochs": (lambda run: in_record(run, epochs=77), "epochs=77, and history.csv has 4"),
    "an epoch": (
        lambda run: in_record(run, best_epoch=9),
        "best_epoch=9, of which history.csv has",
    ),
}


@pytest.mark.parametrize(("forge", "said"), FORGED.values(), ids=FORGED.keys())
def test_a_number_that_its_other_files_do_not_have_is_told(
    run: Path, forge: Callable[[Path], object], said: str
) -> None:
    forge(run)
    [left_out] = read_runs([run]).unread
    assert left_out.reason.startswith("record.json is contradicted: ")
    assert said in left_out.reason
    assert "\n" not in left_out.reason


OF_REGRESSIONS = {
    "small numbers": (lambda x: np.stack([x[:, 0] + x[:, 1], x[:, 0] ** 2], 1), "32-true"),
    "a large offset": (lambda x: 2_460_310 + 50 * x[:, :1], "32-true"),
    "64 bits": (lambda x: 1e12 + x[:, :1], "32-true"),
    "a network of 16 bits": (lambda x: 300 + 20 * x[:, :1], "bf16-true"),
}


@pytest.mark.parametrize(("of", "bits"), OF_REGRESSIONS.values(), ids=OF_REGRESSIONS.keys())
def test_errors_of_a_regression_are_held_against_its_predictions(
    of: Callable[[Any], Any], bits: str, train_run: Callable[..., Any]
) -> None:
    x = np.random.default_rng(0).normal(size=(150, 2))
    np.savez("own.npz", x=x, y=of(x))
    words = ["data=npz", "data.path=own.npz", "loss=mse", "model=mlp", "model.hidden=[6]"]
    trained = train_run(*words, f"trainer.precision={bits}", "trainer.max_epochs=3")
    assert trained.metrics["test/mae"] is not None
    assert said_of(trained.folder) is None
    for name, value in trained.metrics.items():
        if name in ("test/mae", "test/r2") and value is not None:
            in_record(trained.folder, metrics={name: value + 0.02 + 0.02 * abs(value)})
            assert f"{name} is " in str(said_of(trained.folder))
            in_record(trained.folder, metrics={name: value})


def test_record_and_history_changed_together_are_held_against_the_checkpoint(run: Path) -> None:
    record = read_record(run)
    best = record["best_epoch"]
    assert best is not None
    told = numbers_of(run / "checkpoints" / "best.ckpt")
    assert told.monitor is not None
    in_record(run, metrics={told.monitor: 0.0123})
    in_history(run, best, told.monitor, 0.0123)
    said = said_of(run)
    assert said is not None
    assert f"{told.monitor} is 0.01230, and " in said
    assert said.endswith("in best.ckpt")
    (run / "checkpoints" / "best.ckpt").unlink()
    assert said_of(run) is None  # whoever changes everything alike is not found


def test_another_checkpoint_is_told(run: Path) -> None:
    best = run / "checkpoints" / "best.ckpt"
    saved = torch.load(best, weights_only=True)
    torch.save({**saved, "epoch": 2 if saved["epoch"] != 2 else 1}, best)
    assert "and best.ckpt is of epoch" in str(said_of(run))


def test_what_is_broken_or_gone_says_nothing(run: Path) -> None:
    for name in ("predictions.npz", "checkpoints/best.ckpt"):
        (run / name).write_bytes(b"PK\x03\x04 no archive")
        assert said_of(run) is None
        (run / name).unlink()
        assert said_of(run) is None
    np.savez(run / "predictions.npz", targets=np.zeros(3, int), classes=np.zeros(4, int))
    assert said_of(run) is None
    with zipfile.ZipFile(run / "checkpoints" / "best.ckpt", "w") as archive:
        archive.writestr("best/data.pkl", b"\x80\x02X\x05\0\0\0epochM")
    assert said_of(run) is None
    in_record(run, steps=999)
    assert said_of(run) is None  # it was cut
    in_record(run, status="failed", steps=1)
    assert said_of(run) is None


TIMES: dict[str, tuple[dict[str, Any], str]] = {
    "training longer than the fit": (
        {"train_seconds": 500.0},
        "it trained for 500.0 s of a fit of ",
    ),
    "longer than it lasted": (
        {"duration_seconds": 5000.0},
        "it took 5000.0 s, and ended ",
    ),
    "an end before the start": (
        {"ended_at": "2020-01-01T00:00:00.000+00:00"},
        "it ended at 2020-01-01T00:00:00.000+00:00 and began at ",
    ),
}


@pytest.mark.parametrize(("values", "said"), TIMES.values(), ids=TIMES.keys())
def test_times_that_cannot_be_are_noted_and_the_run_counts(
    run: Path, values: dict[str, Any], said: str
) -> None:
    in_record(run, **values)
    reading = read_runs([run])
    assert [found.folder for found in reading.runs] == [str(run)]
    [doubted] = reading.doubted
    assert said in doubted.reason


def test_times_without_sense_are_passed_over(run: Path) -> None:
    in_record(run, started_at="yesterday", ended_at="2020-01-01")
    assert doubted_times(read_record(run)) is None
