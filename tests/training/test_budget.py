"""A run that its budget has ended goes on with a larger one as if it had been given at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from killing import clock_of_steps, killed_run
from running import QUIET, plain, run_folders
from same_runs import assert_same_runs

from experiments import load_run
from experiments.config.launch import Launch
from experiments.training.callbacks.last_amid_epoch import keep_as_it_is
from experiments.training.load import Run
from experiments.training.run import train

# 18 batches of 16 points in an epoch.
SMALL = ["data=moons", "data.num_samples=400", "data.batch_size=16", "trainer.max_epochs=3"]
SMALL += ["model=mlp", "model.hidden=[8,8]", "model.dropout=0.2", "model.norm=batch"]

CASES: dict[str, tuple[list[str], list[int]]] = {
    "plain": (["steps_per_execution=7"], [1, 40]),
    "validation by steps": (["trainer.val_check_interval=5"], [5, 18]),
    "every other epoch": (["trainer.check_val_every_n_epoch=2"], [10]),
    "accumulation": (
        ["trainer.accumulate_grad_batches=4", "trainer.val_check_interval=0.3"],
        [5],
    ),
    "weights to evaluate": (["optim=schedulefree_adamw", "trainer.val_check_interval=5"], [5]),
    "no validation": (["data.val_fraction=0", "trainer.ema_decay=0.9"], [20]),
    "early stopping": (
        [
            *("callbacks=early_stopping", "callbacks.early_stopping.patience=2"),
            "trainer.val_check_interval=4",
        ],
        [5],
    ),
    "rows of steps": (["trainer.log_every_n_steps=3", "checkpoint.every_n_steps=4"], [4]),
}


def gone_on(folder: Path, *typed: str) -> Run:
    """Go on with a run under another budget, and return what it makes in a folder of its own."""
    before, overrides = set(run_folders()), [f"resume={folder}", *typed]
    train(plain(*QUIET, *overrides), Launch(overrides))
    [new] = set(run_folders()) - before
    return load_run(new)


@pytest.mark.parametrize("case", CASES)
def test_more_steps_amid_an_epoch_are_as_if_given_at_once(case: str, train_run: Callable) -> None:
    more, ends = CASES[case]
    reference = train_run(*SMALL, *more)
    for end in ends:
        short = train_run(*SMALL, *more, f"trainer.max_steps={end}")
        assert short.record["steps"] == end
        assert_same_runs(reference, gone_on(short.folder, "trainer.max_steps=-1"))


def test_a_budget_is_raised_again_and_again(train_run: Callable) -> None:
    reference = train_run(*SMALL, "trainer.max_steps=50")
    run = train_run(*SMALL, "trainer.max_steps=7")
    for steps in (8, 18, 30, 50):
        run = gone_on(run.folder, f"trainer.max_steps={steps}")
    assert_same_runs(reference, run)
    # One that leaves nothing to do gives what is there, tested.
    again = gone_on(run.folder, "trainer.max_epochs=4")
    assert again.record["metrics"] == run.record["metrics"]
    assert again.record["steps"] == 50


def test_the_best_weights_are_those_of_before_the_end(train_run: Callable) -> None:
    """The end of the short run is validated, and better than all that the long run validates."""
    more = ["scheduler=multistep", "scheduler.milestones=[20]", "scheduler.gamma=1e5"]
    more += ["scheduler.interval=step"]  # all is lost after step 20
    reference = train_run(*SMALL, *more)
    short = train_run(*SMALL, *more, "trainer.max_steps=20")
    assert (short.record["best_epoch"], reference.record["best_epoch"]) == (2, 1)
    assert_same_runs(reference, gone_on(short.folder, "trainer.max_steps=-1"))


def test_more_time_is_as_if_given_at_once(
    train_run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_of_steps(monkeypatch, "lightning.pytorch.callbacks.timer")
    for more in ([], ["trainer.val_check_interval=5"]):
        reference = train_run(*SMALL, *more, "trainer.max_time=00:00:00:47")
        assert reference.record["steps"] == 47
        for end in (18, 23, 25):
            short = train_run(*SMALL, *more, f"trainer.max_time=00:00:00:{end}")
            assert short.record["steps"] == end
            longer = gone_on(short.folder, "trainer.max_time=00:00:00:47")
            assert_same_runs(reference, longer)


def test_last_ckpt_is_written_as_time_passes(
    train_run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    clock_of_steps(monkeypatch, "experiments.training.callbacks.last_amid_epoch")
    save = "experiments.training.trainer.AtomicCheckpoints.save_checkpoint"

    def seen(self: Any, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        if Path(path).name == "last.ckpt":
            kept.append(int(checkpoint["global_step"]))
        Path(path).parent.mkdir(exist_ok=True)
        torch.save(checkpoint, path)

    monkeypatch.setattr(save, seen)
    single = ["trainer.max_epochs=2", "steps_per_execution=1"]
    train_run(*SMALL, *single, "checkpoint.every_seconds=7")
    assert kept == [7, 14, 18, 25, 32, 36]
    kept.clear()
    train_run(*SMALL, *single, "checkpoint.every_seconds=null")
    assert kept == [18, 36]


def test_a_plateau_that_is_resumed_is_shown_the_validation_of_before(
    train_run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last validation of the epoch comes before the checkpoint, and its end after the kill."""
    more = ["scheduler=plateau", "scheduler.patience=0", "scheduler.threshold=0.2"]
    more += ["trainer.val_check_interval=5", "checkpoint.every_n_steps=8"]
    reference = train_run(*SMALL, *more)
    killed = killed_run(monkeypatch, [*SMALL, *more], 17)
    overrides = [f"resume={killed}"]
    train(plain(*QUIET, *overrides), Launch(overrides))
    assert_same_runs(reference, load_run(killed))


def test_a_second_name_keeps_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise OSError

    for link in (os.link, refused):
        monkeypatch.setattr("os.link", link)
        best, kept = tmp_path / "best", tmp_path / "kept"
        best.write_text("old")
        keep_as_it_is(best, kept)
        (tmp_path / "new").write_text("new")
        os.replace(tmp_path / "new", best)
        assert (best.read_text(), kept.read_text()) == ("new", "old")
        best.unlink()
        keep_as_it_is(best, kept)
        assert not kept.exists()
