"""The three chances against scipy's t, against drawing from the posterior, and at their edges."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.statistics.intervals import t_interval
from experiments.comparison.statistics.posterior import Chances, chances_of

D = np.array([0.9, 0.2, 0.7, -0.1, 0.6])


@pytest.mark.parametrize("delta", [None, 0.1, 0.4, 2.0])
@pytest.mark.parametrize("n", [2, 5])
def test_chances_are_those_of_students_t_about_the_mean(n: int, delta: float | None) -> None:
    d = D[:n]
    found = chances_of(d.mean(), float(stats.sem(d)), n - 1, delta)
    assert found is not None
    posterior = stats.t(n - 1, loc=d.mean(), scale=stats.sem(d))
    least = delta or 0.0
    expected = (posterior.sf(least), posterior.cdf(least) - posterior.cdf(-least))
    assert astuple(found)[:2] == pytest.approx(expected, abs=1e-12)
    assert found.worse == pytest.approx(posterior.cdf(-least), abs=1e-12)
    assert sum(astuple(found)) == pytest.approx(1, abs=1e-12)


def test_chances_are_those_of_draws_from_the_posterior() -> None:
    # sigma^2 given d is (n - 1) s^2 over chi-squared, and mu given sigma is normal: Gelman et al.,
    # "Bayesian data analysis", section 3.2. Nothing here knows of Student's t.
    rng, n, draws = np.random.default_rng(0), len(D), 200_000
    sigma = np.sqrt((n - 1) * D.var(ddof=1) / rng.chisquare(n - 1, draws))
    mu = rng.normal(D.mean(), sigma / math.sqrt(n))
    found = chances_of(D.mean(), float(stats.sem(D)), n - 1, 0.3)
    assert found is not None
    shares = [(mu > 0.3).mean(), (abs(mu) <= 0.3).mean(), (mu < -0.3).mean()]
    for chance, share in zip(astuple(found), shares, strict=True):
        assert chance == pytest.approx(share, abs=4 * math.sqrt(0.25 / draws))


def test_a_chance_of_2_5_percent_is_where_the_95_percent_interval_ends() -> None:
    mean, low, _ = t_interval(D)
    found = chances_of(float(mean), float(stats.sem(D)), len(D) - 1, float(abs(low)))
    assert found is not None
    assert (low < 0, found.worse) == (True, pytest.approx(0.025))


def test_where_lower_is_better_the_chances_change_places() -> None:
    numbers = (0.4, 0.2, 4, 0.1)
    found, turned = chances_of(*numbers), chances_of(*numbers, higher_is_better=False)
    assert found is not None
    assert turned == Chances(found.worse, found.within, found.better)


@pytest.mark.parametrize(
    ("difference", "delta", "expected"),
    [
        (0.01, 0.005, (1, 0, 0)),
        (-0.01, 0.005, (0, 0, 1)),
        (0.004, 0.005, (0, 1, 0)),
        (0.8453 - 0.8403, 0.005, (1, 0, 0)),  # in floating point it is 0.00499...
        (0.0, None, (0, 1, 0)),
        (1e-9, None, (1, 0, 0)),
    ],
)
def test_no_spread_leaves_all_to_one_of_them(
    difference: float, delta: float | None, expected: tuple[float, ...]
) -> None:
    found = chances_of(difference, 0.0, 4, delta)
    assert found is not None
    assert astuple(found) == expected


@pytest.mark.parametrize(
    "numbers", [(0.1, math.nan, 0), (math.inf, math.nan, 4), (math.nan, math.nan, 4)]
)
def test_one_seed_and_failed_losses_have_none(numbers: tuple[float, float, float]) -> None:
    assert chances_of(*numbers, 0.005) is None


def test_a_correlation_widens_the_posterior_by_the_standard_error_alone() -> None:
    # Nadeau & Bengio 2003: s^2 (1/n + rho / (1 - rho)); ten values of which any two share 0.2.
    d = np.random.default_rng(1).normal(0.5, size=10)
    error = math.sqrt(0.1 + 0.25) * d.std(ddof=1)
    found = chances_of(d.mean(), error, 9, 0.1)
    assert found is not None
    assert found.better == pytest.approx(stats.t(9, d.mean(), error).sf(0.1))
