"""Several data sets together: ranks of the settings, and the middle of all their scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.comparison.design import Design
from experiments.comparison.intervals import stratified_bootstrap
from experiments.comparison.ranking import (
    against_control,
    cliques,
    critical_difference,
    friedman,
    ranks,
)

Dict = dict[str, Any]
FEWEST_TASKS = 5


def several_dict(tasks: Sequence[Dict], design: Design) -> Dict | None:
    """Return what the tasks say together; None for fewer than five, or with holes among them.

    A task is one row: its means over seeds. Seeds are not tasks.

    Args:
        tasks: as they stand in the verdict.
        design: of the comparison.
    """
    if len(tasks) < FEWEST_TASKS:
        return None
    names = [one["name"] for one in tasks[0]["settings"]]
    rows = []
    for task in tasks:
        means = {one["name"]: one["mean"] for one in task["settings"]}
        if len(names) < 2 or any(means.get(name) is None for name in names):
            return None
        rows.append([means[name] for name in names])
    found = ranks(rows, higher_is_better=design.higher_is_better)
    average = found.mean(axis=0)
    test = friedman(found)
    critical = critical_difference(len(names), len(tasks), design.alpha)
    control = next((one["id"] for one in tasks[0]["settings"] if one["is_control"]), None)
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
        "against_control": [vars(one) for one in against],
        "iqm": [iqm_of(index, names[index], tasks) for index in range(len(names))],
    }


def iqm_of(index: int, name: str, tasks: Sequence[Dict]) -> Dict:
    """Return the interquartile mean of a setting's scores over all tasks, and its interval."""
    scores = []
    for task in tasks:
        setting = next(one for one in task["settings"] if one["name"] == name)
        known = [score for score in setting["scores"].values() if score is not None]
        scores.append(known)
    value, low, high = stratified_bootstrap(scores, draws=2000)
    return {"setting": index, "value": value, "interval": [low, high]}
