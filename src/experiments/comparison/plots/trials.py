"""The trials of a tuning of several numbers, against each of these: a surface from its sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.comparison.formats import Unit, short, unit_of_metric
from experiments.comparison.lookups import Dict
from experiments.comparison.plots.learning_rates import (
    LARGE_IF_BEST,
    axis_above_crosses,
    axis_of_values,
    cross_layers,
    room_for_crosses,
)
from experiments.comparison.plots.picture import Spec, inline, tooltip
from experiments.comparison.plots.setting_lines import (
    MOST_SHOWN,
    is_valid,
    line_picture,
    lines_of,
    shown_layer,
)
from experiments.comparison.sensitivity import is_number


def trials_by(verdict: Dict, key: str) -> Spec:
    """Return each trial's median against one of the keys that were tuned together.

    The other keys differ from point to point, so that the upper edge of the cloud is what the key
    allows.
    """
    told = verdict["trials"]
    metric = told["metric"]
    unit = unit_of_metric(metric)
    names = [str(setting["name"]) for setting in told["settings"]]
    lines = lines_of(verdict, names)
    rows = [
        row
        for lane, setting in enumerate(told["settings"])
        for row in rows_of(setting, key, unit, lane % MOST_SHOWN)
    ]
    room = room_for_crosses(rows, len(names))
    at = channels_of(key, [row["value"] for row in rows])
    y = {**axis_above_crosses(metric, unit, room), "field": "median"}
    columns = {"name": "setting", "at": "tried", "median_text": "median", "range_text": "range"}
    columns["failed_text"] = "failed"
    tips = tooltip(columns)
    subtitle = [
        "A point is a trial: the median over its seeds. The other tuned keys differ from point"
    ]
    subtitle += ["to point; a large shape is the chosen trial."]
    subtitle += ["Crosses below: of this trial at least one run failed."] if room else []
    chosen = "; ".join(f"{s['name']} chose {short(s['best'].get(key))}" for s in told["settings"])
    return line_picture(
        lines,
        f"{metric} by {key}, of every trial",
        subtitle,
        f"Median {metric} of every trial by {key}. {chosen}.",
        [
            shown_layer(
                {"type": "point", "filled": True, "opacity": 0.85},
                {**at, "y": y, **lines.points, **LARGE_IF_BEST, "tooltip": tips},
                is_valid("median"),
            ),
            *(cross_layers(lines, at, room, tips) if room else []),
        ],
        height=300 + room,
        data=inline(rows),
        columns=columns,
        metric=key,
        choice="Tuned key",
    )


def rows_of(setting: Dict, key: str, unit: Unit, lane: int) -> list[Spec]:
    """Return the trials that had the key, as rows of data."""
    return [
        {
            "name": str(setting["name"]),
            "value": plain(trial["values"][key]),
            "at": ", ".join(f"{name}={short(value)}" for name, value in trial["values"].items()),
            "median": trial["median"],
            "is_best": trial["values"] == setting["best"],
            "num_failed": trial["failed"],
            "lane": lane,
            "median_text": unit.value(trial["median"]),
            "range_text": unit.interval(
                None if trial["low"] is None else [trial["low"], trial["high"]]
            ),
            "failed_text": f"{trial['failed']} of {trial['n']}",
        }
        for trial in setting["trials"]
        if key in trial["values"]
    ]


def plain(value: Any) -> float | str:
    """Return a number as it is, and anything else, as true or a pair of betas, in words."""
    return value if is_number(value) else short(value)


def channels_of(key: str, values: Sequence[Any]) -> Spec:
    """Return the channels along the picture: of numbers, or of words in the order of their trials.

    Above a word the settings stand side by side.
    """
    if not any(isinstance(value, str) for value in values):
        return {"x": axis_of_values(key, sorted({float(value) for value in values}))}
    order = list(dict.fromkeys(map(str, values)))
    axis = {"title": key, "grid": False, "labelAngle": 0}
    x = {"field": "value", "type": "nominal", "sort": order, "axis": axis}
    return {"x": x, "xOffset": {"field": "name", "type": "nominal"}}
