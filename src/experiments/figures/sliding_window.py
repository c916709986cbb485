"""Draws one position of a window: input, filter and output in numbers, and the sum between them.

Lengths are in points: an inch has 72.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.figures.graphs import number_text
from experiments.figures.lettering import SIZE, subscript, text_width
from experiments.figures.themes import Theme

if TYPE_CHECKING:
    from experiments.figures.convolution import Convolved

CELL = 22.0
MARGIN = 16.0
SPACE = 46.0
NAME = 20.0
LINE = 17.0
TITLE = 32.0
MOST_TERMS = 9
"""Of a sum that is written out, in one line for each channel."""


@dataclass(frozen=True)
class Window:
    """A position: of filter k, at row i and column j of the output."""

    k: int
    i: int
    j: int


def draw_window(one: Convolved, title: str, window: Window, theme: Theme) -> Figure:
    """Draw all numbers, with one window, its filter and its output marked.

    Outputs that come later are not shown yet: the last window shows all.
    """
    channels, padded = one.inputs.shape[0], one.padded.shape[-1]
    num_filters, _, kernel, _ = one.weight.shape
    num = one.outputs.shape[-1]
    lines = sum_lines(one, window)
    widths = [padded, *[kernel] * num_filters, num]
    heights = [channels * (padded * CELL + NAME)]
    heights += [channels * (kernel * CELL + NAME) + NAME, num_filters * (num * CELL + NAME)]
    width = sum(widths) * CELL + SPACE * (len(widths) - 1)
    words = max(text_width(title, is_bold=True, size=1.2 * SIZE), *widest_sums(one))
    width = max(width, words) + 2 * MARGIN
    sums = LINE * len(lines) + MARGIN
    height = TITLE + max(heights) + sums + 2 * MARGIN
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.text(MARGIN, height - MARGIN, title, size=1.2 * SIZE, weight="bold", va="top")
    top = height - MARGIN - TITLE
    draw_inputs(axes, one, window, MARGIN, top, theme)
    x = MARGIN + padded * CELL + SPACE
    for k in range(num_filters):
        draw_filter(axes, one, k, k == window.k, x, top, theme)
        x += kernel * CELL + SPACE
    draw_outputs(axes, one, window, x, top, theme)
    for number, line in enumerate(lines):
        y = sums - LINE * number
        axes.text(MARGIN, y, line, size=SIZE, va="center", color=theme.ink)
    return figure


def draw_inputs(
    axes: Axes, one: Convolved, window: Window, x: float, top: float, theme: Theme
) -> None:
    """Draw the padded channels one below the other, the padding hatched by its colour."""
    size, padding = one.padded.shape[-1], one.padding
    kernel, covered = one.weight.shape[-1], size - one.num_uncovered
    for c, channel in enumerate(one.padded.tolist()):
        y = top - c * (size * CELL + NAME)
        name(axes, f"x, channel {c + 1}" if len(one.padded) > 1 else "x", x, y)
        for row in range(size):
            for column in range(size):
                is_inside = all(padding <= n < size - padding for n in (row, column))
                colour = theme.paper if is_inside else theme.grid
                place = (x + column * CELL, y - NAME - (row + 1) * CELL)
                ink = theme.ink if is_inside else theme.quiet
                cell(axes, place, channel[row][column], colour, ink, theme)
                if max(row, column) >= covered:
                    cross_out(axes, place, theme)
        corner = (x + window.j * one.stride * CELL, y - NAME - window.i * one.stride * CELL)
        frame(axes, corner, kernel, theme.colours[0])


def draw_filter(
    axes: Axes, one: Convolved, k: int, is_current: bool, x: float, top: float, theme: Theme
) -> None:
    """Draw the channels of a filter one below the other, and its bias."""
    kernel = one.weight.shape[-1]
    for c, channel in enumerate(one.weight[k].tolist()):
        y = top - c * (kernel * CELL + NAME)
        name(axes, filter_name(one, k, c), x, y)
        for row in range(kernel):
            for column in range(kernel):
                place = (x + column * CELL, y - NAME - (row + 1) * CELL)
                cell(axes, place, channel[row][column], theme.paper, theme.ink, theme)
        if is_current:
            frame(axes, (x, y - NAME), kernel, theme.colours[1])
    y = top - len(one.weight[k]) * (kernel * CELL + NAME)
    name(axes, f"b{subscript(k + 1)} = {number_text(float(one.bias[k]))}", x, y)


def draw_outputs(
    axes: Axes, one: Convolved, window: Window, x: float, top: float, theme: Theme
) -> None:
    """Draw the channels of the output, as far as the window has come."""
    num = one.outputs.shape[-1]
    for k, channel in enumerate(one.outputs.tolist()):
        y = top - k * (num * CELL + NAME)
        name(axes, f"o{subscript(k + 1)}", x, y)
        for i in range(num):
            for j in range(num):
                is_known = (k, i, j) <= (window.k, window.i, window.j)
                is_current = (k, i, j) == (window.k, window.i, window.j)
                place = (x + j * CELL, y - NAME - (i + 1) * CELL)
                value = channel[i][j] if is_known else None
                cell(axes, place, value, theme.paper, theme.ink, theme, is_current)
                if is_current:
                    frame(axes, (place[0], place[1] + CELL), 1, theme.colours[1])


def filter_name(one: Convolved, k: int, c: int) -> str:
    """Return what stands over a filter's channel."""
    return (
        f"w{subscript(k + 1)}, ch. {c + 1}" if one.weight.shape[1] > 1 else f"w{subscript(k + 1)}"
    )


