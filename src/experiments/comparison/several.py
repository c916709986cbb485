"""Several data sets together: ranks of the settings, and the middle of all their scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.comparison.design import Design, Dict
from experiments.comparison.statistics.intervals import stratified_bootstrap
from experiments.comparison.statistics.ranking import (
    against_control,
    cliques,
    critical_difference,
    friedman,
    ranks,
)

FEWEST_TASKS = 5


def several_dict(tasks: Sequence[Dict], design: Design) -> Dict | None:
    """Return what the tasks say together; None for fewer than five, or with holes among them.

    A task is one row: its means over seeds. Seeds are not tasks.
    """
    if len(tasks) < FEWEST_TASKS:
        return None
    names = [setting["name"] for setting in tasks[0]["settings"]]
    rows = []
    for task in tasks:
        means = {setting["name"]: setting["mean"] for setting in task["settings"]}
        if len(names) < 2 or any(means.get(name) is None for name in names):
            return None
        rows.append([means[name] for name in names])
    task_ranks = ranks(rows, higher_is_better=design.higher_is_better)
    average = task_ranks.mean(axis=0)
    test = friedman(task_ranks)
    critical = critical_difference(len(names), len(tasks), design.alpha)
    control = next((s["id"] for s in tasks[0]["settings"] if s["is_control"]), None)
    against = [] if control is None else against_control(average, len(tasks), control)
    return {
        "tasks": [task["name"] for task in tasks],
        "settings": list(range(len(names))),
        "ranks": average.tolist(),
        "friedman": {
            "statistic": test.corrected,
            "p": test.corrected_p,
            "f": float(test.f) if np.isfinite(test.f) else None,
            "f_p": test.f_p,
        },
        "cd": critical,
        "cliques": cliques(average, critical),
        "against_control": [vars(comparison) for comparison in against],
        "iqm": [iqm_of(index, names[index], tasks) for index in range(len(names))],
    }


def iqm_of(index: int, name: str, tasks: Sequence[Dict]) -> Dict:
    """Return the interquartile mean of a setting's scores over all tasks, and its interval."""
    scores = []
    for task in tasks:
        setting = next(s for s in task["settings"] if s["name"] == name)
        scores.append([score for score in setting["scores"].values() if score is not None])
    value, low, high = stratified_bootstrap(scores)
    # Folds are no independent draws, and so cannot be drawn anew.
    has_folds = any(task["folds"] for task in tasks)
    return {"setting": index, "value": value, "interval": None if has_folds else [low, high]}
