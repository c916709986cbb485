"""What is typed after figure=computational_graph, as Hydra reads it."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from running import CONF

from experiments.errors.messages import UserError
from experiments.figures.graph import command_line

FIGURE = "figure=computational_graph"


def overrides_of(*arguments: str) -> dict[str, object]:
    """Return what Hydra reads in what was typed."""
    rewritten = [a for a in command_line.as_hydra_reads(arguments, CONF) if not a.startswith("-")]
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
    assert command_line.as_hydra_reads([FIGURE, "z=3"], CONF) == [FIGURE, "++values.z=3"]
    spelt_otherwise = command_line.as_hydra_reads([FIGURE, "expr=(x+y)*z", "z=3"], CONF)
    assert spelt_otherwise == [FIGURE, "expr='(x+y)*z'", "++values.z=3"]
    assert command_line.as_hydra_reads([FIGURE, "values.z=3"], CONF) == [FIGURE, "++values.z=3"]
    assert command_line.as_hydra_reads([FIGURE, "++values.z=3"], CONF) == [FIGURE, "++values.z=3"]


def test_flags_other_figures_and_other_keys_are_left_as_they_are() -> None:
    for arguments in (
        ["--help"],
        ["figure=convolution", "x=3", "expr=(a"],
        ["-sc", "query=bash"],
        [FIGURE, "--cfg", "job", "formats=[svg]", "paths.output=here", "hydra.verbose=true"],
    ):
        assert command_line.as_hydra_reads(arguments, CONF) == arguments


def test_several_expressions_and_values_of_a_multirun() -> None:
    typed_by_user = ["-m", FIGURE, "expr='x*y','x+y'", "x=1,2", "y=3"]
    assert command_line.as_hydra_reads(typed_by_user, CONF) == [
        "-m", "~values", FIGURE, "expr='x*y','x+y'", "++values.x=1,2", "++values.y=3"
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["x * y", "it's", r"a\'b", "a\\", "${x} + 1", "'"])
def test_quotes_are_hydras(text: str) -> None:
    [override] = OverridesParser.create().parse_overrides([f"expr={command_line.quoted(text)}"])
    assert str(override.value()).rstrip() == text


def test_a_value_for_no_variable_names_the_nearest() -> None:
    with pytest.raises(
        UserError, match=r"x2: the expression x1 \* y has no such variable.*Did you mean x1="
    ):
        command_line.as_hydra_reads([FIGURE, "expr=x1 * y", "x2=3"], CONF)
    with pytest.raises(UserError, match="Did you mean animate="):
        command_line.as_hydra_reads([FIGURE, "anmate=false"], CONF)


def test_values_are_numbers_and_all_there() -> None:
    with pytest.raises(UserError, match=r"y: no value in x\*y. Type y=1"):
        command_line.checked_values("x*y", ["x", "y"], {"x": 1})
    for given in ("abc", True, None, float("nan"), float("inf"), "", [1]):
        with pytest.raises(UserError, match="x=.*: allowed is a number. Try x=0.5."):
            command_line.checked_values("x*2", ["x"], {"x": given})
    with pytest.raises(UserError, match="w: the expression x has no such variable"):
        command_line.checked_values("x", ["x"], {"x": 1, "w": 2})
