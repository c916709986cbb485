"""Dunnett's and Tukey's distributions against printed tables, scipy, Student's t, and drawing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.statistics.simultaneous import (
    any_on_its_side,
    chance_of,
    dunnett_critical,
    dunnett_one_sided,
    dunnett_p,
    tukey_critical,
    tukey_p,
)

# Dunnett 1964, "New tables for multiple comparisons with a control", Biometrics 20, table II
# (two-sided, 5 %): by degrees of freedom, for 1 to 5 treatments beside the control.
TWO_SIDED = {
    5: (2.57, 3.03, 3.29, 3.48, 3.62),
    10: (2.23, 2.57, 2.76, 2.89, 2.99),
    20: (2.09, 2.38, 2.54, 2.65, 2.73),
    60: (2.00, 2.27, 2.41, 2.51, 2.58),
}
# Dunnett 1955, table 1a (one-sided, 5 %).
ONE_SIDED = {
    5: (2.02, 2.44, 2.68, 2.85, 2.98),
    10: (1.81, 2.15, 2.34, 2.47, 2.56),
    20: (1.72, 2.03, 2.19, 2.30, 2.39),
}
# The studentized range at 5 %, in any textbook: by number of means and degrees of freedom.
RANGES = {(3, 6): 4.34, (3, 10): 3.88, (4, 20): 3.96, (5, 60): 3.98, (10, 20): 5.01}


@pytest.mark.parametrize("df", TWO_SIDED)
def test_dunnetts_critical_values_are_those_of_the_printed_table(df: int) -> None:
    found = [dunnett_critical(others + 1, df) for others in range(1, 6)]
    assert found == pytest.approx(TWO_SIDED[df], abs=0.0051)


@pytest.mark.parametrize("df", ONE_SIDED)
def test_errors_on_one_side_are_those_of_dunnetts_one_sided_table(df: int) -> None:
    for others, t in enumerate(ONE_SIDED[df], 1):
        low, high = (chance_of(any_on_its_side(others, 0), t + h, df) for h in (0.0051, -0.0051))
        assert low <= 0.05 <= high


@pytest.mark.parametrize("number", RANGES)
def test_tukeys_critical_values_are_those_of_the_printed_table(number: tuple[int, int]) -> None:
    found = math.sqrt(2) * tukey_critical(*number)
    assert found == pytest.approx(RANGES[number], abs=0.0051)


@pytest.mark.parametrize(("num_settings", "df"), [(3, 2), (3, 4), (7, 12), (30, 290)])
def test_tukeys_p_is_scipys(num_settings: int, df: int) -> None:
    for t in (0.5, 2.0, 4.0, 8.0):
        expected = stats.studentized_range.sf(math.sqrt(2) * t, num_settings, df)
        assert tukey_p(-t, num_settings, df) == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("df", [1, 2, 12, 1000])
def test_of_one_comparison_all_are_students(df: int) -> None:
    t = np.array([0.0, 0.3, 2.0, 5.0, 40.0])
    expected = pytest.approx(2 * stats.t.sf(t, df), rel=1e-6, abs=1e-12)
    assert [dunnett_p(value, 2, df) for value in t] == expected
    assert [tukey_p(value, 2, df) for value in t] == expected
    assert dunnett_critical(2, df) == pytest.approx(stats.t.ppf(0.975, df))
    assert dunnett_one_sided(2, df) == pytest.approx(stats.t.ppf(0.95, df))


@pytest.mark.parametrize(("num_settings", "n"), [(3, 3), (7, 4)])
def test_dunnetts_p_without_blocks_is_that_of_scipy(num_settings: int, n: int) -> None:
    # Without seeds in common, the error has K (n - 1) degrees of freedom; scipy draws to 1e-3.
    y = np.random.default_rng(0).normal(
        np.linspace(0, 2, num_settings)[:, None], 1.0, (num_settings, n)
    )
    twin = stats.dunnett(*y[1:], control=y[0], rng=np.random.default_rng(1))
    df = num_settings * (n - 1)
    error = math.sqrt(2 / n * y.var(axis=1, ddof=1).mean())
    t = (y[1:].mean(axis=1) - y[0].mean()) / error
    assert t == pytest.approx(twin.statistic)
    found = [dunnett_p(value, num_settings, df) for value in t]
    assert found == pytest.approx(twin.pvalue, abs=1e-3)
    ends = twin.confidence_interval(0.95)
    half = dunnett_critical(num_settings, df) * error
    assert ends.high - ends.low == pytest.approx(2 * half, rel=2e-3)


@pytest.mark.parametrize("num_settings", [3, 6])
def test_the_distributions_are_those_of_drawn_means(num_settings: int) -> None:
    rng, df, draws = np.random.default_rng(2), 4, 200_000
    means = rng.standard_normal((draws, num_settings))
    s = np.sqrt(rng.chisquare(df, draws) / df)
    differences = (means[:, 1:] - means[:, :1]) / (math.sqrt(2) * s[:, None])
    ranges = np.ptp(means, axis=1) / (math.sqrt(2) * s)
    # The worst of all sides: every second setting counts above the control, the others below.
    sided = np.where(np.arange(num_settings - 1) % 2, -1, 1) * differences
    for t in (1.0, 3.0, 6.0):
        within = pytest.approx(0, abs=3 * math.sqrt(0.25 / draws))
        assert (abs(differences) >= t).any(axis=1).mean() - dunnett_p(t, num_settings, df) == within
        assert (ranges >= t).mean() - tukey_p(t, num_settings, df) == within
    one = dunnett_one_sided(num_settings, df)
    assert (sided >= one).any(axis=1).mean() - 0.05 == within
    # With all on one side it is rarer.
    assert (differences >= one).any(axis=1).mean() < 0.05


def test_more_settings_and_fewer_degrees_need_a_larger_t() -> None:
    by_number = [dunnett_critical(k, 12) for k in (2, 3, 7, 20)]
    assert by_number == sorted(by_number)
    assert tukey_critical(7, 12) > dunnett_critical(7, 12) > dunnett_one_sided(7, 12)
    assert dunnett_critical(7, 12) < stats.t.ppf(1 - 0.025 / 6, 12)  # Bonferroni's
