r"""The sign-flip test of paired differences that is looked at again and again as seeds come in.

Given the absolute differences, and no difference between two settings, all ways to sign them are
equally likely: of the first $n_k$ differences at look k, and with them of what every look before
would have decided. So the chance to reject at look k and not before is counted, not estimated, and
a bound is set such that all looks so far reject in a share of at most what may be spent by then
(`spending.py`). What an early look could not spend, as sign vectors are whole, later ones may.

Of many comparisons Holm's step-down is made at each look with the p of `sequential_p`, which never
rises from look to look, so that a rejected one stays so (Ye, Li, Liu & Yao 2013, "A group
sequential Holm procedure with multiple primary endpoints"; Liu & Anderson 2008, "On adaptive
extensions of group sequential trials", for p).

Legend of shapes: S seeds, K looks, L levels, N sign vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from experiments.comparison.statistics.permutation import (
    DRAWS,
    all_sums,
    is_exact,
    num_beyond,
    num_by_halves,
    sums_of_flips,
)
from experiments.comparison.statistics.spending import Looks

ROUNDED = 1e-12
"""Of a level: p is below it by so much, as where a rule says below, this one says at most."""
FINEST, STEPS = 1e-4, 60
"""Levels between this and 1 that p can be, a sixth apart, beside those of the family."""


@dataclass(frozen=True)
class Step:
    """A look at some differences.

    Attributes:
        weights: what is flipped, of shape (S,).
        shares: what each level may have spent by then, of shape (L,).
        rounding: how far the sum may be off by it.
    """

    weights: np.ndarray
    shares: np.ndarray
    rounding: float

    @property
    def is_exact(self) -> bool:
        return is_exact(len(self.weights))

    @property
    def tolerance(self) -> float:
        """Sums that differ by less count as equal."""
        return float(1e-9 * np.abs(self.weights).sum() + self.rounding)

    @property
    def least(self) -> float:
        """From where on a sum counts as being as far away from 0 as the observed one."""
        return float(abs(self.weights.sum()) - self.tolerance)

    def allowed(self, number: int) -> np.ndarray:
        """Return how many of so many sign vectors each level may have rejected."""
        return np.floor(self.shares * number * (1 + ROUNDED)).astype(int)

    @property
    def could_reject(self) -> bool:
        """Whether any level could reject the observed signs, had no look before spent anything."""
        most = self.allowed(2 ** (len(self.weights) - 1)).max() if self.is_exact else np.inf
        return not self.is_exact or num_by_halves(self.weights, self.least) <= most


@dataclass(frozen=True)
class Bounds:
    """What a look rejects: sums beyond `sums` (L,), of the differences with these signs' sizes."""

    weights: np.ndarray
    sums: np.ndarray


def levels_of(alpha: float, family: int, *, has_grid: bool = True) -> np.ndarray:
    """Return the levels, rising, at which a comparison of a family is tested at each look.

    Those of Holm's steps, alpha / m to alpha; with a grid also others up to 1, such that p is known
    where nothing is rejected.

    >>> levels_of(0.06, 3, has_grid=False).round(3).tolist()
    [0.02, 0.03, 0.06]
    """
    steps = alpha / np.arange(family, 0, -1)
    grid = np.geomspace(FINEST, 1.0, STEPS if has_grid else 0)
    return np.unique(np.concatenate([steps, grid]))


def sequential_p(
    differences: ArrayLike,
    looks: Looks,
    levels: ArrayLike,
    *,
    resolution: float = 0.0,
    draws: int = DRAWS,
    seed: int = 0,
) -> np.ndarray:
    r"""Return p at each look that the seeds reach: the smallest level that has rejected by then.

    With a test at level a for every a, where what a smaller level rejects a larger one does too,
    the chance of $p_k \le a$ for any k is at most a. With one look it is the p of `sign_flip`, up
    to the next of the levels. An infinite difference, as of a failed run, makes it a test of signed
    ranks, as there.

    Args:
        differences: of shape (S,), in the order in which the seeds were declared.
        levels: rising, in (0, 1], of shape (L,).
        resolution: see `sign_flip`.
        draws: how many sign vectors are drawn for a look at more than 20 seeds, the same ones for
            every look; the observed one counts as one of them.

    Returns:
        of shape (K,), up to the last look that is complete, never rising; 1 where no level rejects.

    Raises:
        ValueError: a difference is NaN.

    >>> p = sequential_p([3, 1, 4, 1, 5, 9, 2, 6], Looks((4, 8), "pocock"), [0.01, 0.05])
    >>> p.round(4).tolist()
    [1.0, 0.01]
    """
    d, levels = np.asarray(differences, dtype=float), np.asarray(levels, dtype=float)
    if np.isnan(d).any():
        raise ValueError("A sign-flip test takes differences that are numbers, and got NaN.")
    steps = [
        Step(flipped_sizes(d[:n]), share, n * resolution)
        for n, share in zip(looks.sizes, looks.spent(levels), strict=True)
        if n <= len(d)
    ]
    # Nothing has to be enumerated after the last look that could reject anything.
    last = max((k for k, step in enumerate(steps) if step.could_reject), default=-1)
    first = [step_levels[0] for step_levels in first_rejections(steps[: last + 1], draws, seed)]
    first += [first[-1] if first else len(levels)] * (len(steps) - len(first))
    return np.append(levels * (1 - ROUNDED), 1.0)[first]


