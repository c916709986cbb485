"""Two factors: the matrix of means as a heat map, and their interaction as lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from scipy.special import stdtrit

from experiments.comparison.contents import is_better, joined
from experiments.comparison.formats import Unit, unit_of
from experiments.comparison.plots_rows import written
from experiments.comparison.plots_style import (
    FIRST_ON_HIGH,
    LIGHT,
    RAMP,
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

CELL = 46
"""Height of a cell, in pixels."""
NARROW_CELL = 40
"""Width of a cell below which its number would not fit."""
NUMBERS: Spec = {
    "number": {"dy": {"expr": "narrow ? 0 : -6"}, "fontSize": {"expr": "narrow ? 11 : 13"}},
    "deviation": {"dy": 10, "fontSize": 10.5, "opacity": {"expr": "narrow ? 0 : 1"}},
}
"""How the numbers of a cell are written; where the page is narrow, the mean alone."""
NARROW_LABEL = 6
"""Letters that a column's heading has room for on a phone."""


def heat_map(verdict: Dict) -> Spec | None:
    """Return the means of two factors as a map with the numbers in its cells.

    The stronger the colour the better, in seven equal steps from the median's distance below the
    best, three times, to the best: one cell that failed does not make all others look alike.
    """
    matrix = verdict["matrix"]
    first, second = matrix["factors"]
    rows = cells_of(verdict)
    if not any(row["mean"] is not None for row in rows):
        return None
    metric = verdict["design"]["metric"]
    unit = matrix_unit(verdict)
    of = " in %" if unit.is_points else ""
    lines = [f"Rows: {first}. Columns: {second}. Means over seeds{of} ± standard deviation; the"]
    lines += ["stronger the colour, the better."]
    best = max(rows, key=lambda row: row["step"])
    return picture(
        f"{metric} by {first} and {second}",
        lines,
        f"A table of means: {first} in rows, {second} in columns. One of the best: "
        f"{best['first']} with {best['second']}, {best['words']}.",
        heat_layers(rows, matrix),
        height=CELL * len(matrix["levels"][0]),
        min_width=NARROW_CELL * len(matrix["levels"][1]) + 80,
        data=inline(rows),
        columns={"first": first, "second": second, "words": "mean ± sd", "n": "seeds"},
        rows=rows,
    )


def matrix_unit(verdict: Dict) -> Unit:
    """Return how the matrix's means are written."""
    matrix = verdict["matrix"]
    sds = [sd for row in matrix["sds"] for sd in row if sd is not None]
    means = [mean for row in matrix["means"] for mean in row if mean is not None]
    settings = [
        {"mean": m, "sd": s} for m, s in zip(means, sds or [None] * len(means), strict=False)
    ]
    return unit_of(verdict, {"settings": settings})


def cells_of(verdict: Dict) -> list[Spec]:
    """Return every cell as a row of data."""
    matrix, unit = verdict["matrix"], matrix_unit(verdict)
    means = [mean for row in matrix["means"] for mean in row if mean is not None]
    rows = []
    for i, first in enumerate(matrix["levels"][0]):
        for j, second in enumerate(matrix["levels"][1]):
            mean, sd = matrix["means"][i][j], matrix["sds"][i][j]
            half = half_width(sd, matrix["ns"][i][j])
            rows.append(
                {
                    "first": joined(first),
                    "second": joined(second),
                    "row": i,
                    "column": j,
                    "mean": mean,
                    "low": None if half is None else mean - half,
                    "high": None if half is None else mean + half,
                    "n": matrix["ns"][i][j],
                    "number": unit.bare(mean),
                    "deviation": f"± {unit.bare(sd)}" if sd is not None else "",
                    "words": f"{unit.value(mean)}{f' ± {unit.bare(sd)}' if sd is not None else ''}",
                    "step": step_of(verdict, mean, means),
                }
            )
    return rows


def half_width(sd: float | None, n: int | None) -> float | None:
    """Return half of a mean's t 95 % interval."""
    if sd is None or not n or n < 2:
        return None
    return float(stdtrit(n - 1, 0.975)) * sd / math.sqrt(n)


def step_of(verdict: Dict, mean: float | None, means: Sequence[float]) -> int:
    """Return which of the seven steps of the ramp a mean has; -1 for no mean."""
    if mean is None:
        return -1
    top = max(means) if is_better(verdict, 1.0, 0.0) else min(means)
    reach = min(3 * abs(top - median(means)), max(abs(top - one) for one in means))
    if not reach:
        return len(RAMP) - 1
    share = max(0.0, 1 - abs(top - mean) / reach)
    return min(len(RAMP) - 1, int(share * len(RAMP)))


