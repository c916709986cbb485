"""Pictures of the loss around a network, and of the path of its training."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure

from experiments.figures.contours import (
    Array,
    Label,
    draw_contours,
    draw_path,
    log_levels,
    mark_minimum,
    mark_start,
    place_labels,
)
from experiments.figures.themes import Theme


@dataclass(frozen=True)
class Plane:
    """L(theta + a d1 + b d2) over a grid, and along both axes.

    Attributes:
        a: (A,).
        b: (B,).
        loss: (B, A).
        line: of the cuts, (N,).
        along_first: L(theta + a d1), (N,).
        along_second: L(theta + b d2), (N,).
        centre: L(theta).
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
        a: (A,).
        b: (B,).
        loss: over the plane, (B, A).
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


def draw_landscape(plane: Plane, theme: Theme) -> Figure:
    """Draw contours, and the cuts along both directions."""
    figure = Figure(figsize=(10.6, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(5, 5))
    levels = log_levels(plane.loss, float(np.nanmin(plane.loss)))
    draw_contours(left, plane.a, plane.b, plane.loss, levels, theme)
    mark_minimum(left, (0.0, 0.0), theme)
    centre = Label("θ", np.zeros((1, 2)), theme.ink, has_leader=False)
    place_labels(left, [centre], np.zeros((1, 2)), (4.4, 3.8), theme)
    left.set_title("L(θ + a d₁ + b d₂)", fontsize=11)
    left.set_xlabel("a, in norms of each filter")
    left.set_ylabel("b")
    cuts = (("along d₁", plane.along_first), ("along d₂", plane.along_second))
    for i, (name, values) in enumerate(cuts):
        look = theme.look(i)
        right.plot(plane.line, values, **look.line)
        every = max(1, len(values) // 10)
        marked = np.arange(every * (i + 1) // 3, len(values), every)
        right.plot(plane.line[marked], values[marked], look.marker, color=look.color, ms=5)
        right.plot([], [], **look.line, marker=look.marker, ms=5, label=name)
    mark_minimum(right, (0.0, plane.centre), theme)
    right.set_title(f"The loss along each; L(θ) = {plane.centre:.3g}", fontsize=11)
    right.set_xlabel("a or b")
    right.set_xlim(float(plane.line[0]), float(plane.line[-1]))
    right.grid(True, axis="y")
    right.legend(loc="upper center", handlelength=3.5)
    return figure


def draw_training(path: PathOnPlane, theme: Theme) -> Figure:
    """Draw the path of training over the contours of its principal plane."""
    figure = Figure(figsize=(7.6, 5.6), layout="constrained")
    axes = figure.subplots()
    levels = log_levels(path.loss, float(np.nanmin(path.loss)))
    draw_contours(axes, path.a, path.b, path.loss, levels, theme)
    look = replace(theme.look(0), color=theme.ink)
    draw_path(axes, path.points, look, theme)
    axes.plot(*path.points.T, ".", color=theme.ink, ms=5, zorder=4)
    mark_start(axes, path.points[0], theme)
    mark_minimum(axes, path.points[-1], theme)
    last = (len(path.points) - 1) * path.every
    ends = [
        (f"before training, L = {path.losses[0]:.3g}", path.points[:1]),
        (f"epoch {last}, L = {path.losses[-1]:.3g}", path.points[-1:]),
    ]
    labels = [Label(text, point, theme.ink, has_leader=False) for text, point in ends]
    place_labels(axes, labels, path.points, (6.6, 4.8), theme)
    first, second = (100 * part for part in path.explained)
    axes.set_title("The path of training on its principal plane", fontsize=11)
    axes.set_xlabel(f"first component: {first:.1f} % of the variance")
    axes.set_ylabel(f"second component: {second:.1f} %")
    return figure
