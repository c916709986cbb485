"""An expression as a computational graph, and backpropagation over it step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from experiments.errors.messages import refuse_unless
from experiments.figures.graph.command_line import checked_values
from experiments.figures.graph.expressions import parse, variables
from experiments.figures.graph.graph_drawing import Progress, draw_graph
from experiments.figures.graph.graph_plan import fraction, make_plan, operand_name
from experiments.figures.graph.graph_program import page_numbers
from experiments.figures.graph.graphs import Edge, Graph, Node, build_graph, finite_differences
from experiments.figures.page.drawing import Animation, Drawing, Live
from experiments.figures.page.sheet import constant_text, number_text

NEAR = 1e-5
"""By less than that, against 1 or the gradient itself, differences are the gradients."""


def computational_graph(
    expr: str = "(x + y) * z", values: Mapping[str, float] | None = None, seconds: float = 1.5
) -> Drawing:
    """Draw an expression as a graph, with values forward and gradients backward.

    df/du = sum over all v that take u of df/dv * dv/du (the chain rule). Values are computed by
    torch in float64, gradients by torch.autograd on the same tensors. Rumelhart, Hinton,
    Williams 1986, "Learning representations by back-propagating errors"; drawn as in Stanford's
    course CS231n, values above the edges and gradients below.

    Args:
        expr: of numbers, variables, signs and the functions in expressions.py.
        values: of its variables.
        seconds: how long each step of the animation is shown.

    Raises:
        UserError: an expression that cannot be read, a variable without a number, or a value
            or gradient on the way that is not finite.
    """
    refuse_unless(0 < seconds <= 60, "seconds", seconds, "above 0 up to 60", 1.5)
    tree = parse(expr)
    point = checked_values(expr, variables(tree), values or {})
    graph = build_graph(tree, point)
    differences = finite_differences(tree, point)
    progress = steps(graph)
    plan = make_plan(graph, [line for step in progress for line in step.caption])
    numbers = as_numbers(graph, expr, point, differences)
    frames = [partial(draw_graph, graph, plan, progress=step, num_lines=2) for step in progress]
    return Drawing(
        numbers=numbers,
        pictures={"computational_graph": partial(draw_graph, graph, plan)},
        description=description_of(graph, expr, point),
        animations={"backpropagation": Animation(frames, seconds)},
        said=results_in_words(graph, numbers),
        live=Live(
            f"{graph.output.symbol} = {expr}",
            {**page_numbers(graph, plan, tree, point), "seconds": seconds},
        ),
    )


def steps(graph: Graph) -> list[Progress]:
    """Return backpropagation: forward node by node, then backward node by node."""
    operations, num, first = graph.operations, len(graph.operations), len(graph.variables)
    progress = [Progress(0, -1, caption=("The values of the variables are given.",))]
    for number, node in enumerate(operations, start=1):
        line = f"Forward {number} of {num}: {node.symbol} = {node.written} = {node.computed}"
        line = f"{line} = {number_text(node.value)}"
        progress.append(Progress(number, -1, first + number - 1, (line,)))
    output = graph.output.symbol
    line = f"Backward: {fraction(output, output)} = 1"
    progress.append(Progress(num, 0, len(graph.nodes) - 1, (line,)))
    for number, node in enumerate(reversed(operations), start=1):
        rule, *others = (chain_rule(graph, node, edge) for edge in node.edges)
        lines = (f"Backward {number} of {num}: {rule}", *others)
        progress.append(Progress(num, number, len(graph.nodes) - number, lines))
    return progress


def chain_rule(graph: Graph, node: Node, edge: Edge) -> str:
    """Return the chain rule along an edge: what comes back times the local derivative."""
    output, source = graph.output.symbol, graph.nodes[edge.source]
    name = operand_name(graph, node, edge)
    product = f"{fraction(output, node.symbol)} · {fraction(node.symbol, name)}"
    factors = f"{number_text(node.gradient)} · {constant_text(edge.local)}"
    result = f"{product} = {factors} = {number_text(edge.gradient)}"
    target = fraction(output, source.symbol)
    # Where several edges leave a variable, each adds its share.
    return f"{target} {'+=' if len(graph.gradients_at(source)) > 1 else '='} {result}"


def as_numbers(
    graph: Graph, expr: str, point: Mapping[str, float], differences: Mapping[str, float]
) -> dict[str, Any]:
    """Return what is drawn, and the finite differences that it was held against."""
    gradients = {name: node.gradient for name, node in zip(point, graph.variables, strict=True)}
    off = [abs(gradients[name] - differences[name]) for name in point]
    return {
        "expression": expr,
        "values": dict(point),
        "output": graph.output.value,
        "gradients": gradients,
        "finite_differences": dict(differences),
        "largest_difference": max(off),
        "nodes": [node_numbers(graph, node) for node in graph.nodes],
    }


def node_numbers(graph: Graph, node: Node) -> dict[str, Any]:
    return {
        "symbol": node.symbol,
        "computes": node.written,
        "value": node.value,
        "gradient": node.gradient,
        "inputs": [
            {
                "symbol": graph.nodes[edge.source].symbol,
                "value": edge.value,
                "local_derivative": edge.local,
                "formula": edge.formula,
                "gradient": edge.gradient,
            }
            for edge in node.edges
        ],
    }


def description_of(graph: Graph, expr: str, point: Mapping[str, float]) -> str:
    """Return what a reader is told who cannot see the picture."""
    values = ", ".join(f"{name} = {number_text(value)}" for name, value in point.items())
    gradients = ", ".join(f"{node.symbol} {number_text(node.gradient)}" for node in graph.variables)
    return (
        f"The computational graph of {expr} at {values}: the output is "
        f"{number_text(graph.output.value)}, its gradients are {gradients}."
    )


def results_in_words(graph: Graph, numbers: Mapping[str, Any]) -> Sequence[str]:
    """Return the lines for the terminal."""
    output, largest = graph.output, numbers["largest_difference"]
    gradients = ", ".join(
        f"{fraction(output.symbol, node.symbol)} = {number_text(node.gradient)}"
        for node in graph.variables
    )
    scale = max(1.0, *map(abs, numbers["gradients"].values()))
    kink = "" if largest <= NEAR * scale else " (at a bend, autograd takes one side's slope)"
    return [
        f"{output.symbol} = {number_text(output.value)}; {gradients}",
        f"Central finite differences differ from these by at most {largest:.1e}{kink}.",
    ]
