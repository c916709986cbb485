"""How a metric depends on the learning rate, or on another number that was tuned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.formats import Unit, short
from experiments.comparison.plots_rows import written
from experiments.comparison.plots_style import (
    CROSS,
    LIGHT,
    MOST_SHOWN,
    Look,
    Spec,
    dashed_as,
    drawn_as,
    inline,
    looks,
    picture,
    series_of,
)

Dict = Mapping[str, Any]

IS_SHOWN = {"filter": "indexof(shown, datum.name) >= 0"}
CROSS_ROW = 12
"""Height of a setting's row of crosses, in pixels."""


def sensitivity(verdict: Dict) -> Spec | None:
    """Return median and range of a metric against the tuned number; failures are crosses below."""
    found = verdict["sensitivity"]
    if not found or not found["settings"]:
        return None
    metric, key = found["metric"], found["key"]
    is_share = metric.endswith("/accuracy")
    settings = [{**s, "name": str(s["name"])} for s in found["settings"]]
    control = control_name(verdict)
    those = looks([s["name"] for s in settings], control)
    shown = sorted(those, key=lambda name: name != control)[:MOST_SHOWN]
    lanes = {s["name"]: lane for lane, s in enumerate(settings)}
    unit = Unit(is_share, 2 if is_share else 4)
    rows = [row for s in settings for row in rows_of(s, unit, lanes[s["name"]] % MOST_SHOWN)]
    has_failed = any(row["num_failed"] for row in rows)
    lines = ["Medians over seeds, bands from worst to best; a large shape is the chosen value."]
    lines += ["Crosses below: at this value at least one run failed."] if has_failed else []
    told = "; ".join(f"{s['name']} best at {short(s['best'])}" for s in settings)
    tried = {row["value"] for row in rows}
    return picture(
        f"{metric} by {key}",
        lines,
        f"Median and range of {metric} by {key}. {told}.",
        layers(those, shown, metric, key, is_share, sorted(tried), has_failed),
        height=300 + (CROSS_ROW * min(len(those), MOST_SHOWN) + 16 if has_failed else 0),
        params={"shown": shown},
        data=inline(rows),
        columns={
            "name": "setting",
            "at": key,
            "median_text": "median",
            "range_text": "range",
            "failed_text": "failed",
        },
        series=series_of(those, shown),
    )


def control_name(verdict: Dict) -> str | None:
    """Return the name of the control."""
    settings = (s for task in verdict["tasks"] for s in task["settings"])
    return next((str(s["name"]) for s in settings if s["is_control"]), None)


def rows_of(setting: Dict, unit: Unit, lane: int) -> list[Spec]:
    """Return the values that were tried, as rows of data."""
    keys = ("values", "median", "low", "high", "failed", "n")
    return [
        {
            "name": setting["name"],
            "value": value,
            "at": short(value),
            "median": median,
            "low": low,
            "high": high,
            "is_best": value == setting["best"],
            "num_failed": failed,
            "lane": lane,
            "median_text": unit.value(median),
            "range_text": unit.interval(None if low is None else [low, high]),
            "failed_text": f"{failed} of {n}",
        }
        for value, median, low, high, failed, n in zip(*(setting[k] for k in keys), strict=True)
    ]


def layers(
    those: Mapping[str, Look],
    shown: Sequence[str],
    metric: str,
    key: str,
    is_share: bool,
    values: Sequence[float],
    has_failed: bool,
) -> list[Spec]:
    """Return the ranges, the medians, the chosen values and the crosses."""
    room = CROSS_ROW * min(len(those), MOST_SHOWN) + 16 if has_failed else 0
    x = axis_of_values(key, values)
    scale: Spec = {"zero": False}
    if room:
        scale["range"] = [{"expr": f"height - {room}"}, 0]
    form = written(".1~%" if is_share else "~g")
    axis = {"title": metric, "tickCount": 6, "domain": False, "ticks": False, **form}
    y: Spec = {"type": "quantitative", "axis": axis, "scale": scale}
    tips = tooltip(key)
    at = {"x": x, "y": {**y, "field": "median"}}
    band = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    lines, points = dashed_as(those, shown), drawn_as(those, shown)
    known = {"filter": "isValid(datum.median)"}
    point: Spec = {"type": "point", "filled": True, "opacity": 1}
    best = {"condition": {"test": "datum.is_best", "value": 190}, "value": 50}
    cross = {"type": "point", "shape": CROSS, "filled": True, "size": 64}
    cross |= {"opacity": 1}
    lane = {"expr": f"height - 4 - {CROSS_ROW} * datum.lane"}
    found: list[Spec] = [
        {
            "transform": [IS_SHOWN, known],
            "mark": {"type": "area", "opacity": 1, "fillOpacity": 0.12},
            "encoding": {**band, "color": lines["color"]},
        },
        {"transform": [IS_SHOWN, known], "mark": {"type": "line"}, "encoding": {**at, **lines}},
        {
            "transform": [IS_SHOWN, known],
            "mark": point,
            "encoding": {**at, **points, "size": best, "tooltip": tips},
        },
    ]
    if has_failed:
        failed = {"filter": "datum.num_failed > 0"}
        place = {"x": x, "y": {"value": lane}, "color": lines["color"], "tooltip": tips}
        found.append({"transform": [IS_SHOWN, failed], "mark": cross, "encoding": place})
        word = {"type": "text", "align": "left", "color": LIGHT["quiet"]}
        at_left: Spec = {"x": {"value": 0}, "y": {"value": {"expr": f"height - {room / 2 - 4}"}}}
        at_left["text"] = {"field": "text", "type": "nominal"}
        data = inline([{"text": "failed runs"}])
        found.append({"data": data, "mark": word, "encoding": at_left})
    return found


def axis_of_values(key: str, values: Sequence[float]) -> Spec:
    """Return the x channel of the values that were tried: logarithmic if all are above 0.

    Ticks are powers of ten where at least two of them lie between, else the values themselves.
    """
    is_log = values[0] > 0
    powers = []
    if is_log:
        first, last = math.floor(math.log10(values[0])), math.ceil(math.log10(values[-1]))
        powers = [float(f"1e{n}") for n in range(first, last + 1)]
        powers = [one for one in powers if 0.99 * values[0] <= one <= 1.01 * values[-1]]
    ticks = powers if len(powers) > 1 else list(values)
    kind = {"type": "log"} if is_log else {"type": "linear", "zero": False}
    scale = {**kind, "nice": False, "padding": 14}
    axis = {"title": key, "grid": False, "values": ticks, "labelOverlap": True}
    axis |= {"labelExpr": "format(datum.value, '.3~g')"}
    return {"field": "value", "type": "quantitative", "scale": scale, "axis": axis}


def tooltip(key: str) -> Sequence[Spec]:
    """Return what is told of a value under the pointer."""
    fields = {
        "name": "setting",
        "at": key,
        "median_text": "median",
        "range_text": "range",
        "failed_text": "failed",
    }
    return [{"field": field, "title": title} for field, title in fields.items()]
