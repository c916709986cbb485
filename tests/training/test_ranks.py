"""Several processes for one run, for real (gloo on the CPU)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from running import run_folders

from experiments import load_run
from experiments.config import door
from experiments.training import ranks

FAST = ["progress=none", "model=mlp", "model.hidden=[32]", "trainer.max_epochs=3"]


def without_diagnostics(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the training itself says in a row of a history."""
    return {name: value for name, value in row.items() if not name.startswith("diagnostics/")}


def test_two_processes_are_one_run_with_the_result_of_one(command: Callable) -> None:
    measured = ["log_full_loss=true", "callbacks=diagnostics", "data.sampler=balanced"]
    one = command(*FAST, *measured, "logger=none")
    two = command(
        *FAST, *measured, "trainer=ddp_cpu", "trainer.devices=2", "logger.media=false"
    )  # fmt: skip
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
        assert without_diagnostics(row) == pytest.approx(without_diagnostics(reference), rel=1e-3)
    # What is measured beside the training, of the same weights but for rounding.
    row, reference = shared.history[0], alone.history[0]
    assert row["train/full_loss"] == pytest.approx(reference["train/full_loss"], rel=1e-4)
    assert row.keys() == reference.keys()
    names = [name for name in row if name.startswith("diagnostics/")]
    assert {name.split("/")[1] for name in names} == {"layers.0", "head", "network"}
    for name in names:
        assert row[name] == pytest.approx(reference[name], rel=1e-3), name
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


@pytest.mark.slow
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


@pytest.mark.parametrize("code", [0, 1, 130])
def test_a_rank_of_a_launcher_ends_at_once_with_its_commands_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int
) -> None:
    # The interpreter's own end would now and then be an abort in gloo's threads (exit code -6).
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    monkeypatch.setattr(door, "exit_code", code)
    ranks.leave_script()
    assert left == []  # no group: an ordinary process, with an ordinary end
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    ranks.leave_script()
    assert left == [code]
    assert not torch.distributed.is_initialized()
