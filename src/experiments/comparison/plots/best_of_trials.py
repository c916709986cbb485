"""What k trials can be expected to find, against k: the price of tuning."""

from __future__ import annotations

from experiments.comparison.formats import Unit, unit_of_metric
from experiments.comparison.lookups import Dict
from experiments.comparison.plots.picture import (
    Spec,
    inline,
    tooltip,
    upright_axis,
    whole_ticks,
)
from experiments.comparison.plots.setting_lines import (
    band_and_line,
    is_valid,
    line_picture,
    lines_of,
    shown_layer,
)


def best_of_trials(verdict: Dict, task: Dict) -> Spec | None:
    """Return the expected best of k trials for each setting of a task, with the range over seeds.

    None where the task was not tuned.
    """
    price = verdict.get("tuning_price") or {"tasks": []}
    priced = next((own for own in price["tasks"] if own["name"] == task["name"]), None)
    if priced is None:
        return None
    metric, settings = price["metric"], priced["settings"]
    lines = lines_of(verdict, [str(setting["name"]) for setting in settings])
    unit = unit_of_metric(metric)
    rows = [row for setting in settings for row in rows_of(setting, unit)]
    numbers = sorted({row["trials"] for row in rows})
    axis = {"title": "trials", "grid": False, **whole_ticks(numbers)}
    scale = {"zero": False, "nice": False, "padding": 14}
    x = {"field": "trials", "type": "quantitative", "scale": scale, "axis": axis}
    y_axis = upright_axis(f"expected best {metric}", unit.axis_format)
    y = {"type": "quantitative", "scale": {"zero": False}, "axis": y_axis}
    columns = {"name": "setting", "trials": "trials", "expected_text": "expected best"}
    columns["range_text"] = "range over tuning seeds"
    tips = tooltip(columns)
    at = {"x": x, "y": {**y, "field": "expected"}, **lines.points, "tooltip": tips}
    mark = {"type": "point", "filled": True, "opacity": 1, "size": 50}
    subtitle = ["Of k trials drawn at random from those made, the best by its mean over the tuning"]
    subtitle += ["seeds; bands are the range of the seeds."]
    if any(row["trials"] == 0 for row in rows):
        subtitle[-1] += " 0 trials: the values of the setting's own file."
    ends = "; ".join(f"{s['name']} {unit.value(s['expected'][-1])}" for s in settings)
    return line_picture(
        lines,
        "Expected best of k trials",
        subtitle,
        f"Expected best {metric} by number of trials. With all of them: {ends}.",
        [*band_and_line(lines, x, y, "line", 0.12), shown_layer(mark, at, is_valid("expected"))],
        height=300,
        data=inline(rows),
        columns=columns,
    )


def rows_of(setting: Dict, unit: Unit) -> list[Spec]:
    """Return a row for each number of trials; of none the default, which no line leads to."""
    name, default = str(setting["name"]), setting["default"]
    lists = (setting["expected"], setting["low"], setting["high"])
    rows = [
        {
            "name": name,
            "trials": trials,
            "expected": expected,
            "line": expected,
            "low": low,
            "high": high,
            "expected_text": unit.value(expected),
            "range_text": unit.interval(None if low is None or high is None else [low, high]),
        }
        for trials, (expected, low, high) in enumerate(zip(*lists, strict=True), start=1)
    ]
    if default is None:
        return rows
    own = {"name": name, "trials": 0, "expected": default, "line": None, "low": None, "high": None}
    return [{**own, "expected_text": unit.value(default), "range_text": unit.interval(None)}, *rows]
