"""Draws a computational graph: values above edges, gradients below, derivatives in the nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from experiments.figures.graph_plan import (
    BEND,
    CAPTION_SIZE,
    HEADER,
    MARGIN,
    PAD,
    TITLE_SIZE,
    Plan,
    edge_labels,
    gradient_line,
    header,
    legend_of,
    local_derivative,
    output_labels,
    row_level,
    title_of,
    value_line,
)
from experiments.figures.graphs import Edge, Graph, Node
from experiments.figures.lettering import SIZE, text_width
from experiments.figures.themes import Theme

TOP = 58.0
CAPTION = 17.0


@dataclass(frozen=True)
class Progress:
    """How far backpropagation has come.

    Attributes:
        num_forward: operations whose values are known.
        num_backward: operations that have passed their gradient on; -1: not even the output
            has one.
        current: the node at work.
        caption: what is done, in lines.
    """

    num_forward: int
    num_backward: int
    current: int | None = None
    caption: tuple[str, ...] = ()


def draw_graph(
    graph: Graph, plan: Plan, theme: Theme, progress: Progress | None = None, num_lines: int = 0
) -> Figure:
    """Draw a graph, as far as backpropagation has come; the whole of it by default.

    Args:
        graph: what is drawn.
        plan: where.
        theme: its colours.
        progress: what is known already.
        num_lines: room for so many lines of caption.
    """
    below = num_lines * CAPTION + (MARGIN if num_lines else 0)
    size = (plan.width, plan.height + TOP + below + MARGIN)
    figure = Figure(figsize=(size[0] / 72, size[1] / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, size[0])
    axes.set_ylim(-below - MARGIN, plan.height + TOP)
    done = progress or Progress(len(graph.operations), len(graph.operations))
    is_known = done.num_forward == len(graph.operations)
    title = title_of(graph) if is_known else title_of(graph).partition(" at ")[2]
    top = plan.height + TOP - MARGIN
    axes.text(MARGIN, top, title, size=TITLE_SIZE, weight="bold", va="top")
    axes.text(MARGIN, top - 22, legend_of(graph), size=0.9 * SIZE, color=theme.quiet, va="top")
    for (position, edge), path in zip(plan.edges, plan.layout.paths, strict=True):
        draw_edge(axes, graph, plan, position, edge, path, theme, done)
    for position, node in enumerate(graph.nodes):
        draw_node(axes, graph, plan, position, node, theme, done)
    draw_output(axes, graph, plan, theme, done)
    for number, line in enumerate(done.caption):
        y = -MARGIN - CAPTION * number
        axes.text(MARGIN, y, line, size=CAPTION_SIZE, va="center")
    return figure


def draw_node(
    axes: Axes, graph: Graph, plan: Plan, position: int, node: Node, theme: Theme, done: Progress
) -> None:
    """Draw the box of a node and what is known of it."""
    item = plan.layout.items[position]
    left, width = plan.lefts[item.layer], plan.widths[item.layer]
    is_current = done.current == position
    box = FancyBboxPatch(
        (left, item.y - item.height / 2),
        width,
        item.height,
        boxstyle="round,pad=0,rounding_size=5",
        facecolor=theme.paper if node.is_variable else theme.grid,
        edgecolor=theme.ink if is_current else theme.quiet,
        linewidth=2.8 if is_current else 0.9,
        zorder=3,
    )
    axes.add_patch(box)
    x, y = left + PAD, item.y + item.height / 2
    text: dict[str, Any] = {"size": SIZE, "va": "center", "zorder": 4}
    if node.is_variable:
        axes.text(x, item.y + 9, value_line(node), weight="bold", **text)
        gradients = known_gradients(graph, position, done)
        line = gradient_line(graph, node, gradients) if gradients else ""
        axes.text(x, item.y - 9, line, color=theme.colours[1], **text)
        return
    axes.text(x, y - HEADER / 2, header(node), weight="bold", **text)
    if graph.operations.index(node) < done.num_forward:
        for row, edge in enumerate(node.edges):
            level = item.y + row_level(item.height, row)
            axes.text(x, level, local_derivative(graph, node, edge), **text)


def known_gradients(graph: Graph, position: int, done: Progress) -> list[float]:
    """Return what has come back to a variable so far."""
    first = len(graph.operations) - max(done.num_backward, 0)
    return [
        edge.gradient
        for consumer in reversed(graph.operations[first:])
        for edge in consumer.edges
        if edge.source == position
    ]


def draw_edge(
    axes: Axes,
    graph: Graph,
    plan: Plan,
    position: int,
    edge: Edge,
    path: tuple[int, ...],
    theme: Theme,
    done: Progress,
) -> None:
    """Draw an edge: bends in the space between layers, level where its labels stand."""
    items, operations = plan.layout.items, graph.operations
    target = items[position]
    rank = graph.nodes[position].edges.index(edge)
    end = target.y + row_level(target.height, rank)
    first = items[path[0]]
    x, y = plan.lefts[first.layer] + plan.widths[first.layer], first.y
    points, codes = [(x, y)], [Path.MOVETO]
    for number in path[1:]:
        item = items[number]
        level = end if number == position else item.y
        start, middle = points[-1][0], points[-1][0] + BEND / 2
        points += [(middle, points[-1][1]), (middle, level), (start + BEND, level)]
        codes += [Path.CURVE4] * 3
        is_last = number == position
        points.append((plan.lefts[item.layer] + (0 if is_last else plan.widths[item.layer]), level))
        codes.append(Path.LINETO)
    line = PathPatch(Path(points, codes), fill=False, edgecolor=theme.quiet, linewidth=1.1)
    axes.add_patch(line)
    x = plan.lefts[target.layer]
    axes.plot([x - 2.5], [end], marker=">", markersize=5, color=theme.quiet, zorder=2)
    source = graph.nodes[edge.source]
    is_forward = source.is_variable or operations.index(source) < done.num_forward
    consumer = operations.index(graph.nodes[position])
    is_backward = consumer >= len(operations) - max(done.num_backward, 0)
    above, below = edge_labels(edge)
    write_labels(axes, x - PAD, end, above * is_forward, below * is_backward, theme)


def write_labels(axes: Axes, x: float, y: float, above: str, below: str, theme: Theme) -> None:
    """Write a value above a line and a gradient below it, both ending at x."""
    text: dict[str, Any] = {"size": SIZE, "ha": "right"}
    axes.text(x, y + 2.5, above, va="bottom", color=theme.colours[0], **text)
    axes.text(x, y - 2.5, below, va="top", color=theme.colours[1], **text)


def draw_output(axes: Axes, graph: Graph, plan: Plan, theme: Theme, done: Progress) -> None:
    """Draw the line that leaves the output, with its value and the gradient 1."""
    item = plan.layout.items[len(graph.nodes) - 1]
    x = plan.lefts[item.layer] + plan.widths[item.layer]
    above, below = output_labels(graph)
    end = x + max(text_width(above), text_width(below)) + 2 * PAD
    axes.plot([x, end], [item.y] * 2, color=theme.quiet, linewidth=1.1)
    is_forward = done.num_forward == len(graph.operations)
    is_backward = done.num_backward >= 0
    write_labels(axes, end - PAD / 2, item.y, above * is_forward, below * is_backward, theme)
