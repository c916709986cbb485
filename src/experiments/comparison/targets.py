"""Steps to a target, over one task or several: the verdict's part on speed of learning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median, median_high, median_low

import numpy as np

from experiments.comparison.design import Design, Dict
from experiments.comparison.judged import Judged
from experiments.comparison.statistics.profiles import (
    LARGEST_RATIO,
    performance_profile,
    profile_score,
    steps_to_target,
)


def targets_dict(tasks: Sequence[Judged], design: Design) -> Dict | None:
    """Return after how many steps each setting reaches what the control reaches at its best.

    The target is the median over seeds of the control's best validation score, of an even number
    the worse of the two in the middle: more than half of the control's own seeds reach it, so that
    it is neither trivial nor luck. None where there is no control, or no validation in the
    histories.
    """
    settings: list[Dict] = []
    targets: dict[str, float] = {}
    table: dict[int, list[float]] = {}
    for judged in tasks:
        target = target_of(judged, design)
        if target is None:
            return None
        targets[judged.task.name] = target
        for index in range(len(judged.task.settings)):
            reached = how_soon(judged, index, target, design)
            settings.append(reached)
            steps = reached["steps_median"]
            table.setdefault(index, []).append(math.inf if steps is None else steps)
    if not settings or any(len(row) != len(tasks) for row in table.values()):
        return None
    steps = np.array([table[index] for index in sorted(table)], dtype=float)
    several = len(tasks) > 1
    taus = np.linspace(1, LARGEST_RATIO, 61)
    curves = {
        "tau": [round(float(tau), 4) for tau in taus],
        "curves": performance_profile(steps, taus).tolist(),
    }
    return {
        "target": next(iter(targets.values())),
        "targets": targets,
        "metric": design.validation_metric,
        "of": tasks[0].name(tasks[0].control or 0),
        "settings": settings,
        "profile": curves if several else None,
        "scores": profile_score(steps).tolist() if several else None,
    }


def target_of(judged: Judged, design: Design) -> float | None:
    """Return the median over seeds of the control's best validation score, if it is a number."""
    if judged.control is None:
        return None
    best, worst = (max, -math.inf) if design.higher_is_better else (min, math.inf)
    scores = [
        best(scored.run.curve(design.validation_metric)[1], default=worst)
        for scored in judged.task.settings[judged.control].every
    ]
    worse_middle = median_low if design.higher_is_better else median_high
    target = worse_middle(scores) if scores else math.nan
    return target if math.isfinite(target) else None


def how_soon(judged: Judged, index: int, target: float, design: Design) -> Dict:
    """Return how soon one setting reaches a target; a run that never does stays in the median."""
    runs = [scored.run for scored in judged.task.settings[index].every]
    curves = [run.curve(design.validation_metric) for run in runs]
    steps = [
        float(steps_to_target(*curve, target, higher_is_better=design.higher_is_better))
        for curve in curves
    ]
    middle = median(steps) if steps else math.inf
    # Training took as long to a step as the mean time of a step of the run says.
    seconds = [
        float(run.record["train_seconds"] * own / run.record["steps"])
        for run, own in zip(runs, steps, strict=True)
        if math.isfinite(own) and run.record["steps"]
    ]
    return {
        "setting": index,
        "task": judged.task.name,
        "steps_median": int(middle) if math.isfinite(middle) else None,
        "reached": sum(map(math.isfinite, steps)),
        "n": len(steps),
        "seconds_median": median(seconds) if math.isfinite(middle) and seconds else None,
    }