def heat_layers(rows: Sequence[Dict], matrix: Dict) -> list[Spec]:
    """Return the cells and the numbers in them."""
    levels = [[joined(level) for level in those] for those in matrix["levels"]]
    is_long = max(len(name) for name in levels[1]) > NARROW_LABEL
    label: Spec = {"labelColor": LIGHT["ink"], "labelFontSize": 13, "domain": False, "ticks": False}
    x_axis = {**label, "title": None, "orient": "top", "labelLimit": 120}
    if is_long:
        x_axis |= {"labelAngle": {"expr": "narrow ? -90 : 0"}}
        x_axis |= {"labelAlign": {"expr": "narrow ? 'left' : 'center'"}}
        x_axis |= {"labelBaseline": {"expr": "narrow ? 'middle' : 'bottom'"}}
    y_axis = {**label, "title": None, "labelLimit": 130}
    y_axis["labelFontSize"] = {"expr": "narrow ? 11 : 13"}
    x = {"field": "second", "type": "nominal", "sort": levels[1], "axis": x_axis}
    y = {"field": "first", "type": "nominal", "sort": levels[0], "axis": y_axis}
    scale = {"padding": 0.04}
    at = {"x": {**x, "scale": scale}, "y": {**y, "scale": scale}}
    steps = list(range(-1, len(RAMP)))
    colour: Spec = {"field": "step", "type": "ordinal", "legend": None}
    colour |= {"scale": {"domain": steps, "range": [LIGHT["grid"], *RAMP]}}
    tips = [
        {"field": "first", "title": matrix["factors"][0]},
        {"field": "second", "title": matrix["factors"][1]},
        {"field": "words", "title": "mean ± sd"},
        {"field": "n", "title": "seeds"},
    ]
    mark = {"type": "rect", "cornerRadius": 3}
    found: list[Spec] = [{"mark": mark, "encoding": {**at, "color": colour, "tooltip": tips}}]
    is_high = f"datum.step >= {FIRST_ON_HIGH}"
    for test, paint in ((f"!({is_high})", LIGHT["on-low"]), (is_high, LIGHT["on-high"])):
        for field, mark_of in NUMBERS.items():
            text: Spec = {"type": "text", "color": paint, **mark_of}
            encoding = {**at, "text": {"field": field, "type": "nominal"}, "tooltip": tips}
            found.append({"transform": [{"filter": test}], "mark": text, "encoding": encoding})
    return found


def interaction(verdict: Dict) -> Spec | None:
    """Return the means as lines, one for each level of the first factor: parallel lines are no
    interaction."""
    matrix = verdict["matrix"]
    first, second = matrix["factors"]
    levels = [[joined(level) for level in those] for those in matrix["levels"]]
    control = verdict["design"].get("control")
    those = looks(levels[0], joined(control[0]) if control else None)
    beside = 0.5 / max(8, len(levels[0]))
    rows = [
        {**row, "name": row["first"], "at": row["column"] + beside * (row["row"] - len(those) / 2)}
        for row in cells_of(verdict)
        if row["mean"] is not None
    ]
    if not rows:
        return None
    told = (matrix.get("sentences") or [""])[0]
    return picture(
        f"Does {second} matter alike for every {first}?",
        ["Parallel lines: no interaction. Bars are t 95 % intervals of the means."],
        f"Means by {second}, a line for each {first}. {told}".strip(),
        interaction_layers(verdict, those, levels[1]),
        height=340,
        params={"shown": list(those), "levels": levels[1]},
        data=inline(rows),
        columns={"first": first, "second": second, "words": "mean ± sd", "n": "seeds"},
        rows=rows,
        series=series_of(those, list(those)),
    )


def interaction_layers(
    verdict: Dict, those: Mapping[str, Look], columns: Sequence[str]
) -> list[Spec]:
    """Return the lines, the intervals and the means."""
    first, second = verdict["matrix"]["factors"]
    unit = matrix_unit(verdict)
    is_long = max(map(len, columns)) > NARROW_LABEL
    x: Spec = {"field": "at", "type": "quantitative"}
    x["scale"] = {"domain": [-0.4, len(columns) - 0.6], "nice": False, "zero": False}
    x["axis"] = {"title": second, "grid": False, "values": list(range(len(columns)))}
    x["axis"] |= {"labelExpr": "levels[round(datum.value)] || ''", "labelOverlap": False}
    angle = {"expr": "narrow ? -35 : 0"} if is_long else 0
    align = {"expr": "narrow ? 'right' : 'center'"} if is_long else "center"
    x["axis"] |= {"labelAngle": angle, "labelAlign": align, "labelColor": LIGHT["ink"]}
    y: Spec = {"type": "quantitative", "scale": {"zero": False}}
    y["axis"] = {"title": verdict["design"]["metric"], "tickCount": 6, "domain": False}
    y["axis"] |= {"ticks": False, **written(".1~%" if unit.is_points else "~g")}
    tips = [
        {"field": "first", "title": first},
        {"field": "second", "title": second},
        {"field": "words", "title": "mean ± sd"},
    ]
    is_shown = [{"filter": "indexof(shown, datum.name) >= 0"}]
    lines, points = dashed_as(those, list(those)), drawn_as(those, list(those))
    at, ends = (
        {"x": x, "y": {**y, "field": "mean"}},
        {"y": {**y, "field": "low"}, "y2": {"field": "high"}},
    )
    has_ends = [*is_shown, {"filter": "isValid(datum.low)"}]
    bar: Spec = {"type": "rule", "strokeWidth": 1.5}
    return [
        {"transform": is_shown, "mark": "line", "encoding": {**at, **lines}},
        {"transform": has_ends, "mark": bar, "encoding": {"x": x, **ends, "color": lines["color"]}},
        {
            "transform": is_shown,
            "mark": {"type": "point", "filled": True, "opacity": 1, "size": 70},
            "encoding": {**at, **points, "tooltip": tips},
        },
    ]
