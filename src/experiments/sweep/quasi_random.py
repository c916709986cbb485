"""Points that fill a cube evenly, however many are taken: a Halton sequence, randomised by a seed.

Random draws leave gaps and clusters, and a grid of n values for each of d keys has n^d points, of
which each key sees only n values. A low-discrepancy sequence has neither trouble: Bousquet, Gelly,
Kurach, Teytaud, Vincent 2017, "Critical hyper-parameters: no random, no cry", choose such points
for tuning. Halton 1960, "On the efficiency of certain quasi-random sequences of points": coordinate
j of point i is i's digits in base b_j behind the point, in reverse, b_j the j-th prime. Owen 2017,
"A randomized Halton algorithm in R": each digit goes through a random permutation of its place,
without which the coordinates of larger bases rise together.

Permutations come from a hash and not from a library's generator: the same seed gives the same
points under every version of everything, so that a sweep of last year is found again.
"""

from __future__ import annotations

import hashlib
from functools import cache

from experiments.errors.messages import user_error

BASES = (2, 3, 5, 7, 11, 13, 17, 19)
RESOLUTION = 1e-9
"""Digits are taken until further ones would move a point by less."""


def halton(index: int, num_dimensions: int, seed: int) -> tuple[float, ...]:
    """Return point `index`, from 0, of the sequence in the unit cube.

    Of the first b^m points each of the b^m equal parts of an axis with base b holds exactly one.

    >>> sorted(int(4 * halton(index, 1, seed=0)[0]) for index in range(4))
    [0, 1, 2, 3]
    """
    if num_dimensions > len(BASES):
        raise user_error("tuning_dimensions", given=num_dimensions, most=len(BASES))
    return tuple(radical_inverse(index, j, seed) for j in range(num_dimensions))


def radical_inverse(index: int, dimension: int, seed: int) -> float:
    """Return a coordinate: the permuted digits of the index behind the point, in reverse.

    Leading zeros are digits as well, and permuted as all others.
    """
    base, place, weight, total = BASES[dimension], 0, 1.0, 0.0
    while weight > RESOLUTION:
        index, digit = divmod(index, base)
        weight /= base
        total += permutation(seed, dimension, place)[digit] * weight
        place += 1
    return min(total, 1 - RESOLUTION)


@cache
def permutation(seed: int, dimension: int, place: int) -> tuple[int, ...]:
    """Return the order of the digits of a place, by the hashes of each."""

    def chance(digit: int) -> bytes:
        text = f"{seed}/{dimension}/{place}/{digit}"
        return hashlib.blake2b(text.encode(), digest_size=8).digest()

    return tuple(sorted(range(BASES[dimension]), key=chance))
