"""What guessing gets right: the one idea of chance that training, records and comparisons have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

ERRORS = 3
"""An accuracy is at chance up to so many standard errors above it."""
STEPS = 100


class Chance(NamedTuple):
    """The accuracy of always saying the most frequent class, and up to where guessing may reach."""

    share: float
    limit: float


def chance_of(counts: Sequence[float]) -> Chance:
    r"""Return what guessing gets right of points with so many of each class.

    Whoever gives class k with frequency q_k, without a look at the points, of which p_k are of
    class k, has the accuracy (Fleiss, Cohen & Everitt 1969, "Large sample standard errors of kappa
    and weighted kappa", without any agreement)

    $$ E = \sum_k q_k p_k, \qquad n V = E + E^2 - \sum_k q_k p_k (q_k + p_k). $$

    The limit is the largest E + 3 sqrt(V) among q between always giving the most frequent class and
    giving each as often as it is there. With K classes alike it is 1/K + 3 binomial standard
    errors; of 95 % and 5 % it is hardly above 95 %, as nobody gains by guessing the rare class.

    >>> chance_of([50, 50])
    Chance(share=0.5, limit=0.65)
    >>> chance = chance_of([950, 50])
    >>> chance.share, round(chance.limit, 4)
    (0.95, 0.9505)
    """
    n = sum(counts)
    p = [count / n for count in counts]
    share = max(p)
    most = p.index(share)
    limit = share
    for step in range(STEPS + 1):
        m = step / STEPS
        q = [m * own + (1 - m) * (k == most) for k, own in enumerate(p)]
        expected = sum(a * b for a, b in zip(q, p, strict=True))
        variance = expected + expected**2
        variance -= sum(a * b * (a + b) for a, b in zip(q, p, strict=True))
        limit = max(limit, expected + ERRORS * math.sqrt(max(0.0, variance) / n))
    return Chance(share, min(1.0, limit))
