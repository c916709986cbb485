"""What the statistics promise, over thousands of repeated comparisons.

Each share of repeats is allowed three binomial standard errors of its own, sqrt(p (1 - p) / R),
and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.statistics.factorial import deviations
from experiments.comparison.statistics.intervals import (
    clopper_pearson,
    stratified_bootstrap,
    t_interval,
)
from experiments.comparison.statistics.paired import holm
from experiments.comparison.statistics.permutation import sign_flip, sign_flip_together
from experiments.comparison.statistics.planning import detectable, seeds_to_settle
from experiments.comparison.statistics.ranking import friedman, ranks

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return generator.standard_normal(shape)


def skewed(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Scores as they are where a few runs do badly: their skewness is -2."""
    return -generator.standard_exponential(shape)


def error(share: float, repeats: int) -> float:
    return 3 * math.sqrt(share * (1 - share) / repeats)


# Two arms of the same setting


@pytest.mark.parametrize("draw", [normal, skewed])
@pytest.mark.parametrize("num_seeds", [5, 6, 10])
def test_a_against_a_is_claimed_in_at_most_5_percent(num_seeds: int, draw: Draw) -> None:
    repeats = 20_000
    a, b = draw(np.random.default_rng(0), (2, repeats, num_seeds))
    claimed = (np.asarray(sign_flip(a - b)) < 0.05).mean()
    assert claimed <= 0.05 + error(0.05, repeats)
    # Nor far less, where the steps of p allow it: the test is exact.
    attained = math.floor(0.05 * 2 ** (num_seeds - 1)) / 2 ** (num_seeds - 1)
    assert claimed == pytest.approx(attained, abs=error(attained, repeats))


@pytest.mark.parametrize("draw", [normal, skewed])
def test_a_family_of_a_against_a_is_claimed_in_at_most_5_percent(draw: Draw) -> None:
    # Nine settings against one control, whose seeds they share: any claim among the nine counts.
    repeats = 4000
    scores = draw(np.random.default_rng(1), (repeats, 10, 10))
    p = np.asarray(sign_flip(scores[:, 1:] - scores[:, :1]))
    assert ((p < 0.05).any(axis=1)).mean() > 0.2
    claimed = (holm(p) < 0.05).any(axis=1).mean()
    assert claimed <= 0.05 + error(0.05, repeats)


@pytest.mark.parametrize("draw", [normal, skewed])
def test_many_seeds_whose_flips_are_drawn(draw: Draw) -> None:
    repeats = 2000
    a, b = draw(np.random.default_rng(2), (2, repeats, 30))
    claimed = (np.asarray(sign_flip(a - b, draws=2000)) < 0.05).mean()
    assert claimed == pytest.approx(0.05, abs=error(0.05, repeats))


# A planted difference


@pytest.mark.parametrize(
    ("num_seeds", "family", "delta"),
    [
        (6, 1, 0.0),
        (8, 6, 0.0),
        (10, 1, 0.0),
        (10, 9, 0.0),
        (10, 6, 1.5),
        pytest.param(16, 6, 0.0, marks=pytest.mark.slow),
        pytest.param(20, 1, 0.5, marks=pytest.mark.slow),
    ],
)
def test_a_planted_difference_is_found_in_80_percent(
    num_seeds: int, family: int, delta: float
) -> None:
    repeats = 400 if num_seeds > 16 else 2000 if num_seeds > 10 else 20_000
    planted = detectable(math.sqrt(2), num_seeds, 0.05 / family, delta=delta)
    assert planted is not None
    a, b = normal(np.random.default_rng(3), (2, repeats, num_seeds))
    d = a + planted - b
    found = (np.asarray(sign_flip(d)) < 0.05 / family) & (d.mean(axis=1) >= delta)
    assert found.mean() >= 0.8 - error(0.8, repeats)
    # And it is the smallest such: not found in far more.
    assert found.mean() <= 0.83 + error(0.83, repeats)


@pytest.mark.parametrize(("sd", "delta"), [(1.0, 1.0), (1.0, 2.0)])
def test_so_many_seeds_do_settle(sd: float, delta: float) -> None:
    repeats, family = 2000, 4
    num_seeds = seeds_to_settle(sd, delta, family)
    assert num_seeds is not None
    noise = sd * normal(np.random.default_rng(4), (repeats, num_seeds))
    _, low, high = t_interval(noise, 0.9)
    assert ((-delta < low) & (high < delta)).mean() >= 0.8 - error(0.8, repeats)
    found = np.asarray(sign_flip(noise + delta)) < 0.05 / family
    assert found.mean() >= 0.8 - error(0.8, repeats)


