"""What pictures with a row for each setting share: their axis, their words, their size.

Names stand at the left and words at the right; where the page is narrow (signal `narrow`), both
stand above their row, and the plot has the whole width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.contents import by_mean, control_of
from experiments.comparison.formats import Unit
from experiments.comparison.plots_style import (
    LIGHT,
    MOST_ROWS,
    Look,
    Spec,
    inline,
    looks,
)

Dict = Mapping[str, Any]

ROW = 38
"""Height of a row, in pixels."""


def named(setting: Dict) -> str:
    """Return a setting's name, and that it is the control."""
    return f"{setting['name']} (control)" if setting["is_control"] else str(setting["name"])


def looks_of(task: Dict) -> dict[str, Look]:
    """Return the look of each setting by `named`, the same in every picture of a task."""
    control = control_of(task)
    return looks([named(s) for s in task["settings"]], named(control) if control else None)


def picked(verdict: Dict, task: Dict) -> list[Dict]:
    """Return the settings with a mean that a picture has room for: the best, and the control."""
    settings = [s for s in by_mean(verdict, task) if s["mean"] is not None]
    kept = settings[:MOST_ROWS]
    control = control_of(task)
    if control in settings and control not in kept:
        kept[-1] = control
    return kept


def left_out(shown: int, total: int) -> list[str]:
    """Return a line that says what a picture has no room for."""
    return [f"{shown} of {total} are drawn; the tables have them all."] if shown < total else []


def height_of(num_rows: int) -> int:
    """Return the height of a plot of rows."""
    return ROW * num_rows + 10


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
    """Return the words of each row: at its right, or above it with the name where narrow.

    Args:
        rows: with `row`, `name`, `words`, and `few_words` for above the row.
        words_width: how many pixels to keep free for these.
    """
    keys = ("row", "name", "words", "few_words")
    data = inline([{key: row[key] for key in keys} for row in rows])
    y = axis_of_rows(len(rows))
    above: Spec = {"type": "text", "baseline": "middle", "dy": -16, "fontSize": 12}
    limit = {"expr": f"max(60, width - {words_width})"}
    right_end = {"value": {"expr": "width"}}

    def layer(mark: Spec, x: Spec, field: str, hidden: str) -> Spec:
        text = {"condition": {"test": hidden, "value": ""}, "field": field, "type": "nominal"}
        return {"data": data, "mark": mark, "encoding": {"y": y, "x": x, "text": text}}

    # Above a row lie the lines of the plot; a halo parts the words from them.
    halo = {"stroke": LIGHT["paper"], "strokeWidth": 4, "strokeJoin": "round"}

    beside = {"type": "text", "align": "left", "dx": 14, "fontSize": 12.5}
    name = {**above, "align": "left", "fontWeight": 600, "limit": limit}
    return [
        layer(beside, right_end, "words", "narrow"),
        layer(name, {"value": 0}, "name", "!narrow"),
        layer({**above, "align": "right", **halo}, right_end, "few_words", "!narrow"),
        layer({**above, "align": "right"}, right_end, "few_words", "!narrow"),
    ]


def value_axis(unit: Unit, title: str, domain: Sequence[Any], length: float) -> Spec:
    """Return the x channel of a metric's values.

    Args:
        unit: percent for accuracies.
        title: of the axis.
        domain: its two ends, which may be expressions.
        length: of the smallest range that is shown, which decides on the digits.
    """
    form = (".1~%" if length > 0.01 else ".2~%") if unit.is_points else "~g"
    axis = {"title": title, "tickCount": {"expr": "max(3, floor(width / 90))"}, **written(form)}
    scale = {"domain": list(domain), "nice": False, "zero": False, "clamp": True}
    return {"type": "quantitative", "scale": scale, "axis": axis}


def written(form: str) -> Spec:
    """Return how an axis writes its numbers, a space before each % as everywhere else."""
    return {"format": form, "labelExpr": "replace(datum.label, '%', ' %')"}


def zoomable(full: Sequence[float], close: Sequence[float] | None) -> list[Any]:
    """Return the ends of an axis that the signal `zoom` switches between."""
    if close is None:
        return list(full)
    return [{"expr": f"zoom ? {near!r} : {far!r}"} for near, far in zip(close, full, strict=True)]


def dot(size: int) -> Spec:
    """Return the mark of a mean: filled, with a seam that parts it from what lies behind."""
    seam = {"stroke": LIGHT["paper"], "strokeWidth": 1}
    return {"type": "point", "filled": True, "size": size, "opacity": 1, **seam}
