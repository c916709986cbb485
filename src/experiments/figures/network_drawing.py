"""Draws a network: columns of units, or blocks in proportion, over a table of its layers.

Lengths are in points: an inch has 72.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle

from experiments.figures.layer_shapes import Layer, Shape
from experiments.figures.lettering import SIZE, sizes, subscript, text_width
from experiments.figures.themes import Theme

MARGIN = 16.0
ROW = 17.0
BETWEEN = 18.0
TITLE = 42.0
TALL = 120.0
"""The height of the largest block, and of a full column of circles."""
SLANT = 0.32
MOST_CIRCLES = 9
MOST_COLUMNS = 14
MOST_ROWS = 18
LABELS = 44.0


@dataclass(frozen=True)
class Table:
    """A table of words."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def shortened(self) -> Table:
        """Return it without empty columns, and with the middle of many rows left out."""
        kept = [n for n, _ in enumerate(self.header) if any(row[n] for row in self.rows)]
        rows = [tuple(row[n] for n in kept) for row in self.rows]
        if len(rows) > MOST_ROWS:
            half = MOST_ROWS // 2
            gap = (f"⋯ {len(rows) - 2 * half} more layers", *[""] * (len(kept) - 1))
            rows = [*rows[:half], gap, *rows[-half:]]
        return Table(tuple(self.header[n] for n in kept), tuple(rows))

    def widths(self) -> list[float]:
        """Return the width of each column."""
        columns = zip(self.header, *self.rows, strict=True)
        return [max(text_width(cell, is_bold=n == 0) for n, cell in enumerate(c)) for c in columns]


@dataclass(frozen=True)
class Sketch:
    """All that is drawn of a network.

    Attributes:
        title: above it.
        shape: of one data point.
        layers: in their order.
        table: below it.
    """

    title: str
    shape: Shape
    layers: tuple[Layer, ...]
    table: Table


@dataclass(frozen=True)
class Column:
    """What is drawn at one place from left to right.

    Attributes:
        name: above it.
        shape: of what is there; None for what is left out.
    """

    name: str
    shape: Shape | None

    @property
    def label(self) -> str:
        """What stands below it."""
        return sizes(self.shape) if self.shape else ""

    @property
    def is_block(self) -> bool:
        """Whether it has positions, and is not a column of units."""
        return self.shape is not None and len(self.shape) > 1


def columns_of(sketch: Sketch) -> list[Column]:
    """Return what is drawn from left to right, with the middle of many left out."""
    is_cnn = any(layer.is_convolution for layer in sketch.layers)
    columns = [Column("x", sketch.shape if is_cnn else (math.prod(sketch.shape),))]
    num_stages = sum(1 + (layer.part("pool") is not None) for layer in sketch.layers)
    for number, layer in enumerate(sketch.layers, start=1):
        is_last = number == len(sketch.layers)
        pool = layer.part("pool")
        if pool is not None and num_stages < MOST_COLUMNS:
            columns.append(Column(f"convolved {number}", layer.affine.shape))
        columns.append(Column("y" if is_last else f"h{subscript(number)}", layer.shape))
    if len(columns) > MOST_COLUMNS:
        half = MOST_COLUMNS // 2
        columns = [*columns[: half - 1], Column("", None), *columns[-half:]]
    return columns


def draw_network(sketch: Sketch, theme: Theme) -> Figure:
    """Draw a network over the table of its layers."""
    table = sketch.table.shortened()
    columns = columns_of(sketch)
    scale = scale_of(columns)
    slots = [slot_width(column, scale) for column in columns]
    num_cells = len(table.header) - 1
    below = sum(table.widths()) + BETWEEN * num_cells
    above = sum(slots)
    title = text_width(sketch.title, is_bold=True, size=1.3 * SIZE)
    width = max(above, below, title) + 2 * MARGIN
    table_height = ROW * (len(table.rows) + 1) + MARGIN
    height = table_height + LABELS + extent(columns) + LABELS + TITLE
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.text(MARGIN, height - MARGIN, sketch.title, size=1.3 * SIZE, weight="bold", va="top")
    # The columns use the whole width, but are not pulled apart beyond what links them.
    stretch = min((width - 2 * MARGIN) / above, 1.6)
    draw_columns(axes, columns, [slot * stretch for slot in slots], scale, table_height, theme)
    draw_table(axes, table, table_height, theme)
    return figure


def draw_table(axes: Axes, table: Table, top: float, theme: Theme) -> None:
    """Draw the table below the picture; numbers of parameters end level."""
    y = top - ROW / 2
    axes.plot([MARGIN, axes.get_xlim()[1] - MARGIN], [y - ROW / 2] * 2, color=theme.faint, lw=0.8)
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


def extent(columns: Sequence[Column]) -> float:
    """Return the height of all columns; solids reach higher than their fronts."""
    is_solid = any(column.shape and len(column.shape) > 2 for column in columns)
    return TALL * (1 + SLANT * is_solid)


def scale_of(columns: Sequence[Column]) -> float:
    """Return the points of one position of a block."""
    tallest = [column.shape[-2] for column in columns if column.shape and len(column.shape) > 2]
    tallest += [column.shape[-1] for column in columns if column.shape and len(column.shape) == 2]
    return TALL / max(tallest, default=1)


