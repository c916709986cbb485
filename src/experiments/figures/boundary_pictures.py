"""Pictures of the plane, divided into the regions of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from experiments.figures.themes import MARKERS, Theme


@dataclass(frozen=True)
class Field:
    """What a trained network says of the plane.

    Attributes:
        model: linear, mlp, ...
        data: the data set.
        accuracy: on the test set, of the run's record.
        x: (X,).
        y: (Y,).
        classes: of the grid, (Y, X).
        points: test points that are drawn, (N, 2).
        targets: their classes, (N,).
        said: the network's classes of them, (N,).
        num_parameters: of the network.
    """

    model: str
    data: str
    accuracy: float
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    classes: NDArray[np.int64]
    points: NDArray[np.float64]
    targets: NDArray[np.int64]
    said: NDArray[np.int64]
    num_parameters: int


def draw_grid(fields: Sequence[Sequence[Field]], theme: Theme) -> Figure:
    """Draw all fields, those of one model in a row."""
    rows, columns = len(fields), len(fields[0])
    figure = Figure(figsize=(max(4.2, 3.2 * columns), 3.0 * rows + 0.4), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False)
    for row, drawn in zip(places, fields, strict=True):
        for axes, one in zip(row, drawn, strict=True):
            draw_field(axes, one, theme)
    num_classes = 1 + max(int(one.targets.max()) for row in fields for one in row)
    handles = [
        Line2D([], [], **marker_of(k, theme), label=f"class {k}") for k in range(num_classes)
    ]
    ring = {"marker": "o", "linestyle": "none", "color": theme.ink, **RING}
    handles.append(Line2D([], [], **ring, label="taken for another class"))
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))
    return figure


RING: dict[str, Any] = {"mfc": "none", "ms": 9, "mew": 1.3}
"""Around a point that is taken for another class."""


def marker_of(number: int, theme: Theme) -> dict[str, Any]:
    """Return how points of a class are drawn: every other class hollow."""
    colour = theme.colours[number % len(theme.colours)]
    filling = colour if number % 2 else theme.paper
    return {
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": "none",
        "ms": 4.5,
        "mec": colour,
        "mfc": filling,
        "mew": 1.1,
    }


def draw_field(axes: Axes, one: Field, theme: Theme) -> None:
    """Draw the regions as shades with a line between them, and test points over them."""
    num_classes = 1 + max(int(one.classes.max()), int(one.targets.max()))
    shades = theme.colormap([theme.paper, *theme.ramp[1:3]])
    edges = np.arange(num_classes + 1) - 0.5
    if one.classes.min() == one.classes.max():
        axes.set_facecolor(shades(one.classes.min() / max(1, num_classes - 1)))
    else:
        axes.contourf(one.x, one.y, one.classes, levels=edges, cmap=shades)
        axes.contour(
            one.x, one.y, one.classes, levels=edges[1:-1], colors=[theme.ink], linewidths=1.2
        )
    for number in range(num_classes):
        axes.plot(*one.points[one.targets == number].T, **marker_of(number, theme))
    axes.plot(*one.points[one.targets != one.said].T, "o", **RING, color=theme.ink)
    axes.set_title(f"{one.model}, {one.data}: {100 * one.accuracy:.1f} %", fontsize=11)
    axes.set_xlim(one.x[0], one.x[-1])
    axes.set_ylim(one.y[0], one.y[-1])
    axes.locator_params(nbins=5)
