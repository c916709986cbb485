"""What tuning gained, and whether training had come to its end."""

from __future__ import annotations

import math

import pytest

from experiments.comparison.tuned import Tuned, finite_mean, is_still_climbing


@pytest.mark.parametrize(
    ("metric", "default", "gain"),
    [
        ("val/accuracy", 0.01, 0.02),
        ("val/accuracy", 1.0, 0.91 - 0.95 / 3),  # a failed run counts as 0
        ("val/accuracy", 0.05, None),  # not tried
        ("val/accuracy", None, None),
        ("val/loss", 0.01, 0.02),
        ("val/loss", 1.0, None),  # a failed run's loss is infinite
    ],
)
def test_what_tuning_gained(metric: str, default: float | None, gain: float | None) -> None:
    scores = {0.1: [0.90, 0.92, 0.91], 1.0: [0.95, None, None], 0.01: [0.88, 0.89, 0.90]}

    def tried(value: float | None) -> float | None:
        return finite_mean(scores[value], metric) if value in scores else None

    own = None if default is None else ({"optim.lr": default}, tried(default))
    found = Tuned({"optim.lr": 0.1}, tried(0.1), [], False, own, [])
    assert found.gain == (None if gain is None else pytest.approx(gain))


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
