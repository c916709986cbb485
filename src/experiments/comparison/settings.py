"""What is said of one data set, and of each of the settings that were tried on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median, stdev
from typing import Any

import numpy as np

from experiments.comparison.blocks import Fold, by_split, ordered, shared_by
from experiments.comparison.design import Design, Dict
from experiments.comparison.judged import Judged
from experiments.comparison.pairs import finite_or_none, pair_dicts
from experiments.comparison.pooled import pooled_dict
from experiments.comparison.reading import distinct_configs
from experiments.comparison.statistics.intervals import (
    binomial_standard_error,
    clopper_pearson,
)
from experiments.comparison.statistics.resampled import corrected_interval
from experiments.comparison.task import Task
from experiments.record.identity import BLOCKS, flat

LIMITS = (0.0, 1.0)
"""Of an accuracy, which Student's t knows nothing of."""


def task_dict(judged: Judged, design: Design) -> Dict:
    """Return what is said of a task."""
    task = judged.task
    varied = varied_values(task)
    settings = [setting_dict(judged, index, design, varied[index]) for index in range(len(varied))]
    # The error is that of the control's mean, or of the best one.
    means = [setting["mean"] for setting in settings if setting["mean"] is not None]
    best = max(means, default=None) if design.higher_is_better else min(means, default=None)
    mean = best if judged.control is None else settings[judged.control]["mean"]
    error = None
    # Over folds every point is tested, and an interval holds for other points too.
    if design.is_accuracy and mean is not None and task.num_points and task.overlap is None:
        error = float(binomial_standard_error(mean, task.num_points))
    return {
        "name": task.name,
        "num_classes": task.num_classes,
        "num_test": task.num_points,
        "chance": task.chance if design.is_accuracy else None,
        "test_standard_error": error,
        "settings": settings,
        "pairs": pair_dicts(judged, design),
        "seeds_used": sorted(task.seeds),
        "folds": folds_dict(task),
        "fewest_seeds": judged.fewest(design.alpha),
        "test": judged.test,
        "pooled": pooled_dict(judged.pooled),
        "looks": looks_dict(judged, design.alpha),
    }


def looks_dict(judged: Judged, alpha: float) -> Dict | None:
    """Return at which numbers of seeds a task was to be looked at, and what alpha may be spent by
    each; None without looks.
    """
    if judged.looks is None:
        return None
    looks = judged.looks.looks
    return {
        "seeds": list(looks.sizes),
        "spending": looks.spending,
        "spent": looks.spent([alpha])[:, 0].tolist(),
        "undeclared": sorted(judged.task.seeds - {*judged.looks.seeds}),
    }


def folds_dict(task: Task) -> Dict | None:
    """Return what a task's cross validation is; None for a task without.

    `number` is K, of the most common cut; `splits` counts the folds of every cut that any setting
    has, and `num_tested` the points that its runs test, each fold of a cut once.
    """
    blocks = ordered(block for block in task.blocks if isinstance(block, Fold))
    if not blocks or task.overlap is None:
        return None
    tested = {
        block: scored.run.record["num_test"]
        for setting in task.settings
        for block, runs in setting.runs.items()
        for scored in runs
    }
    cuts = {(block.split_seed, block.folds) for block in blocks if isinstance(block, Fold)}
    every = by_split({block: tested[block] or 0 for block in blocks}, blocks)
    return {
        "number": max(block.folds for block in blocks if isinstance(block, Fold)),
        "cuts": len(cuts),
        "splits": len(every),
        "seeds_of_each": max(map(len, every)),
        "overlap": task.overlap,
        "shared": shared_by(blocks, task.overlap),
        "num_tested": sum(own[0] for own in every) // len(cuts),
    }


def varied_values(task: Task) -> list[Dict]:
    """Return for each setting the keys in which settings differ, with its values."""
    configs = [
        [flat(config) for config in distinct_configs([scored.run for scored in setting.every])]
        for setting in task.settings
    ]

    def texts(own: Sequence[Dict], key: str) -> frozenset[str]:
        return frozenset(repr(config[key]) for config in own if key in config)

    keys = sorted({key for own in configs for config in own for key in config} - {*BLOCKS})
    varied = [key for key in keys if len({texts(own, key) for own in configs if own}) > 1]
    return [
        {key: own[-1][key] for key in varied if len(texts(own, key)) == 1 and key in own[-1]}
        for own in configs
    ]


def setting_dict(judged: Judged, index: int, design: Design, varied: Mapping[str, Any]) -> Dict:
    """Return what is said of one setting; `varied` are its values of the keys that differ."""
    setting = judged.task.settings[index]
    records = [scored.run.record for scored in setting.every]
    failed = sum(scored.failure is not None for scored in setting.every)
    tuned = judged.tuned.get(index)

    def middle_of(key: str) -> float | None:
        return middle([record[key] for record in records])  # type: ignore[literal-required]

    return {
        "id": index,
        "name": setting.name,
        "levels": dict(setting.levels),
        "is_control": index == judged.control,
        "num_parameters": middle_of("num_parameters"),
        "num_activation_parameters": middle_of("num_activation_parameters"),
        **location_and_spread(
            setting.means,
            1 - design.alpha,
            LIMITS if design.is_accuracy else None,
            shared_by(list(setting.scores), judged.task.overlap),
        ),
        "scores": {str(block): finite_or_none(score) for block, score in setting.scores.items()},
        "failures": {str(block): reason for block, reason in setting.failures.items()},
        "failure_rate": failed / len(records) if records else None,
        "failure_interval": list(clopper_pearson(failed, len(records))) if records else None,
        "tuned": tuned.plain() if tuned else None,
        "seconds": middle_of("duration_seconds"),
        "train_seconds": middle_of("train_seconds"),
        "steps": middle_of("steps"),
        "identity": records[0]["setting"] if records else None,
        "config": dict(varied),
    }


def location_and_spread(
    scores: Sequence[float],
    level: float,
    limits: tuple[float, float] | None = None,
    overlap: float | None = None,
) -> Dict:
    """Return where scores lie and how far apart; a mean only where none is infinite.

    Args:
        limits: between which scores lie by their nature, and so does their interval.
        overlap: what splits share (`shared_by`); None of seeds, whose t interval is that of none.
    """
    is_finite = bool(scores) and all(map(math.isfinite, scores))
    has_spread = is_finite and len(scores) > 1
    ends = None
    if has_spread:
        ends = [float(end) for end in corrected_interval(scores, overlap or 0.0, level)[1:]]
    if limits is not None and ends is not None:
        ends = np.clip(ends, *limits).tolist()
    return {
        "n": len(scores),
        "mean": float(np.mean(scores)) if is_finite else None,
        "sd": stdev(scores) if has_spread else None,
        "interval": ends,
        "median": finite_or_none(median(scores)) if scores else None,
        "low": finite_or_none(min(scores, default=None)),
        "high": finite_or_none(max(scores, default=None)),
    }


def middle(values: Sequence[float | None]) -> float | None:
    """Return the median of the values that are there; a whole number stays one."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    is_whole = isinstance(known[0], int) and float(median(known)).is_integer()
    return int(median(known)) if is_whole else float(median(known))
