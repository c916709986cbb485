"""How many seeds: the fewest that can settle anything, and how many would settle this.

The standard deviation of the differences is known only as well as the seeds so far tell, so the
numbers here are estimates, and a sentence that quotes them says "about".
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable

from scipy.optimize import brentq

from experiments.comparison.permutation import is_exact
from experiments.comparison.power import equivalence_power, power_of, power_of_t

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
        n: the number of seeds.
        alpha: of this one comparison: alpha / m in a family.
        power: in (0, 1).
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
        alpha: in (0, 1).
        power: in (0, 1).
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
        return all(of(size, n, alpha / family) >= power for of in (power_of_t, power_of))

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
        family: see `seeds_to_find`.
        alpha: see `seeds_to_find`.
        power: see `seeds_to_find`.
        most: see `seeds_to_find`.
    """
    found = seeds_to_find(sd, delta, family, alpha=alpha, power=power, most=most)
    if found is None or sd == 0:
        return found
    return smallest(lambda n: equivalence_power(delta / sd, n) >= power, found, most)


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
