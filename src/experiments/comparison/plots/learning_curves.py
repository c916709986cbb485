"""Learning curves with bands."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence

from experiments.comparison.formats import NOTHING, Unit, rounded, unit_of_metric
from experiments.comparison.lookups import Dict, by_mean, control_of, interval_word, thing_of
from experiments.comparison.mean_curves import Band, Curves
from experiments.comparison.plots.picture import Spec, inline, point, upright_axis, whole_ticks
from experiments.comparison.plots.setting_lines import (
    MOST_SHOWN,
    SettingLines,
    band_and_line,
    line_picture,
    shown_layer,
)
from experiments.comparison.plots.setting_rows import named, task_looks

MOST_POINTS = 200
"""Epochs of a curve that are drawn; of a longer one every second, third, ..."""
MOST_POINTS_IN_ALL = 12_000
"""Points of all curves of a picture, shown or not; many curves have fewer each."""
FEWEST_POINTS = 30
NUM_SHAPES = 6
"""Shapes along a curve, which tell it from others without colour."""


def learning_curves(
    verdict: Dict, task: Dict, curves: Sequence[Curves], metric: str
) -> Spec | None:
    """Return the mean of a metric by epoch for each setting, with its t 95 % band over seeds."""
    names = {s["id"]: named(s) for s in task["settings"]}
    own = [
        c for c in curves if c.task == task["name"] and metric in c.series and c.setting in names
    ]
    most = min(MOST_POINTS, max(FEWEST_POINTS, MOST_POINTS_IN_ALL // max(1, len(own))))
    rows = [
        row
        for curve in own
        for row in points_of(names[curve.setting], curve.epochs, curve.series[metric], most)
    ]
    present = {row["name"] for row in rows}
    if not present:
        return None
    looks = {name: look for name, look in task_looks(task).items() if name in present}
    lines = SettingLines(looks, shown_first(verdict, task, present))
    words = f"Means over {thing_of(task)}s; the bands are their {interval_word(task)}s"
    subtitle = [f"{words}, epoch by epoch."]
    if len(lines.shown) < len(looks):
        few = f"{len(lines.shown)} of {len(looks)} settings are shown"
        subtitle.append(f"{few}: the control and the best.")
    unit, ends = unit_of_metric(metric), {row["name"]: row["mean"] for row in rows}
    summary = "; ".join(f"{name} {unit.value(ends[name])}" for name in lines.shown)
    return line_picture(
        lines,
        f"{metric} by epoch",
        subtitle,
        f"Curves of {metric} by epoch, with bands. At the end: {summary}.",
        curve_layers(lines, metric, [row["epoch"] for row in rows]),
        height=340,
        data=inline(rows),
        columns={"name": "setting", "epoch": "epoch", "mean": "mean", "low": "from", "high": "to"},
        metric=metric,
        percent=unit.is_points,
        can_be_log=True,
    )


def points_of(name: str, epochs: Sequence[int], band: Band, most: int) -> list[Spec]:
    """Return at most about `most` points of a curve as rows of data, its end always among them."""
    known = [i for i, mean in enumerate(band.mean) if mean is not None]
    step = max(1, math.ceil(len(known) / most))
    kept = known[::step]
    kept += known[-1:] if kept and kept[-1] != known[-1] else []
    between = max(1, round(len(kept) / NUM_SHAPES))
    return [
        {
            "name": name,
            "epoch": epochs[i],
            "mean": rounded(band.mean[i]),
            "low": rounded(band.low[i]),
            "high": rounded(band.high[i]),
            "has_shape": index % between == 0 or i == known[-1],
        }
        for index, i in enumerate(kept)
    ]


def shown_first(verdict: Dict, task: Dict, present: Iterable[str]) -> list[str]:
    ordered = [named(s) for s in by_mean(verdict, task) if named(s) in present]
    control = control_of(task)
    ordered.sort(key=lambda name: control is None or name != named(control))
    return ordered[:MOST_SHOWN]


def under_pointer(metric: str, unit: Unit) -> str:
    """Return Vega's expression of what is told of the point that is nearest to the pointer.

    A cell around a point holds the point's row one level deeper than the point itself does, which
    Vega-Lite forgets for text that has no format.
    """
    row = "(isValid(datum.datum) ? datum.datum : datum)"
    form = ".2%" if unit.is_points else ".4~g"
    parts = {"setting": f"{row}.name", "epoch": f"{row}.epoch"}
    for heading, key in ((metric, "mean"), ("from", "low"), ("to", "high")):
        parts[heading] = f"isValid({row}.{key}) ? format({row}.{key}, '{form}') : '{NOTHING}'"
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in parts.items()) + "}"


def curve_layers(lines: SettingLines, metric: str, epochs: Sequence[int]) -> list[Spec]:
    """Return the bands, the lines, the shapes along them, and what lies under the pointer.

    The page turns the scale of y to logarithmic and back.
    """
    unit = unit_of_metric(metric)
    axis = {"title": "epoch", "grid": False, "format": "d", **whole_ticks(epochs)}
    x: Spec = {"field": "epoch", "type": "quantitative", "axis": axis}
    x["scale"] = {"zero": False, "nice": False}
    y: Spec = {"type": "quantitative", "axis": upright_axis(metric, unit.axis_format)}
    y["scale"] = {"zero": False, "type": "linear"}
    at = {"x": x, "y": {**y, "field": "mean"}}
    opacity = {"condition": {"param": "near", "empty": False, "value": 1}, "value": 0}
    near = {"type": "point", "on": "pointerover", "clear": "pointerout", "nearest": True}
    mark = point(110, tooltip={"expr": under_pointer(metric, unit)})
    under = shown_layer(mark, {**at, **lines.colour, "opacity": opacity})
    return [
        *band_and_line(lines, x, y, "mean", 0.14),
        shown_layer(point(46), {**at, **lines.points}, {"filter": "datum.has_shape"}),
        {"params": [{"name": "near", "select": near}], **under},
    ]
