"""Pictures of optimizers on a surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.figures.contours import (
    Array,
    Label,
    draw_contours,
    draw_path,
    label_ends,
    log_levels,
    mark_every,
    mark_minimum,
    mark_start,
    place_labels,
)
from experiments.figures.paths import Path
from experiments.figures.surfaces import Surface
from experiments.figures.themes import Look, Theme

FLOOR = 1e-12
"""f - f* below this is drawn as this: what is left there is rounding."""
SIXTH_DASH = (0, (1, 1.5))
MAP_INCHES = (5.6, 4.2)
"""The size of the map's axes, about."""


@dataclass(frozen=True)
class Course:
    """A surface with the paths of optimizers on it.

    Attributes:
        surface: what is minimised.
        paths: one for each optimizer.
        x: of the grid, (X,).
        y: of the grid, (Y,).
        f: over the grid, (Y, X).
    """

    surface: Surface
    paths: Sequence[Path]
    x: Array
    y: Array
    f: Array
    levels: list[float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", log_levels(self.f, self.surface.lowest))

    @property
    def points(self) -> list[Array]:
        """The points of each path, (S, 2)."""
        return [path.points.numpy() for path in self.paths]

    @property
    def gaps(self) -> list[Array]:
        """f - f* along each path, (S,), at least FLOOR."""
        return [np.maximum(path.values.numpy() - self.surface.lowest, FLOOR) for path in self.paths]


def look_of(number: int, theme: Theme) -> Look:
    """Return the look of a path; of six paths no two have one dash, as the theme's five would."""
    look = theme.look(number)
    return replace(look, linestyle=SIXTH_DASH) if number % 6 == 5 else look


def paths_and_losses(course: Course, theme: Theme) -> Figure:
    """Draw the whole paths, and f - f* against the step beside them."""
    figure = Figure(figsize=(11.6, 5.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(6, 4))
    figure.suptitle(f"f = {course.surface.title}", x=0.01, ha="left", fontsize=12)
    draw_map(left, course, theme)
    label_map(left, course, theme)
    draw_gaps(right, course, theme)
    ends = [
        (path.name, len(gap) - 1, gap[-1], look_of(i, theme).color)
        for i, (path, gap) in enumerate(zip(course.paths, course.gaps, strict=True))
    ]
    label_ends(right, ends, theme)
    return figure


def frame(course: Course, step: int, theme: Theme) -> Figure:
    """Draw the paths up to a step."""
    figure = Figure(figsize=(8.6, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(6, 4))
    draw_map(left, course, theme, step)
    draw_gaps(right, course, theme, step)
    looks = [look_of(i, theme) for i in range(len(course.paths))]
    handles = [
        Line2D([], [], **look.line, marker=look.marker, ms=6, label=path.name)
        for look, path in zip(looks, course.paths, strict=True)
    ]
    figure.legend(
        handles=handles, loc="outside upper left", ncols=7, handlelength=3, columnspacing=1.2
    )
    left.set_title(f"step {step}", fontsize=11)
    return figure


def draw_map(axes: Axes, course: Course, theme: Theme, step: int | None = None) -> None:
    """Draw the contours, the start, the minima, and the paths up to a step."""
    surface = course.surface
    draw_contours(axes, course.x, course.y, course.f, course.levels, theme)
    for i, points in enumerate(course.points):
        draw_path(axes, points if step is None else points[: step + 1], look_of(i, theme), theme)
    mark_start(axes, surface.start, theme)
    for minimum in surface.minima:
        mark_minimum(axes, minimum, theme)
    axes.set_xlabel(surface.axes[0])
    axes.set_ylabel(surface.axes[1])


def label_map(axes: Axes, course: Course, theme: Theme) -> None:
    """Name the start, the minima and the paths."""
    start, minima = course.surface.start, course.surface.minima
    labels = [Label("start", np.array([start]), theme.ink, has_leader=False)]
    labels += [
        Label("minimum", np.array([minimum]), theme.ink, has_leader=False) for minimum in minima
    ]
    labels += [
        # Near the start the paths cannot be told apart.
        Label(path.name, points[len(points) // 10 :], look_of(i, theme).color)
        for i, (path, points) in enumerate(zip(course.paths, course.points, strict=True))
    ]
    place_labels(axes, labels, np.array([start, *minima]), MAP_INCHES, theme)


def draw_gaps(axes: Axes, course: Course, theme: Theme, step: int | None = None) -> None:
    """Draw f - f* against the step, up to a step."""
    gaps = course.gaps
    for i, whole in enumerate(gaps):
        gap, look = whole if step is None else whole[: step + 1], look_of(i, theme)
        axes.plot(gap, **look.line)
        every = mark_every(len(whole))
        marked = np.arange(every * (i + 1) // (len(gaps) + 1), len(gap), every)
        axes.plot(marked, gap[marked], look.marker, color=look.color, ms=5, mec=theme.paper)
    low, high = min(g.min() for g in gaps), max(g.max() for g in gaps)
    axes.set_yscale("log")
    axes.set_ylim(low / 2, high * 2)
    longest = max(len(gap) for gap in gaps) - 1
    axes.set_xlim(-0.02 * longest, 1.02 * longest)
    axes.set_xlabel("step")
    axes.set_title("f − f*", fontsize=11, loc="left")
    axes.grid(True, axis="y")
