"""Power against scipy, published sample sizes and counting; that plans hold is in test_simulation.py."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.statistics.permutation import sign_flip, smallest_p
from experiments.comparison.statistics.planning import (
    MOST_RANK,
    attained_level,
    detectable,
    equivalence_power,
    fewest_seeds,
    power_of,
    power_of_t,
    seeds_to_find,
    seeds_to_settle,
    subset_means,
)


@pytest.mark.parametrize(
    ("family", "expected"), [(1, 6), (2, 7), (6, 8), (9, 9), (10, 9), (45, 11)]
)
def test_fewest_seeds(family: int, expected: int) -> None:
    assert fewest_seeds(family) == expected
    assert 2 / 2**expected < 0.05 / family < 2 / 2 ** (expected - 1)


def test_fewest_seeds_where_p_can_equal_alpha() -> None:
    # The verdict asks for a p below alpha, and 2 / 2^5 is just alpha.
    assert fewest_seeds(alpha=0.0625) == 6


def test_attained_level_is_a_p_below_alpha() -> None:
    for n, alpha in itertools.product(range(5, 21), (0.05, 0.05 / 6, 0.0625, 0.01)):
        level = attained_level(n, alpha)
        assert level < alpha <= level + smallest_p(n)
        assert (level / smallest_p(n)).is_integer()
        assert (level > 0) == (n >= fewest_seeds(alpha=alpha))
    assert attained_level(21, 0.05) == 0.05


@pytest.mark.parametrize("n", [2, 3, 6, 20, 500])
@pytest.mark.parametrize("level", [0.05, 0.005])
def test_power_of_t_is_the_noncentral_tail(n: int, level: float) -> None:
    for noncentrality in (0.5, 2.0, 4.0):
        bound = stats.t.ppf(1 - level / 2, n - 1)
        twin = stats.nct.sf(bound, n - 1, noncentrality)
        assert power_of_t(noncentrality / math.sqrt(n), n, level) == pytest.approx(twin, abs=1e-4)


def test_power_of_t_with_a_smallest_difference() -> None:
    n, difference, delta = 15, 0.9, 0.8
    d = np.random.default_rng(0).normal(difference, 1, (200_000, n))
    p = stats.ttest_1samp(d, 0, axis=1).pvalue
    found = ((p < 0.01) & (d.mean(axis=1) >= delta)).mean()
    assert power_of_t(difference, n, 0.01, delta) == pytest.approx(found, abs=0.004)
    # Where delta decides, the mean is above it in half of the cases where D is delta.
    assert power_of_t(delta, 500, 0.05, delta) == pytest.approx(0.5, abs=1e-6)


def test_power_where_all_must_have_one_sign() -> None:
    # With n = 6 at 0.05 that is what it takes, so the power is Phi(D)^6.
    for difference in (0.5, 1.0, 2.0):
        expected = stats.norm.cdf(difference) ** 6
        assert power_of(difference, 6, 0.05) == pytest.approx(expected, abs=0.012)
    assert power_of(100.0, 5, 0.05) == 0.0


@pytest.mark.parametrize(("n", "alpha"), [(7, 0.05), (9, 0.05), (10, 0.05 / 6), (11, 0.05 / 3)])
def test_subsets_say_what_the_flips_do(n: int, alpha: float) -> None:
    # Hartigan's theorem, sample by sample.
    d = np.random.default_rng(1).normal(1.0, 1, (2000, n))
    rank = round(attained_level(n, alpha) / smallest_p(n))
    by_subsets = (subset_means(d) <= 0).sum(axis=1) < rank
    by_flips = (np.asarray(sign_flip(d)) < alpha) & (d.mean(axis=1) > 0)
    assert 0.1 < by_flips.mean() < 0.95
    np.testing.assert_array_equal(by_subsets, by_flips)


def test_subset_means() -> None:
    assert sorted(subset_means(np.array([[1.0, 2.0, 6.0]]))[0]) == [1, 1.5, 2, 3, 3.5, 4, 6]


@pytest.mark.parametrize(("n", "delta"), [(5, 1.5), (10, 1.0), (40, 0.5)])
def test_equivalence_power_by_simulation(n: int, delta: float) -> None:
    d = np.random.default_rng(0).normal(0, 1, (100_000, n))
    low, high = stats.ttest_1samp(d, 0, axis=1).confidence_interval(0.9)
    found = ((-delta < low) & (high < delta)).mean()
    assert equivalence_power(delta, n) == pytest.approx(found, abs=0.006)


# Cohen 1988, tables of t for one sample or matched pairs, as G*Power 3.1 gives them.
@pytest.mark.parametrize(("size", "expected"), [(0.2, 199), (0.3, 90), (0.5, 34)])
def test_published_sample_sizes(size: float, expected: int) -> None:
    assert seeds_to_find(0.01, size * 0.01) == expected
    assert seeds_to_find(0.01, -size * 0.01) == expected


def test_detectable_turned_round() -> None:
    # What n seeds can detect takes n seeds to find.
    for n, family in [(34, 1), (60, 6), (200, 10)]:
        difference = detectable(0.02, n, 0.05 / family)
        assert difference is not None
        assert seeds_to_find(0.02, difference * 1.0001, family) == n


def test_detectable_falls_with_seeds() -> None:
    for alpha in (0.05, 0.05 / 6):
        found = [detectable(1.0, n, alpha) for n in range(5, 40)]
        known = [d for d in found if d is not None]
        assert found.index(known[0]) + 5 == fewest_seeds(alpha=alpha)
        # The levels come in steps, so a further seed may cost a hair.
        assert (np.diff(known) < 0.02).all()
        assert known[-1] < known[0] / 2


@pytest.mark.parametrize("n", [10, 12, 14])
def test_the_t_test_takes_over_without_a_jump(n: int) -> None:
    # From one sign vector more in p to the next, what is detectable falls evenly.
    alphas = [(rank + 0.5) * smallest_p(n) for rank in range(MOST_RANK - 2, MOST_RANK + 4)]
    found = np.array([detectable(1.0, n, alpha) for alpha in alphas])
    np.testing.assert_allclose(found[1:] / found[:-1], 0.995, atol=0.015)


def test_detectable_scales_with_sd() -> None:
    one, small = detectable(1.0, 10, 0.01, delta=0.5), detectable(0.01, 10, 0.01, delta=0.005)
    assert one is not None
    assert small == pytest.approx(0.01 * one)


def test_detectable_above_delta() -> None:
    plain, low, high = (detectable(1.0, 30, delta=delta) for delta in (0.0, 0.1, 2.0))
    assert plain == low
    # The mean must come out above 2 in 80 % of cases, whatever its p: one-sided normal.
    assert high == pytest.approx(2.0 + stats.norm.ppf(0.8) / math.sqrt(30), abs=1e-3)


def test_nothing_is_detectable_with_too_few() -> None:
    assert detectable(1.0, 5) is None
    assert detectable(1.0, 7, 0.05 / 6) is None
    assert detectable(1.0, 1) is None
    assert detectable(math.nan, 10) is None
    assert detectable(0.0, 5) is None
    assert detectable(0.0, 6, delta=0.005) == 0.005


def test_seeds_to_settle() -> None:
    for sd, family in [(0.004, 1), (0.004, 6), (0.02, 6)]:
        n = seeds_to_settle(sd, 0.005, family)
        assert n is not None

        def settles(n: int, size: float = 0.005 / sd, alpha: float = 0.05 / family) -> bool:
            return power_of(size, n, alpha) >= 0.8 and equivalence_power(size, n) >= 0.8

        assert settles(n)
        assert not settles(n - 1)
        assert n >= fewest_seeds(family)


def test_seeds_to_settle_grow_with_what_is_asked() -> None:
    plain = seeds_to_settle(0.01, 0.005)
    assert plain is not None
    assert seeds_to_settle(0.01, 0.005, 10) > plain
    assert seeds_to_settle(0.01, 0.005, power=0.95) > plain
    assert seeds_to_settle(0.01, 0.0025) > 3 * plain


def test_seeds_where_nothing_varies_or_too_much_does() -> None:
    assert seeds_to_settle(0.0, 0.005, 10) == seeds_to_find(0.0, 0.005, 10) == 9
    assert seeds_to_settle(1e-6, 0.005) == 6
    assert seeds_to_find(1.0, 0.0) is None
    assert seeds_to_find(math.nan, 0.1) is seeds_to_find(1.0, math.nan) is None
    assert seeds_to_find(1.0, 0.01) is seeds_to_settle(1.0, 0.01) is None
    assert seeds_to_find(1.0, 0.05, most=20_000) == pytest.approx(3140, abs=5)
    assert seeds_to_find(1.0, 0.5, most=33) is None
    assert seeds_to_find(1.0, 10.0, 10, most=8) is None
