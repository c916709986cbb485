"""The sign-flip test with looks: each look by all signs, one by one, and spending by what is known."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from experiments.comparison.statistics import permutation
from experiments.comparison.statistics.permutation import sign_flip
from experiments.comparison.statistics.sequential import levels_of, sequential_p
from experiments.comparison.statistics.spending import Looks, nominal_levels, spent

RNG = np.random.default_rng(0)
LEVELS = np.geomspace(0.004, 0.96, 24)
ABSOLUTE = {
    "random": np.abs(RNG.standard_normal(8)),
    "ties": np.array([1.0, 1, 1, 1, 2, 2, 1, 2]),
    "zeros": np.array([0.3, 0.0, 0.7, 0.0, 0.1, 0.9, 0.4, 0.2]),
    "heavy": np.abs(RNG.standard_cauchy(8)),
    "failed": np.array([0.3, np.inf, 0.7, 0.5, 0.1, 0.9, np.inf, 0.4]),
}


def p_of_all_signs(absolute: np.ndarray, looks: Looks) -> np.ndarray:
    """Return p at each look under every way to sign some differences, (2^S, K)."""
    signs = itertools.product((1, -1), repeat=len(absolute))
    with np.errstate(invalid="ignore"):
        return np.array([sequential_p(absolute * own, looks, LEVELS) for own in signs])


@pytest.mark.parametrize("spending", ["obrien_fleming", "pocock"])
@pytest.mark.parametrize("name", ABSOLUTE)
def test_each_look_rejects_no_more_signs_than_may_be_spent(name: str, spending: str) -> None:
    looks = Looks((4, 6, 8), spending)
    p = p_of_all_signs(ABSOLUTE[name], looks)
    assert (np.diff(p, axis=1) <= 0).all()
    for k, shares in enumerate(looks.spent(LEVELS)):
        for level, share in zip(LEVELS, shares, strict=True):
            assert (p[:, k] <= level).mean() <= share


def test_a_look_spends_all_that_whole_sign_vectors_allow() -> None:
    looks = Looks((4, 6, 8), "pocock")
    p = p_of_all_signs(ABSOLUTE["random"], looks)
    for k, n in enumerate(looks.sizes):
        # One more sign vector and its mirror image would be too many, at the largest level.
        share = looks.spent(LEVELS[-1:])[k, 0]
        assert (p[:, k] <= LEVELS[-1]).mean() + 2.0 ** (1 - n) > share


def by_hand(d: np.ndarray, looks: Looks, alpha: float) -> list[bool]:
    """Return what a test at one level has rejected by each look, from sets of sign vectors."""
    signs = list(itertools.product((1, -1), repeat=looks.sizes[-1]))
    rejected: set[tuple[int, ...]] = set()
    decided = []
    for n in looks.sizes:
        allowed = spent(n / looks.sizes[-1], alpha, looks.spending) * len(signs)
        sums = {own: abs(float(np.dot(own[:n], d[:n]))) for own in signs}
        for size in sorted(set(np.round(list(sums.values()), 9)), reverse=True):
            beyond = {own for own, value in sums.items() if value >= size - 1e-9}
            if len(rejected | beyond) > allowed:
                break
            rejected |= beyond
        decided.append((1,) * looks.sizes[-1] in rejected)
    return decided


@pytest.mark.parametrize("spending", ["obrien_fleming", "pocock"])
def test_one_level_rejects_what_sets_of_sign_vectors_say(spending: str) -> None:
    looks = Looks((4, 6, 8), spending)
    for alpha in (0.05, 0.2, 0.5):
        for shift in (0.2, 0.6, 1.5):
            d = np.random.default_rng(3).standard_normal(8) + shift
            p = sequential_p(d, looks, [alpha])
            assert (p < 1).tolist() == by_hand(d, looks, alpha)


def test_one_look_is_the_sign_flip_test() -> None:
    d = np.random.default_rng(1).standard_normal(12) + 0.5
    levels = np.arange(1, 2**11 + 1) / 2**11
    [p] = sequential_p(d, Looks((12,)), levels)
    assert p == pytest.approx(sign_flip(d), rel=1e-9)


def test_later_seeds_change_nothing_of_a_look() -> None:
    looks, levels = Looks((5, 8, 11, 14)), levels_of(0.05, 6)
    for seed in range(10):
        d = np.random.default_rng(seed).standard_normal(14) + 0.6
        d = np.round(d, 1) if seed % 2 else d
        whole = sequential_p(d, looks, levels).tolist()
        parts = [sequential_p(d[:n], looks, levels).tolist() for n in looks.sizes]
        assert parts == [whole[: k + 1] for k in range(4)]


def test_what_one_level_rejects_a_larger_one_does_too() -> None:
    looks = Looks((4, 6, 8))
    d = np.random.default_rng(5).standard_normal(8) + 1
    p = sequential_p(d, looks, LEVELS)
    for level in LEVELS:
        alone = sequential_p(d, looks, [level])
        # Alone, a level may reject what a larger one, which has spent more before, does not.
        assert (alone[p <= level] < 1).all()


def test_drawn_signs_come_close_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, levels = Looks((6, 9, 12)), np.arange(1, 101) / 100
    d = np.random.default_rng(2).standard_normal(12) + 0.4
    exact = sequential_p(d, looks, levels)
    monkeypatch.setattr(permutation, "MOST_EXACT", 8)
    drawn = sequential_p(d, looks, levels, draws=20_000)
    assert drawn == pytest.approx(exact, abs=0.02)
    assert drawn.tolist() == sequential_p(d, looks, levels, draws=20_000).tolist()
    # With few draws no p is below 1 / (1 + draws).
    [*_, last] = sequential_p(d + 9, Looks((12,)), [0.01, 0.05, 0.2], draws=9)
    assert last == pytest.approx(0.2)


def test_a_difference_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        sequential_p([0.1, np.nan], Looks((2,)), [0.05])


@pytest.mark.parametrize(
    ("spending", "alpha", "sides", "bounds"),
    [
        # Reboussin, DeMets, Kim & Lan 2000, "Computations for group sequential boundaries using the
        # Lan-DeMets spending function method": five equal looks, 5 % two-sided.
        ("obrien_fleming", 0.05, 2, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("obrien_fleming", 0.025, 1, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("pocock", 0.05, 2, [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_bounds_are_the_published_ones(
    spending: str, alpha: float, sides: int, bounds: Sequence[float]
) -> None:
    levels = nominal_levels(Looks((1, 2, 3, 4, 5), spending), alpha, sides)
    assert norm.isf(np.array(levels) / sides) == pytest.approx(bounds, abs=2e-4)


def test_bounds_of_uneven_looks_spend_what_is_planned() -> None:
    looks = Looks((6, 9, 20), "pocock")
    bounds = norm.isf(nominal_levels(looks, 0.05, 1))
    correlation = [[min(a, b) / max(a, b) for b in looks.times] for a in looks.times]
    stays = [
        multivariate_normal(np.zeros(k), np.sqrt(np.array(correlation)[:k, :k])).cdf(bounds[:k])
        for k in (1, 2, 3)
    ]
    assert 1 - np.array(stays) == pytest.approx(looks.spent([0.05])[:, 0], abs=1e-5)


def test_a_share_too_small_for_an_integral_is_spent_all_the_same() -> None:
    first, *_, last = nominal_levels(Looks((1, 10, 20)), 0.001)
    assert 0 < first < 1e-50
    assert 0.0009 < last < 0.001


def test_the_first_claim_is_where_the_outermost_signs_are_affordable() -> None:
    for spending in ("obrien_fleming", "pocock"):
        looks = Looks((6, 9, 12, 16, 20), spending)
        for family in (1, 3, 10, 40):
            first = looks.first_claim(0.05 / family)
            p = sequential_p(np.ones(20), looks, [0.05 / family])
            assert first == next(n for n, own in zip(looks.sizes, p, strict=True) if own < 1)
