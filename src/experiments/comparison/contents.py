"""What every writer asks of the verdict's plain dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Dict = Mapping[str, Any]

MARKS = {"better": "▲", "worse": "▼", "equivalent": "≈", "inconclusive": "?", "withheld": "×"}
"""A mark beside each word of a verdict, so that neither colour nor reading is needed alone."""


def control_of(task: Dict) -> Dict | None:
    """Return the control's entry, or None where there is none."""
    return next((s for s in task["settings"] if s["is_control"]), None)


def against_control(task: Dict) -> dict[int, Dict]:
    """Return the pair of each setting with the control, by the setting's id."""
    control = control_of(task)
    if control is None:
        return {}
    return {pair["a"]: pair for pair in task["pairs"] if pair["b"] == control["id"]}


def is_better(verdict: Dict, value: float, other: float) -> bool:
    """Return whether a value of the declared metric is better than another."""
    return value > other if verdict["design"]["higher_is_better"] else value < other


def by_mean(verdict: Dict, task: Dict) -> list[Dict]:
    """Return the settings of a task, the best mean first, those without a mean last."""
    sign = -1 if verdict["design"]["higher_is_better"] else 1
    known = [s for s in task["settings"] if s["mean"] is not None]
    unknown = [s for s in task["settings"] if s["mean"] is None]
    return sorted(known, key=lambda s: (sign * s["mean"], s["id"])) + unknown


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
    return next((one for one, those in beaten.items() if others and len(those) == others), None)


def names_of(verdict: Dict) -> dict[int, str]:
    """Return the name of every setting by its id."""
    return {s["id"]: str(s["name"]) for task in verdict["tasks"] for s in task["settings"]}


def name_of(verdict: Dict, setting: Any) -> str:
    """Return the name of a setting that is given by its id or by its name."""
    if isinstance(setting, int):
        return names_of(verdict).get(setting, str(setting))
    return str(setting)


def joined(parts: Any, by: str = " x ") -> str:
    """Return the names of a declared factor, or levels of a control, which may be two.

    >>> joined(["activation", "optim"]), joined("relu"), joined(None)
    ('activation x optim', 'relu', '')
    """
    if parts is None:
        return ""
    return by.join(map(str, parts)) if isinstance(parts, list | tuple) else str(parts)


def failures_of(setting: Dict) -> str:
    """Return how many seeds failed, in words, or an empty string."""
    number = len(setting.get("failures") or {})
    return f"{number} of {setting['n']} failed" if number else ""


def what_withheld(verdict: Dict) -> list[str]:
    """Return one sentence for each verdict that was withheld: the comparison and why."""
    several = len(verdict["tasks"]) > 1
    return [
        f"{task['name'] + ': ' if several else ''}{pair['name']}: "
        f"{pair['reason'] or 'no reason was recorded'}"
        for task in verdict["tasks"]
        for pair in task["pairs"]
        if pair["verdict"] == "withheld"
    ]


def of_the_test_set(task: Dict) -> list[str]:
    """Return what the test set itself leaves open, where it is known.

    Intervals over seeds are conditional on the test set; this is the spread of another one.
    """
    error, num_test = task.get("test_standard_error"), task.get("num_test")
    if error is None or not num_test:
        return []
    return [
        f"All this is about these {num_test:,} test points: with others, a mean would vary by a "
        f"binomial standard error of {error * 100:.2f} points."
    ]


def how_compared(verdict: Dict) -> str:
    """Return in one sentence how the numbers of a table came about."""
    design = verdict["design"]
    alpha, family = design["alpha"], design["family"]
    pairs = "with the control" if design.get("control") else "of all pairs"
    return (
        f"Mean ± standard deviation over seeds with its t 95 % interval; differences are paired "
        f"by seed, with a t interval at 1 - {alpha:g}/{family}; p is that of an exact sign-flip "
        f"test, by Holm over the {family} comparisons {pairs}."
    )
