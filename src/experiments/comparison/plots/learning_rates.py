"""How a metric depends on the learning rate, or on another number that was tuned."""

from __future__ import annotations

import math
from collections.abc import Sequence

from experiments.comparison.formats import Unit, short, unit_of_metric
from experiments.comparison.lookups import Dict
from experiments.comparison.plots.palette import CROSS, LIGHT
from experiments.comparison.plots.picture import Spec, inline, layer, point, tooltip, upright_axis
from experiments.comparison.plots.setting_lines import (
    MOST_SHOWN,
    SettingLines,
    band_and_line,
    is_valid,
    line_picture,
    lines_of,
    shown_layer,
)

MOST_TICKS = 12
LARGE_IF_BEST: Spec = {"size": {"condition": {"test": "datum.is_best", "value": 190}, "value": 50}}
CROSS_ROW = 12
"""Height of a setting's row of crosses, in pixels."""


def sensitivity(verdict: Dict) -> Spec | None:
    """Return median and range of a metric against the tuned number; failures are crosses below."""
    tuned = verdict["sensitivity"]
    if not tuned or not tuned["settings"]:
        return None
    metric, key = tuned["metric"], tuned["key"]
    names = [str(s["name"]) for s in tuned["settings"]]
    lines = lines_of(verdict, names)
    unit = unit_of_metric(metric)
    rows = [
        row
        for lane, setting in enumerate(tuned["settings"])
        for row in rows_of(setting, unit, lane % MOST_SHOWN)
    ]
    room = room_for_crosses(rows, len(names))
    x = axis_of_values(key, sorted({row["value"] for row in rows}))
    y = axis_above_crosses(metric, unit, room)
    columns = {"name": "setting", "at": key, "median_text": "median", "range_text": "range"}
    columns["failed_text"] = "failed"
    subtitle = ["Medians over seeds, bands from worst to best; a large shape is the chosen value."]
    subtitle += ["Crosses below: at this value at least one run failed."] if room else []
    summary = "; ".join(f"{s['name']} best at {short(s['best'])}" for s in tuned["settings"])
    return line_picture(
        lines,
        f"{metric} by {key}",
        subtitle,
        f"Median and range of {metric} by {key}. {summary}.",
        value_layers(lines, x, y, tooltip(columns))
        + (cross_layers(lines, {"x": x}, room, tooltip(columns)) if room else []),
        height=300 + room,
        data=inline(rows),
        columns=columns,
    )


def room_for_crosses(rows: Sequence[Spec], num_settings: int) -> int:
    """Return how many pixels crosses of failed runs take below a picture, 0 where none failed."""
    if not any(row["num_failed"] for row in rows):
        return 0
    return CROSS_ROW * min(num_settings, MOST_SHOWN) + 16


def axis_above_crosses(metric: str, unit: Unit, room: int) -> Spec:
    """Return the y channel of a metric, above the room for crosses."""
    scale = {"zero": False, **({"range": [{"expr": f"height - {room}"}, 0]} if room else {})}
    axis = upright_axis(metric, unit.axis_format)
    return {"type": "quantitative", "scale": scale, "axis": axis}


def rows_of(setting: Dict, unit: Unit, lane: int) -> list[Spec]:
    """Return the values that were tried, as rows of data."""
    keys = ("values", "median", "low", "high", "failed", "n")
    return [
        {
            "name": str(setting["name"]),
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


def axis_of_values(key: str, values: Sequence[float]) -> Spec:
    """Return the x channel of the values that were tried: logarithmic if all are above 0.

    Ticks are powers of ten where at least two of them lie between, else the values themselves where
    they are few.
    """
    is_log = values[0] > 0
    powers = []
    if is_log:
        first, last = math.floor(math.log10(values[0])), math.ceil(math.log10(values[-1]))
        powers = [float(f"1e{n}") for n in range(first, last + 1)]
        powers = [power for power in powers if 0.99 * values[0] <= power <= 1.01 * values[-1]]
    ticks = powers if len(powers) > 1 or len(values) > MOST_TICKS else list(values)
    kind = {"type": "log"} if is_log else {"type": "linear", "zero": False}
    scale = {**kind, "nice": False, "padding": 14}
    axis = {"title": key, "grid": False, "labelOverlap": True}
    axis |= {"values": ticks} if len(ticks) > 1 else {}
    axis |= {"labelExpr": "format(datum.value, '.3~g')"}
    return {"field": "value", "type": "quantitative", "scale": scale, "axis": axis}


def value_layers(lines: SettingLines, x: Spec, y: Spec, tips: Sequence[Spec]) -> list[Spec]:
    """Return the ranges, the medians, and the chosen values as larger shapes."""
    shapes = {"x": x, "y": {**y, "field": "median"}, **lines.points, **LARGE_IF_BEST}
    mark = {"type": "point", "filled": True, "opacity": 1}
    medians = shown_layer(mark, {**shapes, "tooltip": tips}, is_valid("median"))
    return [*band_and_line(lines, x, y, "median", 0.12), medians]


def cross_layers(lines: SettingLines, at: Spec, room: int, tips: Sequence[Spec]) -> list[Spec]:
    """Return a cross for each value at which a run failed, in the lane of its setting.

    Args:
        at: the channels along the picture, x alone or with xOffset.
        room: for all lanes, in pixels.
    """
    lane = {"value": {"expr": f"height - 4 - {CROSS_ROW} * datum.lane"}}
    crosses = {**at, "y": lane, **lines.colour, "tooltip": tips}
    # Where the axis has its numbers: a cross may be anywhere else.
    mark = {"type": "text", "align": "right", "color": LIGHT["quiet"]}
    word: Spec = {"x": {"value": -6}, "y": {"value": {"expr": f"height - {room / 2 - 4}"}}}
    word["text"] = {"field": "text", "type": "nominal"}
    return [
        shown_layer(point(64, shape=CROSS), crosses, {"filter": "datum.num_failed > 0"}),
        layer([{"text": "failed"}], mark, word),
    ]
