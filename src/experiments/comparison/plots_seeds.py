"""The picture of every seed's score, with the mean of each setting and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.contents import control_of
from experiments.comparison.formats import Unit, unit_of
from experiments.comparison.plots_rows import (
    axis_of_rows,
    dot,
    height_of,
    left_out,
    looks_of,
    named,
    picked,
    row_words,
    value_axis,
    zoomable,
)
from experiments.comparison.plots_style import (
    CROSS,
    LIGHT,
    Spec,
    drawn_as,
    inline,
    picture,
    spread,
)

Dict = Mapping[str, Any]

GOLDEN = 0.618034
"""Its multiples, modulo 1, fall evenly: seeds that follow each other lie far apart."""


def seed_dots(verdict: Dict, task: Dict) -> Spec | None:
    """Return every seed's score as a dot, with each setting's mean and t interval."""
    settings = picked(verdict, task)
    if not settings:
        return None
    unit, metric = unit_of(verdict, task), verdict["design"]["metric"]
    rows = [mean_row(unit, row, s) for row, s in enumerate(settings)]
    dots = [one for row, s in enumerate(settings) for one in dots_of(unit, row, s)]
    full = spread(*extent(settings))
    close = zoomed(settings, full)
    shortest = close or full
    x = value_axis(unit, metric, zoomable(full, close), shortest[1] - shortest[0])
    layers = control_line(task, x) + seed_layers(rows, dots, x, looks_of(task))
    has_failed = any(one["failed"] for one in dots)
    has_bars = any(row["low"] is not None for row in rows)
    bars = ", each bar the t 95 % interval of a mean" if has_bars else ""
    lines = [f"Each dot is a seed{bars}."]
    lines[0] += " Crosses are failed runs." if has_failed else ""
    lines += left_out(len(settings), len(task["settings"]))
    told = "; ".join(f"{row['name']} {row['words']}" for row in rows[:12])
    return picture(
        f"{metric} of every seed",
        lines,
        f"Dots of every seed with mean and t 95 % interval, best mean first. {told}.",
        layers + row_words(rows, 70),
        height=height_of(len(rows)),
        params={"names": [row["name"] for row in rows]} | ({"zoom": False} if close else {}),
        columns={"name": "setting", "n": "seeds", "words": "mean and t 95 % interval"},
        rows=rows,
        zoom="Zoom in on the better half" if close else None,
    )


def mean_row(unit: Unit, row: int, setting: Dict) -> Spec:
    """Return a setting's mean and interval as a row of data."""
    low, high = setting["interval"] or (None, None)
    ends = f" {unit.interval(setting['interval'])}" if setting["interval"] else ""
    return {
        "row": row,
        "name": named(setting),
        "n": setting["n"],
        "mean": setting["mean"],
        "low": low,
        "high": high,
        "words": f"{unit.value(setting['mean'])}{ends}",
        "few_words": unit.value(setting["mean"]),
    }


def dots_of(unit: Unit, row: int, setting: Dict) -> list[Spec]:
    """Return a dot for each seed, spread over its row's height so that few cover each other."""
    failures = setting["failures"] or {}
    return [
        {
            "row": row + ((index * GOLDEN) % 1 - 0.5) * 0.36,
            "name": named(setting),
            "seed": str(seed),
            "value": score,
            "failed": seed in failures,
            "words": f"{unit.value(score)}{': ' + failures[seed] if seed in failures else ''}",
        }
        for index, (seed, score) in enumerate(sorted(setting["scores"].items(), key=seed_order))
    ]


def seed_order(item: tuple[str, Any]) -> tuple[int, str]:
    """Return what orders seeds, which are text in JSON, as numbers."""
    seed = str(item[0])
    return (int(seed), "") if seed.lstrip("-").isdigit() else (0, seed)


def extent(settings: Sequence[Dict]) -> tuple[float, float]:
    """Return the range of means, intervals and scores, those of failed runs left out."""
    values: list[float] = []
    for setting in settings:
        values += [setting["mean"], *(setting["interval"] or [])]
        for seed, score in setting["scores"].items():
            if score is not None and seed not in (setting["failures"] or {}):
                values.append(score)
    return min(values), max(values)


def zoomed(settings: Sequence[Dict], full: Sequence[float]) -> list[float] | None:
    """Return the range of the better half, and the control, where it is much the smaller one."""
    half = list(settings[: max(2, (len(settings) + 1) // 2)])
    half += [s for s in settings if s["is_control"] and s not in half]
    close = spread(*extent(half))
    return close if close[1] - close[0] < (full[1] - full[0]) / 3 else None


def control_line(task: Dict, x: Spec) -> list[Spec]:
    """Return a dashed line through all rows at the control's mean."""
    control = control_of(task)
    if control is None or control["mean"] is None:
        return []
    mark = {"type": "rule", "strokeDash": [3, 3], "color": LIGHT["quiet"]}
    data = inline([{"mean": control["mean"]}])
    return [{"data": data, "mark": mark, "encoding": {"x": {**x, "field": "mean"}}}]


def seed_layers(rows: Sequence[Dict], dots: Sequence[Dict], x: Spec, those: Any) -> list[Spec]:
    """Return the layers of the dots, the crosses, the intervals and the means."""
    look, y = drawn_as(those), axis_of_rows(len(rows))
    y_and_colour = {"y": y, "color": look["color"]}
    tips = [
        {"field": "name", "title": "setting"},
        {"field": "seed", "title": "seed"},
        {"field": "words", "title": "score"},
    ]
    mean_tips = [{"field": "name", "title": "setting"}, {"field": "words", "title": "mean"}]
    value, span = (
        {"x": {**x, "field": "value"}},
        {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
    )
    layers: list[Spec] = []
    failed = [one for one in dots if one["failed"]]
    done = [one for one in dots if not one["failed"] and one["value"] is not None]
    scored = [one for one in failed if one["value"] is not None]
    small = {
        "type": "point",
        "filled": True,
        "shape": "circle",
        "size": 36,
        "opacity": 1,
        "fillOpacity": 0.45,
    }
    cross = {"type": "point", "filled": True, "shape": CROSS, "size": 70, "opacity": 1}
    for data, mark in ((done, small), (scored, cross)):
        at = {**y_and_colour, **value, "tooltip": tips}
        layers.append({"data": inline(data), "mark": mark, "encoding": at})
    bars = {**y_and_colour, **span}
    means = {**y_and_colour, "x": {**x, "field": "mean"}, "shape": look["shape"]}
    means["tooltip"] = mean_tips
    known = inline([row for row in rows if row["low"] is not None])
    layers.append({"data": known, "mark": {"type": "rule", "strokeWidth": 3}, "encoding": bars})
    layers.append({"data": inline(rows), "mark": dot(140), "encoding": means})
    return [layer for layer in layers if layer["data"]["values"]]
