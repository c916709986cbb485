"""The forest: differences with their intervals, beside the margin of +-delta."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.comparison.formats import Unit, percent, probability, unit_of
from experiments.comparison.lookups import MARKS, Dict, control_of, thing_of
from experiments.comparison.pair_tests import pair_test
from experiments.comparison.plots.palette import LIGHT, OF_VERDICTS
from experiments.comparison.plots.picture import MOST_ROWS, Spec, layer, span, tooltip
from experiments.comparison.plots.ranges import EDGE, Point, Ranges
from experiments.comparison.plots.setting_rows import (
    axis_of_rows,
    dot,
    row_picture,
    spread,
    value_axis,
)

GAP = 3
"""A difference that reaches so many times as far as the smaller ones is no part of the range."""


def differences(verdict: Dict, task: Dict) -> Spec | None:
    """Return the forest of a task's differences, the best first, verdicts in words."""
    known = [pair for pair in task["pairs"] if pair["difference"] is not None]
    if not known:
        return None
    unit, design = unit_of(verdict, task), verdict["design"]
    # Where there are too many, those of the smallest p.
    kept = sorted(known, key=lambda p: 1.0 if p["p"] is None else p["p"])[:MOST_ROWS]
    pairs = sorted(kept, key=lambda p: p["difference"], reverse=design["higher_is_better"])
    names = {s["id"]: str(s["name"]) for s in task["settings"]} if control_of(task) else {}
    rows = [row_of(unit, row, names.get(p["a"], p["name"]), p) for row, p in enumerate(pairs)]
    delta = design["delta"] or 0.0
    ends = [end for p in pairs for end in [p["difference"], *(p["interval"] or [])]]
    whole = spread(min([*ends, -delta]), max([*ends, delta]))
    ranges = Ranges(whole, closer(pairs, delta))
    x = axis_of_differences(unit, design["higher_is_better"], ranges)
    level = percent(pairs[0]["level"])
    has_bars = any(row["low"] is not None for row in rows)
    inner = pair_test(task).equivalence.removesuffix(" interval")
    thick = f"at {inner}, for equivalence" if inner.endswith("%") else "those for equivalence"
    line = f"Thin bars: intervals at {level}; thick: {thick}." * has_bars
    line += f" Shaded: smaller than {unit.amount(delta)}." if delta else ""
    control = control_of(task)
    against = f" from {control['name']}" if control else ""
    columns = {"name": "comparison", "change": "difference", "ends": f"{level} interval"}
    return row_picture(
        f"Differences{against}",
        [line.strip(), *[EDGE] * (ranges.close is not None)],
        f"Differences in {design['metric']}{against}, paired by {thing_of(task)}.",
        margin(delta, x) + intervals(rows, x, ranges, pair_test(task).p),
        rows,
        columns=columns | {"p": pair_test(task).p, "verdict": "verdict"},
        num_rows=len(known),
        words_width=105,
        can_zoom=ranges.close is not None,
    )


def row_of(unit: Unit, row: int, name: str, pair: Dict) -> Spec:
    """Return a comparison as a row of data."""
    low, high = pair["interval"] or (None, None)
    inner_low, inner_high = pair["interval90"] or (None, None)
    word = pair["verdict"]
    marked = f"{MARKS.get(word, '')} {word}".strip()
    return {
        "row": row,
        "name": name,
        "difference": pair["difference"],
        "low": low,
        "high": high,
        "inner_low": inner_low,
        "inner_high": inner_high,
        "verdict": word,
        "words": f"{marked}, {unit.change(pair['difference'])}",
        "few_words": marked,
        "change": unit.change(pair["difference"]),
        "ends": unit.changes(pair["interval"]),
        "p": probability(pair["p_holm"]),
    }


def closer(pairs: Sequence[Dict], delta: float) -> list[float] | None:
    """Return the range of what matters: the smallest differences, and +-delta.

    In the order of how far they reach from 0, it ends before the first that reaches three times
    as far as all before it. None where there is no such gap.
    """
    reach = {
        index: max(abs(end) for end in [pair["difference"], *(pair["interval"] or [])])
        for index, pair in enumerate(pairs)
    }
    near: list[Dict] = []
    farthest = 2 * delta
    for index in sorted(reach, key=lambda index: reach[index]):
        if (near or delta) and reach[index] > GAP * farthest:
            break
        farthest = max(farthest, reach[index])
        near.append(pairs[index])
    if not near or len(near) == len(pairs) or not farthest:
        return None
    ends = [end for pair in near for end in [pair["difference"], *(pair["interval"] or [])]]
    return spread(min([*ends, -1.5 * delta]), max([*ends, 1.5 * delta]), 0.15)


def axis_of_differences(unit: Unit, higher_is_better: bool, ranges: Ranges) -> Spec:
    """Return the x channel of differences, its title saying which side is better."""
    left, right = ("worse", "better") if higher_is_better else ("better", "worse")
    of = " in points" if unit.is_points else ""
    x = value_axis(unit, f"← {left}\u2003difference{of}\u2003{right} →", ranges.domain, 1.0)
    label = f"replace(format(datum.value * {unit.factor:g}, '+.4~g'), '-', '−')"
    x["axis"] |= {"labelExpr": f"abs(datum.value) < 1e-12 ? '0' : {label}"}
    return x


def margin(delta: float, x: Spec) -> list[Spec]:
    """Return the shaded margin of +-delta, and the line at no difference."""
    rule = {"type": "rule", "color": LIGHT["quiet"]}
    line = layer([{"zero": 0}], rule, {"x": {**x, "field": "zero"}})
    area = {"type": "rect", "color": LIGHT["margin"]}
    band = layer([{"low": -delta, "high": delta}], area, span(x, "low", "high"))
    return [band, line] if delta else [line]


def intervals(rows: Sequence[Dict], x: Spec, ranges: Ranges, p: str) -> list[Spec]:
    """Return the intervals and the mean differences, by colour and shape of their verdicts."""
    words = list(OF_VERDICTS)
    colours: Spec = {"domain": words, "range": [LIGHT[OF_VERDICTS[word][0]] for word in words]}
    shapes: Spec = {"domain": words, "range": [OF_VERDICTS[word][1] for word in words]}
    field = {"field": "verdict", "type": "nominal", "legend": None}
    common: Spec = {"y": axis_of_rows(len(rows)), "color": {**field, "scale": colours}}
    middle: Spec = {
        **common,
        "x": {**x, "field": "difference"},
        "shape": {**field, "scale": shapes},
    }
    fields = {"name": "comparison", "change": "difference", "ends": "interval", "p": p}
    told = {"tooltip": tooltip(fields | {"verdict": "verdict"})}
    common, middle = common | told, middle | told
    layers = []
    for low, high, width in (("low", "high", 1.5), ("inner_low", "inner_high", 4.5)):
        known = [row for row in rows if row[low] is not None]
        bar = layer(known, {"type": "rule", "strokeWidth": width}, common | span(x, low, high))
        layers += [bar | {"transform": [ranges.within(low, high)]}] if known else []
    dots = layer(rows, dot(130), middle) | {"transform": [ranges.within("difference")]}
    return [*layers, dots, *ranges.arrows([(row, points_of(row)) for row in rows], common)]


def points_of(row: Dict) -> list[Point]:
    """Return what is drawn of a comparison: its mean and the ends of its interval."""
    ends = [(row[key], "") for key in ("low", "high") if row[key] is not None]
    return [(row["difference"], row["change"]), *ends]
