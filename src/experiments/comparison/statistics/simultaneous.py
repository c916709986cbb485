r"""The largest of several t statistics that share one estimate of the error.

With K means of one variance, each of S numbers, and one estimate s of their error with nu degrees
of freedom, $T_{ij} = (\bar y_i - \bar y_j) / (s \sqrt{2 / S})$ is Student's t, and

- the K - 1 that have one j in common, the control, have correlations of 1/2: Dunnett 1955, "A
  multiple comparison procedure for comparing several treatments with a control";
- the largest of all pairs is a studentized range over $\sqrt 2$: Tukey 1953, "The problem of
  multiple comparisons".

The chance that the largest is at least t is an integral over s, and given s over the one mean that
is shared, of powers of normal probabilities. Both are taken by the trapezoidal rule, which is exact
to rounding for such integrands; `scipy.stats.dunnett` draws at random instead.

Legend of shapes: R nodes for s, Z nodes for the shared mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammainccinv, gammaincinv, gammaln, ndtr, stdtrit

NUM_SPREADS = 200
STEP = 0.125
"""Of the standard normal mean that is shared; the error of the rule falls as exp(-2 (pi / STEP)^2)
for the normal density alone."""

SHARED = np.arange(-9, 9 + STEP, STEP)
DENSITY = STEP * np.exp(-(SHARED**2) / 2) / math.sqrt(2 * math.pi)
LEAST = 1e-16
"""Of chance that is left out at either end of the distribution of s."""

Exceeds = Callable[[np.ndarray], np.ndarray]
"""How probably any of some settings is beyond a bound, given the mean that is shared: bounds (R, 1)
in, chances (R, Z) out."""


@lru_cache(maxsize=64)
def spreads(df: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return values of s / sigma and their weights, equally spaced in its logarithm.

    $\nu s^2 / \sigma^2$ is chi-squared with nu degrees of freedom.
    """
    squares = 2 / df * np.array([gammaincinv(df / 2, LEAST), gammainccinv(df / 2, LEAST)])
    low, high = np.log(squares) / 2
    x = np.linspace(low, high, NUM_SPREADS)
    log_density = df * x - df * np.exp(2 * x) / 2 + df / 2 * math.log(df / 2) - gammaln(df / 2)
    weights = np.exp(log_density)
    return np.exp(x), weights / weights.sum()


def chance_of(exceeds: Exceeds, t: float, df: int) -> float:
    """Return how probably the largest of some t is at least t."""
    s, weights = spreads(df)
    chance = weights @ (exceeds(math.sqrt(2) * t * s[:, np.newaxis]) @ DENSITY)
    return min(1.0, max(0.0, float(chance)))


def log_none(chances: np.ndarray, number: int) -> np.ndarray:
    """Return the logarithm of the chance that none of so many happens, each with these chances."""
    return number * np.log1p(-np.minimum(chances, 1 - LEAST))


def any_against_control(number: int) -> Exceeds:
    """Of so many settings, whose means are independent given the control's, on either side."""

    def exceeds(bounds: np.ndarray) -> np.ndarray:
        beyond = ndtr(SHARED - bounds) + ndtr(-SHARED - bounds)
        return -np.expm1(log_none(beyond, number))

    return exceeds


def any_on_its_side(above: int, below: int) -> Exceeds:
    """Of settings each of which counts on one side of the control alone."""

    def exceeds(bounds: np.ndarray) -> np.ndarray:
        none = log_none(ndtr(SHARED - bounds), above) + log_none(ndtr(-SHARED - bounds), below)
        return -np.expm1(none)

    return exceeds


def range_of(num_settings: int) -> Exceeds:
    """Of all pairs: given the largest mean, which may be any, the others are within the range."""

    def exceeds(bounds: np.ndarray) -> np.ndarray:
        within = np.maximum(ndtr(SHARED) - ndtr(SHARED - bounds), 0.0)
        return 1 - num_settings * within ** (num_settings - 1)

    return exceeds


def dunnett_p(t: float, num_settings: int, df: int) -> float:
    r"""Return how probably any setting's two-sided t against the control is at least so large.

    $$ 1 - \int_0^\infty f_\nu(s) \int \varphi(z)
       \big[\Phi(z + \sqrt 2 t s) - \Phi(z - \sqrt 2 t s)\big]^{K - 1} dz \, ds $$

    Args:
        t: of either sign.
        num_settings: K, with the control.
        df: degrees of freedom of the error, at least 1.

    >>> round(dunnett_p(2.54, num_settings=4, df=20), 3)  # Dunnett 1964, table II
    0.05
    """
    return chance_of(any_against_control(num_settings - 1), abs(t), df)


def tukey_p(t: float, num_settings: int, df: int) -> float:
    r"""Return how probably any pair of settings has a two-sided t of at least so much.

    $$ 1 - \int_0^\infty f_\nu(s) \; K \int \varphi(z)
       \big[\Phi(z) - \Phi(z - \sqrt 2 t s)\big]^{K - 1} dz \, ds $$

    Args:
        t, num_settings, df: see `dunnett_p`.

    >>> round(tukey_p(3.96 / 2**0.5, num_settings=4, df=20), 3)  # any table of the range
    0.05
    """
    return chance_of(range_of(num_settings), abs(t), df)


def dunnett_critical(num_settings: int, df: int, alpha: float = 0.05) -> float:
    """Return the t that any setting reaches against the control with a chance of alpha.

    Intervals of so many standard errors cover all differences from the control together.

    >>> round(dunnett_critical(4, 20), 2)
    2.54
    """
    return critical("control", num_settings, df, alpha)


def tukey_critical(num_settings: int, df: int, alpha: float = 0.05) -> float:
    """Return the t that any pair reaches with a chance of alpha; see `dunnett_critical`."""
    return critical("pairs", num_settings, df, alpha)


def dunnett_one_sided(num_settings: int, df: int, alpha: float = 0.05) -> float:
    """Return the t for two one-sided tests of each setting against the control.

    A setting that truly is delta or more away is called equivalent only by an error towards the
    control. With this t the chance of any such error is at most alpha, however many settings are
    on either side: it is largest with half of them on each.
    """
    return critical("sides", num_settings, df, alpha)


@lru_cache(maxsize=4096)
def critical(kind: str, num_settings: int, df: int, alpha: float) -> float:
    """Return the t that is exceeded with a chance of alpha.

    It is at least that of one comparison, and at most Bonferroni's.
    """
    others = num_settings - 1
    kinds = {
        "control": (any_against_control(others), others, alpha / 2),
        "pairs": (range_of(num_settings), num_settings * others // 2, alpha / 2),
        "sides": (any_on_its_side((others + 1) // 2, others // 2), others, alpha),
    }
    exceeds, family, tail = kinds[kind]
    low, high = stdtrit(df, 1 - tail), stdtrit(df, 1 - tail / family)
    if family == 1:
        return float(low)
    found = brentq(lambda t: chance_of(exceeds, t, df) - alpha, low, 1.001 * high, xtol=1e-8)
    return float(found)