def block_size(shape: Shape, scale: float) -> tuple[float, float, float]:
    """Return how thick, high and deep a block is: positions to scale, channels by logarithm."""
    thick = 4 + 5 * math.log2(math.prod(shape[:-2]) if len(shape) > 2 else shape[0])
    high = max(4.0, scale * shape[-2 if len(shape) > 2 else -1])
    deep = max(4.0, scale * shape[-1]) * SLANT if len(shape) > 2 else 0.0
    return thick, high, deep


def slot_width(column: Column, scale: float) -> float:
    """Return the width that a column and its labels need."""
    words = max(text_width(column.name, is_bold=True), text_width(column.label)) + 14
    if not column.is_block or column.shape is None:
        return max(words, 58.0)
    thick, _, deep = block_size(column.shape, scale)
    return max(words, thick + deep + 22)


def draw_columns(
    axes: Axes,
    columns: Sequence[Column],
    slots: Sequence[float],
    scale: float,
    bottom: float,
    theme: Theme,
) -> None:
    """Draw all columns with their labels, and what links them."""
    middle = bottom + LABELS + extent(columns) / 2
    x, before = MARGIN, None
    for column, slot in zip(columns, slots, strict=True):
        centre = x + slot / 2
        top = bottom + LABELS + extent(columns) + 14
        axes.text(centre, top, column.name, ha="center", va="bottom", size=SIZE, weight="bold")
        label = bottom + LABELS - 12
        axes.text(centre, label, column.label, ha="center", va="top", size=SIZE, color=theme.quiet)
        if column.shape is None:
            axes.text(centre, middle, "⋯", ha="center", va="center", size=2 * SIZE)
        elif column.is_block:
            draw_block(axes, centre, middle, column.shape, scale, theme)
        else:
            draw_units(axes, centre, middle, column.shape[0], theme)
        if before is not None:
            link(axes, before, (column, centre, slot), middle, scale, theme)
        before = (column, centre, slot)
        x += slot


def draw_block(axes: Axes, x: float, y: float, shape: Shape, scale: float, theme: Theme) -> None:
    """Draw C x H x W as a solid: C to the right, H upwards, W into the page."""
    thick, high, deep = block_size(shape, scale)
    left, low = x - (thick + deep) / 2, y - (high + deep) / 2
    style: dict[str, Any] = {"edgecolor": theme.ink, "linewidth": 0.9, "zorder": 3}
    axes.add_patch(Rectangle((left, low), thick, high, facecolor=theme.ramp[2], **style))
    if not deep:
        return
    right, top = left + thick, low + high
    roof = [(left, top), (left + deep, top + deep), (right + deep, top + deep), (right, top)]
    side = [(right, low), (right + deep, low + deep), (right + deep, top + deep), (right, top)]
    axes.add_patch(Polygon(roof, facecolor=theme.ramp[1], **style))
    axes.add_patch(Polygon(side, facecolor=theme.ramp[3], **style))


def unit_heights(num_units: int, y: float) -> list[float | None]:
    """Return where the circles of a column are, None for the place of those left out."""
    shown = min(num_units, MOST_CIRCLES)
    places: list[float | None] = [
        y + TALL * (0.5 - (n + 0.5) / MOST_CIRCLES) + TALL * (shown / MOST_CIRCLES - 1) / 2
        for n in range(shown)
    ]
    if num_units > MOST_CIRCLES:
        places[MOST_CIRCLES // 2] = None
    return places


def draw_units(axes: Axes, x: float, y: float, num_units: int, theme: Theme) -> None:
    """Draw a vector as a column of circles, with the middle of many left out."""
    radius = 0.36 * TALL / MOST_CIRCLES
    for place in unit_heights(num_units, y):
        if place is None:
            axes.text(x, y, "⋮", ha="center", va="center", size=1.3 * SIZE)
        else:
            style = {"facecolor": theme.ramp[2], "edgecolor": theme.ink, "linewidth": 0.9}
            axes.add_patch(Circle((x, place), radius, zorder=3, **style))


def link(
    axes: Axes,
    before: tuple[Column, float, float],
    after: tuple[Column, float, float],
    y: float,
    scale: float,
    theme: Theme,
) -> None:
    """Link two columns: every unit with every unit, else by an arrow."""
    (one, left, _), (other, right, _) = before, after
    if one.shape and other.shape and not one.is_block and not other.is_block:
        for start in unit_heights(one.shape[0], y):
            for end in unit_heights(other.shape[0], y):
                if start is not None and end is not None:
                    axes.plot([left, right], [start, end], color=theme.faint, lw=0.5, zorder=1)
        return
    start = left + half_width(one, scale) + 3
    end = right - half_width(other, scale) - 3
    axes.annotate(
        "", (end, y), (start, y), arrowprops={"arrowstyle": "-|>", "color": theme.quiet, "lw": 1.0}
    )


def half_width(column: Column, scale: float) -> float:
    """Return how far a column reaches to one side of its middle."""
    if column.shape is None:
        return 12.0
    if not column.is_block:
        return 0.36 * TALL / MOST_CIRCLES
    thick, _, deep = block_size(column.shape, scale)
    return (thick + deep) / 2
