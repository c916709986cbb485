"""The picture of every seed's score, with the mean of each setting and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.comparison.formats import Unit, unit_of
from experiments.comparison.lookups import Dict, control_of, interval_word, thing_of
from experiments.comparison.plots.palette import CROSS, LIGHT, Look
from experiments.comparison.plots.picture import Spec, layer, point, span, tooltip
from experiments.comparison.plots.ranges import EDGE, Point, Ranges
from experiments.comparison.plots.setting_lines import SettingLines
from experiments.comparison.plots.setting_rows import (
    axis_of_rows,
    dot,
    named,
    picked,
    row_picture,
    spread,
    task_looks,
    value_axis,
)

GOLDEN = 0.618034
"""Its multiples, modulo 1, fall evenly: seeds that follow each other lie far apart."""


def seed_dots(verdict: Dict, task: Dict) -> Spec | None:
    """Return every seed's score as a dot, with each setting's mean and t interval."""
    settings = picked(verdict, task)
    if not settings:
        return None
    unit, metric = unit_of(verdict, task), verdict["design"]["metric"]
    rows = [mean_row(unit, row, s) for row, s in enumerate(settings)]
    dots = [dot for row, s in enumerate(settings) for dot in dots_of(unit, row, s)]
    whole = spread(*extent(settings))
    ranges = Ranges(whole, better_half(settings, whole))
    x = value_axis(unit, metric, ranges.domain, ranges.shortest)
    has_bars = any(row["low"] is not None for row in rows)
    thing, kind = thing_of(task), interval_word(task)
    each = "seed" if thing == "seed" else "fold of a seed"
    line = f"Each dot is a {each}" + f", each bar the {kind} of a mean" * has_bars + "."
    line += " Crosses are failed runs." * any(dot["failed"] for dot in dots)
    layers = seed_layers(rows, dots, x, task_looks(task), ranges)
    has_arrows = any("side" in row for drawn in layers for row in drawn["data"]["values"])
    return row_picture(
        f"{metric} of every {thing}",
        [line, *[EDGE] * has_arrows],
        f"Dots of every {thing} with mean and {kind}, best mean first.",
        control_line(task, x, ranges) + layers,
        rows,
        columns={"name": "setting", "n": f"{thing}s", "words": f"mean and {kind}"},
        num_rows=len(task["settings"]),
        words_width=70,
        can_zoom=ranges.close is not None,
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
    failures = setting["failures"]
    return [
        {
            "row": row + ((index * GOLDEN) % 1 - 0.5) * 0.36,
            "name": named(setting),
            "seed": seed,
            "value": score,
            "failed": seed in failures,
            "few_words": unit.value(score),
            "words": f"counts as {unit.value(score)}: {failures[seed]}"
            if seed in failures
            else unit.value(score),
        }
        for index, (seed, score) in enumerate(setting["scores"].items())
    ]


def extent(settings: Sequence[Dict]) -> tuple[float, float]:
    """Return the range of means, intervals and scores, those of failed runs left out."""
    values: list[float] = []
    for setting in settings:
        values += [setting["mean"], *(setting["interval"] or [])]
        for seed, score in setting["scores"].items():
            if score is not None and seed not in setting["failures"]:
                values.append(score)
    return min(values), max(values)


def better_half(settings: Sequence[Dict], whole: Sequence[float]) -> list[float] | None:
    """Return the range of the better half, and the control, where it is much the smaller one."""
    half = list(settings[: max(2, (len(settings) + 1) // 2)])
    half += [s for s in settings if s["is_control"] and s not in half]
    close = spread(*extent(half))
    return close if close[1] - close[0] < (whole[1] - whole[0]) / 3 else None


def control_line(task: Dict, x: Spec, ranges: Ranges) -> list[Spec]:
    """Return a dashed line through all rows at the control's mean."""
    control = control_of(task)
    if control is None or control["mean"] is None:
        return []
    mark = {"type": "rule", "strokeDash": [3, 3], "color": LIGHT["quiet"]}
    line = layer([{"mean": control["mean"]}], mark, {"x": {**x, "field": "mean"}})
    return [line | {"transform": [ranges.within("mean")]}]


def seed_layers(
    rows: Sequence[Dict],
    dots: Sequence[Dict],
    x: Spec,
    looks: Mapping[str, Look],
    ranges: Ranges,
) -> list[Spec]:
    """Return the layers of the dots, the crosses, the intervals, the means, and the arrows."""
    channels = SettingLines(looks).points
    common = {"y": axis_of_rows(len(rows)), "color": channels["color"]}
    score = {**common, "x": {**x, "field": "value"}}
    score["tooltip"] = tooltip({"name": "setting", "seed": "seed", "words": "score"})
    common["tooltip"] = tooltip({"name": "setting", "words": "mean"})
    mean = {**common, "x": {**x, "field": "mean"}, "shape": channels["shape"]}
    scored = [dot for dot in dots if dot["value"] is not None]
    known = [row for row in rows if row["low"] is not None]
    bar: Spec = {"type": "rule", "strokeWidth": 3}
    seed = point(36, shape="circle", fillOpacity=0.45)
    layers = [
        layer([dot for dot in scored if not dot["failed"]], seed, score),
        layer([dot for dot in scored if dot["failed"]], point(70, shape=CROSS), score),
        layer(known, bar, {**common, **span(x, "low", "high")}),
        layer(rows, dot(140), mean),
    ]
    ends = [("value",), ("value",), ("low", "high"), ("mean",)]
    drawn = [
        one | {"transform": [ranges.within(*fields)]}
        for one, fields in zip(layers, ends, strict=True)
        if one["data"]["values"]
    ]
    beyond = [(row, points_of(row, scored)) for row in rows]
    return [*drawn, *ranges.arrows(beyond, common)]


def points_of(row: Dict, dots: Sequence[Dict]) -> list[Point]:
    """Return what is drawn of a setting: its mean, the ends of its interval, its seeds."""
    ends = [(row[key], "") for key in ("low", "high") if row[key] is not None]
    own = [dot for dot in dots if dot["name"] == row["name"]]
    seeds = [(dot["value"], f"seed {dot['seed']}: {dot['few_words']}") for dot in own]
    return [(row["mean"], row["few_words"]), *ends, *seeds]
