"""What is measured of a task, which of two values is the better one, and how tuning selects.

Scores are those of the runs of one trial, one of each seed; None, or not finite, where a run has
diverged or failed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

Scores = Sequence[float | None]


@dataclass(frozen=True)
class Metric:
    """What is known of a metric, by its name without a stage.

    Attributes:
        task: classification or regression; None for both.
        is_share: it is a share of the points, from 0 to 1, and written in percent.
    """

    name: str
    task: str | None = None
    is_higher_better: bool = False
    is_share: bool = False


Added = Mapping[str, Mapping[str, Any]]
"""What a config's group `metrics` adds to validation and test, by name; `better` says max or min.
"""
TABLE = "none"
"""What `better` says of an added metric that is a table, as one of confusions, and no number."""
METRICS = (
    Metric("loss"),
    Metric("accuracy", "classification", is_higher_better=True, is_share=True),
    Metric("mae", "regression"),
    Metric("r2", "regression", is_higher_better=True),
)
"""All that is always measured. Everything that goes by names of metrics reads them here: histories,
monitors, searches, W&B's best values, units and learning curves."""
SHARES = ("balanced_accuracy", "top5")
"""Of those that conf/metrics/ adds, what is a share of points."""
KNOWN = {metric.name: metric for metric in METRICS}


def numbers_of(added: Added | None) -> dict[str, Any]:
    """Return those of the added metrics that are numbers, measured whenever a run validates.

    >>> list(numbers_of({"mcc": {"better": "max"}, "confusion": {"better": "none"}}))
    ['mcc']
    """
    return {name: node for name, node in (added or {}).items() if not is_table(node)}


def is_table(node: Any) -> bool:
    return isinstance(node, Mapping) and node.get("better") == TABLE


def measured_on(task: str) -> tuple[str, ...]:
    """Return the names of what is measured of a task, in training, validation and test alike.

    >>> measured_on("classification"), measured_on("regression")
    (('loss', 'accuracy'), ('loss', 'mae', 'r2'))
    """
    return tuple(metric.name for metric in METRICS if metric.task in (None, task))


def measured_names(task: str, added: Added | None, *, log_full_loss: bool = False) -> list[str]:
    """Return what the history of a run has of training and validation, by its whole name.

    >>> measured_names("classification", {"mcc": {"better": "max"}})
    ['val/loss', 'val/accuracy', 'val/mcc', 'train/loss', 'train/accuracy']
    """
    always = measured_on(task)
    names = [f"val/{name}" for name in (*always, *numbers_of(added))]
    names += [f"train/{name}" for name in always]
    return [*names, "train/full_loss"] if log_full_loss else names


def written(value: float) -> str:
    """Return a value of a metric as it is shown: four decimals, or four digits if they say less.

    >>> written(0.95), written(0.0000963354), written(2460310.25), written(0.0)
    ('0.9500', '9.634e-05', '2460310.2500', '0.0000')
    """
    size = abs(value)
    if size == 0 or 0.1 <= size < 1e9:
        return f"{value:.4f}"
    return f"{value:#.4g}" if math.isfinite(value) else str(value)


def names_in_stages(*stages: str, added: Added | None = None) -> tuple[str, ...]:
    """Return what is measured of any task in these stages; what was added, not in training.

    >>> names_in_stages("val", added={"mcc": {"better": "max"}})
    ('val/loss', 'val/accuracy', 'val/mae', 'val/r2', 'val/mcc')
    """
    always = [metric.name for metric in METRICS]
    return tuple(
        f"{stage}/{name}"
        for stage in stages
        for name in (*always, *(numbers_of(added) if stage != "train" else ()))
    )


def known_as(metric: str | Metric, added: Added | None = None) -> Metric:
    """Return what is known of a metric; of one that nothing is known of, that lower is better.

    Args:
        metric: its name, with or without a stage.
        added: the metrics of the config that it was measured under.

    >>> known_as("val/accuracy").is_share, known_as("train/full_loss").is_higher_better
    (True, False)
    >>> known_as("val/mcc", {"mcc": {"better": "max"}}).is_higher_better
    True
    """
    if isinstance(metric, Metric):
        return metric
    name = metric.rpartition("/")[2]
    if name in KNOWN:
        return KNOWN[name]
    is_higher_better = (added or {}).get(name, {}).get("better") == "max"
    return Metric(name, None, is_higher_better, name in SHARES)


def is_higher_better(metric: str | Metric, added: Added | None = None) -> bool:
    """Return whether the larger of two values of a metric is the better one.

    >>> is_higher_better("val/accuracy"), is_higher_better("test/loss")
    (True, False)
    """
    return known_as(metric, added).is_higher_better


def worst_of(metric: str | Metric) -> float:
    """Return the score of a run that has none.

    >>> worst_of("val/accuracy"), worst_of("val/r2"), worst_of("val/loss")
    (0.0, -inf, inf)
    """
    known = known_as(metric)
    if known.is_share:
        return 0.0 if known.is_higher_better else 1.0
    return -math.inf if known.is_higher_better else math.inf


def finite_of(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def mean_score(scores: Scores, metric: str | Metric) -> float:
    """Return the mean over the seeds, a run that failed having the worst score there is.

    >>> mean_score([0.9, None], "val/accuracy")
    0.45
    """
    finite = finite_of(scores)
    return fmean(finite + [worst_of(metric)] * (len(scores) - len(finite)))


def best_trial(trials: Sequence[Scores], metric: str | Metric) -> int | None:
    """Return the index of the trial with the best mean, of equals the first; None: all runs failed.

    >>> best_trial([[0.9, None], [0.8, 0.8], [0.8, 0.8]], "val/accuracy")
    1
    """
    sign = 1 if is_higher_better(metric) else -1
    able = [index for index, scores in enumerate(trials) if finite_of(scores)]
    return max(able, key=lambda index: sign * mean_score(trials[index], metric), default=None)
