"""The critical-difference diagram over several tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.contents import name_of
from experiments.comparison.plots_style import LIGHT, Spec, inline, picture

Dict = Mapping[str, Any]

LEVEL = 26
"""Height between two names, in pixels."""
FIRST_LEVEL = 30
CLIQUE = 9
"""Height between two bars of cliques, in pixels."""
RULER = -44
"""Where the ruler of the critical difference lies, above the axis."""


def critical_difference(verdict: Dict) -> Spec | None:
    """Return average ranks on an axis, with a bar over settings that do not differ.

    Demšar 2006, "Statistical comparisons of classifiers over multiple data sets", figure 1; here
    the best rank is at the left. Names of the better half stand at the left, of the rest at the
    right, those farther out higher, so that no line crosses a name.
    """
    found = verdict["several_tasks"]
    if not found or found.get("cd") is None:
        return None
    order = sorted(range(len(found["ranks"])), key=lambda i: (found["ranks"][i], i))
    names = [name_of(verdict, found["settings"][i]) for i in order]
    ranks = [found["ranks"][i] for i in order]
    rows = placed(names, ranks, num_cliques=len(found["cliques"]))
    pad = 0.5 * (len(names) - 1)
    x = axis(len(names), pad)
    told = "; ".join(f"{name} {rank:.2f}" for name, rank in zip(names, ranks, strict=True))
    layers = lines(rows, x, pad) + words(rows, x)
    layers += cliques(found, ranks, order, x) + ruler(ranks[0], found["cd"], x)
    return picture(
        f"Average ranks over {len(found['tasks'])} tasks",
        [
            "Rank 1 is best.",
            "A bar joins settings that differ by less than the critical difference (Nemenyi).",
        ],
        f"Average ranks over {len(found['tasks'])} tasks: {told}. Critical difference "
        f"{found['cd']:.2f}.",
        layers,
        height=max(row["depth"] for row in rows) + 12,
        columns={"name": "setting", "rank_text": "average rank", "joined": "not told apart from"},
        rows=rows_of_table(found, names, ranks, order),
    )


def placed(names: Sequence[str], ranks: Sequence[float], num_cliques: int) -> list[Spec]:
    """Return each setting's side and depth: the outermost of each side is the highest."""
    half = (len(names) + 1) // 2
    rows = []
    for place, (name, rank) in enumerate(zip(names, ranks, strict=True)):
        is_left = place < half
        level = place if is_left else len(names) - 1 - place
        depth = FIRST_LEVEL + CLIQUE * num_cliques + LEVEL * level
        rows.append({"name": name, "rank": rank, "depth": depth, "is_left": is_left})
        rows[-1]["text"] = f"{name}\u2002{rank:.2f}" if is_left else f"{rank:.2f}\u2002{name}"
    return rows


def axis(num_settings: int, pad: float) -> Spec:
    """Return the x channel of ranks, with room for names at both sides."""
    ticks = list(range(1, num_settings + 1))
    return {
        "type": "quantitative",
        "scale": {"domain": [1 - pad, num_settings + pad], "nice": False, "zero": False},
        "axis": {"values": ticks, "orient": "top", "grid": False, "domain": False}
        | {
            "title": None,
            "format": "d",
            "offset": 0,
            "ticks": True,
            "tickSize": 6,
            "tickColor": LIGHT["ink"],
        },
    }


def y_of(field: str) -> Spec:
    """Return a y channel in pixels from the axis downwards."""
    return {"value": {"expr": f"datum.{field}"}}


def lines(rows: Sequence[Dict], x: Spec, pad: float) -> list[Spec]:
    """Return the axis, and each setting's line from its rank down and out to its name."""
    ends = [{"from": x["scale"]["domain"][0] + pad, "to": x["scale"]["domain"][1] - pad}]
    rank = {**x, "field": "rank"}
    ink: Spec = {"type": "rule", "color": LIGHT["ink"], "strokeWidth": 1.25}
    data = inline(rows)
    found: list[Spec] = [
        {
            "data": inline(ends),
            "mark": ink,
            "encoding": {"x": {**x, "field": "from"}, "x2": {"field": "to"}, "y": {"value": 0}},
        },
        {
            "data": data,
            "mark": ink,
            "encoding": {"x": rank, "y": {"value": 0}, "y2": y_of("depth")},
        },
    ]
    for side, edge in (
        ("datum.is_left", {"value": 0}),
        ("!datum.is_left", {"value": {"expr": "width"}}),
    ):
        encoding = {"x": rank, "x2": edge, "y": y_of("depth")}
        found.append(
            {"data": data, "transform": [{"filter": side}], "mark": ink, "encoding": encoding}
        )
    return found


