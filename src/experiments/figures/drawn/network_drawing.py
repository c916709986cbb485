"""Draws a network: columns of units, or blocks in proportion, over a table of its layers.

Lengths are in points: an inch has 72.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle

from experiments.figures.measured.layer_shapes import LayerShape, Shape
from experiments.figures.page.sheet import MARGIN, SIZE, blank_sheet, sizes, subscript, text_width
from experiments.figures.page.themes import Theme

ROW = 17.0
BETWEEN = 18.0
TITLE = 42.0
TALL = 120.0
"""The height of the largest block, and of a full column of circles."""
SLANT = 0.32
MOST_CIRCLES = 9
RADIUS = 0.36 * TALL / MOST_CIRCLES
MOST_COLUMNS = 14
MOST_ROWS = 18
LABELS = 44.0


@dataclass(frozen=True)
class LayerTable:
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def shortened(self) -> LayerTable:
        """Return it without empty columns, and with the middle of many rows left out."""
        kept = [n for n, _ in enumerate(self.header) if any(row[n] for row in self.rows)]
        rows = [tuple(row[n] for n in kept) for row in self.rows]
        if len(rows) > MOST_ROWS:
            half = MOST_ROWS // 2
            gap = (f"⋯ {len(rows) - 2 * half} more layers", *[""] * (len(kept) - 1))
            rows = [*rows[:half], gap, *rows[-half:]]
        return LayerTable(tuple(self.header[n] for n in kept), tuple(rows))

    def widths(self) -> list[float]:
        columns = zip(self.header, *self.rows, strict=True)
        return [max(text_width(cell, is_bold=n == 0) for n, cell in enumerate(c)) for c in columns]


@dataclass(frozen=True)
class Sketch:
    """All that is drawn of a network: its layers from a data point of `shape` on, and a table."""

    title: str
    shape: Shape
    layers: tuple[LayerShape, ...]
    table: LayerTable


@dataclass(frozen=True)
class NetworkColumn:
    """What is drawn at one place from left to right.

    Attributes:
        name: above it.
        shape: of what is there; () for what is left out.
    """

    name: str
    shape: Shape

    @property
    def is_block(self) -> bool:
        """Whether it has positions, and is not a column of units."""
        return len(self.shape) > 1


def columns_of(sketch: Sketch) -> list[NetworkColumn]:
    """Return what is drawn from left to right, with the middle of many left out."""
    is_cnn = any(layer.is_convolution for layer in sketch.layers)
    columns = [NetworkColumn("x", sketch.shape if is_cnn else (math.prod(sketch.shape),))]
    num_stages = sum(1 + (layer.part("pool") is not None) for layer in sketch.layers)
    for number, layer in enumerate(sketch.layers, start=1):
        is_last = number == len(sketch.layers)
        pool = layer.part("pool")
        if pool is not None and num_stages < MOST_COLUMNS:
            columns.append(NetworkColumn(f"convolved {number}", layer.affine.shape))
        columns.append(NetworkColumn("y" if is_last else f"h{subscript(number)}", layer.shape))
    if len(columns) > MOST_COLUMNS:
        half = MOST_COLUMNS // 2
        columns = [*columns[: half - 1], NetworkColumn("", ()), *columns[-half:]]
    return columns


def draw_network(sketch: Sketch, theme: Theme) -> Figure:
    """Draw a network over the table of its layers."""
    table = sketch.table.shortened()
    columns = columns_of(sketch)
    scale = scale_of(columns)
    slots = [slot_width(column, scale) for column in columns]
    below = sum(table.widths()) + BETWEEN * (len(table.header) - 1)
    title = text_width(sketch.title, is_bold=True, size=1.3 * SIZE)
    width = max(sum(slots), below, title) + 2 * MARGIN
    table_height = ROW * (len(table.rows) + 1) + MARGIN
    height = table_height + LABELS + extent(columns) + LABELS + TITLE
    figure, axes = blank_sheet(width, height)
    axes.text(MARGIN, height - MARGIN, sketch.title, size=1.3 * SIZE, weight="bold", va="top")
    # The columns use the whole width, but are not pulled apart beyond what links them.
    stretch = min((width - 2 * MARGIN) / sum(slots), 1.6)
    painter = ColumnPainter(axes, columns, scale, table_height + LABELS, theme)
    painter.draw_columns([slot * stretch for slot in slots])
    draw_table(axes, table, table_height, theme)
    return figure


def draw_table(axes: Axes, table: LayerTable, top: float, theme: Theme) -> None:
    """Draw the table below the picture; numbers of parameters end level."""
    y = top - ROW / 2
    end = MARGIN + sum(table.widths()) + BETWEEN * (len(table.header) - 1)
    axes.plot([MARGIN, end], [y - ROW / 2] * 2, color=theme.faint, lw=0.8)
    for number, row in enumerate([table.header, *table.rows]):
        x = MARGIN
        for column, width in enumerate(table.widths()):
            is_last = column == len(table.header) - 1
            axes.text(
                x + (width if is_last else 0),
                y - ROW * number,
                row[column],
                size=SIZE,
                va="center",
                ha="right" if is_last else "left",
                color=theme.ink if number else theme.quiet,
                weight="normal" if number else "bold",
            )
            x += width + BETWEEN


def extent(columns: Sequence[NetworkColumn]) -> float:
    """Return the height of all columns; solids reach higher than their fronts."""
    is_solid = any(len(column.shape) > 2 for column in columns)
    return TALL * (1 + SLANT * is_solid)


def scale_of(columns: Sequence[NetworkColumn]) -> float:
    """Return the points of one position of a block."""
    shapes = [column.shape for column in columns if column.is_block]
    return TALL / max((shape[-2 if len(shape) > 2 else -1] for shape in shapes), default=1)


def block_size(shape: Shape, scale: float) -> tuple[float, float, float]:
    """Return how thick, high and deep a block is: positions to scale, channels by logarithm."""
    thick = 4 + 5 * math.log2(math.prod(shape[:-2]) if len(shape) > 2 else shape[0])
    high = max(4.0, scale * shape[-2 if len(shape) > 2 else -1])
    deep = max(4.0, scale * shape[-1]) * SLANT if len(shape) > 2 else 0.0
    return thick, high, deep


def slot_width(column: NetworkColumn, scale: float) -> float:
    """Return the width that a column and its labels need."""
    words = max(text_width(column.name, is_bold=True), text_width(sizes(column.shape))) + 14
    if not column.is_block:
        return max(words, 58.0)
    thick, _, deep = block_size(column.shape, scale)
    return max(words, thick + deep + 22)


@dataclass(frozen=True)
class ColumnPainter:
    """Draws the columns of a network, from the height `bottom` on."""

    axes: Axes
    columns: Sequence[NetworkColumn]
    scale: float
    bottom: float
    theme: Theme

    @property
    def middle(self) -> float:
        return self.bottom + extent(self.columns) / 2

    def draw_columns(self, slots: Sequence[float]) -> None:
        """Draw all columns with their labels, and what links them."""
        centres = [MARGIN + sum(slots[:n]) + slot / 2 for n, slot in enumerate(slots)]
        top, label = self.bottom + extent(self.columns) + 14, self.bottom - 12
        text: dict[str, Any] = {"ha": "center", "size": SIZE}
        for x, column in zip(centres, self.columns, strict=True):
            self.axes.text(x, top, column.name, va="bottom", weight="bold", **text)
            self.axes.text(x, label, sizes(column.shape), va="top", color=self.theme.quiet, **text)
            if not column.shape:
                self.axes.text(x, self.middle, "⋯", ha="center", va="center", size=2 * SIZE)
            elif column.is_block:
                self.draw_block(x, column.shape)
            else:
                self.draw_units(x, column.shape[0])
        for before, after in pairwise(zip(self.columns, centres, strict=True)):
            self.draw_link(before, after)

    def draw_block(self, x: float, shape: Shape) -> None:
        """Draw C x H x W as a solid: C to the right, H upwards, W into the page."""
        thick, high, deep = block_size(shape, self.scale)
        left, low = x - (thick + deep) / 2, self.middle - (high + deep) / 2
        ramp = self.theme.ramp
        style: dict[str, Any] = {"edgecolor": self.theme.ink, "linewidth": 0.9, "zorder": 3}
        self.axes.add_patch(Rectangle((left, low), thick, high, facecolor=ramp[2], **style))
        if not deep:
            return
        right, top = left + thick, low + high
        back = (right + deep, top + deep)
        roof = [(left, top), (left + deep, top + deep), back, (right, top)]
        side = [(right, low), (right + deep, low + deep), back, (right, top)]
        self.axes.add_patch(Polygon(roof, facecolor=ramp[1], **style))
        self.axes.add_patch(Polygon(side, facecolor=ramp[3], **style))

    def draw_units(self, x: float, num_units: int) -> None:
        """Draw a vector as a column of circles, with the middle of many left out."""
        style = {"facecolor": self.theme.ramp[2], "edgecolor": self.theme.ink, "linewidth": 0.9}
        if num_units > MOST_CIRCLES:
            self.axes.text(x, self.middle, "⋮", ha="center", va="center", size=1.3 * SIZE)
        for y in unit_heights(num_units, self.middle):
            self.axes.add_patch(Circle((x, y), RADIUS, zorder=3, **style))

    def draw_link(
        self, before: tuple[NetworkColumn, float], after: tuple[NetworkColumn, float]
    ) -> None:
        """Link two columns: every unit with every unit, else by an arrow."""
        (source, left), (target, right), y = before, after, self.middle
        if source.shape and target.shape and not source.is_block and not target.is_block:
            heights = (unit_heights(shape[0], y) for shape in (source.shape, target.shape))
            lines = [[(left, start), (right, end)] for start, end in product(*heights)]
            style: dict[str, Any] = {"colors": self.theme.faint, "linewidths": 0.5, "zorder": 1}
            self.axes.add_collection(LineCollection(lines, **style))
            return
        start = left + half_width(source, self.scale) + 3
        end = right - half_width(target, self.scale) - 3
        arrow = {"arrowstyle": "-|>", "color": self.theme.quiet, "lw": 1.0}
        self.axes.annotate("", (end, y), (start, y), arrowprops=arrow)


def unit_heights(num_units: int, y: float) -> list[float]:
    """Return where the circles of a column are, of many without the one in the middle."""
    shown = min(num_units, MOST_CIRCLES)
    heights = [
        y + TALL * (0.5 - (n + 0.5) / MOST_CIRCLES) + TALL * (shown / MOST_CIRCLES - 1) / 2
        for n in range(shown)
    ]
    if num_units > MOST_CIRCLES:
        del heights[MOST_CIRCLES // 2]
    return heights


def half_width(column: NetworkColumn, scale: float) -> float:
    """Return how far a column reaches to one side of its middle."""
    if not column.shape:
        return 12.0
    if not column.is_block:
        return RADIUS
    thick, _, deep = block_size(column.shape, scale)
    return (thick + deep) / 2