def name(axes: Axes, text: str, x: float, y: float) -> None:
    """Write what a block of numbers is called, above it."""
    axes.text(x, y - NAME / 2 + 1, text, size=0.9 * SIZE, va="center", weight="bold")


def cell(
    axes: Axes,
    place: tuple[float, float],
    value: float | None,
    colour: str,
    ink: str,
    theme: Theme,
    is_bold: bool = False,
) -> None:
    """Draw a number in its square."""
    axes.add_patch(
        Rectangle(place, CELL, CELL, facecolor=colour, edgecolor=theme.faint, linewidth=0.7)
    )
    if value is not None:
        text: dict[str, Any] = {"ha": "center", "va": "center", "size": 0.9 * SIZE, "color": ink}
        text["weight"] = "bold" if is_bold else "normal"
        axes.text(place[0] + CELL / 2, place[1] + CELL / 2, number_text(value), **text)


def cross_out(axes: Axes, place: tuple[float, float], theme: Theme) -> None:
    """Strike a position through that no window covers."""
    x, y = place
    axes.plot([x, x + CELL], [y, y + CELL], color=theme.quiet, linewidth=0.8)


def frame(axes: Axes, corner: tuple[float, float], num: int, colour: str) -> None:
    """Draw a thick frame around num x num squares, from their upper left corner."""
    x, y = corner
    axes.add_patch(
        Rectangle(
            (x, y - num * CELL),
            num * CELL,
            num * CELL,
            fill=False,
            edgecolor=colour,
            linewidth=2.6,
            zorder=4,
        )
    )


def sum_lines(one: Convolved, window: Window) -> list[str]:
    """Return the sum of one output: a line for each channel, and one for all of them."""
    k, kernel = window.k, one.weight.shape[-1]
    top, left = window.i * one.stride, window.j * one.stride
    covered = one.padded[:, top : top + kernel, left : left + kernel]
    lines, totals = [], []
    for c, (pixels, weights) in enumerate(zip(covered, one.weight[k], strict=True), start=1):
        pairs = list(zip(pixels.flatten().tolist(), weights.flatten().tolist(), strict=True))
        totals.append(float((pixels * weights).sum()))
        terms = [f"{number_text(x)}·{negative(w)}" for x, w in pairs]
        if len(terms) > MOST_TERMS:
            terms = [*terms[:4], "…", *terms[-4:]]
        name = f"channel {c}: " if len(covered) > 1 else "sum: "
        lines.append(f"{name}{' + '.join(terms)} = {number_text(totals[-1])}")
    output = f"o{subscript(k + 1)}[{window.i + 1}, {window.j + 1}]"
    total = " + ".join(negative(value) for value in [*totals, float(one.bias[k])])
    value = number_text(float(one.outputs[k, window.i, window.j]))
    return [*lines, f"{output} = {total} = {value}   (the last term is b{subscript(k + 1)})"]


def negative(value: float) -> str:
    """Return a number, between parentheses where a sign would stand after another."""
    return f"({number_text(value)})" if value < 0 else number_text(value)


def widest_sums(one: Convolved) -> list[float]:
    """Return widths that no line of sums exceeds, so that all frames are of one size."""
    num_filters, _, kernel, _ = one.weight.shape
    terms = min(kernel**2, MOST_TERMS)
    line = "channel 9: " + " + ".join(["9·(−9)"] * terms) + " = −999"
    total = " + ".join(["(−999)"] * (one.weight.shape[1] + 1))
    last = f"o₉[99, 99] = {total} = −999   (the last term is b{subscript(num_filters)})"
    return [text_width(line), text_width(last)]
