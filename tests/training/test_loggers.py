"""Loggers of anyone's: they are started, told every row, and refused where they are none."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from lightning.pytorch.callbacks import Callback
from running import run_folders

from experiments import load_run

FAST = ["progress=none", "model=mlp", "trainer.max_epochs=3"]
KINDS = "logger=mine", "--config-dir=mine"


def own_logger(text: str) -> None:
    Path("mine/logger").mkdir(parents=True)
    Path("mine/logger/mine.yaml").write_text(text)


def test_a_logger_of_ones_own_is_told_every_row(command: Callable) -> None:
    own_logger("name: mine\n_target_: lightning.pytorch.loggers.CSVLogger\nversion: here\n")
    assert command(*FAST, *KINDS).code == 0
    [folder] = run_folders()
    [path] = folder.rglob("here/metrics.csv")
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["train/loss"]]
    run = load_run(folder)
    assert [float(row["train/loss"]) for row in rows] == [r["train/loss"] for r in run.history]
    assert run.record["wandb_id"] is None
    assert not Path("outputs/wandb").exists()


def test_several_loggers_are_told_alike(command: Callable) -> None:
    other = "lightning.pytorch.loggers.CSVLogger"
    own_logger(f"name: mine\n_target_: {other}\nversion: here\n")
    typed = [f"+logger.also.other={{_target_:{other},version:there}}"]
    answer = command(*FAST, *typed, "+logger.also.more.version=1", "logger=csv")
    assert "logger.also.more: this is no logger, as it has no _target_." in answer.err
    assert not Path("outputs").exists()
    assert command(*FAST, *typed, *KINDS).code == 0
    assert command(*FAST, *typed, "logger=csv").code == 0
    one, other = run_folders()
    [here], [there] = one.rglob("here/metrics.csv"), one.rglob("there/metrics.csv")
    assert here.read_text() == there.read_text()
    assert list(other.rglob("there/metrics.csv"))


REFUSED = {
    "name: mine\n": "logger.name=mine: there is no such logger.",
    "name: mine\n_target_: no.such.Class\n": "logger",
    "name: mine\n_target_: collections.Counter\n": "logger._target_=collections.Counter: this is no",
    "name: mine\n_target_: torch.nn.ReLU\n": "logger.name=mine: torch.nn.ReLU is no",
    "name: mine\n_target_: lightning.pytorch.loggers.CSVLogger\nwrong: 1\n": "logger",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_logger_is_refused(text: str, command: Callable) -> None:
    own_logger(text)
    answer = command(*FAST, *KINDS)
    assert answer.code != 0
    assert REFUSED[text] in answer.err
    assert "Traceback" not in answer.err


class Interrupted(Callback):
    """Ctrl-C in the third epoch."""

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == 2:
            raise KeyboardInterrupt


def test_lightnings_csv_file_has_all_rows_of_a_run_that_went_on(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("experiments.training.build.build_callbacks", lambda config: [Interrupted()])
        assert command(*FAST, "logger=csv").code == 130
    [folder] = run_folders()
    assert command(f"resume={folder}", "logger=csv").code == 0
    with (folder / "csv" / "metrics.csv").open() as file:
        epochs = [int(row["epoch"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert epochs == [1, 2, 3]
