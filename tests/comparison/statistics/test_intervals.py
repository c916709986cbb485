"""Intervals against scipy and closed forms; that they cover is in test_simulation.py."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.statistics.intervals import (
    binomial_standard_error,
    clopper_pearson,
    interquartile_mean,
    stratified_bootstrap,
    t_interval,
)


@pytest.mark.parametrize("level", [0.9, 0.95, 1 - 0.05 / 6])
def test_t_interval_against_scipy(level: float) -> None:
    values = np.random.default_rng(0).normal(0.9, 0.01, (4, 7))
    mean, low, high = t_interval(values, level)
    twin = stats.ttest_1samp(values, 0, axis=-1).confidence_interval(level)
    np.testing.assert_allclose(mean, values.mean(axis=-1))
    np.testing.assert_allclose(low, twin.low)
    np.testing.assert_allclose(high, twin.high)


def test_t_interval_of_one_value_is_the_whole_line() -> None:
    assert [float(x) for x in t_interval([0.9])] == [0.9, -np.inf, np.inf]
    assert t_interval(np.ones((3, 1)))[1].tolist() == [-np.inf] * 3


def test_t_interval_of_equal_values_is_a_point() -> None:
    assert [float(x) for x in t_interval([0.0, 0.0, 0.0])] == [0.0, 0.0, 0.0]


def test_t_interval_of_nothing() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        t_interval([])


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 5, 10])
def test_clopper_pearson_against_scipy(n: int, level: float) -> None:
    for k in range(n + 1):
        twin = stats.binomtest(k, n).proportion_ci(level, method="exact")
        assert clopper_pearson(k, n, level) == pytest.approx((twin.low, twin.high), abs=1e-12)


def test_clopper_pearson_between_whole_numbers() -> None:
    low, high = zip(*(clopper_pearson(k, 8) for k in (3, 3.5, 4)), strict=True)
    assert low[0] < low[1] < low[2]
    assert high[0] < high[1] < high[2]
    lower, upper = clopper_pearson(4.5, 8)
    assert (1 - upper, 1 - lower) == pytest.approx((low[1], high[1]))


@pytest.mark.parametrize("k", [-1, 11])
def test_clopper_pearson_of_no_share(k: int) -> None:
    with pytest.raises(ValueError, match="A share is of 0 to n"):
        clopper_pearson(k, 10)


def test_clopper_pearson_of_no_runs() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)


def test_binomial_standard_error_is_the_spread_of_test_sets() -> None:
    shares = np.random.default_rng(0).binomial(10_000, 0.8776, 20_000) / 10_000
    assert float(binomial_standard_error(0.8776, 10_000)) == pytest.approx(shares.std(), rel=0.02)


def test_interquartile_mean_leaves_a_quarter_out_at_either_end() -> None:
    assert float(interquartile_mean([9, 1, 2, 3, 4, -50, 5, 1000])) == (2 + 3 + 4 + 5) / 4
    # Of 10 scores two are left out at either end: a quarter is rounded down.
    assert float(interquartile_mean(np.arange(10.0) ** 2)) == np.mean(np.arange(2.0, 8.0) ** 2)
    rows = np.random.default_rng(0).normal(size=(3, 12))
    np.testing.assert_allclose(
        interquartile_mean(rows, axis=1), [interquartile_mean(row) for row in rows]
    )


def test_stratified_bootstrap_keeps_the_tasks() -> None:
    # Nothing varies within a task, so nothing is uncertain, however far apart tasks are.
    assert stratified_bootstrap([[0.1] * 4, [0.5] * 4, [0.9] * 4], draws=50) == (0.5, 0.5, 0.5)


def test_stratified_bootstrap_against_scipy() -> None:
    generator = np.random.default_rng(1)
    scores = [generator.random(4), generator.random(7)]

    def pooled(*tasks: np.ndarray, axis: int) -> np.ndarray:
        return interquartile_mean(np.concatenate(tasks, axis=axis), axis=axis)

    twin = stats.bootstrap(
        scores, pooled, n_resamples=500, method="percentile", rng=np.random.default_rng(0)
    )
    _, low, high = stratified_bootstrap(scores, draws=500)
    assert (low, high) == pytest.approx(tuple(twin.confidence_interval))
    # A task of one seed, which is no sample to scipy, is itself in every draw.
    assert stratified_bootstrap([[0.5], [0.5, 0.5]], draws=50) == (0.5, 0.5, 0.5)


def test_stratified_bootstrap_pools_runs_of_all_tasks() -> None:
    scores = np.random.default_rng(0).normal(size=(6, 5))
    value, low, high = stratified_bootstrap(list(scores), draws=500, level=0.5)
    pooled = np.sort(scores.ravel())
    assert value == pytest.approx(pooled[7:23].mean())  # of 30, seven go at either end
    assert low < value < high
    assert stratified_bootstrap(list(scores), draws=500, level=0.5) == (value, low, high)
    assert stratified_bootstrap(list(scores), draws=500, level=0.5, seed=1) != (value, low, high)
