"""The sign-flip test against counting by hand, Fisher's own example, and scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.statistics.permutation import (
    AT_ONCE,
    MOST_EXACT,
    is_exact,
    num_by_halves,
    sign_flip,
    sign_flip_together,
    smallest_p,
    sums_of_flips,
)

# Darwin's maize: heights of crossed minus self-fertilised plants, in eighths of an inch.
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def counted(effects: np.ndarray) -> float:
    """Return p by writing down every sign vector, in whole numbers."""
    observed = (effects.sum(axis=0) ** 2).sum()
    vectors = itertools.product([1, -1], repeat=len(effects))
    hits = [((np.array(signs) @ effects) ** 2).sum() >= observed for signs in vectors]
    return float(np.mean(hits))


def test_fishers_count() -> None:
    # "The design of experiments", section 21: 863 of 2^15 sums are at least 314, so many at most -314.
    assert sum(DARWIN) == 314
    assert sign_flip(DARWIN) == 2 * 863 / 2**15


@pytest.mark.parametrize("num_seeds", [1, 2, 5, 6, 12, 20])
def test_one_sign_gives_the_smallest_p(num_seeds: int) -> None:
    differences = np.random.default_rng(0).exponential(size=num_seeds)
    assert sign_flip(differences) == sign_flip(-differences) == smallest_p(num_seeds)
    assert smallest_p(num_seeds) == min(1.0, 2 / 2**num_seeds)


@pytest.mark.parametrize("seed", range(5))
def test_against_counting(seed: int) -> None:
    differences = np.random.default_rng(seed).integers(-3, 5, size=8)
    assert sign_flip(differences) == counted(differences[:, np.newaxis])


@pytest.mark.parametrize("seed", range(5))
def test_together_against_counting(seed: int) -> None:
    effects = np.random.default_rng(seed).integers(-3, 5, size=(7, 3))
    assert sign_flip_together(effects) == counted(effects)


def test_against_scipy() -> None:
    generator = np.random.default_rng(3)
    a, b = generator.normal(0.4, 1, 10), generator.normal(0, 1, 10)
    twin = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(a - b) == pytest.approx(twin.pvalue, abs=1e-12)


def test_ties_of_floating_point_are_ties() -> None:
    whole = np.array([3, -1, 2, 2, -2, 1, 4])
    assert sign_flip(whole * 0.1) == sign_flip(whole * 1e-7) == sign_flip(whole)


def test_ties_of_float32_are_ties_at_its_resolution() -> None:
    # Test accuracies of 10,000 points: whole numbers, until they have been through float32.
    generator = np.random.default_rng(0)
    whole = generator.integers(8400, 8600, (2, 200, 8))
    scores = np.float32(whole / 10_000).astype(float)
    expected = sign_flip(whole[0] - whole[1])
    np.testing.assert_array_equal(sign_flip(scores[0] - scores[1], resolution=2.0**-23), expected)
    assert (sign_flip(scores[0] - scores[1]) != expected).any()


def test_no_difference_at_all() -> None:
    assert sign_flip(np.zeros(7)) == 1.0
    assert sign_flip(np.zeros(30)) == 1.0
    assert sign_flip([0.0, 0.0, 0.0, 0.5]) == 1.0


@pytest.mark.parametrize("num_seeds", [4, 10])
def test_many_at_once_equal_one_by_one(num_seeds: int) -> None:
    num_rows = 5 + AT_ONCE // 2 ** (num_seeds - 1) if num_seeds == 10 else 30
    rows = np.random.default_rng(0).normal(0.3, 1, (2, num_rows, num_seeds))
    p = sign_flip(rows)
    assert isinstance(p, np.ndarray)
    assert p.shape == (2, num_rows)
    for i, j in [(0, 0), (0, num_rows - 1), (1, 0), (1, num_rows - 1)]:
        assert p[i, j] == sign_flip(rows[i, j])


def test_drawn_agrees_with_counted() -> None:
    # A difference of 0 is the same under both signs, so a 21st seed of 0 changes nothing.
    differences = np.random.default_rng(1).normal(0.35, 1, MOST_EXACT)
    assert is_exact(MOST_EXACT)
    assert not is_exact(MOST_EXACT + 1)
    exact = sign_flip(differences)
    drawn = sign_flip([*differences, 0.0], draws=40_000)
    assert exact != drawn
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 40_000))


def test_drawn_counts_the_observed_signs_too() -> None:
    assert sign_flip(np.ones(60), draws=999) == 1 / 1000


def test_drawn_depends_on_its_seed_alone() -> None:
    differences = np.random.default_rng(1).normal(0.2, 1, 25)
    p = [sign_flip(differences, draws=2000, seed=seed) for seed in (0, 0, 1)]
    assert p[0] == p[1] != p[2]
    many = sign_flip(np.stack([differences, -differences]), draws=2000)
    assert many[0] == many[1] == p[0]  # both see the same draws


def test_together_of_equal_effects_is_the_test_of_one() -> None:
    differences = np.random.default_rng(2).normal(0.5, 1, 9)
    p = sign_flip(differences)
    assert sign_flip_together(np.stack([differences, -2 * differences], axis=-1)) == p


def test_together_finds_what_no_effect_alone_does() -> None:
    # Independent effects: their noise cancels in the sum of squares, the means add up.
    effects = np.random.default_rng(4).normal(0.45, 1, (10, 12))
    alone = sign_flip(effects.T)
    assert sign_flip_together(effects) < np.quantile(alone, 0.1)


@pytest.mark.parametrize("wrong", [[], [1.0, np.nan], [1.0, np.inf]])
def test_what_has_no_p(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one seed, and finite differences"):
        sign_flip(wrong)


@pytest.mark.parametrize("num_seeds", [13, 16])
def test_counting_by_halves_is_counting_all(num_seeds: int) -> None:
    generator = np.random.default_rng(num_seeds)
    drawn = generator.standard_normal(num_seeds)
    for d in (drawn, drawn + 1, np.round(drawn), np.zeros(num_seeds), np.eye(num_seeds)[3]):
        sums = np.abs(sums_of_flips(d[np.newaxis])[0])
        least = abs(d.sum()) - 1e-9 * np.abs(d).sum()
        assert num_by_halves(d, least) == (sums >= least).sum()
        assert sign_flip(d) == pytest.approx((sums >= least).mean(), rel=1e-12)
