"""What tables and pictures look up in the verdict's plain dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Dict = Mapping[str, Any]

MARKS = {"better": "▲", "worse": "▼", "equivalent": "≈", "inconclusive": "?", "withheld": "×"}
"""A mark beside each word of a verdict, so that neither colour nor reading is needed alone."""


def control_of(task: Dict) -> Dict | None:
    return next((s for s in task["settings"] if s["is_control"]), None)


def against_control(task: Dict) -> dict[int, Dict]:
    control = control_of(task)
    if control is None:
        return {}
    return {pair["a"]: pair for pair in task["pairs"] if pair["b"] == control["id"]}


def thing_of(task: Dict) -> str:
    """Return what a task's scores are counted in: seed, or fold of a cross validation."""
    return "fold" if task.get("folds") else "seed"


def interval_word(task: Dict) -> str:
    """Return what kind of interval a mean of a task has."""
    return "corrected 95 % interval" if task.get("folds") else "t 95 % interval"


def by_mean(verdict: Dict, task: Dict) -> list[Dict]:
    """Return the settings of a task, the best mean first, those without a mean last."""
    sign = -1 if verdict["design"]["higher_is_better"] else 1
    settings = task["settings"]
    return sorted(settings, key=lambda s: (s["mean"] is None, sign * (s["mean"] or 0.0), s["id"]))


def best(task: Dict) -> int | None:
    """Return the id of the setting that beats each of the others by the verdict, or None.

    The largest mean alone is no reason: where settings were compared with the control only, none
    but the control, or the one that was compared with it, can have beaten all others.
    """
    beaten: dict[int, set[int]] = {s["id"]: set() for s in task["settings"]}
    for pair in task["pairs"]:
        if pair["verdict"] == "better":
            beaten[pair["a"]].add(pair["b"])
        elif pair["verdict"] == "worse":
            beaten[pair["b"]].add(pair["a"])
    others = len(beaten) - 1
    return next((best for best, losers in beaten.items() if others and len(losers) == others), None)


def names_of(verdict: Dict) -> dict[int, str]:
    return {s["id"]: str(s["name"]) for task in verdict["tasks"] for s in task["settings"]}


def joined(parts: Any, by: str = " x ") -> str:
    """Return the names of a declared factor, or levels of a control, which may be two.

    >>> joined(["activation", "optim"]), joined("relu"), joined(None)
    ('activation x optim', 'relu', '')
    """
    if parts is None:
        return ""
    return by.join(map(str, parts)) if isinstance(parts, list | tuple) else str(parts)
