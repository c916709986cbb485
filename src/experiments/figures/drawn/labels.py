"""Labels beside what they name, none upon another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from experiments.figures.drawn.axes_panels import Array
from experiments.figures.page.themes import Theme

FONT_SIZE = 10
LETTER = 0.62
"""Width of a letter, in heights of the font."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Label:
    """A label beside something.

    Attributes:
        text: what it says.
        anchors: points that it may point at, (N, 2), the best one last.
        color: of the text and of the line to its anchor.
        has_leader: draw that line.
    """

    text: str
    anchors: Array
    color: str
    has_leader: bool = True


def point_label(text: str, point: Sequence[float] | Array, theme: Theme) -> Label:
    """Return a label that stands beside its point, without a line to it."""
    return Label(text, np.array([point]), theme.ink, has_leader=False)


@dataclass(frozen=True)
class Spot:
    """Where a label may stand, in inches: its anchor, its box, and how far that is from it."""

    anchor: Array
    box: Box
    reach: float


def place_labels(
    axes: Axes,
    labels: Sequence[Label],
    occupied: Array,
    size_inches: tuple[float, float],
    theme: Theme,
) -> None:
    """Write each label where it lies upon no other one and upon as little else as can be.

    Greedy: one label after the other takes the best of some spots around some of its anchors.

    Args:
        axes: with its limits set.
        occupied: points that had better stay free, (M, 2).
        size_inches: of the axes, about.
    """
    to_inches = inches_of(axes, size_inches)
    boxes: list[Box] = []
    anchors = [to_inches(label.anchors) for label in labels]
    for label, own in zip(labels, anchors, strict=True):
        # Wider and higher than the text is, so that a margin stays.
        box_size = (LETTER * len(label.text) + 0.6) * FONT_SIZE / 72, 1.7 * FONT_SIZE / 72
        others = np.concatenate([to_inches(occupied), *[a for a in anchors if a is not own]])
        spots = spots_around(own, box_size, size_inches)
        best = min(spots, key=lambda spot: cost_of(spot, boxes, others, own))
        boxes.append(best.box)
        write_label(axes, label, best, size_inches, theme)


def inches_of(axes: Axes, size: tuple[float, float]) -> Callable[[Array], Array]:
    """Return what turns points (N, 2) of the axes into inches from their lower left corner."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    scale = np.array([size[0] / (x1 - x0), size[1] / (y1 - y0)])
    return lambda points: (np.asarray(points, dtype=float) - [x0, y0]) * scale


def spots_around(
    anchors: Array, box_size: tuple[float, float], size: tuple[float, float]
) -> list[Spot]:
    """Return spots for a box around some of its anchors, all within the axes."""
    (wide, high), spots = box_size, []
    picked = sorted({round(i) for i in np.linspace(0, len(anchors) - 1, 9)})
    for i, reach, turn in product(picked, (0.14, 0.3, 0.5, 0.8, 1.2), range(16)):
        angle = 2 * math.pi * turn / 16
        x = anchors[i][0] + math.cos(angle) * (reach + wide / 2)
        y = anchors[i][1] + math.sin(angle) * (reach + high / 2)
        box = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
        if box[0] > 0 and box[1] > 0 and box[2] < size[0] and box[3] < size[1]:
            spots.append(Spot(anchors[i], box, reach))
    assert spots, "a label is larger than its axes"
    return spots


def cost_of(spot: Spot, boxes: Sequence[Box], others: Array, own: Array) -> float:
    """Return how bad a spot is: labels under it, then paths, then an anchor near other paths."""
    box = spot.box
    overlaps = sum(
        box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in boxes
    )
    points = np.concatenate([others, own])
    inside = ((points > box[:2]) & (points < box[2:])).all(axis=1)
    apart = float(np.hypot(*(others - spot.anchor).T).min()) if len(others) else 0.0
    return 1e4 * overlaps + 8 * min(int(inside.sum()), 50) + 6 * spot.reach - 8 * min(apart, 0.4)


def write_label(
    axes: Axes, label: Label, spot: Spot, size: tuple[float, float], theme: Theme
) -> None:
    """Write a label into its box, with a line to its anchor."""
    (width, height), box = size, spot.box
    middle = ((box[0] + box[2]) / 2 / width, (box[1] + box[3]) / 2 / height)
    if label.has_leader:
        anchor = (spot.anchor[0] / width, spot.anchor[1] / height)
        draw_leader(axes, anchor, middle, label.color)
    axes.text(
        *middle,
        label.text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=label.color,
        fontsize=FONT_SIZE,
        fontweight="bold",
        bbox={"boxstyle": "round,pad=0.15", "fc": theme.paper, "ec": "none", "alpha": 0.75},
        zorder=8,
    )


def draw_leader(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str
) -> None:
    """Draw a thin line between two points, given as parts of the axes."""
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
        gap: the least distance of two names, as a part of the height.
    """
    to_axes = axes.transData + axes.transAxes.inverted()
    points = to_axes.transform([[x, y] for _, x, y, _ in ends])
    heights = spread_apart(points[:, 1].tolist(), gap)
    for (name, *_, colour), (x, y), height in zip(ends, points, heights, strict=True):
        level = min(max(float(y), 0.0), 1.0)
        draw_leader(axes, (float(x), level), (1.045, height), theme.faint)
        style: dict[str, Any] = {"color": colour, "fontweight": "bold", "va": "center"}
        axes.text(1.05, height, name, transform=axes.transAxes, **style)


def spread_apart(heights: Sequence[float], gap: float) -> list[float]:
    """Return heights in the same order, moved apart to at least `gap`, within 0 and 1.

    >>> [round(h, 2) for h in spread_apart([0.5, 0.5, 0.9], 0.1)]
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
