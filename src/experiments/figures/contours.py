"""Contours of a function of two variables, and labels of the paths over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from experiments.figures.themes import Look, Theme

Array = NDArray[np.float64]

NUM_LEVELS = 16
LETTER = 0.62
"""Width of a letter, in heights of the font."""


def log_levels(values: Array, lowest: float, number: int = NUM_LEVELS) -> list[float]:
    """Return levels of f whose distances from the lowest value grow by one factor.

    Equal steps would draw a steep wall densely and leave the valley, where optimizers are, empty.

    Args:
        values: f over the grid; what is not finite is not drawn.
        lowest: of f.
        number: of levels.
    """
    above = values[np.isfinite(values)] - lowest
    above = above[above > 0]
    if not len(above):  # a plain
        return [lowest + 1.0]
    low, high = float(np.quantile(above, 0.002)), float(above.max())
    low = max(low, high * 1e-6)
    return [lowest + one for one in np.geomspace(low, high, number).tolist()]


def draw_contours(
    axes: Axes, x: Array, y: Array, values: Array, levels: Sequence[float], theme: Theme
) -> None:
    """Draw contours: lines over a shading that is darkest where f is least.

    Shapes: x (X,), y (Y,), values (Y, X).
    """
    shades = theme.colormap([theme.ramp[2], theme.ramp[1], theme.ramp[0], theme.paper])
    edges = [float(np.nanmin(values)) - 1.0, *levels]
    norm = BoundaryNorm(edges, shades.N)
    shown = np.ma.masked_invalid(values)
    axes.contourf(x, y, shown, levels=edges, cmap=shades, norm=norm, zorder=0)
    axes.contour(
        x,
        y,
        shown,
        levels=list(levels),
        colors=[theme.faint],
        linewidths=0.7,
        linestyles="-",
        zorder=1,
    )
    axes.set_xlim(float(x[0]), float(x[-1]))
    axes.set_ylim(float(y[0]), float(y[-1]))


def mark_every(num_points: int, number: int = 8) -> int:
    """Return every how many points of a line a marker stands, so that there are some `number`."""
    return max(1, num_points // number)


def draw_path(axes: Axes, points: Array, look: Look, theme: Theme) -> None:
    """Draw a path with its dash, some markers and a large one at its end; points (S, 2)."""
    marks: dict[str, Any] = {"markeredgecolor": theme.paper, "markeredgewidth": 0.6}
    axes.plot(*points.T, **look.line, zorder=3)
    every = mark_every(len(points))
    axes.plot(*points[every:-1:every].T, look.marker, color=look.color, ms=5, **marks, zorder=4)
    axes.plot(*points[-1:].T, look.marker, color=look.color, ms=9, **marks, zorder=5)


def mark_start(axes: Axes, point: Sequence[float] | Array, theme: Theme, size: float = 9) -> None:
    """Mark where paths begin: a ring."""
    axes.plot(*point, "o", mfc=theme.paper, mec=theme.ink, mew=1.8, ms=size, zorder=6)


def mark_minimum(
    axes: Axes, point: Sequence[float] | Array, theme: Theme, size: float = 15
) -> None:
    """Mark a minimum: a star."""
    axes.plot(*point, "*", mfc=theme.ink, mec=theme.paper, mew=1.0, ms=size, zorder=7)


@dataclass(frozen=True)
class Label:
    """A label beside something.

    Attributes:
        text: what it says.
        anchors: places that it may point at, (N, 2), the best one last.
        color: of the text and of the line to its anchor.
        has_leader: draw that line.
    """

    text: str
    anchors: Array
    color: str
    has_leader: bool = True


def place_labels(
    axes: Axes,
    labels: Sequence[Label],
    taken: Array,
    size_inches: tuple[float, float],
    theme: Theme,
    font: float = 10,
) -> None:
    """Write each label where it lies upon no other one and upon as little else as can be.

    Greedy: one label after the other takes the best of some places around some of its anchors.

    Args:
        axes: with its limits set.
        labels: what is written.
        taken: points that had better stay free, (M, 2).
        size_inches: of the axes, about.
        theme: of the page.
        font: size of the font in points.
    """
    to_inches = inches(axes, size_inches)
    busy = to_inches(taken)
    boxes: list[Box] = []
    anchors = [to_inches(label.anchors) for label in labels]
    for label, own in zip(labels, anchors, strict=True):
        # Wider and higher than the text is, so that a margin stays.
        wide, high = (LETTER * len(label.text) + 0.6) * font / 72, 1.7 * font / 72
        others = np.concatenate([busy, *[a for a in anchors if a is not own]])
        best = min(
            candidates(own, wide, high, size_inches),
            key=lambda one: cost(one, boxes, others, own),
        )
        boxes.append(best[1])
        write_label(axes, label, own[best[0]], best[1], size_inches, font, theme)


Box = tuple[float, float, float, float]
Candidate = tuple[int, Box, float]


def inches(axes: Axes, size: tuple[float, float]) -> Any:
    """Return what turns points (N, 2) of the axes into inches from their lower left corner."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    scale = np.array([size[0] / (x1 - x0), size[1] / (y1 - y0)])
    return lambda points: (np.asarray(points, dtype=float) - [x0, y0]) * scale


