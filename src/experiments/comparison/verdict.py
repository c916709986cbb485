"""The verdict: records in, one plain dictionary out, which every report is made of.

STATISTICS: scores are paired by seed; each pair of settings has a t interval and an exact sign-flip
test, adjusted by Holm for the family; what cannot be told from a confound, or from tuning that did
not come to its end, is withheld. The parts stand in modules of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median, stdev
from typing import Any

import numpy as np

from experiments.comparison import words
from experiments.comparison.confounds import sentences_of
from experiments.comparison.design import Design
from experiments.comparison.intervals import binomial_standard_error, clopper_pearson, t_interval
from experiments.comparison.judged import Judged
from experiments.comparison.levels import flat
from experiments.comparison.pairs import finite_or_none, pair_dicts
from experiments.comparison.planning import fewest_seeds
from experiments.comparison.scoring import Setting, Task

Dict = dict[str, Any]


def setting_dict(judged: Judged, index: int, design: Design, varied: Mapping[str, Any]) -> Dict:
    """Return what is said of one setting.

    Args:
        judged: its task.
        index: which of the settings.
        design: of the comparison.
        varied: keys in which settings differ, with the values of this one.
    """
    setting = judged.task.settings[index]
    scores, failures = setting.scores, setting.failures
    values = list(scores.values())
    finite = bool(values) and all(map(math.isfinite, values))
    records = [one.run.record for one in setting.every]
    interval = None
    if finite and len(values) > 1:
        _, low, high = map(float, t_interval(values, 1 - design.alpha))
        interval = [low, high]
    runs, failed = len(records), sum(1 for one in setting.every if one.failure)
    rate = [float(end) for end in clopper_pearson(failed, runs)] if runs else None
    tuned = judged.tuned.get(index)
    return {
        "id": index,
        "name": judged.name(index),
        "levels": dict(setting.levels),
        "is_control": index == judged.control,
        "num_parameters": middle([one["num_parameters"] for one in records]),
        "num_activation_parameters": middle([one["num_activation_parameters"] for one in records]),
        "n": len(values),
        "mean": float(np.mean(values)) if finite else None,
        "sd": stdev(values) if finite and len(values) > 1 else None,
        "interval": interval,
        "median": finite_or_none(median(values)) if values else None,
        "low": finite_or_none(min(values)) if values else None,
        "high": finite_or_none(max(values)) if values else None,
        "scores": {str(seed): finite_or_none(score) for seed, score in scores.items()},
        "failures": {str(seed): reason for seed, reason in failures.items()},
        "failure_rate": failed / runs if runs else None,
        "failure_interval": rate,
        "tuned": tuned.plain() if tuned else None,
        "seconds": middle([one["duration_seconds"] for one in records]),
        "train_seconds": middle([one["train_seconds"] for one in records]),
        "steps": middle([one["steps"] for one in records]),
        "identity": records[0]["setting"] if records else None,
        "config": dict(varied),
    }


def middle(values: Sequence[float | None]) -> float | None:
    """Return the median of the values that are there; a whole number stays one."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    found = median(known)
    return int(found) if float(found).is_integer() and isinstance(known[0], int) else float(found)


def varied_values(task: Task) -> list[Dict]:
    """Return for each setting the keys in which settings differ, with its values."""
    own: list[dict[str, set[str]]] = []
    values: list[Dict] = []
    for setting in task.settings:
        seen: dict[str, set[str]] = {}
        last: Dict = {}
        for run in {id(one.run.config["model"]): one.run for one in setting.every}.values():
            last = flat(run.config)
            for key, value in last.items():
                seen.setdefault(key, set()).add(repr(value))
        own.append(seen)
        values.append(last)
    keys = {key for one in own for key in one} - {"seed"}
    differ = [key for key in sorted(keys) if len({frozenset(o.get(key, ())) for o in own if o}) > 1]
    return [
        {key: one[key] for key in differ if key in one and len(seen[key]) == 1}
        for one, seen in zip(values, own, strict=True)
    ]


def task_dict(judged: Judged, design: Design) -> Dict:
    """Return what is said of a task."""
    task = judged.task
    varied = varied_values(task)
    settings = [setting_dict(judged, index, design, varied[index]) for index in range(len(varied))]
    of_test = judged.control if judged.control is not None else best_of(settings, design)
    mean = settings[of_test]["mean"] if of_test is not None else None
    error = None
    if design.is_accuracy and mean is not None and task.num_points:
        error = float(binomial_standard_error(mean, task.num_points))
    seeds = sorted({seed for setting in task.settings for seed in setting.runs})
    return {
        "name": task.name,
        "num_classes": task.num_classes,
        "num_test": task.num_points,
        "chance": task.chance if design.is_accuracy else None,
        "test_standard_error": error,
        "settings": settings,
        "pairs": pair_dicts(judged, design),
        "seeds_used": seeds,
        "fewest_seeds": fewest_seeds(judged.family, design.alpha),
    }


def best_of(settings: Sequence[Dict], design: Design) -> int | None:
    """Return the id of the setting with the best mean."""
    known = [one for one in settings if one["mean"] is not None]
    sign = 1 if design.higher_is_better else -1
    found = max(known, key=lambda one: sign * one["mean"], default=None)
    return None if found is None else int(found["id"])


def confound_lists(judged: Sequence[Judged]) -> Dict:
    """Return what differs between settings, what is mixed alike in all, and what was allowed."""
    found: dict[str, list[str]] = {"withholding": [], "listed": [], "allowed": []}
    for one in judged:
        prefix = f"{one.task.name}: " if len(judged) > 1 else ""
        between = sentences_of(one.task, one.confounds.between)
        allowed = sentences_of(one.task, one.confounds.allowed)
        alike = [
            f"{key}: {' and '.join(sorted(values))}" for key, values in one.confounds.alike.items()
        ]
        found["withholding"] += [prefix + text for text in between]
        found["allowed"] += [prefix + text for text in allowed]
        found["listed"] += [prefix + text for text in alike]
    return found


def missing_cells(judged: Sequence[Judged], design: Design) -> list[str]:
    """Return the seeds that settings lack, of those declared or had by another setting."""
    found = []
    for one in judged:
        seeds = {seed for setting in one.task.settings for seed in setting.runs}
        seeds |= set(design.seeds)
        for setting in one.task.settings:
            lacking = sorted(seeds - setting.scores.keys())
            if lacking:
                prefix = f"{one.task.name}: " if len(judged) > 1 else ""
                found.append(f"{prefix}{words.name_of(setting)}: {words.seeds_told(lacking)}")
    return found


def run_dicts(judged: Sequence[Judged]) -> list[Dict]:
    """Return a row for every run that was compared."""
    rows = []
    for one in judged:
        for index, setting in enumerate(one.task.settings):
            rows += [row_of(one.task.name, index, setting, place) for place in setting.every]
    return rows


def row_of(task: str, index: int, setting: Setting, one: Any) -> Dict:
    """Return the row of a run."""
    record = one.run.record
    return {
        "folder": one.run.folder,
        "task": task,
        "setting": index,
        "seed": record["seed"],
        "status": record["status"],
        "score": finite_or_none(one.score),
        "identity": record["identity"],
        "epochs": record["epochs"],
        "steps": record["steps"],
        "seconds": record["duration_seconds"],
        "error": one.failure or record["error"],
        "metrics": dict(record["metrics"]),
    }
