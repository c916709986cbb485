"""How figures look, on a light page and on a dark one; legible without colour.

Series differ in colour, dash and marker at once. The colours are Okabe & Ito 2008, "Color
universal design", darkened where they were faint on white and lightened for a dark page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb

from experiments.figures.page.sheet import FONT

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (6, 3)), (0, (2, 2)), (0, (9, 3, 2, 3)), (0, (4, 2)))


@dataclass(frozen=True)
class SeriesStyle:
    """How a series is drawn, as the keywords of `Axes.plot`."""

    color: str
    linestyle: Any
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """The keywords of a line without markers."""
        return {"color": self.color, "linestyle": self.linestyle}


@dataclass(frozen=True)
class Theme:
    """The colours of a page.

    Attributes:
        name: light or dark.
        paper: behind everything.
        ink: of text and of what matters most.
        quiet: of labels and ticks.
        faint: of axes and edges.
        grid: of lines that only guide the eye.
        colours: of series.
        ramp: from little to much, for contours and heat maps.
        diverging: negative, nothing, positive.
    """

    name: str
    paper: str
    ink: str
    quiet: str
    faint: str
    grid: str
    colours: tuple[str, ...]
    ramp: tuple[str, ...]
    diverging: tuple[str, str, str]

    def style(self, index: int) -> SeriesStyle:
        """Return the style of the series of this number; 210 of them differ."""
        colour = self.colours[index % len(self.colours)]
        return SeriesStyle(colour, DASHES[index % len(DASHES)], MARKERS[index % len(MARKERS)])

    def colormap(self, colours: Sequence[str] | None = None) -> LinearSegmentedColormap:
        """Return a colour map through `colours`, by default through the ramp."""
        return LinearSegmentedColormap.from_list(self.name, list(colours or self.ramp))

    def washed(self, colour: str, share: float = 0.22) -> str:
        """Return a colour thinned by the paper, for an area behind what is drawn in it."""
        (r, g, b), paper = to_rgb(colour), [(1 - share) * part for part in to_rgb(self.paper)]
        return to_hex((share * r + paper[0], share * g + paper[1], share * b + paper[2]))

    @property
    def settings(self) -> dict[Any, Any]:
        """Matplotlib's settings for this page."""
        colours = {
            self.paper: ("figure.facecolor", "axes.facecolor", "savefig.facecolor"),
            self.ink: ("text.color", "axes.titlecolor"),
            self.quiet: ("axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"),
            self.faint: ("axes.edgecolor", "xtick.color", "ytick.color"),
            self.grid: ("grid.color",),
        }
        return {
            **{key: colour for colour, keys in colours.items() for key in keys},
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 12,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "font.size": 10,
            "font.family": FONT,
            "legend.frameon": False,
            "figure.titlesize": 14,
            "figure.titleweight": "bold",
            "lines.linewidth": 1.75,
            "svg.hashsalt": "experiments",  # the same numbers give the same file
            "path.simplify": True,
        }


LIGHT = Theme(
    name="light",
    paper="#ffffff",
    ink="#1c2733",
    quiet="#5a6875",
    faint="#c3ccd4",
    grid="#e8ecf0",
    colours=("#0072b2", "#d55e00", "#00875f", "#b14a8b", "#b97a00", "#3d96d1"),
    ramp=("#eff5fb", "#d3e4f3", "#aacde8", "#7ab2db", "#4088bf", "#2069a8", "#0b4a86"),
    diverging=("#d55e00", "#ffffff", "#0072b2"),
)
DARK = Theme(
    name="dark",
    paper="#141a20",
    ink="#e7ecf1",
    quiet="#a3b0bc",
    faint="#4a5763",
    grid="#27313b",
    colours=("#5aa9ee", "#ff8b52", "#3fc99b", "#e48fc4", "#f0b545", "#a6dbff"),
    ramp=("#17293a", "#1b3b57", "#225077", "#2c6799", "#5b9bd0", "#86b9e2", "#b9d9f4"),
    diverging=("#ff8b52", "#141a20", "#5aa9ee"),
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
