"""What a budget of k trials can be expected to find, from the n trials that were made.

A tuned score says nothing of what it cost. Dodge et al. 2019, "Show your work: improved reporting
of experimental results", equation 4, report the expected best of k trials against k, and estimate
it as if trials were drawn with replacement, which is too low for every k above 1. Without
replacement it has no bias (Tang et al. 2020, "Showing your work doesn't always work"): with the
scores sorted from the worst x_(1) to the best x_(n),

    E[best of k] = sum over i of C(i - 1, k - 1) / C(n, k) x_(i),

the mean over all C(n, k) subsets, since x_(i) is the best of those that take it and k - 1 below it.

N trials, S seeds, K budgets (k = 1, ..., N).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from experiments.record.metric import Metric, Scores, finite_of, known_as, worst_of


@dataclass(frozen=True)
class ExpectedBest:
    """The expected score of the trial that k trials choose, for each k from 1 to N.

    Attributes:
        mean: over the seeds, of shape (K,); infinite where k trials may all have failed and a
            failure has no finite score.
        by_seed: of each seed, of shape (S, K); their mean over the seeds is `mean`.
    """

    mean: np.ndarray
    by_seed: np.ndarray

    @property
    def low(self) -> np.ndarray:
        return self.by_seed.min(axis=0)

    @property
    def high(self) -> np.ndarray:
        return self.by_seed.max(axis=0)

    def fewest(self, margin: float) -> int | None:
        """Return the fewest trials that come within a margin of what all N choose; None: never.

        >>> expected_best([[0.5], [0.9], [0.9], [0.9]], "val/accuracy").fewest(0.01)
        2
        """
        if not math.isfinite(self.mean[-1]):
            return None
        within = np.flatnonzero(abs(self.mean - self.mean[-1]) <= margin + 1e-12)
        return int(within[0]) + 1 if len(within) else None


def chances_of_choice(
    scores: ArrayLike, able: ArrayLike | None = None, *, higher_is_better: bool = True
) -> np.ndarray:
    """Return how probably each trial is the best of k that are drawn without replacement.

    Args:
        scores: of shape (N,), infinitely bad ones among them; of equals the first is the best.
        able: of shape (N,): whether a trial has any result; one of which every run failed
            has none, and is worse than its equals.

    Returns:
        of shape (K, N); the row of k sums to 1.

    >>> chances_of_choice([0.7, 0.9, 0.8]).round(4).tolist()
    [[0.3333, 0.3333, 0.3333], [0.0, 0.6667, 0.3333], [0.0, 1.0, 0.0]]
    """
    values = np.asarray(scores, dtype=float) * (1 if higher_is_better else -1)
    n = len(values)
    # From the worst to the best; of equals the later first.
    has_result = np.ones(n) if able is None else np.asarray(able, dtype=float)
    order = sorted(range(n), key=lambda index: (values[index], has_result[index], -index))
    chances = np.zeros((n, n))
    for k in range(1, n + 1):
        for below, index in enumerate(order):
            # Whole numbers: their quotient is exact to the last digit, however many trials.
            chances[k - 1, index] = math.comb(below, k - 1) / math.comb(n, k)
    return chances


def expected_best(trials: Sequence[Scores], metric: str | Metric) -> ExpectedBest:
    """Return the expected score of what k of these trials would choose, with its spread over seeds.

    As in tuning, k trials choose the one with the best mean over the seeds, where a run that failed
    has the worst score there is. The spread is that of the chosen trial's own seeds.

    Args:
        trials: the scores of each of N trials, one for each of S seeds, None where a run failed.

    >>> expected_best([[0.9], [0.8], [None]], "val/accuracy").mean.round(4).tolist()
    [0.5667, 0.8667, 0.9]
    """
    known = known_as(metric)
    table = np.array([[as_score(score, known) for score in scores] for scores in trials])
    able = [bool(finite_of(scores)) for scores in trials]
    means = table.mean(axis=1)
    chances = chances_of_choice(means, able, higher_is_better=known.is_higher_better)
    by_seed = np.array([weighted(chances, column) for column in table.T])
    return ExpectedBest(by_seed.mean(axis=0), by_seed)


def as_score(score: float | None, metric: Metric) -> float:
    return score if score is not None and math.isfinite(score) else worst_of(metric)


def weighted(chances: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the mean of scores by chances; what has no chance counts nothing, infinite or not."""
    return np.where(chances > 0, chances * np.where(chances > 0, scores, 0.0), 0.0).sum(axis=1)
