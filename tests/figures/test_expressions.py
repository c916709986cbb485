"""Reading an expression and the command line around it, with nothing evaluated as Python."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from running import CONF

from experiments.errors import UserError
from experiments.figures import expressions, typed
from experiments.figures.expressions import Number, Operation, Variable, parse, variables

FIGURE = "figure=computational_graph"


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
    for module in (expressions, typed):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"eval", "exec", "compile", "__import__", "getattr"}


def overrides_of(*arguments: str) -> dict[str, object]:
    """Return what Hydra reads in what was typed."""
    rewritten = [a for a in typed.understood(arguments, CONF) if not a.startswith("-")]
    parsed = OverridesParser.create().parse_overrides([a for a in rewritten if a != "job"])
    return {one.input_line.partition("=")[0]: one.value() for one in parsed}


def test_an_expression_and_its_values_reach_hydra() -> None:
    found = overrides_of("x=-2", FIGURE, "expr=(x + y_1) * max(x, 2)", "y_1=1e-3", "dpi=40")
    assert found == {
        "~values": None,
        "++values.x": -2,
        "figure": "computational_graph",
        "expr": "(x + y_1) * max(x, 2)",
        "++values.y_1": 0.001,
        "dpi": 40,
    }
    assert next(iter(found)) == "~values"  # before all values, for Hydra goes by their order


def test_values_of_the_default_expression_join_those_in_its_file() -> None:
    assert typed.understood([FIGURE, "z=3"], CONF) == [FIGURE, "++values.z=3"]
    spelt_otherwise = typed.understood([FIGURE, "expr=(x+y)*z", "z=3"], CONF)
    assert spelt_otherwise == [FIGURE, "expr='(x+y)*z'", "++values.z=3"]
    assert typed.understood([FIGURE, "values.z=3"], CONF) == [FIGURE, "++values.z=3"]
    assert typed.understood([FIGURE, "++values.z=3"], CONF) == [FIGURE, "++values.z=3"]


def test_flags_other_figures_and_other_keys_are_left_as_they_are() -> None:
    for arguments in (
        ["--help"],
        ["figure=convolution", "x=3", "expr=(a"],
        ["-sc", "query=bash"],
        [FIGURE, "--cfg", "job", "formats=[svg]", "paths.output=here", "hydra.verbose=true"],
    ):
        assert typed.understood(arguments, CONF) == arguments


def test_several_expressions_and_values_of_a_multirun() -> None:
    typed_by_user = ["-m", FIGURE, "expr='x*y','x+y'", "x=1,2", "y=3"]
    assert typed.understood(typed_by_user, CONF) == [
        "-m", "~values", FIGURE, "expr='x*y','x+y'", "++values.x=1,2", "++values.y=3"
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["x * y", "it's", r"a\'b", "a\\", "${x} + 1", "'"])
def test_quotes_are_hydras(text: str) -> None:
    [override] = OverridesParser.create().parse_overrides([f"expr={typed.quoted(text)}"])
    assert str(override.value()).rstrip() == text


def test_a_value_for_no_variable_names_the_nearest() -> None:
    with pytest.raises(
        UserError, match=r"x2: the expression x1 \* y has no such variable.*Did you mean x1="
    ):
        typed.understood([FIGURE, "expr=x1 * y", "x2=3"], CONF)
    with pytest.raises(UserError, match="Did you mean animate="):
        typed.understood([FIGURE, "anmate=false"], CONF)


def test_values_are_numbers_and_all_there() -> None:
    with pytest.raises(UserError, match=r"y: no value in x\*y. Type y=1"):
        typed.checked_values("x*y", ["x", "y"], {"x": 1})
    for given in ("abc", True, None, float("nan"), float("inf"), "", [1]):
        with pytest.raises(UserError, match="x=.*: allowed is a number. Try x=0.5."):
            typed.checked_values("x*2", ["x"], {"x": given})
    with pytest.raises(UserError, match="w: the expression x has no such variable"):
        typed.checked_values("x", ["x"], {"x": 1, "w": 2})
