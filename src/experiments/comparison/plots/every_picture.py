"""All pictures of a verdict.

One Vega-Lite specification serves the page, where it is interactive, and the SVG and PNG files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.comparison.mean_curves import Curves
from experiments.comparison.plots.best_of_trials import best_of_trials
from experiments.comparison.plots.by_number import by_number
from experiments.comparison.plots.critical_difference import critical_difference
from experiments.comparison.plots.differences import differences
from experiments.comparison.plots.learning_curves import learning_curves
from experiments.comparison.plots.learning_rates import sensitivity
from experiments.comparison.plots.picture import Spec
from experiments.comparison.plots.seeds import seed_dots
from experiments.comparison.plots.steps_to_target import performance_profile, target_bars
from experiments.comparison.plots.trials import trials_by
from experiments.comparison.plots.two_factors import heat_map, interaction


def pictures_of(verdict: Mapping[str, Any], curves: Sequence[Curves] = ()) -> dict[str, Spec]:
    """Return every picture that has data: its name, which is that of its files, to its spec."""
    specs: dict[str, Spec] = {}
    several = len(verdict["tasks"]) > 1

    def add(spec: Spec | None, kind: str, name: str, task: str | None = None) -> None:
        if spec is not None:
            spec["usermeta"] |= {"kind": kind, "task": task}
            specs[free(slug(name), specs)] = spec

    for task in verdict["tasks"]:
        title = str(task["name"])
        end = f"-{title}" if several else ""
        add(seed_dots(verdict, task), "seeds", f"seeds{end}", title)
        add(differences(verdict, task), "differences", f"differences{end}", title)
        add(by_number(verdict, task), "number", f"by-number{end}", title)
        for metric in metrics_of(verdict, task, curves):
            curve = learning_curves(verdict, task, curves, metric)
            add(curve, "curves", f"curves-{metric}{end}", title)
        add(best_of_trials(verdict, task), "price", f"price{end}", title)
        if verdict["steps_to_target"]:
            add(target_bars(verdict, task), "steps", f"steps{end}", title)
    if verdict["matrix"]:
        add(heat_map(verdict), "matrix", "matrix")
        add(interaction(verdict), "interaction", "interaction")
    add(critical_difference(verdict), "ranks", "ranks")
    if verdict["steps_to_target"] and several:
        add(performance_profile(verdict), "profile", "profile")
    add(sensitivity(verdict), "sensitivity", "sensitivity")
    for key in (verdict.get("trials") or {"keys": []})["keys"]:
        add(trials_by(verdict, key), "sensitivity", f"trials-{key.replace('.', '-')}")
    return specs


def free(name: str, taken: Mapping[str, object]) -> str:
    """Return a name that is not taken: itself, or with -2, -3, ... behind it."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def slug(text: str) -> str:
    """Return text that a file can be called by.

    >>> slug("val/accuracy"), slug("../x y")
    ('val-accuracy', 'x-y')
    """
    return re.sub(r"[^\w.]+", "-", text).strip("-.") or "unnamed"


def metrics_of(
    verdict: Mapping[str, Any], task: Mapping[str, Any], curves: Iterable[Curves]
) -> list[str]:
    """Return the metrics that have curves: validation first, of the declared kind first."""
    kind = verdict["design"]["metric"].rpartition("/")[2]
    keys = {key for curve in curves if curve.task == task["name"] for key in curve.series}

    def order(key: str) -> tuple[bool, bool, bool, str]:
        stage, _, name = key.rpartition("/")
        return (not key.startswith("val/"), name != kind, stage != "val", key)

    return sorted(keys, key=order)
