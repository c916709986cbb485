"""Reading an expression, with nothing evaluated as Python."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from experiments.errors.messages import UserError
from experiments.figures.graph import command_line, expressions
from experiments.figures.graph.expressions import Number, Operation, Variable, parse, variables


def as_python(tree: expressions.Tree) -> str:
    """Write a tree as Python again, everything between parentheses."""
    signs = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}
    if isinstance(tree, Number):
        return f"({tree.value})"
    if isinstance(tree, Variable):
        return tree.name
    operands = [as_python(one) for one in tree.operands]
    if tree.name in signs:
        return f"({operands[0]} {signs[tree.name]} {operands[1]})"
    if tree.name == "neg":
        return f"(-{operands[0]})"
    return f"{tree.name}({', '.join(operands)})"


@pytest.mark.parametrize(
    "text", ["(x + y) * z", "x - y - z", "2**x**y", "-x**2", "x/y/z", "-(x + 3)*-y", "1 - x*y + z"]
)
def test_signs_bind_as_in_python(text: str) -> None:
    point = {"x": 1.7, "y": 0.6, "z": -2.3}
    ours = eval(as_python(parse(text)), {"square": lambda x: x * x}, point)
    assert ours == pytest.approx(eval(text, {}, point))


def test_functions_aliases_and_constants() -> None:
    assert parse("max(x, pi)") == Operation("maximum", (Variable("x"), Number(3.141592653589793)))
    assert parse("-2 * x").operands[0] == Number(-2.0)
    assert variables(parse("b*a + b")) == ["b", "a"]


REFUSED = [
    ('__import__("os").system("ls")', "__import__('os').system('ls') is not understood"),
    ("().__class__", "().__class__ is not understood"),
    ("open(x)", "there is no function open"),
    ("sigmod(x)", "Did you mean sigmoid(...)?"),
    ("x < y", "x < y is not understood"),
    ("x.grad + 1", "x.grad is not understood"),
    ("[x, y]", "[x, y] is not understood"),
    ("x if y else z", "x if y else z is not understood"),
    ("lambda x: x", "lambda x: x is not understood"),
    ("x @ y", "x @ y is not understood"),
    ("x % 2", "x % 2 is not understood"),
    ("exp(input=x)", "exp(input=x) is not understood"),
    ("exp(*x)", "*x is not understood"),
    ("x + True", "True is not understood"),
    ("x + 2j", "2j is not understood"),
    ("x + 'a'", "'a' is not understood"),
    ("(x := 3)", "is not understood"),
    ("x +", "it is no expression"),
    ("x = 3", "it is no expression"),
    ("x; y", "it is no expression"),
    ("", "it is no expression"),
    ("(" * 220 + "x" + ")" * 220, "it is no expression"),
    ("-" * 450 + "x", "1 to 40 operations"),
    ("x + 1" * 200, "letters are more than 500"),
    ("1 + 2", "a picture needs a variable"),
    ("x", "a picture needs a variable and 1 to 40 operations"),
    ("+".join("x" * 50), "1 to 40 operations"),
    ("exp(x, y)", "exp takes one operand"),
    ("max(x, y, z)", "max takes two operands"),
    ("α + 1", "α is not understood: a name has letters a to z"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[text[:20] for text, _ in REFUSED])
def test_whatever_is_not_on_the_list_is_refused_and_named(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert "Allowed are numbers, pi, variables, + - * / ** ( ) and abs, " in str(caught.value)


def test_a_name_is_either_a_function_or_a_key_or_a_variable() -> None:
    with pytest.raises(UserError, match="exp is a function, called as exp"):
        parse("exp * x")
    with pytest.raises(UserError, match="dpi is a key of this figure. Call the variable something"):
        parse("dpi * x")


def test_no_module_here_evaluates_text() -> None:
    for module in (expressions, command_line):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"eval", "exec", "compile", "__import__", "getattr"}
