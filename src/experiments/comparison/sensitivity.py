"""How much a tuned value mattered: the score of every value that was tried.

Scores are those of validation, which tuning saw; the test set was not touched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from experiments.comparison.design import Design, Dict
from experiments.comparison.judged import Judged
from experiments.record.metric import Scores, finite_of

MARGIN = 0.01
"""A point of accuracy."""


def sensitivity_dict(tasks: Sequence[Judged], design: Design) -> Dict | None:
    """Return how each setting's score depends on the one number that was tuned, or None.

    All lists are in rising order of that number.
    """
    keys = {key for judged in tasks for tuned in judged.tuned.values() for key in tuned.values}
    if len(keys) != 1:
        return None
    [key] = keys
    if not all(is_number(values.get(key)) for values in tried_in(tasks)):
        return None
    settings = []
    for judged in tasks:
        for index, tuned in judged.tuned.items():
            trials = [(float(values[key]), scores) for values, scores in tuned.trials]
            table = scores_by_value(trials, higher_is_better=design.higher_is_better)
            decades, is_cut = decades_within(
                table["values"], table["median"], higher_is_better=design.higher_is_better
            )
            setting = {
                "name": judged.name(index),
                "task": judged.task.name,
                "setting": index,
                **table,
                "best": tuned.values[key],
                "decades_within_1_point": decades if design.is_share else None,
                "is_cut": is_cut,
                "tuned_minus_default": tuned.gain,
            }
            settings.append(setting)
    return {"key": key, "metric": design.validation_metric, "settings": settings}


def scores_by_value(
    trials: Sequence[tuple[float, Scores]], *, higher_is_better: bool = True
) -> dict[str, list[Any]]:
    """Return the scores of every value that was tried, in rising order of the values.

    Args:
        trials: values and the scores of their runs, each value once, with at least one run.

    Returns:
        values; the median of all runs of each, a failed one being worse than any other, None where
        it is such a one; the lowest and the highest score of those that did not fail, None where
        all did; how many failed; and how many there were.
    """
    rising = sorted(trials, key=lambda trial: trial[0])
    told = [scores_of_trial(scores, higher_is_better=higher_is_better) for _, scores in rising]
    by_name = {
        name: [one[name] for one in told] for name in ("median", "low", "high", "failed", "n")
    }
    return {"values": [value for value, _ in rising], **by_name}


def tried_in(tasks: Sequence[Judged]) -> list[Dict]:
    """Return the values of every trial."""
    return [
        values for judged in tasks for tuned in judged.tuned.values() for values, _ in tuned.trials
    ]


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def scores_of_trial(scores: Scores, *, higher_is_better: bool = True) -> dict[str, Any]:
    """Return median, low, high, failed and n of one trial, as `scores_by_value` has them."""
    finite = finite_of(scores)
    failed = len(scores) - len(finite)
    worst = -math.inf if higher_is_better else math.inf
    middle = median([*finite, *[worst] * failed]) if scores else worst
    return {
        "median": middle if math.isfinite(middle) else None,
        "low": min(finite, default=None),
        "high": max(finite, default=None),
        "failed": failed,
        "n": len(scores),
    }


def trials_dict(tasks: Sequence[Judged], design: Design) -> Dict | None:
    """Return every trial of settings of which several values were tuned at once, or words; or None.

    Each value that was tried stands beside others then, so that there is no score of a value alone.
    """
    tried = tried_in(tasks)
    keys = sorted({key for values in tried for key in values})
    varied = [key for key in keys if len({str(v[key]) for v in tried if key in v}) > 1]
    if not varied or (len(keys) == 1 and all(is_number(v[keys[0]]) for v in tried)):
        return None
    settings = [
        {
            "name": judged.name(index),
            "task": judged.task.name,
            "setting": index,
            "best": tuned.values,
            "trials": [
                {
                    "values": values,
                    **scores_of_trial(scores, higher_is_better=design.higher_is_better),
                }
                for values, scores in tuned.trials
            ],
        }
        for judged in tasks
        for index, tuned in judged.tuned.items()
    ]
    return {"keys": varied, "metric": design.validation_metric, "settings": settings}


def decades_within(
    values: Sequence[float],
    scores: Scores,
    margin: float = MARGIN,
    *,
    higher_is_better: bool = True,
) -> tuple[float | None, bool]:
    """Return how wide the range of values around the best is that come within a margin of it.

    On a log10 axis, between neighbours along a straight line; beside a failed one it ends at the
    value itself. A second range beyond a gap does not count.

    Args:
        values: rising, of shape (n,).
        scores: of shape (n,), None or infinitely bad where runs failed.

    Returns:
        the width in decades, None where all failed or a value has no logarithm; and whether the
        range ends where the values do, so that it may be wider.

    >>> decades_within([0.001, 0.01, 0.1, 1.0], [0.88, 0.90, 0.90, None])
    (1.5, False)
    """
    y = np.asarray(scores, dtype=float) * (1 if higher_is_better else -1)
    if not np.isfinite(y).any() or min(values) <= 0:
        return None, False
    y[~np.isfinite(y)] = -np.inf
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
