"""Pictures with a row for each setting or pair: their frame, their axes, their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.formats import Unit
from experiments.comparison.lookups import Dict, by_mean, control_of
from experiments.comparison.plots.palette import LIGHT, Look, looks_of_levels
from experiments.comparison.plots.picture import (
    MOST_ROWS,
    MOST_TOLD,
    TICKS,
    Spec,
    layer,
    number_format,
    picture,
    point,
)

ROW = 38
"""Height of a row, in pixels."""


def named(setting: Dict) -> str:
    """Return a setting's name, and that it is the control."""
    return f"{setting['name']} (control)" if setting["is_control"] else str(setting["name"])


def task_looks(task: Dict) -> dict[str, Look]:
    """Return the look of each setting by `named`, the same in every picture of a task."""
    control = control_of(task)
    name = named(control) if control else None
    levels = {named(s): list(s["levels"].values()) for s in task["settings"]}
    return looks_of_levels(levels, name)


def picked(verdict: Dict, task: Dict) -> list[Dict]:
    """Return the settings with a mean that a picture has room for: the best, and the control."""
    settings = [s for s in by_mean(verdict, task) if s["mean"] is not None]
    kept = settings[:MOST_ROWS]
    control = control_of(task)
    if control in settings and control not in kept:
        kept[-1] = control
    return kept


def row_picture(
    title: str,
    lines: Sequence[str],
    description: str,
    layers: Sequence[Spec],
    rows: Sequence[Dict],
    *,
    columns: Mapping[str, str],
    num_rows: int,
    words_width: int,
    can_zoom: bool = False,
) -> Spec:
    """Return a picture of rows with a name and words each.

    Args:
        title, lines, description, layers, columns: see `picture`; the words of rows are told too.
        rows: with `row`, `name`, `words`, and `few_words` for above the row.
        num_rows: how many there would be if all had room.
        words_width: how many pixels to keep free for the words above a row.
        can_zoom: it begins with the range that matters, and a button shows the whole one.
    """
    summary = "; ".join(f"{row['name']}: {row['words']}" for row in rows[:MOST_TOLD])
    names = [row["name"] for row in rows]
    left_out = f"{len(rows)} of {num_rows} are drawn; the tables have them all."
    return picture(
        title,
        [*lines, left_out] if len(rows) < num_rows else lines,
        f"{description} {summary}.",
        [*layers, *row_words(rows, words_width)],
        height=ROW * len(rows) + 10,
        params={"names": names, "zoom": True} if can_zoom else {"names": names},
        columns=columns,
        rows=rows,
        can_zoom=can_zoom or None,
    )


def axis_of_rows(num_rows: int) -> Spec:
    """Return the y channel of numbered rows, the first at the top.

    Its labels come from the signal `names`, so that a name is data and never part of a program.
    """
    return {
        "field": "row",
        "type": "quantitative",
        "scale": {"domain": [num_rows - 0.45, -0.6], "nice": False, "zero": False},
        "axis": {
            "values": list(range(num_rows)),
            "labelExpr": "narrow ? '' : (names[round(datum.value)] || '')",
            "labelLimit": 210,
            "labelColor": LIGHT["ink"],
            "labelFontSize": 13,
            "labelPadding": 12,
            "domain": False,
            "ticks": False,
            "grid": False,
            "title": None,
        },
    }


def row_words(rows: Sequence[Dict], words_width: int) -> list[Spec]:
    """Return the words of each row: at its right, or above it with the name where narrow."""
    keys = ("row", "name", "words", "few_words")
    data = [{key: row[key] for key in keys} for row in rows]
    y = axis_of_rows(len(rows))
    above: Spec = {"type": "text", "baseline": "middle", "dy": -16, "fontSize": 12}
    limit = {"expr": f"max(60, width - {words_width})"}
    right_end = {"value": {"expr": "width"}}

    def text_layer(mark: Spec, x: Spec, field: str, hidden: str) -> Spec:
        text = {"condition": {"test": hidden, "value": ""}, "field": field, "type": "nominal"}
        return layer(data, mark, {"y": y, "x": x, "text": text})

    # Above a row lie the lines of the plot; a halo parts the words from them.
    halo = {"stroke": LIGHT["paper"], "strokeWidth": 4, "strokeJoin": "round"}

    beside = {"type": "text", "align": "left", "dx": 14, "fontSize": 12.5}
    name = {**above, "align": "left", "fontWeight": 600, "limit": limit}
    return [
        text_layer(beside, right_end, "words", "narrow"),
        text_layer(name, {"value": 0}, "name", "!narrow"),
        text_layer({**above, "align": "right", **halo}, right_end, "few_words", "!narrow"),
        text_layer({**above, "align": "right"}, right_end, "few_words", "!narrow"),
    ]


def value_axis(unit: Unit, title: str, domain: Sequence[Any], length: float) -> Spec:
    """Return the x channel of a metric's values.

    The ends of its domain may be expressions; the length of the smallest range that is shown
    decides on the digits.
    """
    form = (".1~%" if length > 0.01 else ".2~%") if unit.is_points else "~g"
    axis = {"title": title, "tickCount": TICKS, **number_format(form)}
    scale = {"domain": list(domain), "nice": False, "zero": False, "clamp": True}
    return {"type": "quantitative", "scale": scale, "axis": axis}


def spread(low: float, high: float, room: float = 0.06) -> list[float]:
    """Return the ends of an axis over some values, with a little room; never of no length."""
    size = (high - low) or abs(high) * 0.1 or 1.0
    return [low - room * size, high + room * size]


def dot(size: int) -> Spec:
    """Return the mark of a mean: filled, with a seam that parts it from what lies behind."""
    return point(size, stroke=LIGHT["paper"], strokeWidth=1)
