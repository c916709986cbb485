"""The sign-flip test of paired differences, exact where all flips can be counted.

Were two settings alike, the difference of each seed could as well have had the other sign, so all
2^S ways to sign S differences are equally likely, and p is the share of them whose mean is at least
as far from zero as the observed one. Nothing is assumed about the shape of the distribution, apart
from its symmetry where there is no difference.

Fisher 1935, "The design of experiments", section 21, counts the flips of Darwin's 15 pairs of
plants. Where there are too many, some are drawn; the observed signs count as one of them (Phipson &
Smyth 2010, "Permutation p-values should never be zero", eq. 2).

`scipy.stats.permutation_test` flips signs, too, without a resolution below which two sums count as
equal; with 20 seeds it takes 13 s where this takes a millisecond.

Legend of shapes: S seeds, K effects that are flipped together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

MOST_EXACT = 20
"""With so many seeds all flips are still counted: half a million sums, in milliseconds."""

DRAWS = 100_000
BY_HALVES = 12
"""From more seeds on, one effect's flips are counted by halves of them."""
AT_ONCE = 2**18
"""So many sums are held at a time; 2 MB stay in a processor's cache."""


def is_exact(num_seeds: int) -> bool:
    """Return whether the test counts all flips of so many seeds, and draws none."""
    return num_seeds <= MOST_EXACT


def smallest_p(num_seeds: int) -> float:
    """Return the smallest p that the exact test can give: two sign vectors of 2^S.

    >>> smallest_p(5)
    0.0625
    """
    return 2.0 ** (1 - num_seeds)


def sign_flip(
    differences: ArrayLike, *, draws: int = DRAWS, seed: int = 0, resolution: ArrayLike = 0.0
) -> float | np.ndarray:
    r"""Return the two-sided p of the hypothesis that paired differences have mean zero.

    $$ p = \frac{1}{2^S} \left|\{ \epsilon \in \{-1, 1\}^S :
        |\sum_s \epsilon_s d_s| \ge |\sum_s d_s| \}\right| $$

    Args:
        differences: one for each seed, of shape (..., S).
        draws: how many sign vectors are drawn where S is above 20: p = (1 + hits) / (1 + draws).
        seed: of those draws.
        resolution: how far a difference may be off by rounding, of shape (...); sums that differ by
            less count as equal, which makes p larger.

    Returns:
        p, of shape (...); a float for one series of differences.

    Raises:
        ValueError: there is no seed, or a difference is not finite.

    >>> sign_flip([0.3, 0.1, 0.4, 0.1, 0.5])
    0.0625
    """
    together = np.asarray(differences, dtype=float)[..., np.newaxis]
    return sign_flip_together(together, draws=draws, seed=seed, resolution=resolution)


def sign_flip_together(
    effects: ArrayLike, *, draws: int = DRAWS, seed: int = 0, resolution: ArrayLike = 0.0
) -> float | np.ndarray:
    r"""Return the p of the hypothesis that several effects all have mean zero.

    The effects of a seed are flipped together, whatever their correlation; the statistic is the sum
    of squared means, $\sum_k (\frac{1}{S} \sum_s \epsilon_s d_{sk})^2$.

    Args:
        effects: of shape (..., S, K).
        draws, seed, resolution: see `sign_flip`.

    Returns:
        p, of shape (...); it raises what `sign_flip` does.
    """
    effects = np.asarray(effects, dtype=float)
    *leading, num_seeds, num_effects = effects.shape
    if num_seeds == 0 or not np.isfinite(effects).all():
        raise ValueError("A sign-flip test takes at least one seed, and finite differences.")
    rows = effects.reshape(-1, num_seeds, num_effects)
    # 0.3 - 0.2 and 0.2 - 0.1 are one number to whoever measured them, and two in floating point.
    rounding = num_seeds * np.broadcast_to(np.asarray(resolution, dtype=float), leading).reshape(-1)
    tolerance = 1e-9 * np.abs(rows).sum(axis=(1, 2)) + rounding
    least = np.linalg.norm(rows.sum(axis=1), axis=-1) - tolerance
    p = count_all(rows, least) if is_exact(num_seeds) else draw_some(rows, least, draws, seed)
    return p.reshape(leading) if leading else float(p[0])


def count_all(rows: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Return the share of all sign vectors whose sums have at least the norm `least`.

    Rows are of shape (R, S, K), the norms of shape (R,).
    """
    num_sums = 2 ** (rows.shape[1] - 1)
    if rows.shape[2] == 1 and rows.shape[1] > BY_HALVES:
        each = zip(rows[:, :, 0], least, strict=True)
        return np.array([num_by_halves(row, bound) / num_sums for row, bound in each])
    size = max(1, AT_ONCE // num_sums)
    p = np.empty(len(rows))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        squares = np.zeros((len(rows[part]), num_sums))
        for k in range(rows.shape[2]):
            squares += sums_of_flips(rows[part, :, k]) ** 2
        p[part] = (np.sqrt(squares) >= least[part, np.newaxis]).mean(axis=-1)
    return p


def num_by_halves(differences: np.ndarray, least: float) -> int:
    """Return how many sign vectors that leave the first sign have a sum of at least `least`."""
    half = max(1, len(differences) // 2)
    first = np.sort(sums_of_flips(differences[np.newaxis, :half])[0])
    return num_beyond(first, all_sums(differences[half:]), least)


def num_beyond(first: np.ndarray, second: np.ndarray, least: float) -> int:
    """Return how many sums of a number of either array are at least `least` away from 0.

    Those of the first are sorted, so that of each of the second two searches tell: of 20 seeds a
    thousand searches in place of half a million sums.

    >>> num_beyond(np.array([-1.0, 1.0]), np.array([0.0, 3.0]), 2.0)
    2
    """
    if least <= 0:
        return len(first) * len(second)
    above = len(first) - np.searchsorted(first, least - second, side="left")
    below = np.searchsorted(first, -least - second, side="right")
    return int(above.sum() + below.sum())


def all_sums(differences: np.ndarray) -> np.ndarray:
    """Return the sums under all sign vectors: of S differences 2^S, the first of them unflipped.

    >>> all_sums(np.array([1.0, 2.0])).tolist()
    [3.0, 1.0, -1.0, -3.0]
    """
    half = sums_of_flips(np.concatenate([[0.0], differences])[np.newaxis])
    return np.asarray(half[0])


def sums_of_flips(differences: np.ndarray) -> np.ndarray:
    """Return the sums under all sign vectors that leave the first sign; the others mirror them.

    Each further seed doubles their number, so that a sum costs one addition and not S: of
    differences (R, S), sums (R, 2^(S-1)).
    """
    sums = differences[:, :1]
    for s in range(1, differences.shape[1]):
        added = differences[:, s : s + 1]
        sums = np.concatenate([sums + added, sums - added], axis=1)
    return sums


def draw_some(rows: np.ndarray, least: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Return (1 + hits) / (1 + draws) of random sign vectors; see `count_all` for the shapes."""
    generator = np.random.default_rng(seed)
    hits = np.zeros(len(rows))
    size = max(1, AT_ONCE // (rows.shape[0] * rows.shape[2]))
    for start in range(0, draws, size):
        shape = (min(size, draws - start), rows.shape[1])
        signs = 2.0 * generator.integers(0, 2, shape, dtype=np.int8) - 1
        sums = np.tensordot(signs, rows, axes=(1, 1))
        hits += (np.linalg.norm(sums, axis=-1) >= least).sum(axis=0)
    return (1 + hits) / (1 + draws)
