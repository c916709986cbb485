"""Settings as lines that a reader shows and hides: their channels, their layers, their legend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.comparison.plots.palette import LIGHT, Look, looks_of_levels
from experiments.comparison.plots.picture import WIDTH, Spec, picture

MOST_SHOWN = 8
"""Lines that are shown before the reader asks for more."""


def legend_of(shown: Sequence[str]) -> Spec:
    """Return a legend below the picture, in rows of like length."""
    longest = max(len(name) for name in shown)
    most = max(1, min(len(shown), WIDTH // (min(240, 7 * longest) + 46)))
    columns = math.ceil(len(shown) / math.ceil(len(shown) / most))
    return {"orient": "bottom", "columns": columns, "values": list(shown), "symbolOpacity": 1}


@dataclass(frozen=True)
class SettingLines:
    """The looks of settings as channels by the field `name`.

    Args:
        looks: of all settings.
        shown: the names of those that are shown at first; none for a picture without legend.
    """

    looks: Mapping[str, Look]
    shown: Sequence[str] = ()

    @property
    def points(self) -> Spec:
        """The channels of points: colour and shape."""
        legend = legend_of(self.shown) if self.shown else None

        def channel(values: list[str]) -> Spec:
            scale = {"domain": list(self.looks), "range": values}
            return {"field": "name", "type": "nominal", "scale": scale, "legend": legend}

        return {
            "color": channel([LIGHT[look.colour] for look in self.looks.values()]),
            "shape": channel([look.shape for look in self.looks.values()]),
        }

    @property
    def colour(self) -> Spec:
        return {"color": self.points["color"]}

    @property
    def lines(self) -> Spec:
        """The channels of lines: colour, dash and width."""
        names = list(self.looks)

        def channel(values: list[Any]) -> Spec:
            # Vega-Lite joins the legends of equal domains, also with one that is not wanted:
            # without a name more, shapes in the legend would have the dashes of their lines.
            domain, reach = [*names, ""], [*values, values[0]]
            scale = {"type": "ordinal", "domain": domain, "range": reach}
            field = {"field": "name", "type": "ordinal", "sort": names}
            return {**field, "scale": scale, "legend": None}

        return {
            **self.colour,
            "strokeDash": channel([list(look.dash) for look in self.looks.values()]),
            "strokeWidth": channel([look.width for look in self.looks.values()]),
        }


def lines_of(verdict: Mapping[str, Any], names: Sequence[str]) -> SettingLines:
    """Return lines by the names of settings, of which the control and the first are shown."""
    settings = {str(s["name"]): s for task in verdict["tasks"] for s in task["settings"]}
    control = next((name for name, s in settings.items() if s["is_control"]), None)
    shown = sorted(names, key=lambda name: name != control)[:MOST_SHOWN]
    levels = {n: list(settings[n]["levels"].values()) if n in settings else [n] for n in names}
    return SettingLines(looks_of_levels(levels, control), shown)


def line_picture(
    lines: SettingLines, *words: Any, params: Mapping[str, Any] | None = None, **parts: Any
) -> Spec:
    """Return a picture of lines, of which the page knows what is shown, and the legend.

    `words` and `parts` are what `picture` takes, `params` further signals.
    """
    series = [
        {**vars(look), "dash": list(look.dash), "shown": look.name in lines.shown}
        for look in sorted(lines.looks.values(), key=lambda look: look.name not in lines.shown)
    ]
    signals = {"shown": list(lines.shown), **(params or {})}
    return picture(*words, params=signals, series=series, **parts)


def shown_layer(mark: Spec, encoding: Spec, *transforms: Spec) -> Spec:
    """Return a layer of the settings that are shown; `transforms` are such as a filter more."""
    is_shown = {"filter": "indexof(shown, datum.name) >= 0"}
    return {"transform": [is_shown, *transforms], "mark": mark, "encoding": encoding}


def band_and_line(lines: SettingLines, x: Spec, y: Spec, middle: str, opacity: float) -> list[Spec]:
    """Return bands from `low` to `high`, and lines through a field between them."""
    ends = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    area: Spec = {"type": "area", "opacity": 1, "fillOpacity": opacity}
    through = {"x": x, "y": {**y, "field": middle}, **lines.lines}
    return [
        shown_layer(area, {**ends, **lines.colour}, is_valid("low")),
        shown_layer({"type": "line"}, through, is_valid(middle)),
    ]


def is_valid(field: str) -> Spec:
    return {"filter": f"isValid(datum.{field})"}