def candidates(
    anchors: Array, wide: float, high: float, size: tuple[float, float]
) -> list[Candidate]:
    """Return places for a label: (number of the anchor, box, distance), all within the axes."""
    found = []
    picked = sorted({round(i) for i in np.linspace(0, len(anchors) - 1, 9)})
    for i, reach, turn in product(picked, (0.14, 0.3, 0.5, 0.8, 1.2), range(16)):
        angle = 2 * math.pi * turn / 16
        x = anchors[i][0] + math.cos(angle) * (reach + wide / 2)
        y = anchors[i][1] + math.sin(angle) * (reach + high / 2)
        box = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
        if box[0] > 0 and box[1] > 0 and box[2] < size[0] and box[3] < size[1]:
            found.append((i, box, reach))
    assert found, "a label is larger than its axes"
    return found


def cost(one: Candidate, boxes: Sequence[Box], others: Array, own: Array) -> float:
    """Return how bad a place is: labels under it, then paths, then an anchor near other paths."""
    i, box, reach = one
    overlaps = sum(
        box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in boxes
    )
    both = np.concatenate([others, own])
    inside = (both[:, 0] > box[0]) & (both[:, 0] < box[2])
    inside &= (both[:, 1] > box[1]) & (both[:, 1] < box[3])
    apart = float(np.hypot(*(others - own[i]).T).min()) if len(others) else 0.0
    return 1e4 * overlaps + 8 * min(int(inside.sum()), 50) + 6 * reach - 8 * min(apart, 0.4)


def write_label(
    axes: Axes,
    label: Label,
    anchor: Array,
    box: Box,
    size: tuple[float, float],
    font: float,
    theme: Theme,
) -> None:
    """Write a label into its box, with a line to its anchor."""
    width, height = size
    middle = ((box[0] + box[2]) / 2 / width, (box[1] + box[3]) / 2 / height)
    if label.has_leader:
        leader(axes, (anchor[0] / width, anchor[1] / height), middle, label.color)
    axes.text(
        *middle,
        label.text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=label.color,
        fontsize=font,
        fontweight="bold",
        bbox={"boxstyle": "round,pad=0.15", "fc": theme.paper, "ec": "none", "alpha": 0.75},
        zorder=8,
    )


def leader(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    """Draw a thin line between two places, given as parts of the axes."""
    line = Line2D(*zip(start, end, strict=True), color=colour, linewidth=0.8)
    line.set(transform=axes.transAxes, clip_on=False, zorder=7.5)
    axes.add_artist(line)


def label_ends(
    axes: Axes, ends: Sequence[tuple[str, float, float, str]], theme: Theme, gap: float = 0.06
) -> None:
    """Write names to the right of the axes, at the heights where lines end, none upon another.

    Args:
        axes: with its limits and scales set.
        ends: (name, x, y, colour), x and y in the unit of the axes.
        theme: of the page.
        gap: the least distance of two names, as a part of the height.
    """
    to_axes = axes.transData + axes.transAxes.inverted()
    places = to_axes.transform([[x, y] for _, x, y, _ in ends])
    heights = spread(places[:, 1].tolist(), gap)
    for (name, *_, colour), place, height in zip(ends, places, heights, strict=True):
        level = min(max(float(place[1]), 0.0), 1.0)
        leader(axes, (float(place[0]), level), (1.045, height), theme.faint)
        axes.text(
            1.05,
            height,
            name,
            transform=axes.transAxes,
            va="center",
            color=colour,
            fontweight="bold",
        )


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Return heights in the same order, moved apart to at least `gap`, within 0 and 1.

    >>> [round(h, 2) for h in spread([0.5, 0.5, 0.9], 0.1)]
    [0.5, 0.6, 0.9]
    """
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    moved, lowest = [0.0] * len(heights), 0.0
    for i in order:
        moved[i] = max(heights[i], lowest)
        lowest = moved[i] + gap
    highest = 1.0
    for i in reversed(order):
        moved[i] = min(moved[i], highest)
        highest = moved[i] - gap
    return moved
