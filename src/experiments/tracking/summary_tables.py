"""The verdict's tables for W&B, in raw numbers, so that they can be sorted and filtered there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import wandb

Verdict = Mapping[str, Any]

OF_SETTING = ("n", "mean", "sd", "interval_low", "interval_high", "median", "low", "high")
OF_SETTING_TOO = ("failure_rate", "num_parameters", "seconds", "steps")
OF_PAIR = (
    "n",
    "difference",
    "interval_low",
    "interval_high",
    "level",
    "p",
    "p_holm",
    "superiority",
    "verdict",
    "reason",
    "seeds_needed",
    "detectable",
    "sentence",
)


def settings_table(verdict: Verdict) -> Any:
    """Return the table of settings: a row for each setting of each task."""
    factors = list(verdict["design"]["factor"])
    columns: list[Any] = ["task", "setting", *factors, "is_control", *OF_SETTING, *OF_SETTING_TOO]
    rows = []
    for task in verdict["tasks"]:
        for setting in task["settings"]:
            values = {**setting, **ends(setting), "task": task["name"], "setting": setting["name"]}
            # Text: a column of W&B's has one type, and the levels of a key need not have one.
            levels = {key: str(value) for key, value in setting["levels"].items()}
            values = {**values, **{key: levels.get(key) for key in factors}}
            rows.append([values.get(column) for column in columns])
    return wandb.Table(columns=columns, data=rows, allow_mixed_types=True)


def pairs_table(verdict: Verdict) -> Any:
    """Return the table of comparisons: a row for each pair of each task, the difference a - b."""
    columns: list[Any] = ["task", "a", "b", *OF_PAIR]
    rows = []
    for task in verdict["tasks"]:
        names = {setting["id"]: setting["name"] for setting in task["settings"]}
        for pair in task["pairs"]:
            who = {"task": task["name"], "a": names[pair["a"]], "b": names[pair["b"]]}
            values = {**pair, **ends(pair), **who}
            rows.append([values.get(column) for column in columns])
    return wandb.Table(columns=columns, data=rows, allow_mixed_types=True)


def ends(values: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the ends of an interval, which may not be there, as two columns."""
    low, high = values["interval"] or (None, None)
    return {"interval_low": low, "interval_high": high}
