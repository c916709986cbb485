"""Pictures of optimizers on a surface: paths over contours, and how fast f falls along each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.figures.drawn.axes_panels import (
    Array,
    draw_contours,
    draw_marked_line,
    draw_path,
    mark_every,
    mark_minimum,
    mark_start,
    name_axes,
    two_panels,
)
from experiments.figures.drawn.labels import Label, label_ends, place_labels, point_label
from experiments.figures.measured.paths import Trajectory
from experiments.figures.measured.surfaces import Surface
from experiments.figures.page.themes import SeriesStyle, Theme

FLOOR = 1e-13
"""Where the axis of f - f* ends at the latest: what is left there is rounding."""
CEILING = 1e3
"""Of that axis, in f - f* at the start: a diverging path leaves it through the top."""
SIXTH_DASH = (0, (1, 1.5))
MAP_INCHES = (3.1, 3.4)
"""The size of the map's axes, about."""


@dataclass(frozen=True)
class Course:
    """A surface with the paths of optimizers on it, and f over a grid: x (X,), y (Y,), f (Y, X)."""

    surface: Surface
    paths: Sequence[Trajectory]
    x: Array
    y: Array
    f: Array

    @property
    def points(self) -> list[Array]:
        """The points of each path, (S, 2)."""
        return [path.points.numpy() for path in self.paths]

    @property
    def gaps(self) -> list[Array]:
        """f - f* along each path, (S,)."""
        return [path.values.numpy() - self.surface.lowest for path in self.paths]


def style_of(number: int, theme: Theme) -> SeriesStyle:
    """Return the style of a path; of six paths no two have one dash, as the theme's five would."""
    style = theme.style(number)
    return replace(style, linestyle=SIXTH_DASH) if number % 6 == 5 else style


def draw_trajectories(course: Course, theme: Theme) -> Figure:
    """Draw the whole paths, and f - f* against the step beside them."""
    figure, (left, right) = two_panels((6, 4))
    figure.suptitle(f"f = {course.surface.title}", x=0.01, ha="left", fontsize=12)
    draw_map(left, course, theme)
    label_map(left, course, theme)
    draw_gaps(right, course, theme)
    ends = [
        (with_rate(path), len(gap) - 1, max(gap[-1], FLOOR), style_of(i, theme).color)
        for i, (path, gap) in enumerate(zip(course.paths, course.gaps, strict=True))
    ]
    label_ends(right, ends, theme)
    return figure


def draw_step(course: Course, step: int, theme: Theme) -> Figure:
    """Draw the paths up to a step."""
    figure, (left, right) = two_panels((6, 4))
    draw_map(left, course, theme, step + 1)
    draw_gaps(right, course, theme, step + 1)
    handles = []
    for i, path in enumerate(course.paths):
        style = style_of(i, theme)
        handles.append(
            Line2D([], [], **style.line, marker=style.marker, ms=6, label=with_rate(path))
        )
    figure.legend(
        handles=handles, loc="outside upper left", ncols=3, handlelength=3, columnspacing=1.2
    )
    left.set_title(f"step {step}", fontsize=11)
    return figure


def draw_map(axes: Axes, course: Course, theme: Theme, stop: int | None = None) -> None:
    """Draw the contours, the start, the minima, and of each path the points before `stop`."""
    surface = course.surface
    draw_contours(axes, course.x, course.y, course.f, surface.lowest, theme)
    for i, points in enumerate(course.points):
        draw_path(axes, points[:stop], style_of(i, theme), theme)
    mark_start(axes, surface.start, theme)
    for minimum in surface.minima:
        mark_minimum(axes, minimum, theme)
    axes.set(xlabel=surface.axes[0], ylabel=surface.axes[1])


def label_map(axes: Axes, course: Course, theme: Theme) -> None:
    """Name the start, the minima and the paths."""
    start, minima = course.surface.start, course.surface.minima
    labels = [point_label("start", start, theme)]
    labels += [point_label("minimum", minimum, theme) for minimum in minima]
    labels += [
        # Near the start the paths cannot be told apart.
        Label(
            f"{path.name} {path.end}" if path.end else path.name,
            seen_of(points, axes),
            style_of(i, theme).color,
        )
        for i, (path, points) in enumerate(zip(course.paths, course.points, strict=True))
    ]
    place_labels(axes, labels, np.array([start, *minima]), MAP_INCHES, theme)


def with_rate(path: Trajectory) -> str:
    return f"{path.name}, lr {path.lr:g}"


def seen_of(points: Array, axes: Axes) -> Array:
    """Return the points of a path inside the axes, without the first ones where it is long."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    x, y = points.T
    inside = points[(left <= x) & (x <= right) & (low <= y) & (y <= high)]
    return inside[len(inside) // 10 :]


def draw_gaps(axes: Axes, course: Course, theme: Theme, stop: int | None = None) -> None:
    """Draw f - f* against the step, of each path the points before `stop`."""
    gaps = course.gaps
    for i, whole in enumerate(gaps):
        gap, every = whole[:stop], mark_every(len(whole))
        marked = slice(every * (i + 1) // (len(gaps) + 1), None, every)
        steps = np.arange(len(gap), dtype=float)
        draw_marked_line(axes, steps, gap, style_of(i, theme), marked, mec=theme.paper)
    low, high = min(g.min() for g in gaps), max(g.max() for g in gaps)
    low = max(low, FLOOR)
    high = max(min(high, CEILING * gaps[0][0]), 10 * low)
    longest = max(len(gap) for gap in gaps) - 1
    axes.set(yscale="log", ylim=(low / 2, high * 2), xlim=(-0.02 * longest, 1.02 * longest))
    name_axes(axes, "f − f*", "step")
    axes.grid(True, axis="y")
