"""The corrected resampled t test against its formula, scipy's t, and simulated cross validations."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from experiments.comparison.blocks import Fold, shared_by
from experiments.comparison.statistics.intervals import t_interval
from experiments.comparison.statistics.paired import compare_pair, effect_of
from experiments.comparison.statistics.permutation import sign_flip
from experiments.comparison.statistics.planning import detectable
from experiments.comparison.statistics.resampled import (
    corrected_interval,
    corrected_p,
    detectable_over_splits,
)

Array = NDArray[np.float64]
D = [0.012, -0.004, 0.021, 0.016, 0.009]


def corrected_t(differences: list[float], n_test: int, n_train: int) -> float:
    """Return the statistic of Nadeau & Bengio 2003, in fractions as far as they go."""
    d = [Fraction(str(x)) for x in differences]
    n = len(d)
    mean = sum(d) / n
    variance = sum((x - mean) ** 2 for x in d) / (n - 1)
    return float(mean) / math.sqrt((Fraction(1, n) + Fraction(n_test, n_train)) * variance)


@pytest.mark.parametrize(("n_test", "n_train"), [(360, 1437), (36, 129), (1, 9)])
def test_p_and_interval_are_those_of_the_formula_and_of_scipys_t(n_test: int, n_train: int) -> None:
    t = corrected_t(D, n_test, n_train)
    overlap = n_test / n_train
    assert corrected_p(D, overlap) == pytest.approx(2 * stats.t.sf(abs(t), 4), rel=1e-12)
    mean, low, high = corrected_interval(D, overlap, 0.9)
    scale = float(np.mean(D)) / t
    assert (low, high) == pytest.approx(stats.t.interval(0.9, 4, loc=mean, scale=scale), rel=1e-9)
    # An interval that ends at 0 is that of the level at which p decides.
    at_p = corrected_interval(D, overlap, 1 - float(corrected_p(D, overlap)))
    assert at_p[1] == pytest.approx(0.0, abs=1e-12)


def test_without_overlap_it_is_the_paired_t_test() -> None:
    a = np.array([0.91, 0.93, 0.90, 0.96, 0.92])
    b = a - D
    theirs = stats.ttest_rel(a, b)
    assert corrected_p(a - b, 0.0) == pytest.approx(theirs.pvalue, rel=1e-9)
    ours = corrected_interval(a - b, 0.0)
    assert np.allclose(ours, t_interval(a - b))
    assert np.allclose(ours[1:], theirs.confidence_interval())


def test_over_k_folds_the_variance_is_that_of_one_plus_k_over_k_minus_one() -> None:
    # 1 / K + 1 / (K - 1) = (1 + K / (K - 1)) / K: the factor by which s^2 / K is too small.
    for k in (2, 5, 10):
        d = np.random.default_rng(k).normal(size=k)
        half = np.diff(corrected_interval(d, 1 / (k - 1)))[1]
        plain = np.diff(t_interval(d))[1]
        assert half / plain == pytest.approx(math.sqrt(1 + k / (k - 1)))


def test_where_there_is_no_deviation_there_is_no_test() -> None:
    assert corrected_p([0.0, 0.0, 0.0], 0.5) == 1.0
    assert math.isnan(corrected_p([0.1, 0.1, 0.1], 0.5))
    assert math.isnan(corrected_p([0.1, 0.1 + 1e-9, 0.1], 0.5, resolution=1e-8))
    assert math.isnan(corrected_p([0.1], 0.25))
    assert math.isnan(corrected_p([0.0], 0.25))
    same = effect_of([0.1, 0.1, 0.1], overlap=0.5)
    assert math.isnan(same.p)
    assert same.interval == same.interval90 == (-math.inf, math.inf)
    alike = effect_of([0.0, 0.0, 0.0], overlap=0.5)
    assert (alike.p, alike.interval90) == (1.0, (0.0, 0.0))
    failed = effect_of([0.1, math.inf, 0.2], overlap=0.5)
    assert math.isnan(failed.p)
    assert failed.interval == (-math.inf, math.inf)


def test_rows_are_tested_one_by_one() -> None:
    d = np.random.default_rng(0).normal(size=(3, 2, 5))
    p = corrected_p(d, 0.25)
    assert p.shape == (3, 2)
    assert p[2, 1] == pytest.approx(corrected_p(d[2, 1], 0.25))


def test_a_pair_over_splits_is_tested_so_and_one_over_seeds_as_ever() -> None:
    a = np.array([0.91, 0.93, 0.90, 0.96, 0.92])
    pair = compare_pair(a, a - D, family=3, overlap=0.25)
    assert pair.p == pytest.approx(corrected_p(D, 0.25), rel=1e-6)
    assert pair.interval == pytest.approx(corrected_interval(D, 0.25, 1 - 0.05 / 3)[1:])
    assert pair.interval90 == pytest.approx(corrected_interval(D, 0.25, 0.9)[1:])
    assert math.isnan(pair.superiority_interval[0])
    assert compare_pair(a, a - D).p == 0.125  # the sign-flip test's: 4 of 32


def test_what_could_be_found_is_found_as_often_as_it_says() -> None:
    # With no overlap it is what planning says of a t test, and with some it is found in 80 % of
    # draws whose mean has the variance that the correction takes.
    rng = np.random.default_rng(1)
    for overlap in (0.0, 0.25):
        least = detectable_over_splits(1.0, 10, overlap)
        assert least is not None
        d = rng.normal(size=(20_000, 10))
        # A common part of each row gives the mean 1 / n + overlap, and leaves s as it is.
        d += least + math.sqrt(overlap) * rng.normal(size=(20_000, 1))
        found = (corrected_p(d, overlap) < 0.05) & (d.mean(axis=1) > 0)
        assert found.mean() == pytest.approx(0.8, abs=0.012)
    assert detectable_over_splits(1.0, 30, 0.0) == pytest.approx(detectable(1.0, 30), rel=0.01)
    assert detectable_over_splits(1.0, 1, 0.25) is None
    assert detectable_over_splits(0.0, 5, 0.25) is None


FEATURES, POINTS, REPLICATIONS = 10, 20, 4000
Learner = Callable[[Array, Array, Array, Array], Array]
"""Takes inputs and targets of R training parts, and of R test parts; returns R mean errors."""


def ridge(x: Array, y: Array, x_test: Array, y_test: Array) -> Array:
    gram = np.einsum("rnf,rng->rfg", x, x) + 5 * np.eye(x.shape[2])
    weights = np.linalg.solve(gram, np.einsum("rnf,rn->rf", x, y)[:, :, None])[:, :, 0]
    return ((y_test - np.einsum("rnf,rf->rn", x_test, weights)) ** 2).mean(axis=1)


def nearest_mean(x: Array, y: Array, x_test: Array, y_test: Array) -> Array:
    """Take for each point the class, 1 or -1, whose mean is nearer."""
    means = [
        np.einsum("rnf,rn->rf", x, y == label) / (y == label).sum(axis=1)[:, None]
        for label in (-1, 1)
    ]
    far, near = (((x_test - mean[:, None]) ** 2).sum(axis=2) for mean in means)
    return (np.where(near < far, 1, -1) != y_test).mean(axis=1)


def drawn(rng: np.random.Generator, learner: Learner) -> tuple[Array, Array]:
    """Return inputs (R, N, 2 F) and targets (R, N), which both halves of the inputs tell alike."""
    noise = rng.normal(size=(REPLICATIONS, POINTS, 2 * FEATURES))
    if learner is nearest_mean:
        y = np.tile([1.0, -1.0], (REPLICATIONS, POINTS // 2))
        return noise + 0.2 * y[:, :, None], y
    return noise, noise.sum(axis=2) / math.sqrt(FEATURES) + rng.normal(size=noise.shape[:2])


def cross_validated(x: Array, y: Array, fold: Array, learner: Learner) -> Array:
    """Return differences (R, K) over folds of a learner that has one half of the inputs, and of the
    same that has the other.

    Over all data sets neither is better. A single one may favour either, in all of its folds.
    """
    halves = slice(0, FEATURES), slice(FEATURES, None)
    columns = []
    for k in range(fold.max() + 1):
        train, test = fold != k, fold == k
        a, b = (learner(x[:, train, h], y[:, train], x[:, test, h], y[:, test]) for h in halves)
        columns.append(a - b)
    return np.stack(columns, axis=1)


def claims(d: Array, folds: int) -> tuple[float, float]:
    """Return how often the corrected test claims a difference, and how often a plain t test."""
    # Where all folds differ by one number, either test has nothing to go by.
    varied = d[np.ptp(d, axis=1) > 1e-12]
    plain = (stats.ttest_1samp(varied, 0.0, axis=1).pvalue < 0.05).sum() / len(d)
    corrected = corrected_p(d, 1 / (folds - 1), np.full(len(d), 1e-12))
    return float((corrected < 0.05).mean()), float(plain)


@pytest.mark.parametrize("folds", [5, 10])
@pytest.mark.parametrize("learner", [ridge, nearest_mean])
def test_between_equals_it_claims_what_it_may_and_a_plain_t_test_more(
    learner: Learner, folds: int
) -> None:
    x, y = drawn(np.random.default_rng(1), learner)
    fold = np.arange(POINTS) // 2 % folds  # of each class as many points
    corrected, plain = claims(cross_validated(x, y, fold, learner), folds)
    assert 0.01 < corrected <= 0.05
    assert plain > 0.08


def test_repeats_are_no_way_around_it() -> None:
    rng, folds, repeats = np.random.default_rng(2), 5, 4
    x, y = drawn(rng, ridge)
    cuts = [rng.permutation(np.arange(POINTS) % folds) for _ in range(repeats)]
    d = np.concatenate([cross_validated(x, y, cut, ridge) for cut in cuts], axis=1)
    blocks = [Fold(0, cut, folds, fold) for cut in range(repeats) for fold in range(folds)]
    shared = shared_by(blocks, 1 / (folds - 1))
    assert shared == pytest.approx(1 / (folds - 1) + 1 / folds - 1 / (folds * repeats))
    assert 0.01 < (corrected_p(d, shared) < 0.05).mean() <= 0.05
    # Counted as if every split were another sample they would claim too much.
    assert (corrected_p(d, 1 / (folds - 1)) < 0.05).mean() > 0.07


def test_the_sign_flip_test_over_folds_would_claim_too_much_too() -> None:
    x, y = drawn(np.random.default_rng(3), ridge)
    d = cross_validated(x, y, np.arange(POINTS) % 10, ridge)
    assert (sign_flip(d) < 0.05).mean() > 0.08
