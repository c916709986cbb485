"""Tuning looked at afterwards: how much the value mattered, and whether enough was tried.

Legend: a trial is a value and the scores of its tuning seeds, None for a run that failed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np
from numpy.typing import ArrayLike

Trial = tuple[float, Sequence[float | None]]

MARGIN = 0.01
"""A point of accuracy."""


@dataclass(frozen=True)
class Sensitivity:
    """How the score depends on the value; all lists are in rising order of the values.

    Attributes:
        values: what was tried.
        n: the number of runs of each.
        failed: how many of them failed.
        median: of all runs, a failed one being worse than any other; None where it is such a one.
        low: the lowest score of those that did not fail, None where all did.
        high: the highest.
        best: the value that tuning selects, None where all runs failed.
        decades: how wide the range of values is that are good; see `decades_within`.
        is_cut: it goes as far as was tried, and may be wider.
        tuned_minus_default: the mean score at the best value minus that at the default, in the
            score's own direction (of a loss it is negative); None where the default was not tried,
            or its loss is infinite. The selection flatters it: see `experiments.sweep.tuning`.
    """

    values: list[float]
    n: list[int]
    failed: list[int]
    median: list[float | None]
    low: list[float | None]
    high: list[float | None]
    best: float | None
    decades: float | None
    is_cut: bool
    tuned_minus_default: float | None


def sensitivity(
    trials: Sequence[Trial],
    *,
    higher_is_better: bool = True,
    default: float | None = None,
    margin: float = MARGIN,
    worst: float | None = None,
) -> Sensitivity:
    """Return how the score depends on the value.

    Args:
        trials: in the order of the search space, each value once, with at least one run.
        higher_is_better: the larger of two scores is the better one.
        default: the value of the setting's own files.
        margin: how far below the best a good score may be, in the score's unit.
        worst: the score that tuning gives a failed run; by default 0 where higher is better, as of
            an accuracy, and infinity otherwise.
    """
    if worst is None:
        worst = 0.0 if higher_is_better else math.inf
    best = best_value(trials, worst, higher_is_better=higher_is_better)
    rising = sorted(trials, key=lambda trial: trial[0])
    values = [float(value) for value, _ in rising]
    finite = [finite_of(scores) for _, scores in rising]
    last = -math.inf if higher_is_better else math.inf
    medians = [median(filled(scores, last)) for _, scores in rising]
    decades, is_cut = decades_within(values, medians, margin, higher_is_better=higher_is_better)
    return Sensitivity(
        values=values,
        n=[len(scores) for _, scores in rising],
        failed=[len(trial[1]) - len(some) for trial, some in zip(rising, finite, strict=True)],
        median=[score if math.isfinite(score) else None for score in medians],
        low=[min(some, default=None) for some in finite],
        high=[max(some, default=None) for some in finite],
        best=best,
        decades=decades,
        is_cut=is_cut,
        tuned_minus_default=gain_of(trials, best, default, worst),
    )


def finite_of(scores: Sequence[float | None]) -> list[float]:
    """Return the scores of the runs that did not fail."""
    return [score for score in scores if score is not None and math.isfinite(score)]


def filled(scores: Sequence[float | None], failed: float) -> list[float]:
    """Return the scores of all runs, those that failed having the score `failed`."""
    finite = finite_of(scores)
    return finite + [failed] * (len(scores) - len(finite))


def mean_score(scores: Sequence[float | None], worst: float) -> float:
    """Return the mean that tuning selects by, a failed run having the worst score there is.

    The rule of `sweep.selection.Trial.mean`, so that the report names what was selected.
    """
    return fmean(filled(scores, worst))


def best_value(
    trials: Sequence[Trial], worst: float, *, higher_is_better: bool = True
) -> float | None:
    """Return the value with the best mean score, of equals the first; None where all runs failed.

    >>> best_value([(0.1, [0.9, None]), (0.01, [0.8, 0.8]), (0.001, [0.8, 0.8])], 0.0)
    0.01
    """
    sign = 1 if higher_is_better else -1
    able = [trial for trial in trials if finite_of(trial[1])]
    if not able:
        return None
    return max(able, key=lambda trial: sign * mean_score(trial[1], worst))[0]


def gain_of(
    trials: Sequence[Trial], best: float | None, default: float | None, worst: float
) -> float | None:
    """Return the mean score at the best value minus that at the default, where both are known."""
    means = {value: mean_score(scores, worst) for value, scores in trials}
    if best is None or default not in means:
        return None
    gain = means[best] - means[default]
    return gain if math.isfinite(gain) else None


def decades_within(
    values: Sequence[float],
    scores: Sequence[float],
    margin: float = MARGIN,
    *,
    higher_is_better: bool = True,
) -> tuple[float | None, bool]:
    """Return how wide the range of values around the best is that come within a margin of it.

    On a log10 axis, between neighbours along a straight line; beside a failed one it ends at the
    value itself. A second range beyond a gap does not count.

    Args:
        values: rising, of shape (n,).
        scores: of shape (n,), infinitely bad where runs failed.
        margin: in the score's unit.
        higher_is_better: the larger of two scores is the better one.

    Returns:
        the width in decades, None where all failed or a value has no logarithm; and whether the
        range ends where the values do, so that it may be wider.

    >>> decades_within([0.001, 0.01, 0.1, 1.0], [0.88, 0.90, 0.90, -math.inf])
    (1.5, False)
    """
    y = np.asarray(scores, dtype=float) * (1 if higher_is_better else -1)
    if not np.isfinite(y).any() or min(values) <= 0:
        return None, False
    x = np.log10(np.asarray(values, dtype=float))
    best, least = int(y.argmax()), float(y.max()) - margin
    high, is_cut_above = end_of_range(x[best:], y[best:], least)
    low, is_cut_below = end_of_range(x[best::-1], y[best::-1], least)
    return high - low, is_cut_above or is_cut_below


def end_of_range(x: np.ndarray, y: np.ndarray, least: float) -> tuple[float, bool]:
    """Return where a line from `least` or above falls below it; else its end, and True."""
    below = np.flatnonzero(y < least - 1e-9)
    if not len(below):
        return float(x[-1]), True
    after = below[0]
    before = after - 1
    if not np.isfinite(y[after]):
        return float(x[before]), False
    part = max(0.0, (y[before] - least) / (y[before] - y[after]))
    return float(x[before] + part * (x[after] - x[before])), False


def is_on_edge(best: float, values: Sequence[float]) -> bool:
    """Return whether the best value is the smallest or the largest tried: a better may lie beyond.

    >>> is_on_edge(0.1, [0.001, 0.01, 0.1]), is_on_edge(0.01, [0.001, 0.01, 0.1])
    (True, False)
    """
    return len(set(values)) > 1 and best in (min(values), max(values))


def is_still_climbing(
    curves: Sequence[ArrayLike], delta: float | None = None, *, higher_is_better: bool = True
) -> bool:
    """Return whether a setting's training had not come to its end when its budget had.

    Schmidt et al. 2021, "Descending through a crowded valley", ask of a tuning budget whether its
    best-so-far had levelled off. The trials of a grid have no order, but the epochs of the selected
    runs do. Such a run still climbs where its last epoch is its best, and better by more than delta
    than everything before the last fifth of the epochs; the setting does where more than half of
    its runs do. A curve of one epoch tells nothing.

    Args:
        curves: the validation scores by epoch of each run of the selected values.
        delta: the smallest difference that matters; None: any.
        higher_is_better: the larger of two scores is the better one.

    >>> is_still_climbing([[0.5, 0.6, 0.7, 0.8, 0.9]], 0.005)
    True
    >>> is_still_climbing([[0.5, 0.8, 0.89, 0.9, 0.9]], 0.005)
    False
    """
    sign = 1 if higher_is_better else -1
    climbing = [climbs(sign * np.asarray(curve, dtype=float), delta or 0.0) for curve in curves]
    return sum(climbing) > len(climbing) / 2


def climbs(curve: np.ndarray, delta: float) -> bool:
    """Return whether the last value is the highest, and above the first four fifths by delta."""
    if len(curve) < 2 or np.isnan(curve).any():
        return False
    fifth = max(1, round(len(curve) / 5))
    is_best = curve[-1] > curve[:-1].max()
    return bool(is_best and curve[-1] - curve[:-fifth].max() > delta)
