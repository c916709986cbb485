r"""Settings that all ran with the same seeds, and the one error that they share.

The seeds are blocks, and a score is what its setting and its seed give it,

$$ y_{is} = \mu_i + \beta_s + \epsilon_{is}, \qquad \epsilon_{is} \sim N(0, \sigma^2), $$

so that the residuals of all settings estimate one sigma, with (K - 1)(S - 1) degrees of freedom
where the differences of a pair alone have S - 1: with seven settings and three seeds 12, not 2.

What this asks for in return is looked at in the residuals: that no setting has another spread, and
no run lies far from what its setting and seed let expect. Both are judged by how the same number
does in residuals of random normal scores (a Monte Carlo test, Barnard 1963), since for a few seeds
no table of theirs holds: residuals of a block sum to 0.

Legend of shapes: K settings, S seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

DRAWS = 10_000
AT_ONCE = 2**20
"""So many normal numbers are held at a time."""


@dataclass(frozen=True)
class Blocked:
    """The two-way additive model of some scores.

    Attributes:
        means: of shape (K,).
        residuals: of shape (K, S); they sum to 0 over either.
        sd: the estimate of sigma.
        df: of it, (K - 1)(S - 1).
    """

    means: np.ndarray
    residuals: np.ndarray
    sd: float
    df: int

    @property
    def standard_error(self) -> float:
        r"""Of the difference of two means, $s \sqrt{2 / S}$: what the seeds add cancels in it."""
        return self.sd * float(np.sqrt(2 / self.residuals.shape[1]))


@dataclass(frozen=True)
class Bearing:
    """How far residuals bear out that errors are normal, and of one spread.

    Attributes:
        widest: the setting whose residuals have the largest sum of squares.
        ratio: its root mean square over that of all others.
        spread_p: how probably the largest is so much of all, if errors are alike.
        farthest: setting and seed of the largest residual, by index.
        size: that residual over the standard deviation that residuals have.
        tail_p: how probably the largest is so large, if errors are normal.
    """

    widest: int
    ratio: float
    spread_p: float
    farthest: tuple[int, int]
    size: float
    tail_p: float


def blocked(scores: ArrayLike) -> Blocked:
    r"""Return the model of a complete block design.

    $$ r_{is} = y_{is} - \bar y_{i\cdot} - \bar y_{\cdot s} + \bar y_{\cdot\cdot}, \qquad
       s^2 = \frac{1}{(K - 1)(S - 1)} \sum_{is} r_{is}^2 $$

    Args:
        scores: of shape (K, S), two settings and two seeds at least.

    Raises:
        ValueError: there are fewer, or a score is missing or infinite.

    >>> blocked([[1, 2, 3], [2, 3, 7]]).residuals.tolist()
    [[0.5, 0.5, -1.0], [-0.5, -0.5, 1.0]]
    """
    y = np.asarray(scores, dtype=float)
    if y.ndim != 2 or min(y.shape) < 2 or not np.isfinite(y).all():
        raise ValueError("A block design takes a finite score of each setting with each seed.")
    residuals = residuals_of(y)
    df = (y.shape[0] - 1) * (y.shape[1] - 1)
    return Blocked(y.mean(axis=1), residuals, float(np.sqrt((residuals**2).sum() / df)), df)


def residuals_of(y: np.ndarray) -> np.ndarray:
    """Return what neither setting nor seed explains, of scores (..., K, S)."""
    left = y - y.mean(axis=-1, keepdims=True)
    return left - left.mean(axis=-2, keepdims=True)


def bearing_of(fitted: Blocked) -> Bearing:
    """Return how far the residuals of a model bear out what it assumes.

    Their sd is above 0. The residuals of two settings mirror each other, and say nothing of either
    one's spread: a difference of two needs no equal spread, and the p is 1.
    """
    r = fitted.residuals
    squares = (r**2).sum(axis=1)
    widest, farthest = int(squares.argmax()), np.unravel_index(np.abs(r).argmax(), r.shape)
    largest_share, largest = extremes(r[np.newaxis])
    null_shares, null_sizes = extremes_by_chance(*r.shape)
    others = (squares.sum() - squares[widest]) / (len(squares) - 1)
    return Bearing(
        widest,
        float(np.sqrt(squares[widest] / others)) if others > 0 else float("inf"),
        share_at_least(null_shares, float(largest_share[0])),
        (int(farthest[0]), int(farthest[1])),
        float(largest[0]),
        share_at_least(null_sizes, float(largest[0])),
    )


def extremes(residuals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the largest share that a setting has of all squares, and the largest residual.

    The first is Cochran's C (Cochran 1941); the second is over the standard deviation
    $s \sqrt{(K - 1)(S - 1) / K S}$ that a residual has.

    Args:
        residuals: of shape (R, K, S).

    Returns:
        of shape (R,) each.
    """
    squares = residuals**2
    total = squares.sum(axis=(1, 2))
    share = squares.sum(axis=2).max(axis=1) / total
    num = residuals.shape[1] * residuals.shape[2]
    return share, np.sqrt(squares.max(axis=(1, 2)) / (total / num))


@lru_cache(maxsize=16)
def extremes_by_chance(num_settings: int, num_seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both extremes of `DRAWS` designs of normal errors, whose sigma changes neither."""
    generator = np.random.default_rng(0)
    size = max(1, AT_ONCE // (num_settings * num_seeds))
    parts = [
        extremes(residuals_of(generator.standard_normal((number, num_settings, num_seeds))))
        for number in np.diff([*range(0, DRAWS, size), DRAWS])
    ]
    return np.concatenate([s for s, _ in parts]), np.concatenate([t for _, t in parts])


def share_at_least(drawn: np.ndarray, value: float) -> float:
    """Return (1 + hits) / (1 + draws); rounding does not tell a share from an equal one."""
    return float((1 + (drawn >= value * (1 - 1e-9)).sum()) / (1 + len(drawn)))