def test_equivalence_is_claimed_in_at_most_5_percent_where_the_difference_is_delta() -> None:
    repeats = 20_000
    d = normal(np.random.default_rng(5), (repeats, 10)) * 0.5 + 1.0
    _, low, high = t_interval(d, 0.9)
    assert ((low > -1) & (high < 1)).mean() <= 0.05 + error(0.05, repeats)


# Intervals


@pytest.mark.parametrize("level", [0.9, 0.95, 1 - 0.05 / 6])
@pytest.mark.parametrize("num_seeds", [3, 10])
def test_t_intervals_cover(num_seeds: int, level: float) -> None:
    repeats = 20_000
    _, low, high = t_interval(normal(np.random.default_rng(6), (repeats, num_seeds)) + 3, level)
    covered = ((low <= 3) & (high >= 3)).mean()
    assert covered == pytest.approx(level, abs=error(level, repeats))


def test_t_intervals_of_paired_skewed_scores_cover() -> None:
    # A difference of two skewed scores is symmetric, which is what t can bear.
    repeats = 20_000
    a, b = skewed(np.random.default_rng(7), (2, repeats, 10))
    _, low, high = t_interval(a - b)
    assert ((low <= 0) & (high >= 0)).mean() >= 0.95 - error(0.95, repeats)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.9])
def test_clopper_pearson_covers_at_least(p: float) -> None:
    # Without chance: the binomial weights of all counts whose interval holds p.
    k = np.arange(11)
    low, high = np.array([clopper_pearson(count, 10) for count in range(11)]).T
    covered = stats.binom.pmf(k, 10, p)[(low <= p) & (p <= high)].sum()
    assert 0.95 <= covered <= 1


@pytest.mark.parametrize("ties", [0.1, 0.5, 0.9])
def test_superiority_with_ties_is_covered(ties: float) -> None:
    repeats = 20_000
    outcomes = np.random.default_rng(8).choice(
        [0.0, 0.5, 1.0], (repeats, 10), p=[0.3 * (1 - ties), ties, 0.7 * (1 - ties)]
    )
    probability = 0.5 * ties + 0.7 * (1 - ties)
    ends = np.array([clopper_pearson(half / 2, 10) for half in range(21)])
    low, high = ends[(2 * outcomes.sum(axis=1)).astype(int)].T
    covered = ((low <= probability) & (probability <= high)).mean()
    assert covered >= 0.95 - error(0.95, repeats)


def test_the_bootstrap_over_tasks_covers() -> None:
    # With ten seeds to a task; it is approximate, and not far off: 0.92 at least.
    generator = np.random.default_rng(9)
    tasks = np.linspace(0, 1, 6)[:, np.newaxis]
    truth = tasks.mean()
    covered = 0
    for repeat in range(400):
        scores = tasks + 0.1 * generator.standard_normal((6, 10))
        _, low, high = stratified_bootstrap(list(scores), np.mean, draws=500, seed=repeat)
        covered += low <= truth <= high
    assert covered / 400 >= 0.92 - error(0.92, 400)


# Several effects, several tasks


@pytest.mark.parametrize("repeats", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_an_interaction_is_claimed_in_at_most_5_percent_of_additive_scores(repeats: int) -> None:
    generator = np.random.default_rng(10)
    first, second = (
        np.array([0, 1, 3])[:, np.newaxis, np.newaxis],
        np.array([0, 2, 5])[:, np.newaxis],
    )
    p = []
    for _ in range(repeats):
        y = first + second + generator.standard_normal(8) + skewed(generator, (3, 3, 8))
        both = deviations(y)[2]
        p.append(sign_flip_together(both.reshape(9, 8).T))
    assert (np.array(p) < 0.05).mean() <= 0.05 + error(0.05, repeats)


def test_friedman_claims_about_as_often_as_it_says() -> None:
    repeats = 2000
    scores = normal(np.random.default_rng(11), (repeats, 15, 4))
    found = [friedman(ranks(one)) for one in scores]
    assert np.mean([one.p < 0.05 for one in found]) <= 0.05 + error(0.05, repeats)
    assert np.mean([one.f_p < 0.05 for one in found]) == pytest.approx(0.05, abs=0.02)
