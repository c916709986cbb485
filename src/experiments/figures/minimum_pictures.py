"""Pictures of a loss over one weight or two, and of paths to its minimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures.contours import (
    Array,
    Label,
    draw_contours,
    draw_path,
    log_levels,
    mark_every,
    mark_minimum,
    mark_start,
    place_labels,
)
from experiments.figures.themes import Theme

FLOOR = 1e-12
SIZE = (9.8, 4.5)


@dataclass(frozen=True)
class Descent:
    """The path of a training.

    Attributes:
        name: of it.
        theta: before training and after each step, (S, 1) or (S, 2).
        loss: L over all training points at each, (S,).
        passes: over the data until then, (S,).
    """

    name: str
    theta: Array
    loss: Array
    passes: Array


@dataclass(frozen=True)
class Landscape:
    """L over one weight or two.

    Attributes:
        axes: values of w, and of b.
        loss: (W,), or (B, W).
        argmin: (1,) or (2,).
        lowest: L there.
        descents: paths.
    """

    axes: Sequence[Array]
    loss: Array
    argmin: Array
    lowest: float
    descents: Sequence[Descent]


def draw_map(landscape: Landscape, theme: Theme) -> Figure:
    """Draw contours over (w, b) with the paths, and L - L* against passes over the data."""
    figure = Figure(figsize=SIZE, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(5, 4))
    w, b = landscape.axes
    draw_contours(left, w, b, landscape.loss, log_levels(landscape.loss, landscape.lowest), theme)
    for i in reversed(range(len(landscape.descents))):
        draw_path(left, landscape.descents[i].theta, theme.look(i), theme)
    start = landscape.descents[0].theta[0]
    mark_start(left, start, theme)
    mark_minimum(left, landscape.argmin, theme)
    labels = [
        Label("argmin L", landscape.argmin[None], theme.ink, has_leader=False),
        Label("start", start[None], theme.ink, has_leader=False),
    ]
    labels += [
        Label(one.name, one.theta, theme.look(i).color) for i, one in enumerate(landscape.descents)
    ]
    place_labels(left, labels, np.stack([start, landscape.argmin]), (4.6, 3.6), theme)
    left.set_xlabel("w")
    left.set_ylabel("b")
    left.set_title("L(w, b) of y = w x + b", fontsize=11)
    draw_gaps(right, landscape, theme)
    return figure


def draw_curve(landscape: Landscape, theme: Theme) -> Figure:
    """Draw L over w with the paths on it, and w against passes over the data."""
    figure = Figure(figsize=SIZE, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(5, 4))
    left.plot(landscape.axes[0], landscape.loss, color=theme.faint, linewidth=2.5, zorder=1)
    for i in reversed(range(len(landscape.descents))):
        one, look = landscape.descents[i], theme.look(i)
        path = np.stack([one.theta[:, 0], one.loss], axis=1)
        filling = theme.paper if i == 0 else look.color
        size = 8 if i == 0 else 3.5
        left.plot(*path.T, look.marker, color=look.color, mfc=filling, ms=size, zorder=4 - i)
        left.plot([], [], look.marker, color=look.color, mfc=filling, ms=size, label=one.name)
        right.plot(one.passes, one.theta[:, 0], **look.line, label=one.name)
        every = mark_every(len(one.passes))
        right.plot(one.passes[::every], one.theta[::every, 0], look.marker, color=look.color, ms=5)
    mark_minimum(left, (landscape.argmin[0], landscape.lowest), theme)
    left.legend(loc="upper center")
    left.set_xlabel("w")
    left.set_title("L(w) of y = w x", fontsize=11)
    right.axhline(landscape.argmin[0], color=theme.ink, linewidth=1, linestyle=(0, (1, 2)))
    right.set_title(f"w; argmin L = {landscape.argmin[0]:.3f}, dotted", fontsize=11)
    right.set_xlabel("passes over the data")
    return figure


def draw_gaps(axes: Axes, landscape: Landscape, theme: Theme) -> None:
    """Draw L - L* against passes over the data."""
    for i in reversed(range(len(landscape.descents))):
        one, look = landscape.descents[i], theme.look(i)
        gap = np.maximum(one.loss - landscape.lowest, FLOOR)
        axes.plot(one.passes, gap, **look.line, zorder=4 - i)
        every = mark_every(len(gap))
        axes.plot(one.passes[::every], gap[::every], look.marker, color=look.color, ms=5, zorder=4)
        axes.plot([], [], **look.line, marker=look.marker, ms=5, label=one.name)
    axes.set_yscale("log")
    axes.set_xlabel("passes over the data")
    axes.set_title("L − min L", fontsize=11)
    axes.grid(True, axis="y")
    axes.legend(loc="upper right", handlelength=3.5)