def first_rejections(steps: Sequence[Step], draws: int, seed: int) -> Iterator[np.ndarray]:
    """Yield after each look the first level that has rejected each sign vector, L for none; the
    observed one comes first, and after the last look it is the only one.
    """
    bounds: list[Bounds] = []
    rejected = np.full(1, len(steps[0].shares)) if steps else np.empty(0)
    for step in steps:
        if step is steps[-1] and step.is_exact:
            yield np.array([level_now(step, rejected)])
            return
        if step.is_exact:
            sums = np.abs(sums_of_flips(step.weights[np.newaxis])[0])
            rejected = np.tile(rejected, len(sums) // len(rejected))
        else:
            signs = drawn_signs(len(step.weights), draws, seed)
            sums = np.abs(step.weights @ signs)
            rejected = first_levels(bounds, signs, len(step.shares))
        limits = limits_of(sums, rejected, step)
        bounds.append(Bounds(step.weights, limits))
        rejected = np.minimum(rejected, first_level(sums, limits))
        yield rejected


def level_now(step: Step, rejected: np.ndarray) -> int:
    """Return the first level that has rejected the observed signs by a look after which there is
    none: what lies beyond them is counted, without all the sums.

    Args:
        rejected: by sign vector of the look before, as in `limits_of`.
    """
    before = len(rejected).bit_length()  # seeds of that look, 1 where there was none
    if before == 1:
        before = len(step.weights) // 2 or 1
        rejected = np.full(2 ** (before - 1), len(step.shares))
    sums = sums_of_flips(step.weights[np.newaxis, :before])[0]
    added = all_sums(step.weights[before:])
    most_beyond = step.allowed(len(sums) * len(added))
    order = np.argsort(sums)
    sums, first = sums[order], rejected[order]
    level, counted, beyond = len(step.shares), -1, 0
    for own in range(len(step.shares) - 1, -1, -1):
        still = first > own
        number = int(np.count_nonzero(still))
        if number != counted:
            beyond = num_beyond(sums[still], added, step.least)
        counted = number
        if beyond > most_beyond[own] - (len(sums) - number) * len(added):
            break
        level = own
    return min(level, int(rejected[0]))


def flipped_sizes(differences: np.ndarray) -> np.ndarray:
    """Return what is flipped: differences, or their signed ranks where one is infinite."""
    if np.isfinite(differences).all():
        return differences
    return np.sign(differences) * rankdata(np.abs(differences))


def limits_of(sums: np.ndarray, rejected: np.ndarray, step: Step) -> np.ndarray:
    """Return for each level the limit beyond which a sum is rejected.

    Beyond it lie at most so many sign vectors as the share of the level allows, less those that
    looks before have rejected. It falls from level to level.

    Args:
        sums: absolute ones, of shape (N,).
        rejected: the first level that has rejected each before, of shape (N,).
    """
    number, num_levels = len(sums), len(step.shares)
    most_beyond = step.allowed(number)
    # A limit is one of the largest sums, those that were rejected before included.
    most = min(int(most_beyond.max()) + 1, number)
    top = np.argpartition(-sums, most - 1)[:most]
    top = top[np.argsort(-sums[top], kind="stable")]
    first, largest = rejected[top], sums[top]
    before = np.cumsum(np.bincount(rejected, minlength=num_levels + 1))[:num_levels]
    limits = np.full(num_levels, -1.0)
    for level, left in enumerate(most_beyond - before):
        still = np.flatnonzero(first > level)
        if max(left, 0) < len(still):
            limits[level] = largest[still[max(left, 0)]] + step.tolerance
    return np.maximum.accumulate(limits[::-1])[::-1]


def first_level(sums: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return the first level that rejects each sum, L for none.

    >>> first_level(np.array([5.0, 3.0, 1.0]), np.array([4.0, 2.0])).tolist()
    [0, 1, 2]
    """
    return np.asarray(len(limits) - np.searchsorted(limits[::-1], sums, side="left"))


def first_levels(bounds: Sequence[Bounds], signs: np.ndarray, none: int) -> np.ndarray:
    """Return the first level that any look before has rejected each sign vector (S, N) at."""
    rejected = np.full(signs.shape[1], none)
    for look in bounds:
        sums = np.abs(look.weights @ signs[: len(look.weights)])
        rejected = np.minimum(rejected, first_level(sums, look.sums))
    return rejected


@lru_cache(maxsize=4)
def drawn_signs(n: int, draws: int, seed: int) -> np.ndarray:
    """Return sign vectors (n, 1 + draws), the first of which flips nothing.

    Each seed has a generator of its own, so that the first signs are the same for more seeds. They
    are kept, 24 MB for 30 seeds, as all pairs of a comparison are asked alike.
    """
    signs = np.ones((n, 1 + draws))
    for index in range(n):
        generator = np.random.default_rng([seed, index])
        signs[index, 1:] = 2.0 * generator.integers(0, 2, draws, dtype=np.int8) - 1
    return signs
