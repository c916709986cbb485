"""Pictures of the loss around a network, and of the path of its training."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures.drawn.axes_panels import (
    Array,
    add_to_legend,
    draw_contours,
    draw_marked_line,
    draw_path,
    mark_every,
    mark_minimum,
    mark_start,
    name_axes,
    two_panels,
)
from experiments.figures.drawn.labels import place_labels, point_label
from experiments.figures.page.slide import slide
from experiments.figures.page.themes import Theme

PATH_INCHES = (7.2, 3.2)
"""The size of the axes that show a path, about."""


@dataclass(frozen=True)
class Plane:
    """L(theta + a d1 + b d2) over a grid, along each direction, and L(theta) at the centre.

    Shapes: a (A,), b (B,), loss (B, A); of the cuts line, along_first and along_second (N,).
    """

    a: Array
    b: Array
    loss: Array
    line: Array
    along_first: Array
    along_second: Array
    centre: float


@dataclass(frozen=True)
class PathOnPlane:
    """The path of training on its principal plane.

    Attributes:
        loss: over the plane, a (A,) by b (B,) -> (B, A).
        points: of the path, (S, 2).
        losses: L at the snapshots themselves, which lie beside the plane, S of them.
        explained: the parts of the variance that the two directions explain.
        every: epochs from one point to the next.
    """

    a: Array
    b: Array
    loss: Array
    points: Array
    losses: list[float]
    explained: list[float]
    every: int


def draw_landscape(plane: Plane, title: str, theme: Theme) -> Figure:
    """Draw contours, and the cuts along both directions."""
    figure, (left, right) = two_panels((5, 5))
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    draw_contours(left, plane.a, plane.b, plane.loss, float(np.nanmin(plane.loss)), theme)
    mark_minimum(left, (0.0, 0.0), theme)
    place_labels(left, [point_label("θ", (0.0, 0.0), theme)], np.zeros((1, 2)), (3.3, 3.2), theme)
    name_axes(left, "L(θ + a d₁ + b d₂)", "a, in norms of each filter", "b")
    draw_cuts(right, plane, theme)
    return figure


def draw_cuts(axes: Axes, plane: Plane, theme: Theme) -> None:
    """Draw the loss along each direction."""
    cuts = (("along d₁", plane.along_first), ("along d₂", plane.along_second))
    for i, (name, values) in enumerate(cuts):
        every = mark_every(len(values), 10)
        marked = slice(every * (i + 1) // 3, None, every)
        draw_marked_line(axes, plane.line, values, theme.style(i), marked)
        add_to_legend(axes, theme.style(i), name)
    mark_minimum(axes, (0.0, plane.centre), theme)
    name_axes(axes, f"The loss along each; L(θ) = {plane.centre:.3g}", "a or b")
    axes.set_xlim(float(plane.line[0]), float(plane.line[-1]))
    axes.grid(True, axis="y")
    axes.legend(loc="upper center", handlelength=3.5)


def draw_training(path: PathOnPlane, title: str, theme: Theme) -> Figure:
    """Draw the path of training over the contours of its principal plane."""
    figure = slide()
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    axes = figure.subplots()
    axes.set_aspect("equal", adjustable="box")
    draw_contours(axes, path.a, path.b, path.loss, float(np.nanmin(path.loss)), theme)
    draw_path(axes, path.points, replace(theme.style(0), color=theme.ink), theme)
    axes.plot(*path.points.T, ".", color=theme.ink, ms=5, zorder=4)
    mark_start(axes, path.points[0], theme)
    mark_minimum(axes, path.points[-1], theme)
    last = (len(path.points) - 1) * path.every
    before = f"before training, L = {path.losses[0]:.3g}"
    after = f"epoch {last}, L = {path.losses[-1]:.3g}"
    labels = [
        point_label(before, path.points[0], theme),
        point_label(after, path.points[-1], theme),
    ]
    place_labels(axes, labels, path.points, PATH_INCHES, theme)
    first, second = (100 * part for part in path.explained)
    name_axes(
        axes,
        "The path of training on its principal plane; both axes in one unit",
        f"first component: {first:.1f} % of the variance",
        f"second component: {second:.1f} %",
    )
    return figure
