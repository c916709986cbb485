"""Seeds by points against closed forms, and what the interval promises over many repeats."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.comparison.statistics.crossed import crossed_interval, mean_squares
from experiments.comparison.statistics.intervals import t_interval


@pytest.mark.parametrize("level", [0.9, 0.95, 1 - 0.05 / 6])
@pytest.mark.parametrize("axis", [0, 1])
def test_where_one_of_the_two_varies_alone_it_is_students_t(axis: int, level: float) -> None:
    values = np.random.default_rng(0).normal(0.01, 0.02, 7)
    d = np.repeat(np.expand_dims(values, 1 - axis), 5, axis=1 - axis)
    found = crossed_interval(d, level)
    ends = [float(found.mean), float(found.low), float(found.high)]
    np.testing.assert_allclose(ends, [float(end) for end in t_interval(values, level)])
    assert float(found.df) == pytest.approx(6)


def test_the_mean_squares_are_those_of_the_textbook() -> None:
    # By the definitions, term by term; without the shortcut for what is left.
    d = np.random.default_rng(1).normal(size=(4, 9))
    rows, columns, mean = d.mean(1, keepdims=True), d.mean(0, keepdims=True), d.mean()
    left = np.square(d - rows - columns + mean).sum() / (3 * 8)
    seeds, points = 9 * rows.var(ddof=1), 4 * columns.var(ddof=1)
    np.testing.assert_allclose(mean_squares(d), [mean, seeds, points, left])


def test_the_parts_of_the_variance_add_up_and_many_are_done_at_once() -> None:
    d = np.random.default_rng(2).normal(size=(3, 6, 40))
    found = crossed_interval(d)
    parts = found.by_seeds + found.by_points + found.by_rest
    np.testing.assert_allclose(parts, np.square(found.standard_error))
    for index in range(3):
        alone = crossed_interval(d[index])
        np.testing.assert_allclose(alone.low, found.low[index])


def test_equal_differences_leave_nothing_open() -> None:
    found = crossed_interval(np.full((3, 4), 0.1))
    assert (float(found.low), float(found.high)) == pytest.approx((0.1, 0.1))
    assert math.isinf(float(found.df))


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
def test_one_seed_or_one_point_says_nothing(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="two of each"):
        crossed_interval(np.zeros(shape))


@pytest.mark.parametrize(
    ("sd_seeds", "sd_points", "sd_rest", "most"),
    # Effects of seeds that are lost in the rest come out negative, count as 0, and it is too wide.
    [(0.3, 1.0, 1.0, 0.95), (0.3, 0.3, 0.3, 0.95), (0.02, 1.0, 0.5, 0.95), (0.1, 0.3, 1.0, 0.965)],
)
def test_95_percent_cover_where_the_variances_are_known(
    sd_seeds: float, sd_points: float, sd_rest: float, most: float
) -> None:
    repeats, num_seeds, num_points = 4000, 8, 60
    rng = np.random.default_rng(3)
    d = rng.normal(0.5, sd_rest, (repeats, num_seeds, num_points))
    d += rng.normal(0, sd_seeds, (repeats, num_seeds, 1))
    d += rng.normal(0, sd_points, (repeats, 1, num_points))
    found = crossed_interval(d)
    variance = sd_seeds**2 / num_seeds + sd_points**2 / num_points
    variance += sd_rest**2 / (num_seeds * num_points)
    # The means have that variance, and the mean squares tell it without bias.
    assert found.mean.var() == pytest.approx(variance, rel=4 * math.sqrt(2 / repeats))
    _, seeds, points, rest = mean_squares(d)
    unbiased = (seeds + points - rest) / (num_seeds * num_points)
    error = float(unbiased.std()) / math.sqrt(repeats)
    assert unbiased.mean() == pytest.approx(variance, abs=4 * error)
    assert (np.square(found.standard_error) >= unbiased * (1 - 1e-9)).all()
    covered = ((found.low <= 0.5) & (found.high >= 0.5)).mean()
    chance = 3 * math.sqrt(0.95 * 0.05 / repeats)
    assert 0.95 - chance <= covered <= most + chance
    # That of the seeds alone is about these points: it covers what another set of them has too
    # seldom, where points matter.
    _, low, high = t_interval(d.mean(axis=2))
    alone = ((low <= 0.5) & (high >= 0.5)).mean()
    assert sd_seeds > 0.02 or alone < 0.6
