"""The model of settings and seeds: least squares by hand, and what its residuals give away."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.statistics.blocked import (
    bearing_of,
    blocked,
    extremes,
    residuals_of,
)


def scores(rng: np.random.Generator, sds: list[float], n: int) -> np.ndarray:
    """Return scores of settings with these errors, about means and seeds of any size."""
    k = len(sds)
    return (
        rng.normal(0, 5, (k, 1))
        + rng.normal(0, 3, (1, n))
        + np.array(sds)[:, None] * rng.standard_normal((k, n))
    )


def test_the_model_is_that_of_least_squares() -> None:
    y = scores(np.random.default_rng(0), [1.0, 1, 1, 1], 3)
    k, n = y.shape
    # One indicator of each setting and of each seed but the first.
    x = np.hstack([np.kron(np.eye(k), np.ones((n, 1))), np.kron(np.ones((k, 1)), np.eye(n))[:, 1:]])
    _, [squares], rank, _ = np.linalg.lstsq(x, y.ravel(), rcond=None)
    found = blocked(y)
    assert found.df == k * n - rank == (k - 1) * (n - 1)
    assert found.sd == pytest.approx(math.sqrt(squares / found.df))
    assert found.means == pytest.approx(y.mean(axis=1))
    assert found.residuals.sum(axis=0) == pytest.approx(np.zeros(n), abs=1e-12)


def test_of_two_settings_it_is_the_paired_t_test() -> None:
    a, b = y = scores(np.random.default_rng(1), [1.0, 4.0], 6)
    found = blocked(y)
    t = (found.means[0] - found.means[1]) / found.standard_error
    assert (t, found.df) == (pytest.approx(stats.ttest_rel(a, b).statistic), 5)
    # Their residuals mirror each other, however unlike the settings are.
    bearing = bearing_of(found)
    assert (bearing.ratio, bearing.spread_p) == (pytest.approx(1), 1)


def test_what_seeds_have_in_common_changes_nothing() -> None:
    y = scores(np.random.default_rng(2), [1.0, 1, 1], 4)
    moved = blocked(y + np.array([100.0, -3, 7, 0]))
    assert moved.sd == pytest.approx(blocked(y).sd)
    assert moved.residuals == pytest.approx(blocked(y).residuals, abs=1e-12)


@pytest.mark.parametrize("wrong", [[[1, 2, 3]], [[1], [2]], [[1, 2], [3, np.nan]], [1, 2]])
def test_what_is_no_block_design_is_refused(wrong: list) -> None:
    with pytest.raises(ValueError, match="block design"):
        blocked(wrong)


@pytest.mark.parametrize(("k", "n"), [(3, 3), (7, 3), (5, 10)])
def test_normal_errors_of_one_spread_are_found_wanting_as_rarely_as_said(k: int, n: int) -> None:
    repeats, rng = 2000, np.random.default_rng(3)
    found = [bearing_of(blocked(scores(rng, [2.0] * k, n))) for _ in range(repeats)]
    for p in ([b.spread_p for b in found], [b.tail_p for b in found]):
        assert stats.kstest(p, "uniform").pvalue > 0.001
        assert np.mean(np.array(p) < 0.01) <= 0.01 + 3 * math.sqrt(0.01 / repeats)


def test_a_wide_setting_and_a_far_run_are_named() -> None:
    rng = np.random.default_rng(4)
    y = scores(rng, [1.0, 1, 30, 1, 1, 1], 4)
    bearing = bearing_of(blocked(y))
    assert bearing.widest == 2
    assert bearing.ratio > 3
    assert bearing.spread_p < 0.01
    y = scores(rng, [1.0] * 6, 8)
    y[4, 5] += 30
    bearing = bearing_of(blocked(y))
    assert bearing.farthest == (4, 5)
    assert bearing.tail_p < 0.01


def test_the_extremes_are_cochrans_c_and_the_largest_residual() -> None:
    r = residuals_of(np.array([[[1.0, 2, 6], [3, 4, 2], [5, 0, 1]]]))
    [share], [size] = extremes(r)
    squares = (r[0] ** 2).sum(axis=1)
    assert share == pytest.approx(max(squares) / sum(squares))
    assert size == pytest.approx(np.abs(r).max() / math.sqrt((r**2).mean()))
