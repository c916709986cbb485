"""Steps to a target, over one task or several: the verdict's part on speed of learning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from experiments.comparison.design import Design
from experiments.comparison.profiles import (
    LARGEST_RATIO,
    median_steps,
    performance_profile,
    profile_score,
    steps_to_target,
    target_of,
)
from experiments.comparison.scoring import Scored

Dict = dict[str, Any]
Curve = tuple[list[int], list[float]]


def targets_dict(judged: Sequence[Any], design: Design) -> Dict | None:
    """Return after how many steps each setting reaches what the control reaches at its best.

    The target is the median over seeds of the control's best validation score. None where there is
    no control, or no validation in the histories.
    """
    metric = design.validation_metric
    settings: list[Dict] = []
    targets: dict[str, float] = {}
    table: dict[int, list[float]] = {}
    for one in judged:
        if one.control is None:
            return None
        curves = {
            index: [curve(run, metric) for run in setting.every]
            for index, setting in enumerate(one.task.settings)
        }
        bests = [best_value(values, design) for _, values in curves[one.control]]
        if not bests or not math.isfinite(target := target_of(bests)):
            return None
        targets[one.task.name] = target
        for index, those in curves.items():
            found = found_for(one, index, those, target, design)
            settings.append(found)
            steps = found["steps_median"]
            table.setdefault(index, []).append(math.inf if steps is None else steps)
    if not settings or any(len(row) != len(judged) for row in table.values()):
        return None
    steps = np.array([table[index] for index in sorted(table)], dtype=float)
    taus = np.linspace(1, LARGEST_RATIO, 61)
    several = len(judged) > 1
    return {
        "target": next(iter(targets.values())),
        "targets": targets,
        "metric": metric,
        "of": judged[0].name(judged[0].control),
        "settings": settings,
        "profile": {
            "tau": [round(float(tau), 4) for tau in taus],
            "curves": performance_profile(steps, taus).tolist(),
        }
        if several
        else None,
        "scores": profile_score(steps).tolist() if several else None,
    }


def found_for(
    one: Any,
    index: int,
    curves: Sequence[Curve],
    target: float,
    design: Design,
) -> Dict:
    """Return how soon one setting reaches a target on one task."""
    runs = one.task.settings[index].every
    reached = [
        float(steps_to_target(steps, values, target, higher_is_better=design.higher_is_better))
        if steps
        else math.inf
        for steps, values in curves
    ]
    middle = float(median_steps(reached)) if reached else math.inf
    seconds = [seconds_until(run, steps) for run, steps in zip(runs, reached, strict=True)]
    known = [second for second in seconds if math.isfinite(second)]
    return {
        "setting": index,
        "task": one.task.name,
        "steps_median": int(middle) if math.isfinite(middle) else None,
        "reached": sum(map(math.isfinite, reached)),
        "n": len(reached),
        "seconds_median": median(known) if math.isfinite(middle) and known else None,
    }


def curve(one: Scored, metric: str) -> tuple[list[int], list[float]]:
    """Return the steps at which a metric was measured, and its values."""
    rows = [
        (int(row["step"] or 0), value)
        for row in one.run.history()
        if (value := row.get(metric)) is not None and math.isfinite(value)
    ]
    return [step for step, _ in rows], [value for _, value in rows]


def best_value(values: Sequence[float], design: Design) -> float:
    """Return the best of some values; infinitely bad where there is none."""
    if design.higher_is_better:
        return max(values, default=-math.inf)
    return min(values, default=math.inf)


def seconds_until(one: Scored, steps: float) -> float:
    """Return how long training took to a step, from the mean time of a step of the run."""
    record = one.run.record
    if not math.isfinite(steps) or not record["steps"]:
        return math.inf
    return float(record["train_seconds"] * steps / record["steps"])
