"""Draws a computational graph: values above edges, gradients below, derivatives in the nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from experiments.figures.graph.graph_plan import (
    BEND,
    CAPTION_SIZE,
    HEADER,
    PAD,
    TITLE_SIZE,
    GraphPlan,
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
from experiments.figures.graph.graphs import Edge, Graph, Node
from experiments.figures.page.sheet import MARGIN, SIZE, blank_sheet, text_width
from experiments.figures.page.themes import Theme

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
    graph: Graph,
    plan: GraphPlan,
    theme: Theme,
    progress: Progress | None = None,
    num_lines: int = 0,
) -> Figure:
    """Draw a graph, as far as backpropagation has come; the whole of it by default.

    Args:
        progress: what is known already.
        num_lines: room for so many lines of caption.
    """
    below = num_lines * CAPTION + (MARGIN if num_lines else 0) + MARGIN
    figure, axes = blank_sheet(plan.width, plan.height + TOP + below, below)
    done = progress or Progress(len(graph.operations), len(graph.operations))
    painter = GraphPainter(axes, graph, plan, theme, done)
    painter.write_title()
    for (position, edge), path in zip(plan.edges, plan.layout.paths, strict=True):
        painter.draw_edge(position, edge, path)
    for position, node in enumerate(graph.nodes):
        painter.draw_box(position, node)
        if node.is_variable:
            painter.write_variable(position, node)
        else:
            painter.write_operation(position, node)
    painter.draw_output()
    for number, line in enumerate(done.caption):
        axes.text(MARGIN, -MARGIN - CAPTION * number, line, size=CAPTION_SIZE, va="center")
    return figure


@dataclass(frozen=True)
class GraphPainter:
    """Draws the parts of a graph, with what is known by then."""

    axes: Axes
    graph: Graph
    plan: GraphPlan
    theme: Theme
    done: Progress

    def has_value(self, position: int) -> bool:
        """Whether a node's value is known: variables come first, then operations in their order."""
        return position < len(self.graph.variables) + self.done.num_forward

    def has_passed_on(self, position: int) -> bool:
        """Whether a node has passed its gradient on."""
        return position >= len(self.graph.nodes) - max(self.done.num_backward, 0)

    def write_title(self) -> None:
        title, top = title_of(self.graph), self.plan.height + TOP - MARGIN
        if not self.has_value(len(self.graph.nodes) - 1):
            title = title.partition(" at ")[2]
        self.axes.text(MARGIN, top, title, size=TITLE_SIZE, weight="bold", va="top")
        legend: dict[str, Any] = {"size": 0.9 * SIZE, "color": self.theme.quiet, "va": "top"}
        self.axes.text(MARGIN, top - 22, legend_of(self.graph), **legend)

    def left_of(self, position: int) -> float:
        return self.plan.lefts[self.plan.layout.items[position].layer]

    def right_of(self, position: int) -> float:
        return self.left_of(position) + self.plan.widths[self.plan.layout.items[position].layer]

    def draw_box(self, position: int, node: Node) -> None:
        item, left = self.plan.layout.items[position], self.left_of(position)
        is_current = self.done.current == position
        box = FancyBboxPatch(
            (left, item.y - item.height / 2),
            self.right_of(position) - left,
            item.height,
            boxstyle="round,pad=0,rounding_size=5",
            facecolor=self.theme.paper if node.is_variable else self.theme.grid,
            edgecolor=self.theme.ink if is_current else self.theme.quiet,
            linewidth=2.8 if is_current else 0.9,
            zorder=3,
        )
        self.axes.add_patch(box)

    def write_in_box(self, position: int, above: float, line: str, **style: Any) -> None:
        """Write a line into a node, so far above its middle."""
        x, y = self.left_of(position) + PAD, self.plan.layout.items[position].y + above
        self.axes.text(x, y, line, size=SIZE, va="center", zorder=4, **style)

    def write_variable(self, position: int, node: Node) -> None:
        """Write a variable's value, and the gradients that have come back to it so far."""
        self.write_in_box(position, 9, value_line(node), weight="bold")
        gradients = [
            edge.gradient
            for consumer, operation in reversed(list(enumerate(self.graph.nodes)))
            for edge in operation.edges
            if edge.source == position and self.has_passed_on(consumer)
        ]
        if gradients:
            line = gradient_line(self.graph, node, gradients)
            self.write_in_box(position, -9, line, color=self.theme.colours[1])

    def write_operation(self, position: int, node: Node) -> None:
        """Write what an operation computes, and its local derivatives where they are known."""
        height = self.plan.layout.items[position].height
        self.write_in_box(position, height / 2 - HEADER / 2, header(node), weight="bold")
        if self.has_value(position):
            for row, edge in enumerate(node.edges):
                line = local_derivative(self.graph, node, edge)
                self.write_in_box(position, row_level(height, row), line)

    def draw_edge(self, position: int, edge: Edge, path: tuple[int, ...]) -> None:
        """Draw an edge: bends in the space between layers, level where its labels stand."""
        items, target = self.plan.layout.items, self.plan.layout.items[position]
        rank = self.graph.nodes[position].edges.index(edge)
        end = target.y + row_level(target.height, rank)
        points, codes = [(self.right_of(path[0]), items[path[0]].y)], [Path.MOVETO]
        for number in path[1:]:
            is_last = number == position
            level = end if is_last else items[number].y
            start, middle = points[-1][0], points[-1][0] + BEND / 2
            points += [(middle, points[-1][1]), (middle, level), (start + BEND, level)]
            points.append((self.left_of(number) if is_last else self.right_of(number), level))
            codes += [Path.CURVE4] * 3 + [Path.LINETO]
        line: dict[str, Any] = {"edgecolor": self.theme.quiet, "linewidth": 1.1}
        self.axes.add_patch(PathPatch(Path(points, codes), fill=False, **line))
        x = self.left_of(position)
        self.axes.plot([x - 2.5], [end], ">", markersize=5, color=self.theme.quiet, zorder=2)
        above, below = edge_labels(edge)
        is_forward, is_backward = self.has_value(edge.source), self.has_passed_on(position)
        self.write_labels(x - PAD, end, above * is_forward, below * is_backward)

    def draw_output(self) -> None:
        """Draw the line that leaves the output, with its value and the gradient 1."""
        position = len(self.graph.nodes) - 1
        x, y = self.right_of(position), self.plan.layout.items[position].y
        above, below = output_labels(self.graph)
        end = x + max(text_width(above), text_width(below)) + 2 * PAD
        self.axes.plot([x, end], [y, y], color=self.theme.quiet, linewidth=1.1)
        is_forward, is_backward = self.has_value(position), self.done.num_backward >= 0
        self.write_labels(end - PAD / 2, y, above * is_forward, below * is_backward)

    def write_labels(self, x: float, y: float, above: str, below: str) -> None:
        """Write a value above a line and a gradient below it, both ending at x."""
        text: dict[str, Any] = {"size": SIZE, "ha": "right"}
        self.axes.text(x, y + 2.5, above, va="bottom", color=self.theme.colours[0], **text)
        self.axes.text(x, y - 2.5, below, va="top", color=self.theme.colours[1], **text)
