"""Schedules against their formulas."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import pytest
import torch
from running import choices, plain

from experiments.catalogue import schedulers
from experiments.config.entries import entry
from experiments.errors.messages import UserError
from experiments.training.load import Run
from experiments.training.recipe import optimizer_of
from experiments.training.run_parts import build_run


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


def test_multistep() -> None:
    got = rates(lambda o, n: schedulers.multistep(o, n, milestones=[2, 5], gamma=0.1), 8)
    assert got == pytest.approx([0.5] * 2 + [0.05] * 3 + [0.005] * 3)


def test_exponential() -> None:
    got = rates(lambda o, n: schedulers.exponential(o, n, gamma=0.9), 6)
    assert got == pytest.approx([0.5 * 0.9**k for k in range(6)])


def test_linear() -> None:
    got = rates(lambda o, n: schedulers.linear(o, n, end_factor=0.2), 8)
    assert got == pytest.approx([0.5 * (1 - 0.8 * k / 8) for k in range(8)])


def test_polynomial() -> None:
    got = rates(lambda o, n: schedulers.polynomial(o, n, power=0.9), 8)
    assert got == pytest.approx([0.5 * (1 - k / 8) ** 0.9 for k in range(8)])


def test_warmup_cosine() -> None:
    make = functools.partial(schedulers.warmup_cosine, warmup=0.25, end_factor=0.1)
    falls = [0.1 + 0.9 * (1 + math.cos(math.pi * k / 6)) / 2 for k in range(6)]
    assert rates(make, 8) == pytest.approx([0.5 * f for f in [1 / 3, 2 / 3, *falls]])


def test_inverse_sqrt() -> None:
    got = rates(lambda o, n: schedulers.inverse_sqrt(o, n, num_warmup=4), 16)
    rises = [0.5 * k / 4 for k in range(1, 5)]
    assert got == pytest.approx([*rises, *(0.5 * math.sqrt(4 / k) for k in range(5, 17))])
    # Vaswani et al. 2017, equation 3: d^-1/2 min(step^-1/2, step w^-3/2), here over its peak.
    paper = [min(k**-0.5, k * 4**-1.5) / 4**-0.5 * 0.5 for k in range(1, 17)]
    assert got == pytest.approx(paper)


def test_onecycle_goes_up_and_down_once() -> None:
    got = rates(lambda o, n: schedulers.onecycle(o, n), 100)
    peak = got.index(max(got))
    assert got[0] == pytest.approx(0.5 / 25)
    assert max(got) == pytest.approx(0.5, rel=1e-2)
    assert peak == 29
    assert got == sorted(got[:peak]) + sorted(got[peak:], reverse=True)
    assert got[-1] == pytest.approx(0.5 / 25 / 1e4)


@pytest.mark.parametrize(
    ("optim", "moves"),
    [("sgd", None), ("momentum", "momentum"), ("adam", "betas"), ("muon", None)],
)
def test_onecycle_moves_the_momentum_that_there_is(optim: str, moves: str | None) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    optimizer = optimizer_of(plain(f"optim={optim}")).make(network)
    before = [(g.get("momentum"), g.get("betas")) for g in optimizer.param_groups]
    scheduler = schedulers.onecycle(optimizer, 10)
    after = [(g.get("momentum"), g.get("betas")) for g in optimizer.param_groups]
    assert (before != after) is (moves is not None)
    for _ in range(10):  # every optimizer step of the run, and no error at the last
        optimizer.step()
        scheduler.step()


def test_plateau_drops_after_patience(train_run: Callable[..., Run]) -> None:
    # A step of nothing: no epoch is better than the first, by more than the threshold.
    run = train_run(
        "model=linear",
        "optim=sgd",
        "optim.lr=1e-12",
        "scheduler=plateau",
        "scheduler.patience=1",
        "trainer.max_epochs=6",
    )
    rates = [row["lr"] for row in run.history]
    assert rates == pytest.approx([1e-12 * 0.1**k for k in (0, 0, 0, 1, 1, 2)], rel=1e-6)


def test_a_plateau_is_looked_for_where_there_is_a_validation(train_run: Callable[..., Run]) -> None:
    common = ("model=linear", "optim=sgd", "optim.lr=1e-12", "scheduler=plateau")
    common += ("scheduler.patience=0", "trainer.max_epochs=6")
    every_other = train_run(*common, "trainer.check_val_every_n_epoch=2")
    rates = [row["lr"] for row in every_other.history]
    assert rates == pytest.approx([1e-12 * 0.1**k for k in (0, 0, 0, 0, 1, 1)], rel=1e-6)
    without = train_run(*common, "data.val_fraction=0")
    rates = [row["lr"] for row in without.history]
    assert rates == pytest.approx([1e-12 * 0.1**k for k in (0, 0, 1, 2, 3, 4)], rel=1e-6)


@pytest.mark.parametrize(
    "overrides",
    [
        ["scheduler=multistep", "scheduler.milestones=[5,3]"],
        ["scheduler=multistep", "scheduler.milestones=[0.5]"],
        ["scheduler=exponential", "scheduler.gamma=0"],
        ["scheduler=linear", "scheduler.end_factor=2"],
        ["scheduler=polynomial", "scheduler.power=0"],
        ["scheduler=warmup_cosine", "scheduler.warmup=1.5"],
        ["scheduler=onecycle", "scheduler.pct_start=1"],
        ["scheduler=inverse_sqrt", "scheduler.num_warmup=0"],
        ["scheduler=plateau", "scheduler.patience=-1"],
        ["scheduler=plateau", "scheduler.factor=1.5"],
    ],
)
def test_values_that_are_no_schedule_are_refused(overrides: list[str]) -> None:
    with pytest.raises(
        UserError, match=f"scheduler: experiments.catalogue.schedulers.{overrides[0][10:]}"
    ):
        build_run(plain("model=linear", *overrides))


ALONG_THE_RUN = {"cosine", "warmup_cosine", "linear", "polynomial", "onecycle"}


@pytest.mark.parametrize("name", choices("scheduler"))
def test_each_file_states_its_interval_and_each_schedule_whether_it_knows_the_end(
    name: str,
) -> None:
    config = plain(f"scheduler={name}")
    assert config["scheduler"]["interval"] in ("epoch", "step")
    make = entry(config, "scheduler")
    assert schedulers.depends_on_total(make) is (name in ALONG_THE_RUN)


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
