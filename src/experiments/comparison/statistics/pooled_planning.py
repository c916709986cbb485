"""How many seeds settle comparisons whose error is pooled over all settings of a sweep.

As in `planning`, whose sign-flip test needs more of them: the error is known only as well as the
seeds so far tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from experiments.comparison.statistics.planning import (
    MOST_SEEDS,
    POWER,
    WEIGHTS,
    quantiles_of_s,
)
from experiments.comparison.statistics.simultaneous import (
    dunnett_critical,
    dunnett_one_sided,
    tukey_critical,
)

FEWEST_SEEDS = 2
"""With two seeds K settings have K - 1 degrees of freedom."""


@dataclass(frozen=True)
class Family:
    """Which differences are looked at together.

    Attributes:
        num_settings: K of them, with the control.
        num_pooled: how many of them have runs, and so a part in the error.
        has_control: they are compared with the control (Dunnett), else all pairs (Tukey).
        alpha: the chance of any false claim.
    """

    num_settings: int
    num_pooled: int
    has_control: bool
    alpha: float = 0.05

    def df(self, num_seeds: int) -> int:
        return (self.num_pooled - 1) * (num_seeds - 1)

    def critical(self, df: int) -> float:
        """Return of how many standard errors simultaneous intervals are at either side."""
        of = dunnett_critical if self.has_control else tukey_critical
        return of(self.num_settings, df, self.alpha)

    def equivalent(self, df: int, alpha: float = 0.05) -> float:
        """Return the same for two one-sided tests of equivalence.

        Tukey's own interval serves for all pairs, whose one-sided tests have no simple
        distribution: it is somewhat too wide for them. Of a single pair both are Student's.
        """
        if self.has_control or self.num_settings == 2:
            return dunnett_one_sided(self.num_settings, df, alpha)
        return tukey_critical(self.num_settings, df, alpha)


def pooled_power(difference: float, sd: float, n: int, family: Family, delta: float = 0.0) -> float:
    r"""Return how probably a difference is beyond its interval's half width, and at least delta.

    $$ E_s\, \Phi\Big(\sqrt{n / 2}\, D / \sigma -
       \max\big(c\, s / \sigma, \sqrt{n / 2}\, \delta / \sigma\big)\Big) $$

    Args:
        difference: D, positive.
        sd: sigma, of the error of a score, above 0.
    """
    df, root = family.df(n), math.sqrt(n / 2) / sd
    bound = np.maximum(family.critical(df) * quantiles_of_s(df + 1), root * delta)
    return float(WEIGHTS @ ndtr(root * difference - bound))


def pooled_equivalence_power(delta: float, sd: float, n: int, family: Family) -> float:
    """Return how probably no difference at all has its interval for equivalence inside +-delta."""
    df = family.df(n)
    bound = math.sqrt(n / 2) * delta / sd - family.equivalent(df) * quantiles_of_s(df + 1)
    return float(WEIGHTS @ np.maximum(0.0, 2 * ndtr(bound) - 1))


def pooled_detectable(
    sd: float, n: int, family: Family, delta: float = 0.0, power: float = POWER
) -> float:
    """Return the smallest true difference that would be called better, with this power."""
    most = sd
    while pooled_power(most, sd, n, family, delta) < power:
        most *= 2
    found = brentq(lambda d: pooled_power(d, sd, n, family, delta) - power, 0.0, most)
    return float(found)


@lru_cache(maxsize=256)
def pooled_seeds(
    sd: float, difference: float, family: Family, *, also_equivalent: bool, power: float = POWER
) -> int | None:
    """Return the fewest seeds with which a true difference is claimed, with this power.

    Args:
        sd: of the error of a score, above 0.
        difference: of either sign.
        also_equivalent: and with which none at all is called equivalent within it.

    Returns:
        None where `MOST_SEEDS` do not do.
    """
    size = abs(difference)
    if size == 0 or not math.isfinite(size):
        return None

    def is_enough(n: int) -> bool:
        return pooled_power(size, sd, n, family) >= power and (
            not also_equivalent or pooled_equivalence_power(size, sd, n, family) >= power
        )

    return fewest(is_enough)


def fewest(is_enough: Callable[[int], bool]) -> int | None:
    """Return the fewest seeds that are enough, by doubling and then by halving."""
    high = FEWEST_SEEDS
    while not is_enough(high):
        if high == MOST_SEEDS:
            return None
        high = min(2 * high, MOST_SEEDS)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
