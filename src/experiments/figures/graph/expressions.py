"""Expressions as a user types them, read against a whitelist and never evaluated as Python.

Torch-free: the command line is read with it before anything is imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from experiments.errors.likeness import hint
from experiments.errors.messages import UserError, user_error
from experiments.errors.wording import listed

MAX_LETTERS = 500
MAX_OPERATIONS = 40
"""More than that is no picture any longer."""


@dataclass(frozen=True)
class Rule:
    """How an operation is written, and its derivative by each operand.

    In both u and v stand for the operands, f for what comes out and w for v - 1, in braces.
    [u > v] is 1 where that holds, else 0 (Iverson's bracket).
    """

    written: str
    derivatives: tuple[str, ...]


RULES = {
    "add": Rule("{u} + {v}", ("1", "1")),
    "sub": Rule("{u} − {v}", ("1", "−1")),
    "mul": Rule("{u} · {v}", ("{v}", "{u}")),
    "div": Rule("{u} / {v}", ("1 / {v}", "−{u} / {v}²")),
    "pow": Rule("{u} ^ {v}", ("{v} · {u}^{w}", "{f} · log({u})")),
    "maximum": Rule("max({u}, {v})", ("[{u} > {v}]", "[{v} > {u}]")),
    "minimum": Rule("min({u}, {v})", ("[{u} < {v}]", "[{v} < {u}]")),
    "neg": Rule("−{u}", ("−1",)),
    "abs": Rule("|{u}|", ("sign({u})",)),
    "square": Rule("{u}²", ("2 {u}",)),
    "sqrt": Rule("√{u}", ("1 / (2 {f})",)),
    "reciprocal": Rule("1 / {u}", ("−{f}²",)),
    "exp": Rule("exp({u})", ("{f}",)),
    "expm1": Rule("exp({u}) − 1", ("{f} + 1",)),
    "log": Rule("log({u})", ("1 / {u}",)),
    "log1p": Rule("log(1 + {u})", ("1 / (1 + {u})",)),
    "sin": Rule("sin({u})", ("cos({u})",)),
    "cos": Rule("cos({u})", ("−sin({u})",)),
    "tan": Rule("tan({u})", ("1 + {f}²",)),
    "atan": Rule("atan({u})", ("1 / (1 + {u}²)",)),
    "sinh": Rule("sinh({u})", ("cosh({u})",)),
    "cosh": Rule("cosh({u})", ("sinh({u})",)),
    "tanh": Rule("tanh({u})", ("1 − {f}²",)),
    "erf": Rule("erf({u})", ("2/√π · exp(−{u}²)",)),
    "sigmoid": Rule("sigmoid({u})", ("{f} (1 − {f})",)),
    "relu": Rule("relu({u})", ("[{u} > 0]",)),
    "softplus": Rule("softplus({u})", ("sigmoid({u})",)),
    "silu": Rule("silu({u})", ("{f} + (1 − {f}) sigmoid({u})",)),
}
"""By torch's names of the operations."""
ALIASES = {"max": "maximum", "min": "minimum"}
SIGNS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
}
CONSTANTS = {"pi": 3.141592653589793}
FUNCTIONS = sorted([*RULES, *ALIASES])
ALLOWED = f"numbers, pi, variables, + - * / ** ( ) and {listed(FUNCTIONS)}"
KEYS = ["expr", "values", "seconds", "figure", "format", "formats", "themes", "dpi", "animate"]
KEYS += ["name", "paths", "hydra"]
"""What the figure's own keys are called, so that NAME=NUMBER can mean nothing else."""


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Variable:
    """A name that the user gives a value."""

    name: str


@dataclass(frozen=True)
class Operation:
    """One of `RULES`, of one operand or two."""

    name: str
    operands: tuple[Tree, ...]


Tree = Number | Variable | Operation


def parse(text: str) -> Tree:
    """Return what an expression consists of.

    Raises:
        UserError: a part that is none of `ALLOWED`, which the message names.

    >>> parse("exp(x) * 2")
    Operation(name='mul', operands=(Operation(name='exp', operands=(Variable(name='x'),)), \
Number(value=2.0)))
    """
    if len(text) > MAX_LETTERS:
        raise not_understood(text, f"{len(text)} letters are more than {MAX_LETTERS}")
    try:
        body = ast.parse(text.strip(), mode="eval").body
        tree = tree_of(body, text)
    except SyntaxError as error:
        raise not_understood(text, f"it is no expression ({error.msg})") from error
    except (ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, UserError):
            raise
        raise not_understood(text, "it is no expression") from error
    num_operations = sum(isinstance(part, Operation) for part in parts(tree))
    if not variables(tree) or not 1 <= num_operations <= MAX_OPERATIONS:
        reason = f"a picture needs a variable and 1 to {MAX_OPERATIONS} operations"
        raise not_understood(text, reason)
    return tree


def tree_of(node: ast.expr, text: str) -> Tree:
    """Return the tree of a node of Python's own grammar."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Number(float(str(node.value)))
    if isinstance(node, ast.Name):
        return name_of(node.id, text)
    if isinstance(node, ast.BinOp) and type(node.op) in SIGNS:
        operands = (tree_of(node.left, text), tree_of(node.right, text))
        if isinstance(node.op, ast.Pow) and operands[1] == Number(2.0):
            return Operation("square", operands[:1])
        return Operation(SIGNS[type(node.op)], operands)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        operand = tree_of(node.operand, text)
        if isinstance(operand, Number):
            return Number(-operand.value)
        return Operation("neg", (operand,))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return call_of(node, node.func.id, text)
    raise not_understood(text, f"{ast.unparse(node)} is not understood")


def name_of(name: str, text: str) -> Tree:
    """Return a constant or a variable."""
    if name in CONSTANTS:
        return Number(CONSTANTS[name])
    if name in FUNCTIONS:
        raise user_error("graph_name", name=name, reason=f"a function, called as {name}(...)")
    if name in KEYS:
        raise user_error("graph_name", name=name, reason="a key of this figure")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise not_understood(text, f"{name} is not understood: a name has letters a to z")
    return Variable(name)


def call_of(node: ast.Call, name: str, text: str) -> Tree:
    """Return a call of one of the functions."""
    if name not in FUNCTIONS:
        suggestion = hint("", name, FUNCTIONS, "(...)")
        raise not_understood(text, f"there is no function {name}", suggestion)
    called = ALIASES.get(name, name)
    num_operands = len(RULES[called].derivatives)
    if len(node.args) != num_operands:
        word = "one operand" if num_operands == 1 else "two operands"
        raise not_understood(text, f"{name} takes {word}, and {ast.unparse(node)} is another call")
    return Operation(called, tuple(tree_of(operand, text) for operand in node.args))


def not_understood(text: str, reason: str, suggestion: str = "") -> UserError:
    given = text if len(text) <= 80 else f"{text[:77]}..."
    return user_error("expression", given=given, reason=reason, allowed=ALLOWED, hint=suggestion)


def parts(tree: Tree) -> Iterator[Tree]:
    """Yield a tree and all below it, operands before their operation and from left to right."""
    if isinstance(tree, Operation):
        for operand in tree.operands:
            yield from parts(operand)
    yield tree


def variables(tree: Tree) -> list[str]:
    """Return the names in an expression, in the order in which they first stand there.

    >>> variables(parse("(x + y) * z + y"))
    ['x', 'y', 'z']
    """
    return list(dict.fromkeys(part.name for part in parts(tree) if isinstance(part, Variable)))
