"""The range that a picture of rows shows, and what lies beyond it: arrows at its edge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.comparison.plots.picture import Spec, layer, point

Point = tuple[float, str]
"""A value, and what is said of it; nothing of the end of an interval."""
Row = tuple[Mapping[str, Any], Sequence[Point]]
"""A row of data, and what is drawn of it: its mean first, then ends of intervals and seeds."""
EDGE = "Arrows at the edge point to what lies beyond."
ENDS: Mapping[str, Spec] = {
    "left": {"at": 6, "label": 15},
    "right": {"at": {"expr": "width - 6"}, "label": {"expr": "width - 15"}},
}
"""Where an arrow and its label stand, in pixels."""


@dataclass(frozen=True)
class Ranges:
    """The whole range of an axis, and the one that matters where it is much the smaller one.

    The picture begins with the smaller one; the signal `zoom`, which is there only then, is false
    for the whole one.
    """

    whole: Sequence[float]
    close: Sequence[float] | None = None

    @property
    def shown(self) -> list[tuple[bool, Sequence[float]]]:
        """Each range, and whether it is the close one."""
        close = [(True, self.close)] if self.close is not None else []
        return [*close, (False, self.whole)]

    @property
    def shortest(self) -> float:
        low, high = self.close or self.whole
        return high - low

    @property
    def domain(self) -> list[Any]:
        if self.close is None:
            return list(self.whole)
        ends = zip(self.close, self.whole, strict=True)
        return [{"expr": f"zoom ? {near!r} : {far!r}"} for near, far in ends]

    def within(self, low: str, high: str | None = None) -> Spec:
        """Return the filter of what lies at least in part in the range that is shown.

        What lies beyond would stand at its edge, where it is not.
        """
        tests = [
            f"(datum.{high or low} >= {first!r} && datum.{low} <= {last!r})"
            for _, (first, last) in self.shown
        ]
        return {"filter": f"zoom ? {tests[0]} : {tests[1]}" if len(tests) > 1 else tests[0]}

    def arrows(
        self, rows: Iterable[tuple[Mapping[str, Any], Sequence[Point]]], encoding: Spec
    ) -> list[Spec]:
        """Return an arrow for each row and side where something lies beyond, with its label.

        Args:
            rows: some may lie beyond.
            encoding: y, colour and what is told under the pointer.
        """
        data = [
            {**row, "close": is_close, "side": side, "label": label}
            for row, points in rows
            for is_close, ends in self.shown
            for side in ENDS
            if (label := label_of(points, ends, side)) is not None
        ]
        is_shown = [] if self.close is None else [{"filter": "datum.close === zoom"}]
        layers = []
        for side, where in ENDS.items():
            own = [row for row in data if row["side"] == side]
            arrow = point(70, shape=f"triangle-{side}")
            text = {"type": "text", "align": side, "baseline": "middle", "fontSize": 11.5}
            text["dy"] = {"expr": "narrow ? 10 : -10"}  # where narrow, its name stands above a row
            words = {"field": "label", "type": "nominal"}
            at = {"x": {"value": where["label"]}, "y": encoding["y"], "text": words}
            layers += [
                layer(own, arrow, {**encoding, "x": {"value": where["at"]}}),
                layer([row for row in own if row["label"]], text, at),
            ]
        return [drawn | {"transform": is_shown} for drawn in layers if drawn["data"]["values"]]


def label_of(points: Sequence[Point], ends: Sequence[float], side: str) -> str | None:
    """Return what an arrow of a row says; None where nothing of the row lies beyond.

    >>> label_of([(0.1, "10 %"), (0.05, "")], (0.5, 1.0), "left")
    '10 %'
    >>> label_of([(0.9, "90 %"), (0.2, "20 %"), (0.3, "30 %")], (0.5, 1.0), "left")
    '2 seeds'
    >>> label_of([(0.9, "90 %"), (0.4, "")], (0.5, 1.0), "left")
    ''
    >>> label_of([(0.9, "90 %")], (0.5, 1.0), "left")
    """
    low, high = ends
    beyond = [value < low if side == "left" else value > high for value, _ in points]
    if not any(beyond):
        return None
    texts = [text for (_, text), is_out in zip(points, beyond, strict=True) if is_out and text]
    if beyond[0] or len(texts) == 1:
        return texts[0]
    return f"{len(texts)} seeds" if texts else ""
