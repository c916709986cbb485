"""What looks promise, over thousands of sweeps: the level, the power, and how many runs they save.

`benchmarks/looks.py` does the same at length, and what it found stands in docs/comparison.md.
"""

from __future__ import annotations

import math
import runpy
from collections.abc import Callable

import pytest
from running import ROOT

from experiments.config.schema import SPENDINGS

SIZES = (6, 8, 10, 13)


@pytest.fixture(scope="module")
def simulate() -> Callable[..., dict[str, dict[str, float]]]:
    module = runpy.run_path(str(ROOT / "benchmarks" / "looks.py"))
    found: Callable[..., dict[str, dict[str, float]]] = module["simulate"]
    return found


Simulate = Callable[..., dict[str, dict[str, float]]]


def error(share: float, number: int) -> float:
    return 3 * math.sqrt(share * (1 - share) / number)


@pytest.mark.parametrize(
    ("kind", "family", "number"),
    [
        ("normal", 3, 1_000),
        ("student t, 3 df", 1, 2_000),
        ("exponential", 1, 1_000),
        ("ties", 3, 500),
    ],
)
def test_a_against_a_is_claimed_in_5_percent_at_most(
    simulate: Simulate, kind: str, family: int, number: int
) -> None:
    found = simulate(SIZES, family, number, kind=kind)
    for spending in SPENDINGS:
        assert found[spending]["any"] <= 0.05 + error(0.05, number)
    if kind == "normal":
        # So many claims has the fixed test where it is asked at each look.
        assert found["fixed"]["peeked"] >= 0.08


@pytest.mark.parametrize("effect", [1.0, 2.0])
def test_power_is_that_of_all_seeds_and_runs_are_fewer(simulate: Simulate, effect: float) -> None:
    found = simulate(SIZES, 3, 100, effect=effect)
    assert found["obrien_fleming"]["found"] >= found["fixed"]["found"] - 0.03
    assert found["pocock"]["runs"] < found["obrien_fleming"]["runs"] < 0.95 * found["fixed"]["runs"]


def test_equivalence_is_claimed_wrongly_in_5_percent_at_most(simulate: Simulate) -> None:
    at_delta = simulate(SIZES, 1, 800, effect=1.0, delta=1.0)
    assert all(own["equal"] <= 0.05 + error(0.05, 800) for own in at_delta.values())
    equal = simulate(SIZES, 1, 200, delta=1.5)
    assert equal["obrien_fleming"]["equal"] >= equal["fixed"]["equal"] - 0.03
    assert equal["obrien_fleming"]["runs"] < 0.8 * equal["fixed"]["runs"]
