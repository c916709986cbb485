"""Two factors: the matrix of means as a heat map, and their interaction as lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from statistics import median

from scipy.special import stdtrit

from experiments.comparison.formats import Unit, unit_of
from experiments.comparison.lookups import Dict, interval_word, thing_of
from experiments.comparison.plots.palette import FIRST_ON_HIGH, LIGHT, RAMP, looks_of
from experiments.comparison.plots.picture import Spec, inline, picture, point, tooltip, upright_axis
from experiments.comparison.plots.setting_lines import (
    SettingLines,
    is_valid,
    line_picture,
    shown_layer,
)

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
    first, second = verdict["matrix"]["factors"]
    levels = verdict["matrix"]["levels"]
    rows = cells_of(verdict)
    if not any(row["mean"] is not None for row in rows):
        return None
    metric = verdict["design"]["metric"]
    things = f"{thing_of(of_matrix(verdict))}s"
    of = " in %" if matrix_unit(verdict).is_points else ""
    lines = [f"Rows: {first}. Columns: {second}. Means over {things}{of} ± standard deviation; the"]
    lines += ["stronger the colour, the better."]
    best = max(rows, key=lambda row: row["step"])
    columns = {"first": first, "second": second, "words": "mean ± sd", "n": things}
    return picture(
        f"{metric} by {first} and {second}",
        lines,
        f"A table of means: {first} in rows, {second} in columns. One of the best: "
        f"{best['first']} with {best['second']}, {best['words']}.",
        heat_layers(levels, tooltip(columns)),
        height=CELL * len(levels[0]),
        min_width=NARROW_CELL * len(levels[1]) + 80,
        data=inline(rows),
        columns=columns,
        rows=rows,
    )


def of_matrix(verdict: Dict) -> Dict:
    """Return the task that the matrix is of: the first."""
    task: Dict = verdict["tasks"][0]
    return task


def matrix_unit(verdict: Dict) -> Unit:
    means, sds = (chain.from_iterable(verdict["matrix"][key]) for key in ("means", "sds"))
    cells = [{"mean": mean, "sd": sd} for mean, sd in zip(means, sds, strict=True)]
    return unit_of(verdict, {"settings": cells})


def cells_of(verdict: Dict) -> list[Spec]:
    """Return every cell as a row of data."""
    matrix, unit = verdict["matrix"], matrix_unit(verdict)
    means = [mean for row in matrix["means"] for mean in row if mean is not None]
    rows = []
    for i, first in enumerate(matrix["levels"][0]):
        for j, second in enumerate(matrix["levels"][1]):
            mean, sd, n = (matrix[key][i][j] for key in ("means", "sds", "ns"))
            root = math.sqrt(1 / n + (matrix.get("shared") or 0.0)) if n else math.inf
            half = None if sd is None else float(stdtrit(n - 1, 0.975)) * sd * root
            ends = [] if half is None else [mean - half, mean + half]
            if unit.is_points:  # an accuracy lies from 0 to 1
                ends = [min(1.0, max(0.0, end)) for end in ends]
            low, high = ends or (None, None)
            deviation = f"± {unit.bare(sd)}" if sd is not None else ""
            rows.append(
                {
                    "first": first,
                    "second": second,
                    "row": i,
                    "column": j,
                    "mean": mean,
                    "low": low,
                    "high": high,
                    "n": n,
                    "number": unit.bare(mean),
                    "deviation": deviation,
                    "words": f"{unit.value(mean)} {deviation}".strip(),
                    "step": step_of(verdict, mean, means),
                }
            )
    return rows


def step_of(verdict: Dict, mean: float | None, means: Sequence[float]) -> int:
    """Return which of the seven steps of the ramp a mean has; -1 for no mean."""
    if mean is None:
        return -1
    top = max(means) if verdict["design"]["higher_is_better"] else min(means)
    reach = min(3 * abs(top - median(means)), max(abs(top - other) for other in means))
    if not reach:
        return len(RAMP) - 1
    share = max(0.0, 1 - abs(top - mean) / reach)
    return min(len(RAMP) - 1, int(share * len(RAMP)))


def heat_layers(levels: Sequence[Sequence[str]], tips: Sequence[Spec]) -> list[Spec]:
    """Return the cells and the numbers in them."""
    label: Spec = {"labelColor": LIGHT["ink"], "labelFontSize": 13, "domain": False, "ticks": False}
    x_axis = {**label, "title": None, "orient": "top", "labelLimit": 120}
    if max(len(name) for name in levels[1]) > NARROW_LABEL:
        x_axis |= {"labelAngle": {"expr": "narrow ? -90 : 0"}}
        x_axis |= {"labelAlign": {"expr": "narrow ? 'left' : 'center'"}}
        x_axis |= {"labelBaseline": {"expr": "narrow ? 'middle' : 'bottom'"}}
    y_axis = {**label, "title": None, "labelLimit": 130}
    y_axis["labelFontSize"] = {"expr": "narrow ? 11 : 13"}
    shared = {"type": "nominal", "scale": {"padding": 0.04}}
    at: Spec = {
        "x": {"field": "second", "sort": levels[1], "axis": x_axis, **shared},
        "y": {"field": "first", "sort": levels[0], "axis": y_axis, **shared},
        "tooltip": tips,
    }
    scale = {"domain": list(range(-1, len(RAMP))), "range": [LIGHT["grid"], *RAMP]}
    colour = {"field": "step", "type": "ordinal", "legend": None, "scale": scale}
    cells = {"mark": {"type": "rect", "cornerRadius": 3}, "encoding": {**at, "color": colour}}
    is_high = f"datum.step >= {FIRST_ON_HIGH}"
    numbers = [
        {
            "transform": [{"filter": test}],
            "mark": {"type": "text", "color": LIGHT[paint], **mark},
            "encoding": {**at, "text": {"field": field, "type": "nominal"}},
        }
        for test, paint in ((f"!({is_high})", "on-low"), (is_high, "on-high"))
        for field, mark in NUMBERS.items()
    ]
    return [cells, *numbers]


def interaction(verdict: Dict) -> Spec | None:
    """Return the means as lines, one for each level of the first factor: parallel lines are no
    interaction."""
    first, second = verdict["matrix"]["factors"]
    names, columns = verdict["matrix"]["levels"]
    control = verdict["design"]["control"]
    lines = SettingLines(looks_of(names, control[0] if control else None), names)
    beside = 0.5 / max(8, len(names))
    rows = [
        {**row, "name": row["first"], "at": row["column"] + beside * (row["row"] - len(names) / 2)}
        for row in cells_of(verdict)
        if row["mean"] is not None
    ]
    if not rows:
        return None
    summary = " ".join(verdict["matrix"]["sentences"][:1])
    headings = {"first": first, "second": second, "words": "mean ± sd"}
    kind, things = interval_word(of_matrix(verdict)), f"{thing_of(of_matrix(verdict))}s"
    return line_picture(
        lines,
        f"Does {second} matter alike for every {first}?",
        [f"Parallel lines: no interaction. Bars are {kind}s of the means."],
        f"Means by {second}, a line for each {first}. {summary}".strip(),
        interaction_layers(verdict, lines, columns, tooltip(headings)),
        height=340,
        params={"levels": columns},
        data=inline(rows),
        columns=headings | {"n": things},
        rows=rows,
    )


def interaction_layers(
    verdict: Dict, lines: SettingLines, columns: Sequence[str], tips: Sequence[Spec]
) -> list[Spec]:
    """Return the lines, the intervals and the means."""
    is_long = max(map(len, columns)) > NARROW_LABEL
    axis = {
        "title": verdict["matrix"]["factors"][1],
        "grid": False,
        "values": list(range(len(columns))),
        "labelExpr": "levels[round(datum.value)] || ''",
        "labelOverlap": False,
        "labelAngle": {"expr": "narrow ? -35 : 0"} if is_long else 0,
        "labelAlign": {"expr": "narrow ? 'right' : 'center'"} if is_long else "center",
        "labelColor": LIGHT["ink"],
    }
    x: Spec = {"field": "at", "type": "quantitative", "axis": axis}
    x["scale"] = {"domain": [-0.4, len(columns) - 0.6], "nice": False, "zero": False}
    y: Spec = {"type": "quantitative", "scale": {"zero": False}}
    y["axis"] = upright_axis(verdict["design"]["metric"], matrix_unit(verdict).axis_format)
    at = {"x": x, "y": {**y, "field": "mean"}}
    ends = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    bar: Spec = {"type": "rule", "strokeWidth": 1.5}
    return [
        shown_layer({"type": "line"}, {**at, **lines.lines}),
        shown_layer(bar, {**ends, **lines.colour}, is_valid("low")),
        shown_layer(point(70), {**at, **lines.points, "tooltip": tips}),
    ]
