"""How many seeds: the fewest that can settle anything, and how many would settle this.

The standard deviation of the differences is known only as well as the seeds so far tell, so the
numbers here are estimates, and a sentence that quotes them says "about".
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincinv, ndtr, stdtrit

from experiments.comparison.statistics.permutation import is_exact, smallest_p

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

    D is positive, n at least 2, alpha that of this one comparison.
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
    """Return the means of all subsets but the empty one: of z (R, n), an array (R, 2^n - 1)."""
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
    """
    bound = math.sqrt(n) * delta - stdtrit(n - 1, 0.95) * quantiles_of_s(n)
    return float(WEIGHTS @ np.maximum(0.0, 2 * ndtr(bound) - 1))


def quantiles_of_s(n: int) -> np.ndarray:
    """Return quantiles of the standard deviation of n standard normal numbers, at `SHARES`."""
    return np.sqrt(gammaincinv((n - 1) / 2, SHARES) * 2 / (n - 1))


POWER = 0.8
MOST_SEEDS = 10_000


def fewest_seeds(family: int = 1, alpha: float = 0.05) -> int:
    r"""Return with how many seeds p can first fall below alpha / m, if all differ in one direction.

    The smallest p is $2 / 2^n$, so it is the first n above $1 + \log_2(m / \alpha)$.

    >>> fewest_seeds(1), fewest_seeds(6), fewest_seeds(10)
    (6, 8, 9)
    """
    return math.floor(1 + math.log2(family / alpha)) + 1


def detectable(
    sd: float, n: int, alpha: float = 0.05, power: float = POWER, delta: float = 0.0
) -> float | None:
    """Return the smallest true difference that n seeds would call better, with this power.

    Args:
        sd: of the differences by seed.
        alpha: of this one comparison: alpha / m in a family.
        delta: the smallest difference that matters: one that is smaller is not called better.

    Returns:
        in the unit of sd; None where so few seeds find nothing, however large it is.
    """
    if n < fewest_seeds(alpha=alpha) or not math.isfinite(sd):
        return None
    if sd == 0:
        return delta

    def lacks(difference: float) -> float:
        return power - power_of(difference, n, alpha, delta / sd)

    most = 1.0
    while lacks(most) > 0:
        most *= 2
    return float(brentq(lacks, 0.0, most, xtol=1e-6)) * sd


def seeds_to_find(
    sd: float,
    difference: float,
    family: int = 1,
    *,
    alpha: float = 0.05,
    power: float = POWER,
    most: int = MOST_SEEDS,
) -> int | None:
    """Return the fewest seeds with which a true difference is significant, with this power.

    Args:
        sd: of the differences by seed.
        difference: of either sign, in the unit of sd.
        family: m; the test is at alpha / m, which Holm's is at worst.
        most: where even so many do not do, the answer is None.

    >>> seeds_to_find(sd=1.0, difference=0.5)
    34
    """
    if difference == 0 or not math.isfinite(sd) or not math.isfinite(difference):
        return None
    first = fewest_seeds(family, alpha)
    if sd == 0:
        return first
    size = abs(difference) / sd

    def is_enough(n: int) -> bool:
        # t's power is an upper bound, and quick.
        level = alpha / family
        return power_of_t(size, n, level) >= power and power_of(size, n, level) >= power

    return smallest(is_enough, first, most)


def seeds_to_settle(
    sd: float,
    delta: float,
    family: int = 1,
    *,
    alpha: float = 0.05,
    power: float = POWER,
    most: int = MOST_SEEDS,
) -> int | None:
    """Return the fewest seeds that would settle a comparison, whichever way it is.

    With so many, no difference at all is called equivalent, and a true difference of delta is
    significant, each with this power.

    Args:
        sd: of the differences by seed.
        delta: the smallest difference that matters, above 0, in the unit of sd. Where none is
            declared, ask `seeds_to_find` for the observed difference.
        family, alpha, power, most: see `seeds_to_find`.
    """
    fewest = seeds_to_find(sd, delta, family, alpha=alpha, power=power, most=most)
    if fewest is None or sd == 0:
        return fewest
    return smallest(lambda n: equivalence_power(delta / sd, n) >= power, fewest, most)


def smallest(is_enough: Callable[[int], bool], first: int, most: int) -> int | None:
    """Return the smallest number from `first` to `most` that is enough, or None.

    One by one while the test is exact: its levels come in steps, and with them its power does not
    rise at every seed. Beyond, by halving.
    """
    low = first
    while low <= most and is_exact(low):
        if is_enough(low):
            return low
        low += 1
    if low > most or not is_enough(most):
        return None
    numbers = range(low, most + 1)
    return numbers[bisect.bisect_left(numbers, True, key=is_enough)]
