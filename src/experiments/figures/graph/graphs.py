"""The computational graph of an expression: values by torch, gradients by torch.autograd."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from experiments.errors.messages import user_error
from experiments.figures.graph.expressions import (
    RULES,
    Number,
    Operation,
    Tree,
    Variable,
    parts,
    variables,
)
from experiments.figures.page.sheet import constant_text, number_text, subscript

OUTPUTS = ("f", "g", "L", "F", "G", "out")
BETWEEN = ("q", "h", "u", "s", "m", "node_")
STEP = 1e-6
"""Of central differences in float64: their error is then some 1e-10 of the function's scale."""


@dataclass(eq=False)
class Edge:
    """What one operand brings into an operation, and what flows back along it.

    Attributes:
        source: the node it comes from.
        value: forward.
        local: the derivative of the operation by this operand.
        formula: the same as a formula.
        gradient: of the output by this operand, along this edge alone.
    """

    source: int
    value: float
    local: float
    formula: str
    gradient: float = math.nan


@dataclass(eq=False)
class Node:
    """A variable or an operation.

    Attributes:
        symbol: x, or q₁, or f for the output.
        written: of an operation what it computes, x + y.
        computed: the same with numbers, −2 + 5.
        value: forward.
        gradient: of the output by this node: the sum of those along its outgoing edges.
        edges: one for each operand that is no number.
    """

    symbol: str
    written: str
    computed: str
    value: float
    gradient: float = math.nan
    edges: list[Edge] = field(default_factory=list)

    @property
    def is_variable(self) -> bool:
        return not self.written


@dataclass(frozen=True)
class Graph:
    """A graph in the order of its computation: variables first, the output last."""

    nodes: tuple[Node, ...]

    @property
    def output(self) -> Node:
        return self.nodes[-1]

    @property
    def variables(self) -> list[Node]:
        return [node for node in self.nodes if node.is_variable]

    @property
    def operations(self) -> list[Node]:
        return [node for node in self.nodes if not node.is_variable]

    def gradients_at(self, node: Node) -> list[float]:
        """Return what comes back to a node, in the order in which backpropagation brings it."""
        position = self.nodes.index(node)
        return [
            edge.gradient
            for consumer in reversed(self.nodes)
            for edge in consumer.edges
            if edge.source == position
        ]


def build_graph(tree: Tree, values: Mapping[str, float]) -> Graph:
    """Return the graph of an expression at a point.

    Raises:
        UserError: a value or a gradient on the way that is infinite or no number.
    """
    builder = GraphBuilder(tree, values)
    builder.compute(tree)
    builder.backward()
    return Graph(tuple(builder.nodes))


