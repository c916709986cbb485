"""The critical-difference diagram over several tasks."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.comparison.formats import NOTHING
from experiments.comparison.lookups import Dict, names_of
from experiments.comparison.plots.palette import LIGHT
from experiments.comparison.plots.picture import Spec, layer, picture, span

LEVEL = 26
"""Height between two names, in pixels."""
FIRST_LEVEL = 30
CLIQUE = 9
"""Height between two bars of cliques, in pixels."""
RULER = -44
"""Where the ruler of the critical difference lies, above the axis."""
SIDES = {
    "left": ("datum.is_left", {"value": 0}),
    "right": ("!datum.is_left", {"value": {"expr": "width"}}),
}
"""Which names stand at a side, and where its edge is."""


def critical_difference(verdict: Dict) -> Spec | None:
    """Return average ranks on an axis, with a bar over settings that do not differ.

    Demšar 2006, "Statistical comparisons of classifiers over multiple data sets", figure 1; here
    the best rank is at the left. Names of the better half stand at the left, of the rest at the
    right, those farther out higher, so that no line crosses a name.
    """
    several = verdict["several_tasks"]
    if not several:
        return None
    ranks, tasks = several["ranks"], f"{len(several['tasks'])} tasks"
    order = sorted(range(len(ranks)), key=lambda i: (ranks[i], i))
    names, cliques = names_of(verdict), several["cliques"]
    rows = placed([names[i] for i in order], [ranks[i] for i in order], len(cliques))
    x = rank_axis(len(names))
    layers = lines(rows, x) + words(rows)
    layers += clique_bars(cliques, ranks, x) + ruler(min(ranks), several["cd"], x)
    summary = "; ".join(f"{row['name']} {row['rank']:.2f}" for row in rows)
    table = []
    for i in order:
        shared = {names[other] for clique in cliques if i in clique for other in clique}
        joined = ", ".join(sorted(shared - {names[i]})) or NOTHING
        table.append({"name": names[i], "rank_text": f"{ranks[i]:.2f}", "joined": joined})
    return picture(
        f"Average ranks over {tasks}",
        [
            "Rank 1 is best.",
            "A bar joins settings that differ by less than the critical difference (Nemenyi).",
        ],
        f"Average ranks over {tasks}: {summary}. Critical difference {several['cd']:.2f}.",
        layers,
        height=max(row["depth"] for row in rows) + 12,
        columns={"name": "setting", "rank_text": "average rank", "joined": "not told apart from"},
        rows=table,
    )


def placed(names: Sequence[str], ranks: Sequence[float], num_cliques: int) -> list[Spec]:
    """Return each setting's side and depth: the outermost of each side is the highest."""
    half = (len(names) + 1) // 2
    rows = []
    for index, (name, rank) in enumerate(zip(names, ranks, strict=True)):
        is_left = index < half
        level = index if is_left else len(names) - 1 - index
        depth = FIRST_LEVEL + CLIQUE * num_cliques + LEVEL * level
        text = f"{name}\u2002{rank:.2f}" if is_left else f"{rank:.2f}\u2002{name}"
        rows.append({"name": name, "rank": rank, "depth": depth, "is_left": is_left, "text": text})
    return rows


def rank_axis(num_settings: int) -> Spec:
    """Return the x channel of ranks, with room for names at both sides."""
    pad = 0.5 * (num_settings - 1)
    axis = {"values": list(range(1, num_settings + 1)), "orient": "top", "grid": False}
    axis |= {"domain": False, "title": None, "format": "d", "offset": 0}
    axis |= {"ticks": True, "tickSize": 6, "tickColor": LIGHT["ink"]}
    scale = {"domain": [1 - pad, num_settings + pad], "nice": False, "zero": False}
    return {"type": "quantitative", "scale": scale, "axis": axis}


def y_of(field: str) -> Spec:
    return {"value": {"expr": f"datum.{field}"}}


def lines(rows: Sequence[Dict], x: Spec) -> list[Spec]:
    """Return the axis, and each setting's line from its rank down and out to its name."""
    rank, ground = {**x, "field": "rank"}, {"value": 0}
    ink: Spec = {"type": "rule", "color": LIGHT["ink"], "strokeWidth": 1.25}
    axis = layer([{"from": 1, "to": len(rows)}], ink, {**span(x, "from", "to"), "y": ground})
    down = layer(rows, ink, {"x": rank, "y": ground, "y2": y_of("depth")})
    out = [
        layer(rows, ink, {"x": rank, "x2": edge, "y": y_of("depth")})
        | {"transform": [{"filter": is_here}]}
        for is_here, edge in SIDES.values()
    ]
    return [axis, down, *out]


def words(rows: Sequence[Dict]) -> list[Spec]:
    named = {"test": "narrow", "field": "name", "type": "nominal"}
    text = {"condition": named, "field": "text", "type": "nominal"}
    size, limit = {"expr": "narrow ? 11 : 12.5"}, {"expr": "width * 0.25 - 2"}
    mark = {"type": "text", "baseline": "bottom", "dy": -4, "fontSize": size, "limit": limit}
    return [
        layer(rows, {**mark, "align": side}, {"x": edge, "y": y_of("depth"), "text": text})
        | {"transform": [{"filter": is_here}]}
        for side, (is_here, edge) in SIDES.items()
    ]


def clique_bars(cliques: Sequence[Sequence[int]], ranks: Sequence[float], x: Spec) -> list[Spec]:
    if not cliques:
        return []
    room, bars = 0.02 * len(ranks), []
    for number, clique in enumerate(cliques):
        own = [ranks[i] for i in clique]
        bars.append({"from": min(own) - room, "to": max(own) + room, "at": 12 + CLIQUE * number})
    mark = {"type": "rule", "strokeWidth": 4.5, "strokeCap": "round", "color": LIGHT["blue"]}
    encoding = {**span(x, "from", "to"), "y": y_of("at")}
    return [layer(bars, mark, encoding)]


def ruler(start: float, cd: float, x: Spec) -> list[Spec]:
    """Return the length of the critical difference above the axis."""
    data = [{"from": start, "to": start + cd, "text": f"CD = {cd:.2f}"}]
    at, left = {"value": RULER}, {"x": {**x, "field": "from"}}
    quiet: Spec = {"color": LIGHT["quiet"]}
    tick = {"type": "rule", "strokeWidth": 1.5, **quiet}
    ends = {"y": {"value": RULER - 4}, "y2": {"value": RULER + 4}}
    text = {"type": "text", "align": "left", "dy": -10, "fontSize": 12, **quiet}
    line = {"type": "rule", "strokeWidth": 2, **quiet}
    return [
        layer(data, line, {**span(x, "from", "to"), "y": at}),
        layer(data, tick, {**left, **ends}),
        layer(data, tick, {"x": {**x, "field": "to"}, **ends}),
        layer(data, text, {**left, "y": at, "text": {"field": "text"}}),
    ]
