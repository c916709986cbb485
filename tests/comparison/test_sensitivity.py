"""How much the tuned value mattered, and whether enough was tried."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.comparison.sensitivity import (
    best_value,
    decades_within,
    is_on_edge,
    is_still_climbing,
    sensitivity,
)
from experiments.derived import worst_of
from experiments.sweep.selection import Trial, selection_of

TRIALS = [
    (0.1, [0.90, 0.92, 0.91]),
    (1.0, [0.95, None, None]),
    (0.01, [0.88, 0.89, 0.90]),
    (10.0, [None, None, None]),
    (0.001, [0.70, None, 0.72]),
]


def test_every_value_in_rising_order() -> None:
    found = sensitivity(TRIALS, default=0.01)
    assert found.values == [0.001, 0.01, 0.1, 1.0, 10.0]
    assert found.n == [3, 3, 3, 3, 3]
    assert found.failed == [1, 0, 0, 2, 3]
    # A failed run is the worst of its value: of three, one leaves the lower of the others.
    assert found.median == [0.70, 0.89, 0.91, None, None]
    assert found.low == [0.70, 0.88, 0.90, 0.95, None]
    assert found.high == [0.72, 0.90, 0.92, 0.95, None]
    assert found.best == 0.1
    assert found.tuned_minus_default == pytest.approx(0.02)
    # From 0.91 at 0.1 down to 0.89 a decade below, half a decade is within a point; above, no run.
    assert found.decades == pytest.approx(0.5)
    assert not found.is_cut


def test_a_loss() -> None:
    trials = [(0.01, [0.5, 0.6]), (0.1, [0.3, 0.4]), (1.0, [0.2, None])]
    found = sensitivity(trials, higher_is_better=False, default=0.01, margin=0.1)
    assert found.best == 0.1
    assert found.median == [0.55, pytest.approx(0.35), None]
    assert found.tuned_minus_default == pytest.approx(-0.2)
    assert found.decades == pytest.approx(0.5)
    assert sensitivity(trials, higher_is_better=False, default=1.0).tuned_minus_default is None


@pytest.mark.parametrize("default", [None, 0.05])
def test_a_default_that_was_not_tried(default: float | None) -> None:
    assert sensitivity(TRIALS, default=default).tuned_minus_default is None


def test_all_failed() -> None:
    found = sensitivity([(0.1, [None, None]), (1.0, [None, math.nan])], default=0.1)
    assert found.failed == [2, 2]
    assert found.best is found.decades is found.tuned_minus_default is None


@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize("seed", range(10))
def test_the_best_is_the_one_that_tuning_selects(seed: int, higher_is_better: bool) -> None:
    generator = np.random.default_rng(seed)
    trials: list[tuple[float, list[float | None]]] = [
        (float(value), [None if x < 0.2 else round(float(x), 1) for x in generator.random(3)])
        for value in generator.permutation([0.1, 0.2, 0.3, 0.4, 0.5])
    ]
    tried = [Trial({"optim.lr": value}, scores) for value, scores in trials]
    metric = "val/accuracy" if higher_is_better else "val/loss"
    selection = selection_of([], tried, {}, metric)
    best = best_value(trials, worst_of(metric), higher_is_better=higher_is_better)
    assert {"optim.lr": best} == selection.values
    assert is_on_edge(best, [value for value, _ in trials]) == bool(selection.on_edge)


# Decades


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.5, 0.90, 0.5, 0.4, 0.3], (2 * 0.01 / 0.4, False)),
        ([0.5, 0.90, 0.895, 0.891, 0.3], (0.01 / 0.4 + 2 + 0.001 / 0.591, False)),
        (
            [0.5, 0.90, 0.88, 0.90, 0.5],
            (0.5 + 0.01 / 0.4, False),
        ),  # the second range does not count
        ([0.5, 0.6, 0.7, 0.89, 0.90], (1 + 0.0, True)),
        ([0.90, 0.5, 0.7, 0.7, 0.7], (0.01 / 0.4, True)),
        ([0.9, 0.9, 0.9, 0.9, 0.9], (4, True)),
        ([-math.inf, 0.9, -math.inf, 0.9, 0.9], (0.0, False)),
        ([-math.inf, 0.9, 0.895, -math.inf, 0.9], (1.0, False)),
    ],
)
def test_decades(scores: list[float], expected: tuple[float, bool]) -> None:
    values = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    width, is_cut = decades_within(values, scores)
    assert width == pytest.approx(expected[0], abs=1e-9)
    assert is_cut == expected[1]
    losses = [-score for score in scores]
    assert decades_within(values, losses, higher_is_better=False) == (width, is_cut)


def test_decades_against_a_fine_line() -> None:
    generator = np.random.default_rng(0)
    values = 10.0 ** np.arange(-4, 1.5, 0.5)
    for _ in range(20):
        scores = 0.9 - 0.01 * generator.random(len(values)) * abs(np.arange(len(values)) - 5)
        x = np.linspace(-4, 1, 200_001)
        is_good = np.interp(x, np.log10(values), scores) >= scores.max() - 0.01
        at = np.searchsorted(x, np.log10(values[scores.argmax()]))
        is_bad = np.flatnonzero(~is_good)
        low = is_bad[is_bad < at].max(initial=-1) + 1
        high = is_bad[is_bad > at].min(initial=len(x)) - 1
        assert decades_within(values, scores)[0] == pytest.approx(x[high] - x[low], abs=1e-4)


def test_a_value_without_a_logarithm() -> None:
    assert decades_within([0.0, 0.9], [0.8, 0.9]) == (None, False)


# Adequacy


@pytest.mark.parametrize(
    ("best", "values", "expected"),
    [
        (0.1, [0.1, 0.01], True),
        (0.01, [0.1, 0.01], True),
        (0.1, [1, 0.1, 0.01], False),
        (0.1, [0.1], False),
    ],
)
def test_on_edge(best: float, values: list[float], expected: bool) -> None:
    assert is_on_edge(best, values) == expected


RISING = [0.5, 0.6, 0.7, 0.8, 0.82, 0.84, 0.85, 0.86, 0.87, 0.88]


@pytest.mark.parametrize(
    ("curve", "delta", "expected"),
    [
        (RISING, 0.005, True),
        (RISING, 0.015, True),  # more than delta in a fifth, though not in the last epoch
        (RISING, 0.025, False),  # from 0.86, the best of the first 8 epochs, to 0.88
        (RISING, None, True),
        ([*RISING[:-1], 0.869], 0.005, False),  # the last epoch is not the best
        ([*RISING[:-1], 0.87], None, False),
        ([0.9, *RISING[1:]], None, False),
        ([0.1], None, False),
        ([0.1, 0.5], 0.1, True),
        ([0.1, math.nan, 0.5], 0.1, False),
    ],
)
def test_one_run_still_climbs(curve: list[float], delta: float | None, expected: bool) -> None:
    assert is_still_climbing([curve], delta) == expected
    losses = [-score for score in curve]
    assert is_still_climbing([losses], delta, higher_is_better=False) == expected


def test_most_runs_decide() -> None:
    flat = [0.9] * 10
    assert is_still_climbing([RISING, RISING, flat], 0.005)
    assert not is_still_climbing([RISING, flat, flat], 0.005)
    assert not is_still_climbing([RISING, flat], 0.005)
    assert not is_still_climbing([], 0.005)
