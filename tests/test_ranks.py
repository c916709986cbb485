"""Several processes for one run, for real (gloo on the CPU)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from running import run_folders

from experiments import load_run

FAST = ["progress=none", "model=mlp", "model.hidden=[32]", "trainer.max_epochs=3"]


def test_two_processes_are_one_run_with_the_result_of_one(command: Callable) -> None:
    one = command(*FAST, "logger=none")
    two = command(*FAST, "trainer=ddp_cpu", "trainer.devices=2", "logger.media=false")
    assert (one.code, two.code) == (0, 0)
    assert two.out.count("result") == 1
    alone, shared = (load_run(folder) for folder in run_folders())
    assert len(list(Path("outputs/wandb").glob("offline-run-*"))) == 1
    assert shared.record["status"] == "completed"
    assert shared.record["environment"]["num_devices"] == 2
    assert shared.record["steps"] == alone.record["steps"]
    assert [log.read_text() for log in shared.folder.glob("rank-*.log")] == []
    # The same batches, shared out: equal but for the order in which numbers are added.
    for row, reference in zip(shared.history, alone.history, strict=True):
        assert row == pytest.approx(reference, rel=1e-3)
    metrics, reference = shared.record["metrics"], alone.record["metrics"]
    assert metrics["test/accuracy"] == pytest.approx(reference["test/accuracy"], abs=0.003)
    assert metrics["test/loss"] == pytest.approx(reference["test/loss"], rel=1e-3)
    for name, value in alone.module().state_dict().items():
        torch.testing.assert_close(shared.module().state_dict()[name], value, atol=1e-4, rtol=1e-3)


def test_a_multirun_of_two_processes_each(command: Callable) -> None:
    answer = command(
        "-m", *FAST, "hydra/launcher=basic", "logger=none", "trainer=ddp_cpu", "seed=0,1"
    )
    assert answer.code == 0
    runs = [load_run(folder) for folder in run_folders()]
    assert [run.record["status"] for run in runs] == ["completed"] * 2


def test_a_rank_without_a_point_keeps_nobody_waiting(command: Callable) -> None:
    # Batches of one point and a validation set of one: rank 1 never has any.
    answer = command(
        *FAST, "logger=none", "trainer=ddp_cpu", "data=moons", "data.num_samples=50",
        "data.batch_size=1", "data.val_fraction=0.02", "trainer.max_epochs=2",
    )  # fmt: skip
    assert answer.code == 0
    [folder] = run_folders()
    assert load_run(folder).record["status"] == "completed"


def test_accumulation_averaging_and_checkpoints_amid_an_epoch_in_two_processes(
    command: Callable,
) -> None:
    more = ["logger=none", "data=moons", "data.num_samples=400", "data.batch_size=16"]
    more += ["trainer.accumulate_grad_batches=2", "trainer.ema_decay=0.5", "scheduler=cosine"]
    more += ["checkpoint.every_n_steps=4", "trainer.val_check_interval=3", "init=xavier"]
    assert command(*FAST, *more).code == 0
    assert command(*FAST, *more, "trainer=ddp_cpu").code == 0
    alone, shared = (load_run(folder) for folder in run_folders())
    assert shared.record["steps"] == alone.record["steps"] == 3 * 9
    for row, reference in zip(shared.history, alone.history, strict=True):
        measured = {name: value for name, value in reference.items() if value is not None}
        assert {name: row[name] for name in measured} == pytest.approx(measured, rel=1e-3)
    for name, value in alone.module().state_dict().items():
        torch.testing.assert_close(shared.module().state_dict()[name], value, atol=1e-4, rtol=1e-3)
