r"""How probably a difference is worth anything: the posterior of a mean difference.

With flat priors on the mean and on the logarithm of the spread, the mean of normal differences is
distributed as Student's t about its estimate,

$$ \mu \mid d \sim \bar d + \mathrm{se} \cdot t_\nu, \qquad
   \mathrm{se} = s / \sqrt n, \quad \nu = n - 1, $$

and what lies within +-delta of zero is practically equivalent (Benavoli, Corani, Demšar & Zaffalon
2017, "Time for a change: a tutorial for comparing multiple classifiers through Bayesian analysis",
JMLR 18, section 3, who have their correlation rho of scores in the standard error). It is the
distribution that Student's interval is read from, asked another question: the chances are given
these seeds and this test set, allow for no family, and decide nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import stdtr

from experiments.comparison.statistics.paired import SHORT_OF_DELTA


@dataclass(frozen=True)
class Chances:
    """How probably a is better than b by more than delta, within delta of it, worse by more.

    They sum to 1.
    """

    better: float
    within: float
    worse: float


def chances_of(
    difference: float,
    standard_error: float,
    df: float,
    delta: float | None,
    *,
    higher_is_better: bool = True,
) -> Chances | None:
    """Return the three chances of a mean difference; None where its spread is not known.

    A spread of nothing, as of scores that rounding made alike, leaves all chance to one of the
    three, by the same comparison with delta as the verdict's.

    Args:
        difference: the mean of a minus b.
        standard_error: of it, at least 0; NaN for one seed.
        df: degrees of freedom of the standard error.
        delta: the smallest difference that matters, at least 0; None is 0, where next to nothing
            is within.
        higher_is_better: otherwise a is better where the difference is negative.

    >>> chances_of(0.5, 0.25, 9, 0.5).better
    0.5
    >>> chances_of(0.01, 0.0, 4, 0.005)
    Chances(better=1.0, within=0.0, worse=0.0)
    """
    if df < 1 or not math.isfinite(difference) or not math.isfinite(standard_error):
        return None
    least = delta or 0.0
    if standard_error <= SHORT_OF_DELTA * least:
        is_large = abs(difference) >= least * (1 - SHORT_OF_DELTA) and difference != 0
        above, below = float(is_large and difference > 0), float(is_large and difference < 0)
    else:
        above = float(stdtr(df, (difference - least) / standard_error))
        below = float(stdtr(df, (-difference - least) / standard_error))
    within = max(0.0, 1 - above - below)
    return Chances(above, within, below) if higher_is_better else Chances(below, within, above)
