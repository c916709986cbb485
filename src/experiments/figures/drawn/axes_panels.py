"""What panels of several figures share: titles, lines with a few markers, contours, paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.figures.page.slide import slide
from experiments.figures.page.themes import SeriesStyle, Theme

Array = NDArray[np.float64]
NUM_LEVELS = 16
FAR = 50.0
"""Beyond so many times the picture's size, nobody sees where exactly a point is."""


def two_panels(ratios: tuple[int, int]) -> tuple[Figure, tuple[Axes, Axes]]:
    """Return a slide with two axes side by side."""
    figure = slide()
    left, right = figure.subplots(1, 2, width_ratios=ratios)
    return figure, (left, right)


def name_axes(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    axes.set_title(title, fontsize=11)
    axes.set(xlabel=x, ylabel=y)


def mark_every(num_points: int, number: int = 8) -> int:
    """Return every how many points of a line a marker stands, so that there are some `number`."""
    return max(1, num_points // number)


def draw_marked_line(
    axes: Axes,
    x: Array,
    y: Array,
    style: SeriesStyle,
    marked: slice,
    zorder: float = 2,
    **marks: Any,
) -> None:
    """Draw a line with its dash, and markers at some of its points."""
    axes.plot(x, y, **style.line, zorder=zorder)
    axes.plot(x[marked], y[marked], style.marker, color=style.color, ms=5, zorder=zorder, **marks)


def add_to_legend(axes: Axes, style: SeriesStyle, name: str) -> None:
    """Name a line that carries markers, of which `draw_marked_line` draws two."""
    axes.plot([], [], **style.line, marker=style.marker, ms=5, label=name)


def log_levels(values: Array, lowest: float) -> list[float]:
    """Return levels of f whose distances from the lowest value grow by one factor.

    Equal steps would draw a steep wall densely and leave the valley, where optimizers are, empty.

    Values over the grid that are not finite are not drawn.
    """
    above = values[np.isfinite(values)] - lowest
    above = above[above > 0]
    if not len(above):  # a plain
        return [lowest + 1.0]
    low, high = float(np.quantile(above, 0.002)), float(above.max())
    low = max(low, high * 1e-6)
    return [lowest + step for step in np.geomspace(low, high, NUM_LEVELS).tolist()]


def draw_contours(
    axes: Axes, x: Array, y: Array, values: Array, lowest: float, theme: Theme
) -> None:
    """Draw contours: lines over a shading that is darkest where f is least.

    Shapes: x (X,), y (Y,), values (Y, X).
    """
    levels = log_levels(values, lowest)
    shades = theme.colormap([theme.ramp[2], theme.ramp[1], theme.ramp[0], theme.paper])
    edges = [float(np.nanmin(values)) - 1.0, *levels]
    norm = BoundaryNorm(edges, shades.N)
    shown = np.ma.masked_invalid(values)
    lines: dict[str, Any] = {"colors": [theme.faint], "linewidths": 0.7, "linestyles": "-"}
    axes.contourf(x, y, shown, levels=edges, cmap=shades, norm=norm, zorder=0)
    axes.contour(x, y, shown, levels=levels, zorder=1, **lines)
    axes.set_xlim(float(x[0]), float(x[-1]))
    axes.set_ylim(float(y[0]), float(y[-1]))


def within_reach(axes: Axes, points: Array) -> Array:
    """Return points of which those far outside of the axes stand nearer, in the same direction.

    A diverging path would else be drawn with numbers for which the drawing has no pixels.
    """
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    middle, reach = (low + high) / 2, FAR * (high - low)
    away = np.abs((points - middle) / reach).max(axis=1, keepdims=True)
    nearer: Array = middle + (points - middle) / np.maximum(1.0, away)
    return nearer


def draw_path(axes: Axes, points: Array, style: SeriesStyle, theme: Theme) -> None:
    """Draw a path with its dash, some markers and a large one at its end; points (S, 2)."""
    points = within_reach(axes, points)
    marks: dict[str, Any] = {"color": style.color, "mec": theme.paper, "mew": 0.6}
    axes.plot(*points.T, **style.line, zorder=3)
    every = mark_every(len(points))
    axes.plot(*points[every:-1:every].T, style.marker, ms=5, **marks, zorder=4)
    axes.plot(*points[-1:].T, style.marker, ms=9, **marks, zorder=5)


def mark_start(axes: Axes, point: Sequence[float] | Array, theme: Theme) -> None:
    axes.plot(*point, "o", mfc=theme.paper, mec=theme.ink, mew=1.8, ms=9, zorder=6)


def mark_minimum(axes: Axes, point: Sequence[float] | Array, theme: Theme) -> None:
    axes.plot(*point, "*", mfc=theme.ink, mec=theme.paper, mew=1.0, ms=15, zorder=7)
