"""The frame that every picture shares, the parts that most are made of, and their files.

Pictures are Vega-Lite specifications (Satyanarayan et al. 2017, "Vega-Lite: a grammar of
interactive graphics") as plain dicts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.comparison.plots.palette import LIGHT

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
WIDTH = 640
TICKS: Spec = {"expr": "max(3, floor(width / 90))"}
"""As many ticks along the picture as there is room for."""
FEW_WHOLE = 10
"""Whole numbers that each have a tick, in a narrow picture too."""
MOST_ROWS = 60
"""Settings or pairs in one picture; the tables have them all."""
MOST_TOLD = 12
"""Rows of a picture that its description names."""

FOLDER = "plots"
"""Where the report looks for the files, beside itself."""
WHOLE = "-whole"
"""Behind the name of a picture: with its whole range, where it begins with that which matters."""
PNG_SCALE = 2


def picture(
    title: str,
    subtitle: Sequence[str],
    description: str,
    layers: Sequence[Spec],
    *,
    height: int,
    params: Mapping[str, Any] | None = None,
    data: Spec | None = None,
    columns: Mapping[str, str] | None = None,
    rows: Sequence[Mapping[str, Any]] = (),
    **usermeta: Any,
) -> Spec:
    """Return a picture.

    Args:
        subtitle: how to read it, in lines of at most 100 characters.
        params: Vega's signals and the values that they begin with.
        data: what all layers are drawn from, where they share it.
        columns: field to heading of the table that tells the same numbers.
        rows: what that table is made of; of `data` where there are none.
        usermeta: what else the page is to know; Vega ignores it.
    """
    signals = {"narrow": False, **(params or {})}
    return {
        "$schema": SCHEMA,
        "title": {"text": title, "subtitle": list(subtitle)},
        "description": description,
        "width": WIDTH,
        "height": height,
        "params": [{"name": name, "value": value} for name, value in signals.items()],
        **({"data": data} if data else {}),
        "layer": list(layers),
        "config": config(),
        "usermeta": {
            "columns": [[field, heading] for field, heading in (columns or {}).items()],
            "rows": [{field: row.get(field) for field in columns or {}} for row in rows],
            **usermeta,
        },
    }


def config() -> Spec:
    """Return the configuration of every picture: quiet axes, no frame, one type."""
    ink, quiet, faint, grid = (LIGHT[name] for name in ("ink", "quiet", "faint", "grid"))
    return {
        "font": FONT,
        "aria": False,  # a picture is described as a whole, and its numbers are a table
        "background": LIGHT["paper"],
        "padding": 12,
        "view": {"stroke": None},
        "axis": {
            "labelColor": quiet,
            "labelFontSize": 12,
            "titleColor": quiet,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titlePadding": 10,
            "labelPadding": 6,
            "domainColor": faint,
            "tickColor": faint,
            "tickSize": 4,
            "gridColor": grid,
        },
        "legend": {
            "labelColor": ink,
            "labelFontSize": 12,
            "labelLimit": 240,
            "title": None,
            "symbolSize": 90,
            "columnPadding": 18,
            "rowPadding": 6,
            "offset": 14,
        },
        "title": {
            "color": ink,
            "fontSize": 16,
            "fontWeight": 600,
            "subtitleColor": quiet,
            "subtitleFontSize": 12.5,
            "subtitlePadding": 6,
            "subtitleLineHeight": 17,
            "anchor": "start",
            "frame": "group",
            "offset": 18,
        },
        "text": {"color": ink, "fontSize": 12},
        "rule": {"color": faint},
    }


def inline(rows: Sequence[Mapping[str, Any]]) -> Spec:
    return {"values": [dict(row) for row in rows]}


def layer(rows: Sequence[Mapping[str, Any]], mark: Spec, encoding: Spec) -> Spec:
    return {"data": inline(rows), "mark": mark, "encoding": encoding}


def tooltip(headings: Mapping[str, str]) -> list[Spec]:
    """Return what is told under the pointer: field to heading."""
    return [{"field": field, "title": heading} for field, heading in headings.items()]


def point(size: int, **properties: Any) -> Spec:
    return {"type": "point", "filled": True, "size": size, "opacity": 1, **properties}


def span(x: Spec, low: str, high: str) -> Spec:
    return {"x": {**x, "field": low}, "x2": {"field": high}}


def number_format(form: str) -> Spec:
    """Return how an axis writes its numbers, a space before each % as everywhere else."""
    return {"format": form, "labelExpr": "replace(datum.label, '%', ' %')"}


def upright_axis(title: str, form: str, num_ticks: int = 6) -> Spec:
    """Return the axis of a y channel: numbers beside the grid, and no line."""
    quiet = {"domain": False, "ticks": False}
    return {"title": title, "tickCount": num_ticks, **quiet, **number_format(form)}


def whole_ticks(numbers: Iterable[int]) -> Spec:
    """Return an axis' ticks at whole numbers: each of a few, as many as there is room for of more.

    Vega's own are half a step apart where the smallest step that it is allowed is all there is.

    >>> whole_ticks([1, 2, 3])
    {'values': [1, 2, 3]}
    """
    first, last = min(known := list(numbers)), max(known)
    if last - first < FEW_WHOLE:
        return {"values": list(range(first, last + 1))}
    return {"tickMinStep": 1, "tickCount": TICKS}


def write_pictures(specs: Mapping[str, Spec], folder: Path) -> list[Path]:
    """Write each picture as NAME.svg and NAME.png, and return the files.

    A picture that begins with a part of its range is written with the whole one too, as
    NAME-whole. Nothing is read from anywhere: a spec holds its data.
    """
    import vl_convert  # only those who draw need it

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, spec in all_views(specs).items():
        svg = vl_convert.vegalite_to_svg(json.dumps(still(spec)), allowed_base_urls=[])
        for path, content in (
            (folder / f"{name}.svg", svg.encode()),
            (folder / f"{name}.png", vl_convert.svg_to_png(svg, scale=PNG_SCALE)),
        ):
            path.write_bytes(content)
            written.append(path)
    return written


def all_views(specs: Mapping[str, Spec]) -> dict[str, Spec]:
    """Return the pictures, and behind each that begins with a part of its range the whole one."""
    views: dict[str, Spec] = {}
    for name, spec in specs.items():
        views[name] = spec
        if spec["usermeta"].get("can_zoom"):
            params = [p | {"value": p["name"] != "zoom" and p["value"]} for p in spec["params"]]
            views[f"{name}{WHOLE}"] = spec | {"params": params}
    return views


def still(spec: Spec) -> Spec:
    """Return a picture without what only a pointer wakes, and without what is not shown at first.

    The points of layers that hold a selection are invisible in a file, and drawing them took nine
    tenths of a PNG's time.
    """
    plain = {key: value for key, value in spec.items() if key != "usermeta"}
    plain["layer"] = [drawn for drawn in spec["layer"] if "params" not in drawn]
    shown = next((p["value"] for p in spec["params"] if p["name"] == "shown"), None)
    if shown is not None:
        rows = [row for row in spec["data"]["values"] if row["name"] in shown]
        plain["data"] = {"values": rows}
    return plain
