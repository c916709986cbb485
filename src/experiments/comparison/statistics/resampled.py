r"""The corrected resampled t test: differences over folds, of which no two are independent.

Any two of K folds train on almost the same points, and each tests points that the other trained on.
So the usual s^2 / n is too small a variance of their mean, however many folds there are: a t test
over folds claims a difference far too often, and so does one that flips their signs. Nadeau &
Bengio 2003, "Inference for the generalization error", section 3, widen it,

$$ t = \frac{\bar d}{s \sqrt{\frac{1}{n} + \frac{n_{test}}{n_{train}}}}, $$

which is compared with Student's t of n - 1 degrees of freedom. They derive it for random splits,
with $\rho = n_{test} / (n_{test} + n_{train})$ as the correlation of two of them; Bouckaert & Frank
2004, "Evaluating the replicability of significance tests for comparing learning algorithms", use it
for cross validation. It is a heuristic, as there is no unbiased estimate of that variance from one
cross validation (Bengio & Grandvalet 2004): between equals it claims a difference in 1 to 4 % of
simulated cross validations of least squares, ridge regressions and nearest means, where a plain t
test does in 5 to 16 %; but in up to 8 % (10 folds; 6 % of 5) of ridge regressions with almost no
penalty on more than half as many features as points, where the plain one does in 21 %.

Legend of shapes: n splits, each a fold of one cut.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtr, stdtr, stdtrit

from experiments.comparison.statistics.planning import POWER, WEIGHTS, quantiles_of_s


def standard_error(differences: ArrayLike, overlap: float) -> np.ndarray:
    """Return s sqrt(1 / n + overlap) of differences (..., n); NaN for one split."""
    d = np.asarray(differences, dtype=float)
    n = d.shape[-1]
    if n < 2:
        return np.full(d.shape[:-1], np.nan)
    return d.std(axis=-1, ddof=1) * np.sqrt(1 / n + overlap)


def corrected_interval(
    values: ArrayLike, overlap: float, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return a mean over splits and the ends of its interval.

    $$ \bar d \pm t_{(1 + level) / 2,\, n - 1} \; s \sqrt{1 / n + overlap} $$

    Args:
        values: of shape (..., n).
        overlap: n_test / n_train of a split, 1 / (K - 1) for K folds, and more where several cuts
            are joined (`blocks.shared_by`); 0 gives the usual t interval.
        level: in (0, 1).

    Returns:
        mean, low and high, each of shape (...); the whole line for one split.

    >>> [round(float(x), 3) for x in corrected_interval([1.0, 2.0, 3.0], 0.5)]
    [2.0, -1.928, 5.928]
    """
    values = np.asarray(values, dtype=float)
    mean, n = values.mean(axis=-1), values.shape[-1]
    if n < 2:
        return mean, np.full_like(mean, -np.inf), np.full_like(mean, np.inf)
    half = stdtrit(n - 1, (1 + level) / 2) * standard_error(values, overlap)
    return mean, mean - half, mean + half


def corrected_p(
    differences: ArrayLike, overlap: float, resolution: ArrayLike = 0.0
) -> float | np.ndarray:
    """Return the two-sided p of the hypothesis that differences over splits have mean zero.

    Args:
        differences: of shape (..., n).
        overlap: see `corrected_interval`.
        resolution: how far a difference may be off by rounding, of shape (...).

    Returns:
        p, of shape (...), a float for one series: 1 where no split differs, and NaN where all
        differ by one number, which leaves no deviation to test it against, or where there is one.

    >>> round(corrected_p([0.01, 0.03, 0.02, 0.04, 0.02], 0.25), 4)
    0.0349
    """
    d = np.asarray(differences, dtype=float)
    resolution = np.asarray(resolution, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.abs(d.mean(axis=-1)) / standard_error(d, overlap)
    p = 2 * stdtr(max(1, d.shape[-1] - 1), -t)
    # Differences of 1 point in 360 on each fold are one number, give or take its last bits.
    spread = np.ptp(d, axis=-1) if d.shape[-1] > 1 else np.zeros(d.shape[:-1])
    p = np.where(spread <= 2 * resolution, np.nan, p)
    p = np.where(np.abs(d).max(axis=-1) <= resolution, 1.0 if d.shape[-1] > 1 else np.nan, p)
    return p if p.ndim else float(p)


def detectable_over_splits(
    sd: float,
    n: int,
    overlap: float,
    alpha: float = 0.05,
    power: float = POWER,
    delta: float = 0.0,
) -> float | None:
    """Return the smallest true difference that n splits would call better, with this power.

    As far as the correction holds; it is `planning.detectable` of the corrected test.

    Args:
        sd: of the differences over splits.
        overlap: see `corrected_interval`.
        alpha: of this one comparison.
        delta: the smallest difference that matters.

    Returns:
        in the unit of sd; None where nothing can be found, or nothing is known.
    """
    if n < 2 or not math.isfinite(sd) or sd == 0:
        return None
    root = 1 / math.sqrt(1 / n + overlap)
    quantile = stdtrit(n - 1, 1 - alpha / 2)
    bound = np.maximum(quantile * quantiles_of_s(n), root * delta / sd)

    def lacks(difference: float) -> float:
        return power - float(WEIGHTS @ ndtr(root * difference - bound))

    most = 1.0
    while lacks(most) > 0:
        most *= 2
    return float(brentq(lacks, 0.0, most, xtol=1e-6)) * sd
