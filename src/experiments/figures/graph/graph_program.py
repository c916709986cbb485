"""A computational graph as a page computes it anew: operations with their operands, and places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.figures.graph.expressions import Operation, Tree, Variable, parts, variables
from experiments.figures.graph.graph_plan import GraphPlan, row_level
from experiments.figures.graph.graphs import Graph, evaluate


def program_of(tree: Tree) -> list[dict[str, Any]]:
    """Return the operations of a graph in the order of its nodes.

    An operand is a node, by its position after the variables, or a number: what has no variable
    in it is computed once, as in the graph.

    >>> from experiments.figures.graph.expressions import parse
    >>> program_of(parse("x * (1 + 2)"))
    [{'operation': 'mul', 'operands': [{'node': 0}, {'value': 3.0}]}]
    """
    names = variables(tree)
    program: list[dict[str, Any]] = []
    positions: dict[int, int] = {}

    def operand_of(part: Tree) -> dict[str, Any]:
        if isinstance(part, Variable):
            return {"node": names.index(part.name)}
        return {"node": positions[id(part)]} if variables(part) else {"value": evaluate(part, {})}

    for part in parts(tree):
        if isinstance(part, Operation) and variables(part):
            operands = [operand_of(operand) for operand in part.operands]
            positions[id(part)] = len(names) + len(program)
            program.append({"operation": part.name, "operands": operands})
    return program


def page_numbers(
    graph: Graph, plan: GraphPlan, tree: Tree, point: Mapping[str, float]
) -> dict[str, Any]:
    """Return what a page needs to draw a graph and to compute it at other values."""
    nodes: list[dict[str, Any]] = [{} for _ in point] + program_of(tree)
    for node, known in zip(nodes, graph.nodes, strict=True):
        node |= {"symbol": known.symbol, "written": known.written, "value": known.value}
        edges = iter(known.edges)
        for operand in node.get("operands", ()):
            if "node" in operand:
                edge = next(edges)
                is_shared = len(graph.gradients_at(graph.nodes[edge.source])) > 1
                operand |= {"formula": edge.formula, "shared": is_shared}
    drawn = []
    for (position, edge), path in zip(plan.edges, plan.layout.paths, strict=True):
        item, rank = plan.layout.items[position], graph.nodes[position].edges.index(edge)
        of_nodes = [n for n, o in enumerate(nodes[position]["operands"]) if "node" in o]
        level = item.y + row_level(item.height, rank)
        operand = of_nodes[rank]
        drawn.append({"node": position, "operand": operand, "level": level, "path": path})
    return {
        "names": list(point),
        "nodes": nodes,
        "items": [{"layer": i.layer, "y": i.y, "height": i.height} for i in plan.layout.items],
        "edges": drawn,
        "height": plan.height,
    }
