"""How pictures look: colours, shapes, dashes, type; and the frame that every picture shares.

Pictures are Vega-Lite specifications (Satyanarayan et al. 2017, "Vega-Lite: a grammar of
interactive graphics") as plain dicts, drawn in light colours. The page swaps each colour for a
CSS variable of its name, so that one specification serves a light screen, a dark one and paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
WIDTH = 640
MOST_ROWS = 60
"""Settings or pairs in one picture; the tables have them all."""
MOST_SHOWN = 8
"""Curves that are shown before the reader asks for more."""

# After Okabe & Ito 2008, "Color universal design", darkened where they were faint on white.
LIGHT = {
    "ink": "#1c2733",
    "quiet": "#5a6875",
    "faint": "#c3ccd4",
    "grid": "#e8ecf0",
    "paper": "#ffffff",
    "margin": "#e3eaf1",
    "blue": "#0072b2",
    "vermilion": "#d55e00",
    "green": "#00875f",
    "purple": "#b14a8b",
    "orange": "#b97a00",
    "sky": "#3d96d1",
    "unsettled": "#6f7b87",
    "ramp0": "#eff5fb",
    "ramp1": "#d3e4f3",
    "ramp2": "#aacde8",
    "ramp3": "#7ab2db",
    "ramp4": "#4088bf",
    "ramp5": "#2069a8",
    "ramp6": "#0b4a86",
    "on-low": "#13202d",
    "on-high": "#fdfeff",
}
DARK = {
    "ink": "#e7ecf1",
    "quiet": "#a3b0bc",
    "faint": "#4a5763",
    "grid": "#27313b",
    "paper": "#141a20",
    "margin": "#26323e",
    "blue": "#5aa9ee",
    "vermilion": "#ff8b52",
    "green": "#3fc99b",
    "purple": "#e48fc4",
    "orange": "#f0b545",
    "sky": "#a6dbff",
    "unsettled": "#98a4af",
    "ramp0": "#17293a",
    "ramp1": "#1b3b57",
    "ramp2": "#225077",
    "ramp3": "#2c6799",
    "ramp4": "#5b9bd0",
    "ramp5": "#86b9e2",
    "ramp6": "#b9d9f4",
    "on-low": "#f2f7fb",
    "on-high": "#0c1620",
}
RAMP = [LIGHT[f"ramp{step}"] for step in range(7)]
FIRST_ON_HIGH = 4
"""From this step of the ramp on, numbers are written in the colour `on-high`."""

COLOURS = ("blue", "vermilion", "green", "purple", "orange", "sky")
SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)
CROSS = "M0,-.3L.6,-.9L.9,-.6L.3,0L.9,.6L.6,.9L0,.3L-.6,.9L-.9,.6L-.3,0L-.9,-.6L-.6,-.9Z"
"""A diagonal cross: a failed run, or a verdict that was withheld."""
DASHES = ([1, 0], [6, 3], [2, 2], [9, 3, 2, 3], [4, 2])

OF_VERDICTS = {
    "better": ("blue", "triangle-up"),
    "worse": ("vermilion", "triangle-down"),
    "equivalent": ("green", "square"),
    "inconclusive": ("unsettled", "circle"),
    "withheld": ("purple", CROSS),
}
"""Colour and shape of each verdict."""


@dataclass(frozen=True)
class Look:
    """How a setting is drawn in every picture."""

    name: str
    colour: str
    shape: str
    dash: Sequence[int]
    width: float = 1.75


def looks(names: Sequence[str], control: str | None) -> dict[str, Look]:
    """Return a look for each name: the control in ink, solid and thick, with a diamond.

    Colours, shapes and dashes go round in cycles of 6, 7 and 5, so 210 settings look different.

    >>> [look.colour for look in looks(["relu", "elu"], "relu").values()]
    ['ink', 'blue']
    """
    found, index = {}, 0
    for name in names:
        if name == control:
            found[name] = Look(name, "ink", "diamond", DASHES[0], 3)
            continue
        colour, shape = COLOURS[index % len(COLOURS)], SHAPES[index % len(SHAPES)]
        found[name] = Look(name, colour, shape, DASHES[index % len(DASHES)])
        index += 1
    return found


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


def picture(
    title: str,
    subtitle: Sequence[str],
    description: str,
    layer: Sequence[Spec],
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
        title: what it shows.
        subtitle: how to read it, in lines of at most 100 characters.
        description: what a reader who cannot see it is told.
        layer: Vega-Lite's layers, from the back to the front.
        height: of the plot, in pixels.
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
        "layer": list(layer),
        "config": config(),
        "usermeta": {
            "columns": [[field, heading] for field, heading in (columns or {}).items()],
            "rows": [{field: row.get(field) for field in columns or {}} for row in rows],
            **usermeta,
        },
    }


def inline(rows: Sequence[Mapping[str, Any]]) -> Spec:
    """Return rows as the data of a layer."""
    return {"values": [dict(row) for row in rows]}


def drawn_as(those: Mapping[str, Look], shown: Sequence[str] = ()) -> Spec:
    """Return colour and shape channels by the field `name`.

    Args:
        those: the look of each name.
        shown: names in the legend below the picture; none for a picture without legend.
    """
    names = list(those)
    colours = [LIGHT[one.colour] for one in those.values()]
    shapes = [one.shape for one in those.values()]
    legend = legend_of(shown) if shown else None

    def channel(values: list[Any]) -> Spec:
        scale = {"domain": names, "range": values}
        return {"field": "name", "type": "nominal", "scale": scale, "legend": legend}

    return {"color": channel(colours), "shape": channel(shapes)}


def legend_of(shown: Sequence[str]) -> Spec:
    """Return a legend below the picture, in rows of like length."""
    longest = max(len(name) for name in shown)
    most = max(1, min(len(shown), WIDTH // (min(240, 7 * longest) + 46)))
    columns = math.ceil(len(shown) / math.ceil(len(shown) / most))
    return {"orient": "bottom", "columns": columns, "values": list(shown), "symbolOpacity": 1}


def dashed_as(those: Mapping[str, Look], shown: Sequence[str]) -> Spec:
    """Return the channels of lines by the field `name`: colour, dash and width."""
    names = list(those)

    def channel(values: list[Any]) -> Spec:
        # Vega-Lite joins the legends of equal domains, also with one that is not wanted: without a
        # name more, shapes in the legend would have the dashes of their lines around them.
        scale = {"type": "ordinal", "domain": [*names, ""], "range": [*values, values[0]]}
        return {"field": "name", "type": "ordinal", "sort": names, "scale": scale, "legend": None}

    return {
        "color": drawn_as(those, shown)["color"],
        "strokeDash": channel([list(one.dash) for one in those.values()]),
        "strokeWidth": channel([one.width for one in those.values()]),
    }


def series_of(those: Mapping[str, Look], shown: Sequence[str]) -> list[Spec]:
    """Return what the page's own legend needs of each setting, those that are shown first."""
    ordered = sorted(those.values(), key=lambda one: one.name not in shown)
    return [
        {
            "name": one.name,
            "colour": one.colour,
            "shape": one.shape,
            "dash": list(one.dash),
            "shown": one.name in shown,
        }
        for one in ordered
    ]


def spread(low: float, high: float, room: float = 0.06) -> list[float]:
    """Return the ends of an axis over some values, with a little room; never of no length."""
    size = (high - low) or abs(high) * 0.1 or 1.0
    return [low - room * size, high + room * size]