class GraphBuilder:
    """Computes an expression and keeps each tensor of it.

    Each edge is a tensor of its own, a copy of the value it carries: so autograd says what flows
    back along it, and a variable used twice adds up what its copies get.
    """

    def __init__(self, tree: Tree, values: Mapping[str, float]) -> None:
        self.nodes: list[Node] = []
        self.tensors: list[Tensor] = []
        self.copies: list[tuple[Edge, Tensor]] = []
        names = variables(tree)
        self.positions = {name: position for position, name in enumerate(names)}
        self.output_name = next(name for name in OUTPUTS if name not in names)
        self.prefix = next(
            prefix for prefix in BETWEEN if not any(re.fullmatch(rf"{prefix}\d+", n) for n in names)
        )
        self.num_left = sum(isinstance(p, Operation) and bool(variables(p)) for p in parts(tree))
        for name in names:
            tensor = torch.tensor(values[name], dtype=torch.float64, requires_grad=True)
            self.keep(Node(pretty(name), "", "", float(values[name])), tensor)

    def keep(self, node: Node, tensor: Tensor) -> int:
        """Keep a node with its tensor and return its position."""
        self.nodes.append(node)
        self.tensors.append(tensor)
        return len(self.nodes) - 1

    def compute(self, tree: Tree) -> int | Tensor:
        """Return the position of a tree's node, or its value where no variable is in it."""
        if isinstance(tree, Number):
            return torch.tensor(tree.value, dtype=torch.float64)
        if isinstance(tree, Variable):
            return self.positions[tree.name]
        operands = [self.compute(operand) for operand in tree.operands]
        if any(isinstance(operand, int) for operand in operands):
            return self.operate(tree.name, operands)
        constant = function_of(tree.name)(*operands)
        words = [number_text(float(value)) for value in operands if isinstance(value, Tensor)]
        check_finite(written_as(tree.name, words), float(constant))
        return constant

    def operate(self, name: str, operands: list[int | Tensor]) -> int:
        """Compute an operation, with its local derivatives, and return the position of its node."""
        inputs = [self.tensors[o].clone() if isinstance(o, int) else o for o in operands]
        numbers = [constant_text(float(tensor.detach())) for tensor in inputs]
        words = [
            self.nodes[operand].symbol if isinstance(operand, int) else number
            for operand, number in zip(operands, numbers, strict=True)
        ]
        tensor = function_of(name)(*inputs)
        self.num_left -= 1
        number = len(self.nodes) - len(self.positions) + 1
        symbol = pretty(f"{self.prefix}{number}") if self.num_left else self.output_name
        computed = written_as(name, numbers)
        node = Node(symbol, written_as(name, words), computed, float(tensor.detach()))
        check_finite(f"{symbol} = {computed}", node.value)
        for operand, copy, rule in zip(operands, inputs, RULES[name].derivatives, strict=True):
            if isinstance(operand, int):
                local = float(torch.autograd.grad(tensor, copy, retain_graph=True)[0])
                check_finite(f"the derivative of {symbol} = {computed}", local)
                edge = Edge(operand, float(copy.detach()), local, fill(rule, words, symbol))
                node.edges.append(edge)
                self.copies.append((edge, copy))
        return self.keep(node, tensor)

    def backward(self) -> None:
        """Let autograd fill in the gradients of nodes and edges."""
        for tensor in [*self.tensors, *(copy for _, copy in self.copies)]:
            tensor.retain_grad()
        self.tensors[-1].backward()
        for node, tensor in zip(self.nodes, self.tensors, strict=True):
            node.gradient = gradient_of(tensor)
            check_finite(f"the gradient by {node.symbol}", node.gradient)
        for edge, copy in self.copies:
            edge.gradient = gradient_of(copy)


def gradient_of(tensor: Tensor) -> float:
    """Return what backward left at a tensor; 0 where nothing came."""
    return 0.0 if tensor.grad is None else float(tensor.grad)


def function_of(name: str) -> Callable[..., Tensor]:
    """Return torch's function of one of the rules."""
    function: Callable[..., Tensor] = getattr(torch, name, None) or getattr(nn.functional, name)
    return function


def evaluate(tree: Tree, values: Mapping[str, float]) -> float:
    """Return the value of an expression, without any graph."""
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Variable):
        return values[tree.name]
    operands = [evaluate(operand, values) for operand in tree.operands]
    tensors = [torch.tensor(operand, dtype=torch.float64) for operand in operands]
    return float(function_of(tree.name)(*tensors))


def finite_differences(tree: Tree, values: Mapping[str, float]) -> dict[str, float]:
    """Return (f(x + h) - f(x - h)) / 2h by each variable."""
    slopes = {}
    for name, value in values.items():
        h = STEP * max(1.0, abs(value))
        above, below = value + h, value - h
        change = evaluate(tree, {**values, name: above}) - evaluate(tree, {**values, name: below})
        slopes[name] = change / (above - below)
    return slopes


def check_finite(what: str, value: float) -> None:
    """Raise UserError for a value that cannot be drawn."""
    if not math.isfinite(value):
        raise user_error("graph_not_finite", what=what, value=number_text(value))


def fill(rule: str, words: list[str], symbol: str) -> str:
    """Return a rule with the names of its operands and of what comes out."""
    u, v = words[0], words[-1]
    is_number = re.fullmatch(r"[\d.]+", v)
    less = number_text(float(v) - 1) if is_number else f"({v} − 1)"
    return rule.format(u=u, v=v, f=symbol, w=less)


def written_as(name: str, words: list[str]) -> str:
    """Return an operation as it is written; a call needs no further parentheses."""
    written = RULES[name].written
    if "({u}" in written:
        words = [word.strip("()") for word in words]
    return fill(written, words, "")


def pretty(name: str) -> str:
    """Return a name with its last digits as a subscript.

    >>> pretty("w0"), pretty("x_1"), pretty("x")
    ('w₀', 'x₁', 'x')
    """
    match = re.fullmatch(r"(.*?)_?(\d+)", name)
    return f"{match[1]}{subscript(match[2])}" if match and match[1] else name
