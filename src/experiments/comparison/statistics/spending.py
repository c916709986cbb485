"""How much of the chance of a false claim each look at growing data may spend.

Whoever looks at a fixed test after every few seeds, and stops when it claims something, claims too
much: of comparisons of equals some 29 % over 30 looks. A spending function, declared before the
first run, says what share of alpha may be used up by the time that a share t of all seeds is there
(Lan & DeMets 1983, "Discrete sequential boundaries for clinical trials").

Legend of shapes: K looks, L levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from experiments.config.schema import OBRIEN_FLEMING, POCOCK

NODES, MASSES = np.polynomial.legendre.leggauss(128)
LOWEST = -9.0
"""Standard deviations below 0 from which on a one-sided path is not followed."""
SMALLEST = 1e-13
"""An increment below that is lost in the rounding of an integral; its own quantile bounds it."""


@dataclass(frozen=True)
class Looks:
    """Numbers of seeds at which is looked, rising, and how alpha is spent over them.

    >>> Looks((5, 10), "pocock").spent([0.05]).round(4).tolist()
    [[0.031], [0.05]]
    """

    sizes: tuple[int, ...]
    spending: str = OBRIEN_FLEMING

    @property
    def times(self) -> np.ndarray:
        """The share of all seeds that each look has, of shape (K,)."""
        return np.array(self.sizes) / self.sizes[-1]

    def spent(self, levels: ArrayLike, sides: int = 2) -> np.ndarray:
        """Return what tests at some levels (L,) may have spent by each look, (K, L)."""
        times, levels = self.times[:, np.newaxis], np.asarray(levels, dtype=float)
        return spent(times, levels, self.spending, sides)

    def first_claim(self, level: float) -> int | None:
        """Return the fewest seeds with which a sign-flip test at a level can claim a difference;
        None where it cannot at any look.

        Of n seeds the two outermost of 2^n sign vectors have to be within what may be spent.

        >>> Looks((6, 9, 12, 16, 20)).first_claim(0.05), Looks((3, 4)).first_claim(0.05)
        (12, None)
        """
        may_spend = self.spent([level])[:, 0]
        sizes = zip(self.sizes, may_spend, strict=True)
        return next((n for n, share in sizes if 2.0 ** (1 - n) <= share), None)


def spent(t: ArrayLike, alpha: ArrayLike, spending: str, sides: int = 2) -> np.ndarray:
    r"""Return what a test at level alpha may have spent when a share t of all seeds is there.

    $$ f(t) = 2 - 2 \Phi(z_{1 - \alpha/2} / \sqrt t), \quad
       f(t) = \alpha \ln(1 + (e - 1) t) $$

    The first is like the boundary of O'Brien & Fleming 1979, which spends little at first, the
    second like that of Pocock 1977 (Lan & DeMets 1983, section 3, who give both for one side). Of
    two sides each spends its half of alpha. The first formula with all of alpha at once would spend
    more at first, 0.0056 of 0.05 at t = 1/2, and cost 4 points of power where this costs 2 or 3.

    Args:
        t: in (0, 1].
        alpha: of all sides together, in (0, 1], of a shape that broadcasts with t's.
        spending: obrien_fleming or pocock.
        sides: 1 or 2.

    >>> spent([0.5, 1.0], 0.05, "obrien_fleming").round(4).tolist()
    [0.0031, 0.05]
    """
    t, alpha = np.asarray(t, dtype=float), np.asarray(alpha, dtype=float)
    if spending == POCOCK:
        return np.asarray(alpha * np.log1p((math.e - 1) * t))
    return np.asarray(sides * 2 * ndtr(ndtri(alpha / (2 * sides)) / np.sqrt(t)))


def level_at(looks: Looks, n: int, level: float) -> float:
    """Return what a test may have spent by the last look of at most n seeds, 0 before the first.

    >>> round(level_at(Looks((5, 10), "pocock"), 7, 0.05), 4)
    0.031
    """
    shares = looks.spent([level])[:, 0].tolist()
    return max((s for size, s in zip(looks.sizes, shares, strict=True) if size <= n), default=0.0)


@lru_cache(maxsize=256)
def nominal_levels(looks: Looks, alpha: float, sides: int = 2) -> tuple[float, ...]:
    r"""Return at which level each look is to be tested so that all together spend alpha as planned.

    Sums of standard normal differences have independent increments. With $Z_k$ their sum at look k
    over its standard deviation, bounds $c_k$ are the solutions of

    $$ P(Z_j < c_j \text{ for all } j < k,\; Z_k \ge c_k) = f(t_k) - f(t_{k-1}), $$

    with |Z| for two sides, by integrals over the sum at one look after the other (Armitage,
    McPherson & Rowe 1969, "Repeated significance tests on accumulating data"). The level of a look
    is $1 - \Phi(c_k)$, twice that for two sides. Where the deviation is not known, Student's t at
    these levels keeps alpha closely (Jennison & Turnbull 2000, "Group sequential methods", section
    3.8).

    Args:
        alpha: in (0, 1).
        sides: 1 or 2.

    >>> [round(level, 4) for level in nominal_levels(Looks((1, 2)), 0.05)]
    [0.0031, 0.049]
    """
    times, shares = looks.times, looks.spent([alpha], sides)[:, 0]
    levels: list[float] = []
    x, mass = np.zeros(1), np.ones(1)  # where the sum is that has not crossed, and how probably
    before = 0.0
    for t, step in zip(times, np.diff(shares, prepend=0.0), strict=True):
        scale = math.sqrt(t - before)
        bound = bound_of(x, mass, math.sqrt(t), scale, max(step, 0.0), sides)
        levels.append(sides * float(ndtr(-bound)))
        low = -bound if sides == 2 else min(LOWEST, -bound)
        end, start = bound * math.sqrt(t), low * math.sqrt(t)
        middle, half = (end + start) / 2, (end - start) / 2
        following = middle + half * NODES
        steps = (following[:, np.newaxis] - x) / scale
        density = np.exp(-(steps**2) / 2) @ mass / (scale * math.sqrt(2 * math.pi))
        x, mass, before = following, half * MASSES * density, t
    return tuple(levels)


def bound_of(
    x: np.ndarray, mass: np.ndarray, root: float, scale: float, share: float, sides: int
) -> float:
    """Return the bound of Z that the sum crosses with a chance of `share`, given where it was.

    Args:
        x, mass: the sum at the look before, as nodes of an integral with their weights.
        root: the standard deviation of the sum at this look.
        scale: that of what is added to it.
    """
    if share < SMALLEST:
        return float(-ndtri(max(share, 1e-300) / sides))

    def lacks(bound: float) -> float:
        crossed = mass @ ndtr((x - bound * root) / scale)
        if sides == 2:
            crossed += mass @ ndtr((-bound * root - x) / scale)
        return float(crossed - share)

    return float(brentq(lacks, -ndtri(min(share, 0.5)) - 10.0, 40.0, xtol=1e-10))
