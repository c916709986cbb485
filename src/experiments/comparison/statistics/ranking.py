r"""Several tasks: are the settings' ranks further apart than chance puts them?

Each task gives one row of scores, its means over seeds: seeds are not tasks, and more of them make
no more rows. Demšar 2006, "Statistical comparisons of classifiers over multiple data sets", JMLR
7, section 3.2.

Legend of shapes: N tasks, K settings; R are average ranks. $\sqrt{K (K + 1) / 6N}$ is the standard
error of the difference of two of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from experiments.comparison.statistics.paired import holm


@dataclass(frozen=True)
class Friedman:
    """The hypothesis that all settings are alike.

    Attributes:
        statistic: Friedman's chi-square with K - 1 degrees of freedom, without tie correction.
        corrected: the same with correction for ties, which is larger.
        f: Iman and Davenport's F with K - 1 and (K - 1)(N - 1) degrees of freedom, less
            conservative; infinite where all tasks agree.
    """

    statistic: float
    p: float
    corrected: float
    corrected_p: float
    f: float
    f_p: float


@dataclass(frozen=True)
class AgainstControl:
    """A setting against the control: z is positive where it ranks better."""

    setting: int
    z: float
    p: float
    p_holm: float


def ranks(scores: ArrayLike, *, higher_is_better: bool = True) -> np.ndarray:
    """Return the ranks of the settings on each task: 1 is the best, equals share their mean rank.

    Args:
        scores: of shape (N, K); infinite is allowed.
        higher_is_better: the largest score has rank 1.

    Raises:
        ValueError: a score is missing, or there is a single setting.

    >>> ranks([[0.9, 0.8, 0.8], [0.7, 0.9, 0.8]]).tolist()
    [[1.0, 2.5, 2.5], [3.0, 1.0, 2.0]]
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or scores.shape[1] < 2 or np.isnan(scores).any():
        raise ValueError("Ranks take a score of every setting on every task, and two settings.")
    return stats.rankdata(-scores if higher_is_better else scores, axis=1)


def friedman(task_ranks: ArrayLike) -> Friedman:
    r"""Return Friedman's test.

    $$ \chi^2 = \frac{12 N}{K (K + 1)} \Big[\sum_j R_j^2 - \frac{K (K + 1)^2}{4}\Big], \qquad
       F = \frac{(N - 1) \chi^2}{N (K - 1) - \chi^2} $$

    Demšar 2006, section 3.2.2; Iman & Davenport 1980. Corrected for ties, chi-square is divided by
    the ranks' variance as a share of what it is without ties (Conover 1999, section 5.8); this is
    what `scipy.stats.friedmanchisquare` gives, of three settings or more that do not all tie.

    Args:
        task_ranks: what `ranks` gives, for two tasks or more.
    """
    task_ranks = np.asarray(task_ranks, dtype=float)
    num, k = task_ranks.shape
    squares = ((task_ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum()
    statistic = 12 * num / (k * (k + 1)) * squares
    untied = num * k * (k**2 - 1) / 12
    kept = ((task_ranks - (k + 1) / 2) ** 2).sum() / untied
    corrected = statistic / kept if kept > 0 else 0.0
    left = num * (k - 1) - statistic
    f = (num - 1) * statistic / left if left > 1e-9 * num else np.inf
    return Friedman(
        float(statistic),
        float(special.chdtrc(k - 1, statistic)),
        float(corrected),
        float(special.chdtrc(k - 1, corrected)),
        float(f),
        float(special.fdtrc(k - 1, (k - 1) * (num - 1), f)) if np.isfinite(f) else 0.0,
    )


def standard_error(num_settings: int, num_tasks: int) -> float:
    """Return the standard error of the difference of two average ranks, if all are alike."""
    return float(np.sqrt(num_settings * (num_settings + 1) / (6 * num_tasks)))


def critical_difference(num_settings: int, num_tasks: int, alpha: float = 0.05) -> float:
    r"""Return by how much two average ranks must differ to differ significantly.

    $$ CD = q_\alpha \sqrt{\frac{K (K + 1)}{6 N}}, $$

    where $q_\alpha$ is the studentized range's quantile over $\sqrt 2$ (Nemenyi 1963; Demšar 2006,
    section 3.2.2). It allows for all pairs.

    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    q = stats.studentized_range.ppf(1 - alpha, num_settings, np.inf) / np.sqrt(2)
    return float(q * standard_error(num_settings, num_tasks))


def against_control(average_ranks: ArrayLike, num_tasks: int, control: int) -> list[AgainstControl]:
    r"""Return each other setting against the control, with Holm's adjustment.

    $$ z = (R_{control} - R_j) \Big/ \sqrt{\frac{K (K + 1)}{6 N}} $$

    It finds more than `critical_difference` does, which allows for pairs nobody asked about (Demšar
    2006, section 3.2.2).
    """
    average_ranks = np.asarray(average_ranks, dtype=float)
    others = [j for j in range(len(average_ranks)) if j != control]
    error = standard_error(len(average_ranks), num_tasks)
    z = (average_ranks[control] - average_ranks[others]) / error
    p = 2 * special.ndtr(-np.abs(z))
    return [
        AgainstControl(j, float(a), float(b), float(c))
        for j, a, b, c in zip(others, z, p, holm(p), strict=True)
    ]


def cliques(average_ranks: ArrayLike, critical: float) -> list[list[int]]:
    """Return the groups within which no two ranks differ by the critical difference.

    Each is as large as it can be and has two settings at least, best first: the bars of a
    critical-difference diagram (Demšar 2006, figure 1).

    >>> cliques([3.143, 2.000, 2.893, 1.964], 1.12)
    [[3, 1, 2], [2, 0]]
    """
    average_ranks = np.asarray(average_ranks, dtype=float)
    order = np.argsort(average_ranks, kind="stable")
    ordered = average_ranks[order]
    groups, reached = [], 0
    for start in range(len(order)):
        end = int(np.searchsorted(ordered, ordered[start] + critical, side="left"))
        # One that ends no later than its predecessor is a part of it.
        if end - start >= 2 and end > reached:
            groups.append([int(j) for j in order[start:end]])
            reached = end
    return groups
