"""The forest: differences with their intervals, beside the margin of +-delta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.contents import MARKS, against_control, control_of
from experiments.comparison.formats import Unit, percent, probability, unit_of
from experiments.comparison.plots_rows import (
    axis_of_rows,
    dot,
    height_of,
    left_out,
    row_words,
    value_axis,
    zoomable,
)
from experiments.comparison.plots_style import (
    LIGHT,
    MOST_ROWS,
    OF_VERDICTS,
    Spec,
    inline,
    picture,
    spread,
)

Dict = Mapping[str, Any]


def differences(verdict: Dict, task: Dict) -> Spec | None:
    """Return the forest of a task's differences, the best first, verdicts in words."""
    known = [pair for pair in task["pairs"] if pair["difference"] is not None]
    if not known:
        return None
    unit, design = unit_of(verdict, task), verdict["design"]
    pairs = in_order(known, design["higher_is_better"])
    rows = [row_of(unit, row, name_in(task, p), p) for row, p in enumerate(pairs)]
    delta = design["delta"] or 0.0
    ends = [end for p in pairs for end in [p["difference"], *(p["interval"] or [])]]
    full = spread(min([*ends, -delta]), max([*ends, delta]))
    close = closer(pairs, delta, full)
    x = axis_of_differences(unit, design["higher_is_better"], zoomable(full, close))
    level = percent(pairs[0]["level"])
    has_bars = any(row["low"] is not None for row in rows)
    lines = [f"Thin bars: intervals at {level}; thick: at 90 %, for equivalence." * has_bars]
    lines[0] += f" Shaded: smaller than {unit.amount(delta)}." if delta else ""
    lines = [line.strip() for line in lines]
    lines += left_out(len(pairs), len(known))
    control = control_of(task)
    against = f" from {control['name']}" if control else ""
    told = "; ".join(f"{row['name']}: {row['words']}" for row in rows[:12])
    return picture(
        f"Differences{against}",
        lines,
        f"Differences in {design['metric']}{against}, paired by seed. {told}.",
        margin(delta, x) + intervals(rows, x) + row_words(rows, 105),
        height=height_of(len(rows)),
        params={"names": [row["name"] for row in rows]} | ({"zoom": False} if close else {}),
        columns={
            "name": "comparison",
            "change": "difference",
            "ends": f"{level} interval",
            "p": "p (Holm)",
            "verdict": "verdict",
        },
        rows=rows,
        zoom=f"Zoom in on ±{unit.amount(delta)}" if close else None,
    )


def in_order(pairs: Sequence[Dict], higher_is_better: bool) -> list[Dict]:
    """Return the pairs, the best first; where there are too many, those of the smallest p."""
    kept = sorted(pairs, key=lambda p: 1.0 if p["p"] is None else p["p"])[:MOST_ROWS]
    return sorted(kept, key=lambda p: p["difference"], reverse=higher_is_better)


def name_in(task: Dict, pair: Dict) -> str:
    """Return the name of a comparison: of the setting alone where all are with the control."""
    if pair["a"] in against_control(task):
        return next(str(s["name"]) for s in task["settings"] if s["id"] == pair["a"])
    return str(pair["name"])


def row_of(unit: Unit, row: int, name: str, pair: Dict) -> Spec:
    """Return a comparison as a row of data."""
    low, high = pair["interval"] or (None, None)
    inner_low, inner_high = pair["interval90"] or (None, None)
    word = pair["verdict"]
    return {
        "row": row,
        "name": name,
        "difference": pair["difference"],
        "low": low,
        "high": high,
        "inner_low": inner_low,
        "inner_high": inner_high,
        "verdict": word,
        "words": f"{MARKS.get(word, '')} {word}, {unit.change(pair['difference'])}".strip(),
        "few_words": f"{MARKS.get(word, '')} {word}".strip(),
        "change": unit.change(pair["difference"]),
        "ends": unit.changes(pair["interval"]),
        "p": probability(pair["p_holm"]),
    }


def closer(pairs: Sequence[Dict], delta: float, full: Sequence[float]) -> list[float] | None:
    """Return the range around +-delta, where the whole one is much larger."""
    near = [p for p in pairs if abs(p["difference"]) <= 4 * delta]
    if not delta or not near:
        return None
    far = max([2 * delta, *(abs(end) for p in near for end in p["interval"] or [])])
    return spread(-far, far) if 6 * far < full[1] - full[0] else None


def axis_of_differences(unit: Unit, higher_is_better: bool, domain: Sequence[Any]) -> Spec:
    """Return the x channel of differences, its title saying which side is better."""
    left, right = ("worse", "better") if higher_is_better else ("better", "worse")
    of = f" in {unit.of_differences}" if unit.of_differences else ""
    x = value_axis(unit, f"← {left}\u2003difference{of}\u2003{right} →", domain, 1.0)
    label = f"replace(format(datum.value * {unit.factor:g}, '+.4~g'), '-', '−')"
    x["axis"] |= {"labelExpr": f"abs(datum.value) < 1e-12 ? '0' : {label}"}
    return x


def margin(delta: float, x: Spec) -> list[Spec]:
    """Return the shaded margin of +-delta, and the line at no difference."""
    line: Spec = {
        "data": inline([{"zero": 0}]),
        "mark": {"type": "rule", "color": LIGHT["quiet"]},
        "encoding": {"x": {**x, "field": "zero"}},
    }
    band: Spec = {
        "data": inline([{"low": -delta, "high": delta}]),
        "mark": {"type": "rect", "color": LIGHT["margin"]},
        "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
    }
    return [band, line] if delta else [line]


def intervals(rows: Sequence[Dict], x: Spec) -> list[Spec]:
    """Return the intervals and the mean differences, by colour and shape of their verdicts."""
    words = list(OF_VERDICTS)
    colours: Spec = {"domain": words, "range": [LIGHT[OF_VERDICTS[word][0]] for word in words]}
    shapes: Spec = {"domain": words, "range": [OF_VERDICTS[word][1] for word in words]}
    field = {"field": "verdict", "type": "nominal", "legend": None}
    at = {"y": axis_of_rows(len(rows)), "color": {**field, "scale": colours}}
    outer = {**at, "x": {**x, "field": "low"}, "x2": {"field": "high"}}
    inner = {**at, "x": {**x, "field": "inner_low"}, "x2": {"field": "inner_high"}}
    tips = [
        {"field": "name", "title": "comparison"},
        {"field": "change", "title": "difference"},
        {"field": "ends", "title": "interval"},
        {"field": "p", "title": "p (Holm)"},
        {"field": "verdict", "title": "verdict"},
    ]
    middle = {**at, "x": {**x, "field": "difference"}, "shape": {**field, "scale": shapes}}
    thin, thick = ({"type": "rule", "strokeWidth": width} for width in (1.5, 4.5))
    with_ends = inline([row for row in rows if row["low"] is not None])
    with_inner = inline([row for row in rows if row["inner_low"] is not None])
    layers: list[Spec] = [
        {"data": with_ends, "mark": thin, "encoding": outer},
        {"data": with_inner, "mark": thick, "encoding": inner},
        {"data": inline(rows), "mark": dot(130), "encoding": {**middle, "tooltip": tips}},
    ]
    return [layer for layer in layers if layer["data"]["values"]]
