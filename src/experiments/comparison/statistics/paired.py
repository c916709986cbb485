"""Two settings, compared seed by seed.

Seed s gives both the same initial weights and the same batches wherever they can be the same, so
that what both owe to the seed cancels in their difference (a block, in the language of designs). Of
a cross validation the blocks are splits, which are not independent: see resampled.py.

Legend of shapes: S seeds, or splits, M comparisons of one family.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from experiments.comparison.statistics.intervals import clopper_pearson, t_interval
from experiments.comparison.statistics.permutation import sign_flip
from experiments.comparison.statistics.resampled import (
    corrected_interval,
    corrected_p,
    standard_error,
)

Verdict = Literal["better", "worse", "equivalent", "inconclusive"]
Ends = tuple[float, float]

FLOAT32 = 2.0**-23
"""Scores are made in float32, where 0.8453 - 0.8452 and 0.8500 - 0.8499 differ by this much."""

SHORT_OF_DELTA = 1e-4
"""A difference of 0.005 may arrive as 0.00499999; by this share of delta it may be short of it."""


@dataclass(frozen=True)
class Effect:
    """Differences of S seeds, joined.

    Attributes:
        difference: the mean.
        sd: the differences' standard deviation, NaN for one seed.
        standard_error: of the mean, NaN for one seed.
        df: its degrees of freedom.
        interval: of the mean, by Student's t, infinite for one seed.
        level: of that interval, 1 - alpha / family.
        interval90: the same at 0.9; inside +-delta, it shows equivalence at 5 %.
        p: of the two-sided sign-flip test, or over splits of the corrected resampled t test; as yet
            for this comparison alone.
    """

    n: int
    difference: float
    sd: float
    standard_error: float
    df: float
    interval: Ends
    level: float
    interval90: Ends
    p: float


@dataclass(frozen=True)
class Pair(Effect):
    """Setting a against setting b; the difference is a minus b.

    Attributes:
        superiority: the share of seeds on which a beats b, a tie counting half.
        superiority_interval: of the probability that it does on a fresh seed, at `level`; NaN over
            splits, which are no independent trials.
        correlation: of their scores over the seeds, None where there is none.
        variance_ratio: see `variance_ratio`.
    """

    superiority: float
    superiority_interval: Ends
    correlation: float | None
    variance_ratio: float | None


def compare_pair(
    a: ArrayLike,
    b: ArrayLike,
    *,
    alpha: float = 0.05,
    family: int = 1,
    higher_is_better: bool = True,
    overlap: float | None = None,
) -> Pair:
    """Return how a compares with b.

    An infinite score is a failed run's, which ranks last: see `effect_of`; two of them tie.

    Args:
        a, b: the scores of either setting on the same seeds in the same order, of shape (S,).
        alpha: the chance of any false claim in the family, in (0, 1).
        family: how many comparisons it has.
        higher_is_better: the larger score beats the smaller; it decides `superiority` alone.
        overlap: what splits of one data set share (`blocks.shared_by`); None of seeds.

    Raises:
        ValueError: the shapes differ, there is no seed, or a score is NaN.

    >>> pair = compare_pair([0.91, 0.92, 0.93], [0.90, 0.90, 0.90])
    >>> round(pair.difference, 3), pair.p, pair.superiority
    (0.02, 0.25, 1.0)
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or np.isnan([a, b]).any():
        raise ValueError(f"A pair takes two scores of each seed, and got {a} and {b}.")
    differences, resolution = paired_differences(a, b)
    effect = effect_of(
        differences, alpha=alpha, family=family, resolution=resolution, overlap=overlap
    )
    share, low, high = superiority(a, b, effect.level, higher_is_better=higher_is_better)
    if overlap is not None:
        low = high = np.nan
    return Pair(
        **vars(effect),
        superiority=share,
        superiority_interval=(low, high),
        correlation=correlation(a, b),
        variance_ratio=variance_ratio(a, b),
    )


