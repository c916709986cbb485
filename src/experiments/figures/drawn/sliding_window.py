"""Draws one position of a window: input, filter and output in numbers, and the sum between them.

Lengths are in points: an inch has 72.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.figures.drawn.arranged_squares import (
    CELL,
    NAME,
    Arrangement,
    Convolved,
    arrange_squares,
)
from experiments.figures.page.sheet import (
    MARGIN,
    SIZE,
    blank_sheet,
    constant_text,
    number_text,
    subscript,
    text_width,
)
from experiments.figures.page.themes import Theme

LINE = 15.0
TITLE = 26.0
MOST_TERMS = 9
"""Of a sum that is written out, in one line for each channel."""


@dataclass(frozen=True, order=True)
class Window:
    """A position: of filter k, at row i and column j of the output."""

    k: int
    i: int
    j: int


def draw_window(result: Convolved, title: str, window: Window, theme: Theme) -> Figure:
    """Draw all numbers, with one window, its filter and its output marked.

    Outputs that come later are not shown yet: the last window shows all.
    """
    lines = sum_lines(result, window)
    sums = LINE * len(lines) + MARGIN
    words = max(text_width(title, is_bold=True, size=1.2 * SIZE), *widest_sums(result))
    arrangement = arrange_squares(result, words, TITLE + sums + MARGIN)
    wide, high = arrangement.size
    width, height = max(wide, words) + 2 * MARGIN, TITLE + high + sums + 2 * MARGIN
    figure, axes = blank_sheet(width, height)
    axes.text(MARGIN, height - MARGIN, title, size=1.2 * SIZE, weight="bold", va="top")
    top = height - MARGIN - TITLE
    painter = WindowPainter(axes, result, window, theme, arrangement, top)
    painter.draw_inputs()
    for k in range(len(result.weight)):
        painter.draw_filter(k)
    painter.draw_outputs()
    for number, line in enumerate(lines):
        axes.text(MARGIN, sums - LINE * number, line, size=SIZE, va="center", color=theme.ink)
    return figure


@dataclass(frozen=True)
class WindowPainter:
    """Draws the parts of a convolution as they are arranged, below `top`."""

    axes: Axes
    result: Convolved
    window: Window
    theme: Theme
    arrangement: Arrangement
    top: float

    def place(self, at: tuple[float, float]) -> tuple[float, float]:
        """Return where a place of the arrangement is on the sheet."""
        return MARGIN + at[0], self.top - at[1]

    def draw_inputs(self) -> None:
        """Draw the padded channels, the padding set off by its colour."""
        padded, stride, padding = self.result.padded, self.result.stride, self.result.padding
        size = padded.shape[-1]
        covered = size - self.result.num_uncovered

        def is_padding(row: int, column: int) -> bool:
            return not all(padding <= n < size - padding for n in (row, column))

        for c, channel in enumerate(padded.tolist()):
            x, y = self.place(self.arrangement.input_at(c))
            name = f"x, channel {c + 1}" if len(padded) > 1 else "x"
            self.draw_square(name, channel, x, y, is_padding)
            for row, column in product(range(size), repeat=2):
                if max(row, column) >= covered:  # no window covers it: struck through
                    left, low = x + column * CELL, y - NAME - (row + 1) * CELL
                    line: dict[str, Any] = {"color": self.theme.quiet, "linewidth": 0.8}
                    self.axes.plot([left, left + CELL], [low, low + CELL], **line)
            corner = (x + self.window.j * stride * CELL, y - NAME - self.window.i * stride * CELL)
            self.draw_frame(corner, self.result.weight.shape[-1], self.theme.colours[0])

    def draw_filter(self, k: int) -> None:
        """Draw the channels of a filter side by side, and its bias below."""
        weight = self.result.weight[k]
        for c, channel in enumerate(weight.tolist()):
            x, y = self.place(self.arrangement.filter_at(k, c))
            name = f"w{subscript(k + 1)}" + (f", ch. {c + 1}" if len(weight) > 1 else "")
            self.draw_square(name, channel, x, y)
            if k == self.window.k:
                self.draw_frame((x, y - NAME), weight.shape[-1], self.theme.colours[1])
        x, y = self.place(self.arrangement.filter_at(k, 0))
        below = y - NAME - weight.shape[-1] * CELL
        self.write_name(
            f"b{subscript(k + 1)} = {number_text(float(self.result.bias[k]))}", x, below
        )

    def draw_outputs(self) -> None:
        """Draw the channels of the output, as far as the window has come."""
        current = self.window
        for k, channel in enumerate(self.result.outputs.tolist()):
            x, y = self.place(self.arrangement.output_at(k))
            known = [
                [value if Window(k, i, j) <= current else None for j, value in enumerate(row)]
                for i, row in enumerate(channel)
            ]
            bold = (current.i, current.j) if k == current.k else None
            self.draw_square(f"o{subscript(k + 1)}", known, x, y, bold=bold)
            if k == current.k:
                corner = (x + current.j * CELL, y - NAME - current.i * CELL)
                self.draw_frame(corner, 1, self.theme.colours[1])

    def draw_square(
        self,
        name: str,
        rows: Sequence[Sequence[float | None]],
        x: float,
        y: float,
        is_quiet: Callable[[int, int], bool] = lambda row, column: False,
        bold: tuple[int, int] | None = None,
    ) -> None:
        """Draw numbers in their cells under a name; `is_quiet` and `bold` say how they look."""
        theme = self.theme
        self.write_name(name, x, y)
        for row, column in product(range(len(rows)), repeat=2):
            left, low = x + column * CELL, y - NAME - (row + 1) * CELL
            paper, ink = theme.paper, theme.ink
            if is_quiet(row, column):
                paper, ink = theme.grid, theme.quiet
            # add_patch would look for the limits of the axes, which are set: half the time.
            self.axes.add_artist(
                Rectangle((left, low), CELL, CELL, facecolor=paper, edgecolor=theme.faint, lw=0.7)
            )
            value = rows[row][column]
            if value is not None:
                weight = "bold" if (row, column) == bold else "normal"
                self.axes.text(
                    left + CELL / 2, low + CELL / 2, number_text(value), color=ink, weight=weight,
                    size=SIZE, ha="center", va="center",
                )  # fmt: skip

    def write_name(self, name: str, x: float, y: float) -> None:
        self.axes.text(x, y - NAME / 2 + 1, name, size=SIZE, va="center", weight="bold")

    def draw_frame(self, corner: tuple[float, float], num: int, colour: str) -> None:
        """Draw a thick frame around num x num cells, from their upper left corner."""
        x, y = corner
        side = num * CELL
        self.axes.add_patch(
            Rectangle((x, y - side), side, side, fill=False, edgecolor=colour, lw=2.6, zorder=4)
        )


def sum_lines(result: Convolved, window: Window) -> list[str]:
    """Return the sum of one output: a line for each channel, and one for all of them."""
    k, kernel = window.k, result.weight.shape[-1]
    top, left = window.i * result.stride, window.j * result.stride
    covered = result.padded[:, top : top + kernel, left : left + kernel]
    lines, totals = [], []
    for c, (pixels, weights) in enumerate(zip(covered, result.weight[k], strict=True), start=1):
        pairs = zip(pixels.flatten().tolist(), weights.flatten().tolist(), strict=True)
        totals.append(float((pixels * weights).sum()))
        terms = [f"{number_text(x)}·{constant_text(w)}" for x, w in pairs]
        if len(terms) > MOST_TERMS:
            terms = [*terms[:4], "…", *terms[-4:]]
        name = f"channel {c}: " if len(covered) > 1 else "sum: "
        lines.append(f"{name}{' + '.join(terms)} = {number_text(totals[-1])}")
    output = f"o{subscript(k + 1)}[{window.i + 1}, {window.j + 1}]"
    total = " + ".join(constant_text(value) for value in [*totals, float(result.bias[k])])
    value = number_text(float(result.outputs[k, window.i, window.j]))
    return [*lines, f"{output} = {total} = {value}   (the last term is b{subscript(k + 1)})"]


def widest_sums(result: Convolved) -> list[float]:
    """Return widths that no line of sums exceeds, so that all frames are of one size."""
    num_filters, channels, kernel, _ = result.weight.shape
    terms = min(kernel**2, MOST_TERMS)
    line = "channel 9: " + " + ".join(["9·(−9)"] * terms) + " = −999"
    total = " + ".join(["(−999)"] * (channels + 1))
    last = f"o₉[99, 99] = {total} = −999   (the last term is b{subscript(num_filters)})"
    return [text_width(line), text_width(last)]
