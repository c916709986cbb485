"""Schedules against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from running import plain

from experiments import schedulers
from experiments.runs import Run


def rates(make: Callable, num_total: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = make(optimizer, num_total)
    result = []
    for _ in range(num_total):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return result


def test_constant() -> None:
    assert rates(schedulers.constant, 5) == [0.5] * 5


def test_cosine() -> None:
    want = [0.1 + 0.4 * (1 + math.cos(math.pi * k / 8)) / 2 for k in range(8)]
    got = rates(lambda o, n: schedulers.cosine(o, n, eta_min=0.1), 8)
    assert got == pytest.approx(want)


def test_step() -> None:
    got = rates(lambda o, n: schedulers.step(o, n, step_size=3, gamma=0.1), 8)
    assert got == pytest.approx([0.5 * 0.1 ** (k // 3) for k in range(8)])


def test_which_schedules_are_laid_out_over_the_whole_run() -> None:
    assert schedulers.depends_on_total(schedulers.cosine)
    assert not schedulers.depends_on_total(schedulers.constant)
    assert not schedulers.depends_on_total(schedulers.step)


def test_the_interval_of_each_file_is_epoch_or_step() -> None:
    for name in ("constant", "cosine", "step"):
        assert plain(f"scheduler={name}")["scheduler"]["interval"] in ("epoch", "step")


def test_step_drops_by_epoch_in_a_run(train_run: Callable[..., Run]) -> None:
    run = train_run(
        "model=linear", "scheduler=step", "scheduler.step_size=2", "trainer.max_epochs=5"
    )
    assert [row["lr"] for row in run.history] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5])


def test_cosine_ends_at_eta_min_after_the_last_step(train_run: Callable[..., Run]) -> None:
    run = train_run(
        "model=linear", "scheduler=cosine", "trainer.max_epochs=3", "trainer.log_every_n_steps=1"
    )
    steps = [row for row in run.history if row["train/loss_step"] is not None]
    total = len(steps)
    assert total == run.record["steps"] == 3 * 21
    want = [1e-3 * (1 + math.cos(math.pi * k / total)) / 2 for k in range(total)]
    assert [row["lr"] for row in steps] == pytest.approx(want, abs=1e-12)
