r"""How probably a true difference is found, and how probably none is called equivalent.

Unit: the standard deviation of the differences by seed, which are taken to be normal. Legend: n
seeds, D the true difference, z standard normal numbers, R samples of them.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv, ndtr, stdtrit

from experiments.comparison.permutation import is_exact, smallest_p

MOST_RANK = 32
"""Up to so many sign vectors in p, the sign-flip test needs its own power: t's is too high by 0.13
where all signs must agree. Beyond, t's at a slightly lower level will do."""

LOWER = 0.9
"""So much lower: simulated for 10 to 20 seeds and 1 to 45 comparisons, a power of 0.8 is 0.785 to
0.816."""

LOWEST = 9
"""The 32 subsets with the lowest means have no other values than so many lowest, in most samples;
what the others change is at most 0.004."""

SAMPLES = 10_000
"""Of z, so that a power of 0.8 is known to 0.004."""

NODES, MASSES = np.polynomial.legendre.leggauss(200)
SHARES, WEIGHTS = (NODES + 1) / 2, MASSES / 2
"""Gauss-Legendre nodes in (0, 1), at whose quantiles of s an expectation is taken."""


def attained_level(n: int, alpha: float) -> float:
    """Return the largest p below alpha that the sign-flip test of n seeds has; 0 if none is.

    >>> attained_level(6, 0.05), attained_level(5, 0.05)
    (0.03125, 0.0)
    """
    if not is_exact(n):
        return alpha
    step = smallest_p(n)
    return (math.ceil(alpha / step) - 1) * step


def power_of(difference: float, n: int, alpha: float, delta: float = 0.0) -> float:
    """Return how probably the sign-flip test's p is below alpha, and the mean at least delta.

    Args:
        difference: D, positive.
        n: at least 2.
        alpha: of this one comparison, in (0, 1).
        delta: at least 0.
    """
    level = attained_level(n, alpha)
    if level == 0:
        return 0.0
    if not is_exact(n):
        return power_of_t(difference, n, level, delta)
    step = smallest_p(n)
    rank = round(level / step)
    if rank > MOST_RANK:
        return power_of_t(difference, n, LOWER * level, delta)
    means, needed = samples_of(n)
    return float(((needed[:, rank - 1] < difference) & (means + difference >= delta)).mean())


@lru_cache(maxsize=32)
def samples_of(n: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return means of samples z, and by how much each must be raised for a small p.

    Differences $d = z + D$ have $p \le k 2^{1-n}$ and a positive mean just where fewer than k of
    their $2^n - 1$ subsets have a mean of 0 or less (Hartigan 1969, "Using subsample values as
    typical values"): where D is above minus the k-th lowest mean of a subset of z.

    Returns:
        of shape (R,), and for k = 1, 2, ... of shape (R, `MOST_RANK`).
    """
    z = np.random.default_rng(0).standard_normal((SAMPLES, n))
    lowest = np.sort(z, axis=1)[:, :LOWEST]
    means = subset_means(lowest)
    means.partition(min(MOST_RANK, means.shape[1] - 1), axis=1)
    return z.mean(axis=1), -np.sort(means[:, :MOST_RANK], axis=1)


def subset_means(z: np.ndarray) -> np.ndarray:
    """Return the means of all subsets but the empty one.

    Args:
        z: of shape (R, n).

    Returns:
        of shape (R, 2^n - 1).
    """
    sums, sizes = np.zeros((len(z), 1)), np.zeros(1)
    for column in z.T:
        sums = np.concatenate([sums, sums + column[:, np.newaxis]], axis=1)
        sizes = np.concatenate([sizes, sizes + 1])
    return sums[:, 1:] / sizes[1:]


def power_of_t(difference: float, n: int, level: float, delta: float = 0.0) -> float:
    r"""Return how probably t's two-sided p is below a level, and the mean at least delta.

    $$ P(\bar d \ge \max(t_{1 - level/2,\,n-1} \, s / \sqrt n,\; \delta)) =
       E_s\, \Phi\big(\sqrt n D - \max(t s, \sqrt n \delta)\big), $$

    where $(n - 1) s^2$ is chi-squared with n - 1 degrees of freedom. For delta = 0 it is the upper
    tail of the noncentral t distribution with noncentrality $\sqrt n D$.
    """
    root = math.sqrt(n)
    bound = np.maximum(stdtrit(n - 1, 1 - level / 2) * quantiles_of_s(n), root * delta)
    return float(WEIGHTS @ ndtr(root * difference - bound))


def equivalence_power(delta: float, n: int) -> float:
    r"""Return how probably no difference at all has its 90 % interval inside +-delta.

    $$ P(|\bar d| + t_{0.95,\,n-1}\, s / \sqrt n < \delta) =
       E_s \max(0,\; 2 \Phi(\sqrt n \delta - t_{0.95,\,n-1} s) - 1) $$

    Args:
        delta: above 0.
        n: at least 2.
    """
    bound = math.sqrt(n) * delta - stdtrit(n - 1, 0.95) * quantiles_of_s(n)
    return float(WEIGHTS @ np.maximum(0.0, 2 * ndtr(bound) - 1))


def quantiles_of_s(n: int) -> np.ndarray:
    """Return quantiles of the standard deviation of n standard normal numbers, at `SHARES`."""
    return np.sqrt(gammaincinv((n - 1) / 2, SHARES) * 2 / (n - 1))