def paired_differences(a: ArrayLike, b: ArrayLike) -> tuple[np.ndarray, float]:
    """Return a minus b, two infinite scores being equal, and how far rounding may have moved it.

    >>> paired_differences([1.0, np.inf], [0.5, np.inf])[0].tolist()
    [0.5, 0.0]
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    both = np.concatenate([a, b])
    largest = np.abs(both[np.isfinite(both)]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        differences = np.where(a == b, 0.0, a - b)
    return differences, FLOAT32 * float(largest)


def effect_of(
    differences: ArrayLike,
    *,
    alpha: float = 0.05,
    family: int = 1,
    resolution: float = 0.0,
    overlap: float | None = None,
) -> Effect:
    """Return what differences by seed say together.

    Where one is infinite, as where a failed run's loss is, the test is of their signed ranks, as
    Wilcoxon's; there is no standard deviation and no interval, and the mean is infinite too, or NaN
    where both settings failed, on different seeds.

    Args:
        differences: of shape (S,).
        alpha, family, resolution, overlap: see `compare_pair` and `sign_flip`.
    """
    d = np.asarray(differences, dtype=float)
    level = 1 - alpha / family
    if overlap is not None:
        return effect_over_splits(d, overlap, level, resolution)
    if not np.isfinite(d).all():
        ranks = np.sign(d) * rankdata(np.abs(d))
        p = float(sign_flip(ranks))
        with np.errstate(invalid="ignore"):
            mean = float(d.mean())
        endless = (-np.inf, np.inf)
        return Effect(len(d), mean, np.nan, np.nan, len(d) - 1, endless, level, endless, p)
    mean, low, high = map(float, t_interval(d, level))
    _, low90, high90 = map(float, t_interval(d, 0.9))
    sd = float(d.std(ddof=1)) if len(d) > 1 else np.nan
    error = sd / math.sqrt(len(d))
    p = float(sign_flip(d, resolution=resolution))
    return Effect(len(d), mean, sd, error, len(d) - 1, (low, high), level, (low90, high90), p)


def effect_over_splits(d: np.ndarray, overlap: float, level: float, resolution: float) -> Effect:
    """Return what differences by split (n,) say together, by the corrected resampled t test.

    Without a test, p is NaN and there is no interval: where one is infinite, as where a failed
    run's loss is, and where all are one number other than 0.
    """
    n, whole = len(d), (-np.inf, np.inf)
    with np.errstate(invalid="ignore"):
        mean = float(d.mean())
        sd = float(d.std(ddof=1)) if n > 1 and np.isfinite(d).all() else np.nan
    p = float(corrected_p(d, overlap, resolution)) if np.isfinite(d).all() else np.nan
    if np.isnan(p):
        return Effect(n, mean, sd, np.nan, n - 1, whole, level, whole, p)
    _, low, high = map(float, corrected_interval(d, overlap, level))
    _, low90, high90 = map(float, corrected_interval(d, overlap, 0.9))
    error = float(standard_error(d, overlap))
    return Effect(n, mean, sd, error, n - 1, (low, high), level, (low90, high90), p)


def holm(p: ArrayLike | Sequence[float | None], family: int | None = None) -> np.ndarray:
    r"""Return p values adjusted for a family of comparisons.

    $$ \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)}) $$

    Holm 1979, "A simple sequentially rejective multiple test procedure". Any false claim among all
    with an adjusted p below alpha has a chance of at most alpha, whatever the dependence.

    Args:
        p: of shape (..., M); NaN or None where a comparison has none, which stays, and counts in m:
            the family was declared.
        family: m, where it is larger than M.

    Returns:
        of shape (..., M).

    >>> [round(float(p), 4) for p in holm([0.0192, 0.608, 0.0157])]
    [0.0471, 0.608, 0.0471]
    """
    p = np.asarray(p, dtype=float)
    num = p.shape[-1]
    order = np.argsort(p, axis=-1)  # NaN comes last
    weights = max(num, family or 0) - np.arange(num)
    steps = np.minimum(np.take_along_axis(p, order, axis=-1) * weights, 1.0)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.maximum.accumulate(steps, axis=-1), axis=-1)
    return adjusted


def verdict_of(
    difference: float,
    interval90: Ends,
    p_holm: float | None,
    delta: float | None,
    *,
    alpha: float = 0.05,
    higher_is_better: bool = True,
) -> Verdict:
    """Return what may be said of a minus b.

    - better or worse: the adjusted p is below alpha, and the difference is at least delta;
    - equivalent: the 90 % interval lies inside +-delta, so that two one-sided tests at 5 % (TOST,
      Schuirmann 1987) both exclude a difference of delta;
    - inconclusive: otherwise.

    Without a delta, or with 0, nothing can be shown to be equivalent, and any difference counts.

    Args:
        p_holm: the adjusted p; None or NaN where there is no test.
        delta: the smallest difference that matters, at least 0, in the unit of the difference.

    >>> verdict_of(0.012, (0.010, 0.014), 0.002, 0.005)
    'better'
    >>> verdict_of(0.001, (-0.002, 0.004), 0.4, 0.005)
    'equivalent'
    """
    least = (delta or 0.0) * (1 - SHORT_OF_DELTA)
    is_found = p_holm is not None and p_holm < alpha
    if is_found and abs(difference) >= least:
        return "better" if (difference > 0) == higher_is_better else "worse"
    low, high = interval90
    return "equivalent" if -least < low and high < least else "inconclusive"


def superiority(
    a: ArrayLike, b: ArrayLike, level: float = 0.95, *, higher_is_better: bool = True
) -> tuple[float, float, float]:
    """Return the share of seeds on which a beats b, and the ends of its Clopper-Pearson interval.

    A tie counts half. Bouthillier et al. 2021, "Accounting for variance in machine learning
    benchmarks", section 4, recommend this probability of outperforming beside the difference.

    >>> superiority([3, 3, 3, 3], [1, 2, 3, 4])[0]
    0.625
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    a_wins = a > b if higher_is_better else a < b
    wins = float(a_wins.sum() + 0.5 * (a == b).sum())
    return wins / len(a), *clopper_pearson(wins, len(a), level)


def correlation(a: ArrayLike, b: ArrayLike) -> float | None:
    """Return Pearson's correlation of two settings' scores over the seeds.

    None where it says nothing: fewer than three seeds, scores that are all the same, or infinite.

    >>> correlation([1, 2, 4], [2, 4, 8])
    1.0
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    # A constant's standard deviation may be 1e-17, and the correlation then anything.
    if len(a) < 3 or not np.isfinite([a, b]).all() or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))


def variance_ratio(a: ArrayLike, b: ArrayLike) -> float | None:
    r"""Return what pairing gained, $\mathrm{var}(a - b) / (\mathrm{var}(a) + \mathrm{var}(b))$.

    At 0.25, a quarter of the seeds are as precise as all of them would be unpaired; at 1, pairing
    gained nothing. None where nothing varies, or a score is infinite.

    >>> round(variance_ratio([1, 2, 3], [2, 4, 6]), 3)
    0.2
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if len(a) < 2 or not np.isfinite([a, b]).all() or np.ptp(a) == np.ptp(b) == 0:
        return None
    return float((a - b).var() / (a.var() + b.var()))
