"""Where each part of a computational graph is drawn, and the words that take room there.

Lengths are in points, of which an inch has 72.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from experiments.figures.graph.graphs import Edge, Graph, Node
from experiments.figures.graph.layered import Layout, Link, arrange
from experiments.figures.page.sheet import MARGIN, SIZE, constant_text, number_text, text_width

HEADER = 24.0
ROW = 30.0
VARIABLE = 40.0
GAP = 14.0
PAD = 9.0
BEND = 40.0
CAPTION_SIZE = 1.1 * SIZE
TITLE_SIZE = 1.3 * SIZE
LEGEND = "above an edge: value forward →   below: gradient backward ←   in a node: its derivatives"
BRACKET = "   [u > v]: 1 where that holds, else 0"


@dataclass
class GraphPlan:
    """Where everything of a graph is drawn.

    Attributes:
        layout: heights of all nodes and passing edges.
        lefts: where each layer's boxes begin.
        widths: of each layer's boxes.
        edges: the node and the edge of each path of the layout.
        width: of the picture, as height.
    """

    layout: Layout
    edges: list[tuple[int, Edge]]
    lefts: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def header(node: Node) -> str:
    return f"{node.symbol} = {node.written}"


def local_derivative(graph: Graph, node: Node, edge: Edge) -> str:
    number = number_text(edge.local)
    shown = number if edge.formula == number else f"{edge.formula} = {number}"
    return f"{fraction(node.symbol, operand_name(graph, node, edge))} = {shown}"


def operand_name(graph: Graph, node: Node, edge: Edge) -> str:
    """Return the symbol of an operand, numbered where both are the same node."""
    symbol = graph.nodes[edge.source].symbol
    twins = [twin for twin in node.edges if twin.source == edge.source]
    if len(twins) == 1:
        return symbol
    return f"{symbol} ({'1st' if twins[0] is edge else '2nd'})"


def fraction(of: str, by: str) -> str:
    return f"∂{of}/∂{by}"


def gradient_line(graph: Graph, node: Node, gradients: list[float]) -> str:
    total = number_text(sum(gradients))
    terms = " + ".join([number_text(gradients[0]), *map(constant_text, gradients[1:])])
    name = fraction(graph.output.symbol, node.symbol)
    return f"{name} = {terms} = {total}" if len(gradients) > 1 else f"{name} = {total}"


def make_plan(graph: Graph, captions: Sequence[str] = ()) -> GraphPlan:
    """Lay a graph out, wide enough for these captions."""
    heights, links, edges = [], [], []
    for position, node in enumerate(graph.nodes):
        rows = len(node.edges)
        heights.append(HEADER + ROW * rows if rows else VARIABLE)
        for row, edge in enumerate(node.edges):
            links.append(Link(edge.source, position, row_level(heights[-1], row)))
            edges.append((position, edge))
    plan = GraphPlan(arrange(heights, links, GAP), edges)
    set_columns(plan, graph)
    widest = max((text_width(line, size=CAPTION_SIZE) for line in captions), default=0.0)
    plan.width = max(plan.width, widest + 2 * MARGIN)
    tops = [item.y + item.height / 2 for item in plan.layout.items]
    bottoms = [item.y - item.height / 2 for item in plan.layout.items]
    plan.height = max(tops) - min(bottoms)
    for item in plan.layout.items:
        item.y -= min(bottoms)
    return plan


def row_level(height: float, row: int) -> float:
    """Return how far above the middle of a box the row of an operand is."""
    return height / 2 - HEADER - ROW * (row + 0.5)


def set_columns(plan: GraphPlan, graph: Graph) -> None:
    """Set where the boxes of each layer begin and how wide they are."""
    left = MARGIN
    for number, layer in enumerate(plan.layout.layers):
        nodes = [graph.nodes[i] for i in layer if i < len(graph.nodes)]
        labels = [
            max(text_width(label) for label in edge_labels(edge))
            for position, edge in plan.edges
            if plan.layout.items[position].layer == number
        ]
        left += BEND + max(labels) + 2 * PAD if number else 0.0
        plan.lefts.append(left)
        plan.widths.append(max(box_width(graph, node) for node in nodes) + 2 * PAD)
        left += plan.widths[-1]
    out = max(text_width(label) for label in output_labels(graph))
    title = text_width(title_of(graph), is_bold=True, size=TITLE_SIZE)
    legend = text_width(legend_of(graph)) + MARGIN
    plan.width = max(left + out + 2 * PAD, title + MARGIN, legend) + MARGIN


def box_width(graph: Graph, node: Node) -> float:
    """Return the width that a node's lines need."""
    if node.is_variable:
        line = gradient_line(graph, node, graph.gradients_at(node))
        return max(text_width(line), text_width(value_line(node), is_bold=True))
    rows = [local_derivative(graph, node, edge) for edge in node.edges]
    return max(text_width(header(node), is_bold=True), *map(text_width, rows))


def value_line(node: Node) -> str:
    return f"{node.symbol} = {number_text(node.value)}"


def edge_labels(edge: Edge) -> tuple[str, str]:
    return f"{number_text(edge.value)} →", f"← {number_text(edge.gradient)}"


def output_labels(graph: Graph) -> tuple[str, str]:
    output = graph.output
    return f"{output.symbol} = {number_text(output.value)} →", "← 1"


def title_of(graph: Graph) -> str:
    output = graph.output
    point = ", ".join(value_line(node) for node in graph.variables)
    return f"{output.symbol} = {number_text(output.value)} at {point}"


def legend_of(graph: Graph) -> str:
    formulas = [edge.formula for node in graph.nodes for edge in node.edges]
    return LEGEND + BRACKET * any("[" in formula for formula in formulas)