def words(rows: Sequence[Dict], x: Spec) -> list[Spec]:
    """Return the names over their lines, at the edges."""
    found: list[Spec] = []
    for side, align, edge in (
        ("datum.is_left", "left", {"value": 0}),
        ("!datum.is_left", "right", {"value": {"expr": "width"}}),
    ):
        mark = {"type": "text", "align": align, "baseline": "bottom", "dy": -4}
        mark |= {"fontSize": {"expr": "narrow ? 11 : 12.5"}}
        mark |= {"limit": {"expr": "width * 0.25 - 2"}}
        named = {"test": "narrow", "field": "name", "type": "nominal"}
        text = {"condition": named, "field": "text", "type": "nominal"}
        encoding = {"x": edge, "y": y_of("depth"), "text": text}
        found.append(
            {
                "data": inline(rows),
                "transform": [{"filter": side}],
                "mark": mark,
                "encoding": encoding,
            }
        )
    return found


def cliques(found: Dict, ranks: Sequence[float], order: Sequence[int], x: Spec) -> list[Spec]:
    """Return a thick bar over each clique."""
    rank_of = {setting: ranks[place] for place, setting in enumerate(order)}
    room = 0.02 * len(ranks)
    data = []
    for number, clique in enumerate(clique_places(found)):
        those = [rank_of[place] for place in clique]
        data.append(
            {"from": min(those) - room, "to": max(those) + room, "at": 12 + CLIQUE * number}
        )
    if not data:
        return []
    mark = {"type": "rule", "strokeWidth": 4.5, "strokeCap": "round", "color": LIGHT["blue"]}
    ends = {"x": {**x, "field": "from"}, "x2": {"field": "to"}, "y": y_of("at")}
    return [{"data": inline(data), "mark": mark, "encoding": ends}]


def clique_places(found: Dict) -> list[list[int]]:
    """Return the cliques by the places of their members in `ranks`."""
    names = list(found["settings"])
    return [
        [one if isinstance(one, int) else names.index(one) for one in clique]
        for clique in found["cliques"]
    ]


def ruler(start: float, cd: float, x: Spec) -> list[Spec]:
    """Return the length of the critical difference above the axis."""
    data = inline([{"from": start, "to": start + cd, "text": f"CD = {cd:.2f}", "at": start}])
    at = {"value": RULER}
    mark: Spec = {"type": "rule", "color": LIGHT["quiet"], "strokeWidth": 2}
    tick: Spec = {"type": "rule", "color": LIGHT["quiet"], "strokeWidth": 1.5}
    text = {"type": "text", "align": "left", "dy": -10, "color": LIGHT["quiet"], "fontSize": 12}
    both = {"y": {"value": RULER - 4}, "y2": {"value": RULER + 4}}
    return [
        {
            "data": data,
            "mark": mark,
            "encoding": {"x": {**x, "field": "from"}, "x2": {"field": "to"}, "y": at},
        },
        {"data": data, "mark": tick, "encoding": {"x": {**x, "field": "from"}, **both}},
        {"data": data, "mark": tick, "encoding": {"x": {**x, "field": "to"}, **both}},
        {
            "data": data,
            "mark": text,
            "encoding": {"x": {**x, "field": "from"}, "y": at, "text": {"field": "text"}},
        },
    ]


def rows_of_table(
    found: Dict, names: Sequence[str], ranks: Sequence[float], order: Sequence[int]
) -> list[Spec]:
    """Return what the picture tells, as rows of a table."""
    name_at = {setting: names[place] for place, setting in enumerate(order)}
    rows = []
    for setting, name, rank in zip(order, names, ranks, strict=True):
        friends = {
            name_at[one] for clique in clique_places(found) if setting in clique for one in clique
        }
        told = ", ".join(sorted(friends - {name})) or "–"
        rows.append({"name": name, "rank_text": f"{rank:.2f}", "joined": told})
    return rows
