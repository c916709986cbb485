"""A picture as notebooks show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.figures.page.drawing import Drawing
from experiments.figures.page.making import render, themed_figure
from experiments.figures.page.themes import THEMES


@dataclass(frozen=True)
class Picture:
    """A picture of a drawing, which notebooks show; its parts are those that `draw` is given."""

    drawing: Drawing
    name: str
    theme: str = "light"
    dpi: int = 110

    @property
    def numbers(self) -> Mapping[str, Any]:
        """Every number that is drawn."""
        return self.drawing.numbers

    def __repr__(self) -> str:
        return self.drawing.description

    def _repr_png_(self) -> bytes:
        theme = THEMES[self.theme]
        with themed_figure(self.drawing.pictures[self.name], theme) as figure:
            return render(figure, "png", self.dpi, self.name, self.drawing.description)
