"""How the score depends on a factor of numbers: widths, depths, rates, sizes of a training set."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from experiments.comparison.formats import Unit, unit_of
from experiments.comparison.lookups import Dict, interval_word, thing_of
from experiments.comparison.plots.learning_rates import axis_of_values
from experiments.comparison.plots.palette import looks_of
from experiments.comparison.plots.picture import Spec, inline, point, tooltip, upright_axis
from experiments.comparison.plots.setting_lines import (
    SettingLines,
    band_and_line,
    is_valid,
    line_picture,
    shown_layer,
)
from experiments.comparison.sensitivity import is_number
from experiments.comparison.statistics.resampled import corrected_interval

LEAST = 3
"""Values that make a curve."""
EACH, LENGTH = "of each layer", "number of layers"


def by_number(verdict: Dict, task: Dict) -> Spec | None:
    """Return the means of a task against the factor's numbers, and those of training beside them.

    None where there are two factors, too few values, or values that are no numbers.
    """
    factor = verdict["design"]["factor"]
    settings = [setting for setting in task["settings"] if setting["mean"] is not None]
    if len(factor) != 1 or len(settings) < LEAST:
        return None
    read = numbers_of([str(setting["levels"][factor[0]]) for setting in settings])
    if read is None:
        return None
    numbers, what = read
    metric, unit = verdict["design"]["metric"], unit_of(verdict, task)
    curves = {metric: [curve_row(unit, setting) for setting in settings]}
    curves |= training_beside(verdict, task, unit, settings)
    rows = [
        {"name": name, "value": number, "at": f"{number:g}", **row}
        for name, values in curves.items()
        for number, row in sorted(zip(numbers, values, strict=True), key=lambda pair: pair[0])
    ]
    return drawn(verdict, task, rows, f"{factor[0]}, {what}" if what else factor[0], unit)


def drawn(verdict: Dict, task: Dict, rows: Sequence[Spec], key: str, unit: Unit) -> Spec:
    """Return the picture of the rows: a line for each metric, with the intervals of its means."""
    metric = verdict["design"]["metric"]
    names = list(dict.fromkeys(row["name"] for row in rows))
    lines = SettingLines(looks_of(names, metric), names)
    x = axis_of_values(key, sorted({row["value"] for row in rows}))
    axis = upright_axis(metric.rpartition("/")[2], unit.axis_format)
    y = {"type": "quantitative", "scale": {"zero": False}, "axis": axis}
    things, kind = f"{thing_of(task)}s", interval_word(task)
    columns = {"name": "metric", "at": key, "n": things, "words": f"mean and {kind}"}
    at = {"x": x, "y": {**y, "field": "mean"}, **lines.points, "tooltip": tooltip(columns)}
    own = [row for row in rows if row["name"] == metric]
    told = "; ".join(f"{row['at']}: {row['words']}" for row in own)
    bands = f", bands are their {kind}s" * has_bands(rows)
    subtitle = [f"Means over {things}{bands}."]
    return line_picture(
        lines,
        f"{metric} by {key}",
        subtitle,
        f"Means of {metric} by {key}. {told}.",
        [*band_and_line(lines, x, y, "mean", 0.15), shown_layer(point(60), at, is_valid("mean"))],
        height=320,
        data=inline(rows),
        columns=columns,
        rows=rows,
    )


def has_bands(rows: Sequence[Spec]) -> bool:
    return any(row["low"] is not None for row in rows)


def numbers_of(levels: Sequence[str]) -> tuple[list[float], str] | None:
    """Return a different number for each level, and what it counts where a level is a list.

    None where there are no such numbers.

    >>> numbers_of(["0.1", "1e-2", "1"]), numbers_of(["[16,16]", "[32,32]", "[64,64]"])
    (([0.1, 0.01, 1.0], ''), ([16.0, 32.0, 64.0], 'of each layer'))
    >>> numbers_of(["[8]", "[8,8]", "[8,8,8]"]), numbers_of(["relu", "1", "2"])
    (([1.0, 2.0, 3.0], 'number of layers'), None)
    """
    try:
        values = [json.loads(level) for level in levels]
    except ValueError:
        return None
    what = ""
    if all(isinstance(value, list) and len({*map(str, value)}) == 1 for value in values):
        lengths, firsts = [len(value) for value in values], [value[0] for value in values]
        what = EACH if len(set(lengths)) == 1 else LENGTH
        if what == LENGTH and len({*map(str, firsts)}) > 1:
            return None
        values = firsts if what == EACH else lengths
    are_numbers = all(is_number(value) and math.isfinite(value) for value in values)
    is_curve = are_numbers and len(set(values)) == len(values)
    return ([float(value) for value in values], what) if is_curve else None


def curve_row(unit: Unit, setting: Dict) -> Spec:
    return row_of(unit, setting["mean"], setting["interval"], setting["n"])


def row_of(unit: Unit, mean: float, interval: Sequence[float] | None, n: int) -> Spec:
    """Return a mean with its interval as a row of data."""
    low, high = interval or (None, None)
    words = f"{unit.value(mean)} {unit.interval(interval) if interval else ''}".strip()
    return {"mean": mean, "low": low, "high": high, "n": n, "words": words}


def training_beside(
    verdict: Dict, task: Dict, unit: Unit, settings: Sequence[Dict]
) -> dict[str, list[Spec]]:
    """Return what training measured of the same name, a row for each setting.

    Nothing where a setting has no run that did, or where the metric is one of training already.
    """
    stage, _, kind = verdict["design"]["metric"].rpartition("/")
    name = f"train/{kind}"
    values: dict[int, list[float]] = {setting["id"]: [] for setting in settings}
    for run in verdict["runs"]:
        value = run["metrics"].get(name)
        is_whole = run["task"] == task["name"] and run["error"] is None
        if is_whole and value is not None and run["setting"] in values:
            values[run["setting"]].append(value)
    if stage == "train" or not all(values.values()):
        return {}
    rows = []
    overlap = task["folds"]["shared"] if task.get("folds") else 0.0
    for own in values.values():
        mean, low, high = (float(number) for number in corrected_interval(own, overlap))
        ends = [low, high] if len(own) > 1 else None
        if ends is not None and unit.is_points:  # a share lies from 0 to 1
            ends = [min(1.0, max(0.0, end)) for end in ends]
        rows.append(row_of(unit, mean, ends, len(own)))
    return {name: rows}
