"""What the pooled error promises, over thousands of repeated sweeps.

Each share of repeats is allowed three binomial standard errors of its own.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.comparison.pooled import FAR, UNEQUAL
from experiments.comparison.statistics.blocked import (
    extremes,
    extremes_by_chance,
    residuals_of,
)
from experiments.comparison.statistics.permutation import smallest_p
from experiments.comparison.statistics.pooled_planning import (
    Family,
    fewest,
    pooled_detectable,
    pooled_seeds,
)

Scores = np.ndarray
"""Of shape (R, K, S)."""


def error(share: float, repeats: int) -> float:
    return 3 * math.sqrt(share * (1 - share) / repeats)


def sweeps(rng: np.random.Generator, repeats: int, num_settings: int, num_seeds: int) -> Scores:
    """Return scores of settings that are all alike, with what their seeds have in common."""
    noise = rng.standard_normal((repeats, num_settings, num_seeds))
    return noise + rng.normal(0, 3, (repeats, 1, num_seeds))


def errors_of(y: Scores) -> np.ndarray:
    """Return the standard error of a difference, of each sweep."""
    _, k, n = y.shape
    return np.sqrt((residuals_of(y) ** 2).sum(axis=(1, 2)) / ((k - 1) * (n - 1)) * 2 / n)


def from_control(y: Scores) -> np.ndarray:
    means = y.mean(axis=2)
    return means[:, 1:] - means[:, :1]


@pytest.mark.parametrize(("num_settings", "num_seeds"), [(3, 3), (7, 3), (7, 2), (10, 5)])
def test_a_family_of_a_against_a_is_claimed_in_5_percent(num_settings: int, num_seeds: int) -> None:
    repeats = 20_000
    y = sweeps(np.random.default_rng(0), repeats, num_settings, num_seeds)
    against, pairs = (Family(num_settings, num_settings, control) for control in (True, False))
    df = against.df(num_seeds)
    largest = np.abs(from_control(y)).max(axis=1) / errors_of(y)
    claimed = (largest > against.critical(df)).mean()
    assert claimed == pytest.approx(0.05, abs=error(0.05, repeats))
    ranges = np.ptp(y.mean(axis=2), axis=1) / errors_of(y)
    assert (ranges > pairs.critical(df)).mean() == pytest.approx(0.05, abs=error(0.05, repeats))
    # Together all differences are covered by their intervals; each by itself would not be.
    assert (largest > 1.96).mean() > 0.1


def test_skewed_errors_claim_no_more() -> None:
    repeats = 20_000
    y = -np.random.default_rng(1).standard_exponential((repeats, 7, 3))
    family = Family(7, 7, True)
    claimed = np.abs(from_control(y)).max(axis=1) / errors_of(y) > family.critical(family.df(3))
    assert claimed.mean() <= 0.05 + error(0.05, repeats)


@pytest.mark.parametrize("num_seeds", [3, 6])
def test_a_planted_difference_is_found_in_80_percent(num_seeds: int) -> None:
    repeats, family = 20_000, Family(7, 7, True)
    planted = pooled_detectable(1.0, num_seeds, family)
    y = sweeps(np.random.default_rng(2), repeats, 7, num_seeds)
    y[:, 3] += planted
    t = from_control(y)[:, 2] / errors_of(y)
    found = (t > family.critical(family.df(num_seeds))).mean()
    assert found == pytest.approx(0.8, abs=error(0.8, repeats))
    # With so few seeds no sign-flip test of six comparisons can find anything: its p is at least
    assert smallest_p(num_seeds) > 0.05 / 6


def test_so_many_seeds_do_settle() -> None:
    repeats, family, delta = 5000, Family(5, 5, True), 2.0
    n = pooled_seeds(1.0, delta, family, also_equivalent=True)
    assert n is not None
    y = sweeps(np.random.default_rng(3), repeats, 5, n)
    df, errors = family.df(n), errors_of(y)
    inside = np.abs(from_control(y)[:, 0]) + family.equivalent(df) * errors < delta
    assert inside.mean() >= 0.8 - error(0.8, repeats)
    y[:, 1] += delta
    found = from_control(y)[:, 0] > family.critical(df) * errors
    assert found.mean() >= 0.8 - error(0.8, repeats)
    assert n == fewest(lambda number: number >= n)


@pytest.mark.parametrize("has_control", [True, False])
def test_equivalence_is_claimed_in_at_most_5_percent_where_all_are_delta_away(
    has_control: bool,
) -> None:
    # Half of the settings lie delta above the control and half below, which is the worst case.
    repeats, family, delta = 20_000, Family(7, 7, has_control), 5.0
    y = sweeps(np.random.default_rng(4), repeats, 7, 3)
    y[:, 1:4] += delta
    y[:, 4:] -= delta
    half = family.equivalent(family.df(3)) * errors_of(y)
    inside = np.abs(from_control(y)) + half[:, np.newaxis] < delta
    claimed = inside.any(axis=1).mean()
    assert claimed <= 0.05 + error(0.05, repeats)
    # Nor far less, against a control; Tukey's interval is wider than that takes.
    assert claimed >= (0.05 if has_control else 0.005) - error(0.05, repeats)


# Where it is silent


def silent(y: Scores) -> np.ndarray:
    """Return of which sweeps the residuals leave the test silent, by its rule."""
    shares, sizes = extremes(residuals_of(y))
    null_shares, null_sizes = extremes_by_chance(*y.shape[1:])
    return (shares > np.quantile(null_shares, 1 - UNEQUAL)) | (
        sizes > np.quantile(null_sizes, 1 - FAR)
    )


@pytest.mark.parametrize(
    ("times", "num_seeds", "without_rule", "is_silent", "claimed"),
    [(1, 3, 0.05, 0.06, 0.05), (4, 3, 0.22, 0.59, 0.14), (4, 5, 0.22, 0.86, 0.06), (10, 3, 0.27, 0.92, 0.06)],
)  # fmt: skip
def test_a_control_of_another_spread_is_told_by_so_many_seeds(
    times: float, num_seeds: int, without_rule: float, is_silent: float, claimed: float
) -> None:
    # Of seven settings that are alike in the mean; the numbers are those of docs/comparison.md.
    y = np.random.default_rng(5).standard_normal((20_000, 7, num_seeds))
    y[:, 0] *= times
    family = Family(7, 7, True)
    largest = np.abs(from_control(y)).max(axis=1) / errors_of(y)
    would_claim = largest > family.critical(family.df(num_seeds))
    assert would_claim.mean() == pytest.approx(without_rule, abs=0.01)
    assert silent(y).mean() == pytest.approx(is_silent, abs=0.015)
    assert (would_claim & ~silent(y)).mean() == pytest.approx(claimed, abs=0.01)
