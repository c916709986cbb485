"""What looks promise, over thousands of sweeps: the level, the power, and how many runs they save.

`benchmarks/looks.py` does the same at length, and what it found stands in docs/comparison.md.
"""

from __future__ import annotations

import math
import runpy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from running import ROOT

from experiments.comparison.statistics.permutation import sign_flip
from experiments.comparison.statistics.settling import settle
from experiments.comparison.statistics.spending import Looks
from experiments.config.schema import SPENDINGS

SIZES = (6, 8, 10, 13)


Simulate = Callable[..., dict[str, dict[str, float]]]


@pytest.fixture(scope="module")
def benchmark() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "benchmarks" / "looks.py"))


@pytest.fixture
def simulate(benchmark: dict[str, Any]) -> Simulate:
    found: Simulate = benchmark["simulate"]
    return found


def error(share: float, number: int) -> float:
    return 3 * math.sqrt(share * (1 - share) / number)


@pytest.mark.parametrize(
    ("kind", "family", "number"),
    [
        ("normal", 3, 600),
        *(
            pytest.param(kind, family, 2_000, marks=pytest.mark.slow)
            for kind in ("student t, 3 df", "exponential", "ties")
            for family in (1, 3)
        ),
    ],
)
def test_a_against_a_is_claimed_in_5_percent_at_most(
    simulate: Simulate, kind: str, family: int, number: int
) -> None:
    found = simulate(SIZES, family, number, kind=kind)
    for spending in SPENDINGS:
        assert found[spending]["any"] <= 0.05 + error(0.05, number)
    if kind != "ties":
        # So many claims has the fixed test where it is asked at each look.
        assert found["fixed"]["peeked"] >= 0.06


@pytest.mark.parametrize("effect", [1.0, pytest.param(2.0, marks=pytest.mark.slow)])
def test_power_is_that_of_all_seeds_and_runs_are_fewer(simulate: Simulate, effect: float) -> None:
    found = simulate(SIZES, 3, 100, effect=effect)
    assert found["obrien_fleming"]["found"] >= found["fixed"]["found"] - 0.03
    assert found["pocock"]["runs"] < found["obrien_fleming"]["runs"] < 0.95 * found["fixed"]["runs"]


def test_equivalence_is_claimed_wrongly_in_5_percent_at_most(simulate: Simulate) -> None:
    at_delta = simulate(SIZES, 1, 400, effect=1.0, delta=1.0)
    assert all(own["equal"] <= 0.05 + error(0.05, 400) for own in at_delta.values())
    equal = simulate(SIZES, 1, 100, delta=1.5)
    assert equal["obrien_fleming"]["equal"] >= equal["fixed"]["equal"] - 0.03
    assert equal["obrien_fleming"]["runs"] < 0.8 * equal["fixed"]["runs"]


def test_what_others_leave_of_alpha_is_spent_once(benchmark: dict[str, Any]) -> None:
    number, family = 500, 3
    looks = Looks(SIZES, "pocock")
    drawn = benchmark["differences"](np.random.default_rng(0), "normal", number, family, 13, 0.0)
    drawn[:, 0] += 4.0  # found at the first look that can, which leaves the others more
    wrong = 0
    for d in drawn:
        alone = np.array([sign_flip(d[:, :n]) for n in SIZES])
        effects = benchmark["effects_of"](d, alone, looks, None)
        first, *others = settle(effects, family=family, delta=None)
        assert first.verdict == "better"
        wrong += any(standing.is_settled for standing in others)
    assert wrong / number <= 0.05 + error(0.05, number)
    assert wrong / number >= 0.02
