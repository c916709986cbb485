"""Steps to a target, and profiles over tasks."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.comparison.statistics.profiles import (
    performance_profile,
    profile_score,
    ratios,
    steps_to_target,
)

INF = np.inf
STEPS = [[100, 200, 300, INF], [150, 200, INF, 400], [500, 100, 900, 400]]


def test_scores_of_the_specification() -> None:
    assert profile_score(STEPS).round(4).tolist() == [0.6667, 0.6250, 0.5833]


def test_ratios() -> None:
    expected = [[1, 2, 1, INF], [1.5, 2, INF, 1], [5, 1, 3, 1]]
    np.testing.assert_array_equal(ratios(STEPS), expected)


def test_profile_counts_tasks() -> None:
    profile = performance_profile(STEPS, [1, 1.5, 2, 3, 4, 5])
    expected = [[2, 2, 3, 3, 3, 3], [1, 2, 3, 3, 3, 3], [2, 2, 2, 3, 3, 4]]
    np.testing.assert_array_equal(profile, np.array(expected) / 4)


def test_score_is_the_area_under_the_profile() -> None:
    generator = np.random.default_rng(0)
    steps = np.where(generator.random((5, 30)) < 0.2, INF, generator.integers(1, 50, (5, 30)))
    steps[:, 7] = INF
    edges = np.linspace(1, 4, 6001)
    middles = (edges[1:] + edges[:-1]) / 2
    area = performance_profile(steps, middles).mean(axis=1)
    np.testing.assert_allclose(profile_score(steps), area, atol=1e-3)


def test_a_task_that_nobody_solves_counts_for_nobody() -> None:
    with_it = [[*row, INF] for row in STEPS]
    assert np.isinf(ratios(with_it)[:, -1]).all()
    np.testing.assert_allclose(profile_score(with_it), profile_score(STEPS) * 4 / 5)
    assert performance_profile(with_it, [100.0]).max() == 4 / 5


@pytest.mark.parametrize("wrong", [[[0, 1]], [[np.nan, 1]], [[-3, 1]]])
def test_no_steps(wrong: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="positive, or infinite"):
        ratios(wrong)


def test_steps_to_target() -> None:
    steps = [10, 20, 30, 40]
    curves = [
        [0.1, 0.5, 0.4, 0.9],
        [0.1, 0.2, 0.3, 0.4],
        [np.nan, 0.2, np.nan, 0.5],
        [0.6, np.nan, np.nan, np.nan],
    ]
    assert steps_to_target(steps, curves, 0.5).tolist() == [20, INF, 40, 10]
    losses = 1 - np.array(curves)
    assert steps_to_target(steps, losses, 0.5, higher_is_better=False).tolist() == [20, INF, 40, 10]
    assert float(steps_to_target([], [], 0.5)) == INF
