"""Learning curves with bands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.comparison.contents import by_mean, control_of
from experiments.comparison.curves import Band, Curves
from experiments.comparison.formats import Unit
from experiments.comparison.plots_rows import looks_of, named, written
from experiments.comparison.plots_style import (
    MOST_SHOWN,
    Look,
    Spec,
    dashed_as,
    drawn_as,
    inline,
    picture,
    series_of,
)

Dict = Mapping[str, Any]

MOST_POINTS = 200
"""Epochs of a curve that are drawn; of a longer one every second, third, ..."""
MOST_ROWS = 12_000
"""Points of all curves of a picture, shown or not; many curves have fewer each."""
FEWEST_POINTS = 30
NUM_SHAPES = 6
"""Shapes along a curve, which tell it from others without colour."""
IS_SHOWN = {"filter": "indexof(shown, datum.name) >= 0"}


def learning_curves(
    verdict: Dict, task: Dict, curves: Sequence[Curves], metric: str
) -> Spec | None:
    """Return the mean of a metric by epoch for each setting, with its t 95 % band over seeds."""
    names = {s["id"]: named(s) for s in task["settings"]}
    own = [one for one in curves if one.task == task["name"] and metric in one.series]
    own = [one for one in own if one.setting in names]
    most = min(MOST_POINTS, max(FEWEST_POINTS, MOST_ROWS // max(1, len(own))))
    rows: list[Spec] = []
    for one in own:
        rows += points_of(names[one.setting], one.epochs, one.series[metric], most)
    present = {row["name"] for row in rows}
    if not present:
        return None
    those = {name: look for name, look in looks_of(task).items() if name in present}
    shown = shown_first(verdict, task, present)
    is_share = metric.endswith("/accuracy")
    lines = ["Means over seeds; the bands are their t 95 % intervals, epoch by epoch."]
    if len(shown) < len(those):
        lines.append(f"{len(shown)} of {len(those)} settings are shown: the control and the best.")
    ends = {row["name"]: row["mean"] for row in rows}
    unit = Unit(is_share, 2 if is_share else 4)
    told = "; ".join(f"{name} {unit.value(ends[name])}" for name in shown)
    return picture(
        f"{metric} by epoch",
        lines,
        f"Curves of {metric} by epoch, with bands. At the end: {told}.",
        curve_layers(those, shown, metric, is_share),
        height=340,
        params={"shown": shown},
        data=inline(rows),
        columns={"name": "setting", "epoch": "epoch", "mean": "mean", "low": "from", "high": "to"},
        series=series_of(those, shown),
        metric=metric,
        percent=is_share,
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
            "has_shape": place % between == 0 or i == known[-1],
        }
        for place, i in enumerate(kept)
    ]


def rounded(value: float | None) -> float | None:
    """Return a number with the digits that a picture can show, which keeps the page small."""
    return None if value is None else float(f"{value:.5g}")


def shown_first(verdict: Dict, task: Dict, present: Iterable[str]) -> list[str]:
    """Return the settings that are shown at first: the control and the best."""
    ordered = [named(s) for s in by_mean(verdict, task) if named(s) in present]
    control = control_of(task)
    ordered.sort(key=lambda name: control is None or name != named(control))
    return ordered[:MOST_SHOWN]


def curve_layers(
    those: Mapping[str, Look], shown: Sequence[str], metric: str, is_share: bool
) -> list[Spec]:
    """Return the bands, the lines, the shapes along them, and what lies under the pointer."""
    form = ".2%" if is_share else ".4~g"
    tips = [
        {"field": "name", "title": "setting"},
        {"field": "epoch", "title": "epoch"},
        {"field": "mean", "title": metric, "format": form},
        {"field": "low", "title": "from", "format": form},
        {"field": "high", "title": "to", "format": form},
    ]
    x, y = axis_of_epochs(), axis_of(metric, is_share)
    at = {"x": x, "y": {**y, "field": "mean"}}
    band = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    lines, points = dashed_as(those, shown), drawn_as(those, shown)
    point: Spec = {"type": "point", "filled": True, "opacity": 1}
    under = {"condition": {"param": "near", "empty": False, "value": 1}, "value": 0}
    near = {"type": "point", "on": "pointerover", "clear": "pointerout", "nearest": True}
    return [
        {
            "transform": [IS_SHOWN, {"filter": "isValid(datum.low)"}],
            "mark": {"type": "area", "opacity": 1, "fillOpacity": 0.14},
            "encoding": {**band, "color": lines["color"]},
        },
        {"transform": [IS_SHOWN], "mark": {"type": "line"}, "encoding": {**at, **lines}},
        {
            "transform": [IS_SHOWN, {"filter": "datum.has_shape"}],
            "mark": {**point, "size": 46},
            "encoding": {**at, **points},
        },
        {
            "params": [{"name": "near", "select": near}],
            "transform": [IS_SHOWN],
            "mark": {**point, "size": 110},
            "encoding": {**at, "color": lines["color"], "opacity": under, "tooltip": tips},
        },
    ]


def axis_of_epochs() -> Spec:
    """Return the x channel of epochs, in whole numbers."""
    ticks = {"expr": "max(3, floor(width / 90))"}
    axis = {"title": "epoch", "grid": False, "tickMinStep": 1, "format": "d", "tickCount": ticks}
    scale = {"zero": False, "nice": False}
    return {"field": "epoch", "type": "quantitative", "axis": axis, "scale": scale}


def axis_of(metric: str, is_share: bool) -> Spec:
    """Return the y channel of a metric; the page turns its scale to logarithmic and back."""
    form = written(".1~%" if is_share else "~g")
    axis = {"title": metric, "tickCount": 6, "domain": False, "ticks": False, **form}
    scale = {"zero": False, "type": "linear"}
    return {"type": "quantitative", "axis": axis, "scale": scale}
