"""How much the tuned value mattered: every value that was tried, and how wide the good ones lie."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.comparison.sensitivity import decades_within, scores_by_value

TRIALS = [
    (0.1, [0.90, 0.92, 0.91]),
    (1.0, [0.95, None, None]),
    (0.01, [0.88, 0.89, 0.90]),
    (10.0, [None, None, None]),
    (0.001, [0.70, None, 0.72]),
]


def test_every_value_in_rising_order() -> None:
    found = scores_by_value(TRIALS)
    assert found["values"] == [0.001, 0.01, 0.1, 1.0, 10.0]
    assert found["n"] == [3, 3, 3, 3, 3]
    assert found["failed"] == [1, 0, 0, 2, 3]
    # A failed run is the worst of its value: of three, one leaves the lower of the others.
    assert found["median"] == [0.70, 0.89, 0.91, None, None]
    assert found["low"] == [0.70, 0.88, 0.90, 0.95, None]
    assert found["high"] == [0.72, 0.90, 0.92, 0.95, None]
    # From 0.91 at 0.1 down to 0.89 a decade below, half a decade is within a point; above, no run.
    width, is_cut = decades_within(found["values"], found["median"])
    assert width == pytest.approx(0.5)
    assert not is_cut


def test_a_loss() -> None:
    trials = [(0.01, [0.5, 0.6]), (0.1, [0.3, 0.4]), (1.0, [0.2, None])]
    found = scores_by_value(trials, higher_is_better=False)
    assert found["median"] == [0.55, pytest.approx(0.35), None]
    width, _ = decades_within(found["values"], found["median"], 0.1, higher_is_better=False)
    assert width == pytest.approx(0.5)


def test_all_failed() -> None:
    found = scores_by_value([(0.1, [None, None]), (1.0, [None, math.nan])])
    assert found["failed"] == [2, 2]
    assert decades_within(found["values"], found["median"]) == (None, False)


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
