"""Intervals: of a mean over seeds, of a share of runs, of a mean over several tasks.

All hold for fresh seeds on this very test set; what another test set of its size would change is
`binomial_standard_error`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import betaincinv, stdtrit

BOOTSTRAP_DRAWS = 2000


def t_interval(values: ArrayLike, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return a mean and the ends of its interval by Student's t.

    $$ \bar x \pm t_{(1 + level) / 2,\, n - 1} \frac{s}{\sqrt n} $$

    One value alone says nothing about the spread: its interval is the whole line.

    Args:
        values: of shape (..., n).
        level: the share of such intervals that cover the true mean, in (0, 1).

    Returns:
        mean, low and high, each of shape (...).

    Raises:
        ValueError: there is no value.

    >>> [round(float(x), 3) for x in t_interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    values = np.asarray(values, dtype=float)
    n = values.shape[-1]
    if n == 0:
        raise ValueError("An interval takes at least one value.")
    mean = values.mean(axis=-1)
    if n == 1:
        half = np.full_like(mean, np.inf)
    else:
        half = stdtrit(n - 1, (1 + level) / 2) * values.std(axis=-1, ddof=1) / np.sqrt(n)
    return mean, mean - half, mean + half


def clopper_pearson(k: float, n: int, level: float = 0.95) -> tuple[float, float]:
    r"""Return the ends of the interval of a share of which k of n were counted, never too short.

    With $\alpha = 1 - level$ they are quantiles of Beta distributions,

    $$ B^{-1}_{\alpha/2}(k, n - k + 1), \qquad B^{-1}_{1 - \alpha/2}(k + 1, n - k), $$

    and 0 and 1 where k is 0 and n. Clopper & Pearson 1934, "The use of confidence or fiducial
    limits illustrated in the case of the binomial". A tie is half a win, so k may have a half in
    it, which these distributions take and `scipy.stats.binomtest` does not.

    Args:
        k, n: how many, in [0, n], of how many.
        level: the share of such intervals that cover the true share, at least; in (0, 1).

    Raises:
        ValueError: k is not in [0, n].

    >>> [round(end, 4) for end in clopper_pearson(0, 10)]
    [0.0, 0.3085]
    """
    if not 0 <= k <= n:
        raise ValueError(f"A share is of 0 to n, and k={k}, n={n} are not.")
    tail = (1 - level) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return low, high


def binomial_standard_error(p: ArrayLike, n: ArrayLike) -> np.ndarray:
    r"""Return the standard error of an accuracy p on n test points, $\sqrt{p (1 - p) / n}$.

    It stands for the choice of the test set, which all seeds share: no number of seeds lowers it.

    >>> round(float(binomial_standard_error(0.9, 10_000)), 4)
    0.003
    """
    p = np.asarray(p, dtype=float)
    return np.sqrt(p * (1 - p) / np.asarray(n))


def interquartile_mean(scores: ArrayLike, axis: int | None = None) -> np.ndarray:
    """Return the mean of the middle half: a quarter is left out at either end.

    It is more robust than the mean and has less variance than the median (Agarwal et al. 2021,
    "Deep reinforcement learning at the edge of the statistical precipice", section 4.3). Of the
    number of scores, a quarter is rounded down.

    >>> float(interquartile_mean([0.0, 1.0, 2.0, 100.0]))
    1.5
    """
    return stats.trim_mean(np.asarray(scores, dtype=float), 0.25, axis=axis)


def stratified_bootstrap(
    scores: Sequence[ArrayLike],
    statistic: Callable[..., np.ndarray] = interquartile_mean,
    *,
    level: float = 0.95,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return a statistic of several tasks' scores and its bootstrap interval.

    Seeds are drawn anew within each task, the tasks stay; the ends are percentiles of the draws
    (Agarwal et al. 2021, section 4.1). With few seeds it is somewhat short: with 3 to a task it
    covers less than it says.

    `scipy.stats.bootstrap` draws the very same samples, but none where a task has a single seed.

    Args:
        scores: of each task the scores of its seeds. A task with more seeds has more weight.
        statistic: of the pooled scores, as a function of an array and `axis`.

    Returns:
        the statistic, low and high.
    """
    generator = np.random.default_rng(seed)
    tasks = [np.asarray(task, dtype=float) for task in scores]
    drawn = [task[generator.integers(0, len(task), (draws, len(task)))] for task in tasks]
    tail = (1 - level) / 2
    low, high = np.quantile(statistic(np.concatenate(drawn, axis=1), axis=1), [tail, 1 - tail])
    return float(statistic(np.concatenate(tasks), axis=0)), float(low), float(high)
