"""Computational graphs, against closed forms, torch by hand and finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from figure_drawings import drawing_of
from overlap import assert_legible, texts
from running import CONF

from experiments.errors.messages import UserError
from experiments.figures.computational_graph import computational_graph, steps
from experiments.figures.graph.command_line import as_hydra_reads
from experiments.figures.graph.expressions import RULES, parse
from experiments.figures.graph.graphs import build_graph, function_of
from experiments.figures.page.sheet import number_text
from experiments.figures.page.themes import LIGHT

NEURON = "sigmoid(w0*x0 + w1*x1 + w2)"
AT = {"w0": 2, "x0": -1, "w1": -3, "x1": -2, "w2": -3}
TWO_LAYERS = "(v1*tanh(w1*x + b1) + v2*tanh(w2*x + b2) + c - t)**2"
THERE = {"v1": 1.5, "w1": 1, "x": 0.5, "b1": 0.1, "v2": -1, "w2": -2, "b2": 0.3, "c": 0.2, "t": 1}


def test_the_lectures_example_as_it_is_typed(tmp_path: Path) -> None:
    typed = ["figure=computational_graph", "expr=(x + y) * z", "x=-2", "y=5", "z=-4"]
    numbers = drawing_of(tmp_path, *as_hydra_reads(typed, CONF)).numbers
    assert numbers["output"] == -12
    assert numbers["gradients"] == {"x": -4, "y": -4, "z": 3}
    q, f = numbers["nodes"][-2:]
    assert (q["symbol"], q["computes"], q["value"], q["gradient"]) == ("q₁", "x + y", 3, -4)
    assert [one["local_derivative"] for one in f["inputs"]] == [-4, 3]
    assert [one["formula"] for one in f["inputs"]] == ["z", "q₁"]
    assert numbers["largest_difference"] < 1e-8


def test_the_values_of_another_expression_are_its_own(tmp_path: Path) -> None:
    typed = ["figure=computational_graph", "expr=x * w", "x=3", "w=0.5"]
    numbers = drawing_of(tmp_path, *as_hydra_reads(typed, CONF)).numbers
    assert numbers["values"] == {"x": 3, "w": 0.5}
    assert numbers["gradients"] == {"x": 0.5, "w": 3}


def test_the_neuron_of_cs231n() -> None:
    numbers = computational_graph(NEURON, AT).numbers
    assert numbers["output"] == pytest.approx(1 / (1 + math.exp(-1)))
    published = {"w0": -0.20, "x0": 0.39, "w1": -0.39, "x1": -0.59, "w2": 0.20}
    assert numbers["gradients"] == pytest.approx(published, abs=0.005)
    # The same function written out has the same gradients.
    written_out = computational_graph("1/(1 + exp(-(w0*x0 + w1*x1 + w2)))", AT).numbers
    assert written_out["gradients"] == pytest.approx(numbers["gradients"])
    assert [node["computes"] for node in written_out["nodes"][-4:]] == [
        "−q₄", "exp(q₅)", "1 + q₆", "1 / q₇"
    ]  # fmt: skip


def test_a_network_of_two_layers_against_torch_by_hand() -> None:
    numbers = computational_graph(TWO_LAYERS, THERE).numbers
    p = {
        k: torch.tensor(float(v), requires_grad=True, dtype=torch.float64) for k, v in THERE.items()
    }
    hidden = [torch.tanh(p[f"w{n}"] * p["x"] + p[f"b{n}"]) for n in (1, 2)]
    loss = (p["v1"] * hidden[0] + p["v2"] * hidden[1] + p["c"] - p["t"]).square()
    loss.backward()
    assert numbers["output"] == pytest.approx(float(loss.detach()))
    expected = {name: float(tensor.grad) for name, tensor in p.items()}
    assert numbers["gradients"] == pytest.approx(expected)
    assert numbers["finite_differences"] == pytest.approx(expected, rel=1e-6)


def test_a_variable_used_twice_adds_up_its_gradients() -> None:
    drawing = computational_graph("x*x + 3*x", {"x": 5})
    x, square, triple, total = drawing.numbers["nodes"]
    flowing = [one["gradient"] for node in (total, triple, square) for one in node["inputs"]
               if one["symbol"] == "x"]  # fmt: skip
    assert flowing == [3, 5, 5]
    assert x["gradient"] == 13 == sum(flowing)
    with_texts = [text.get_text() for text in texts(drawing.pictures["computational_graph"](LIGHT))]
    assert "∂f/∂x = 3 + 5 + 5 = 13" in with_texts
    assert "∂q₁/∂x (1st) = x = 5" in with_texts


def at(name: str) -> dict[str, float]:
    """Return a point at which an operation has no bend."""
    return {"u": 0.7, "v": 1.3} if len(RULES[name].derivatives) == 2 else {"u": 0.7}


PYTHON = {
    "log": math.log, "sign": lambda x: math.copysign(1, x), "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "cos": math.cos, "sin": math.sin, "sinh": math.sinh, "cosh": math.cosh, "exp": math.exp,
    "pi": math.pi,
}  # fmt: skip


def worked_out(formula: str, values: dict[str, float]) -> float:
    """Compute a formula of the table by Python's own mathematics."""
    if formula.startswith("["):
        return float(eval(formula[1:-1], {}, values))
    text = formula.replace("2/√π", "2/pi**0.5").replace("−", "-").replace("·", "*")
    text = text.replace("²", "**2").replace("^", "**")
    text = text.replace("2 u", "2*u").replace("2 f", "2*f").replace("f (", "f*(")
    text = text.replace(") sigmoid", ")*sigmoid")
    return float(eval(text, PYTHON, values))


@pytest.mark.parametrize("name", RULES)
def test_each_formula_is_the_derivative_that_torch_computes(name: str) -> None:
    point = at(name)
    graph = build_graph(parse(f"{name}({', '.join(point)})"), point)
    values = {**point, "f": graph.output.value}
    for edge, rule in zip(graph.output.edges, RULES[name].derivatives, strict=True):
        assert edge.formula == rule.format(u="u", v="v", f="f", w="(v − 1)")
        assert edge.local == pytest.approx(worked_out(edge.formula, values), rel=1e-6)
        # And the difference quotient of torch's function says so too.
        h = 1e-6
        u = [torch.tensor(value, dtype=torch.float64) for value in point.values()]
        moved = [one + h * (n == graph.output.edges.index(edge)) for n, one in enumerate(u)]
        slope = (function_of(name)(*moved) - function_of(name)(*u)) / h
        assert edge.local == pytest.approx(float(slope), abs=2e-5)


@pytest.mark.parametrize(("expr", "values"), [(NEURON, AT), (TWO_LAYERS, THERE)])
def test_the_chain_rule_holds_along_each_edge(expr: str, values: dict[str, float]) -> None:
    graph = build_graph(parse(expr), values)
    for node in graph.operations:
        for edge in node.edges:
            assert edge.gradient == pytest.approx(node.gradient * edge.local)
    for node in graph.nodes[:-1]:
        assert node.gradient == pytest.approx(sum(graph.gradients_at(node)))
    assert graph.output.gradient == 1


def test_backpropagation_goes_forward_then_backward_and_says_the_products() -> None:
    graph = build_graph(parse("(x + y) * z"), {"x": -2, "y": 5, "z": -4})
    captions = [step.caption for step in steps(graph)]
    assert captions == [
        ("The values of the variables are given.",),
        ("Forward 1 of 2: q₁ = x + y = (−2) + 5 = 3",),
        ("Forward 2 of 2: f = q₁ · z = 3 · (−4) = −12",),
        ("Backward: ∂f/∂f = 1",),
        (
            "Backward 1 of 2: ∂f/∂q₁ = ∂f/∂f · ∂f/∂q₁ = 1 · (−4) = −4",
            "∂f/∂z = ∂f/∂f · ∂f/∂z = 1 · 3 = 3",
        ),
        (
            "Backward 2 of 2: ∂f/∂x = ∂f/∂q₁ · ∂q₁/∂x = −4 · 1 = −4",
            "∂f/∂y = ∂f/∂q₁ · ∂q₁/∂y = −4 · 1 = −4",
        ),
    ]


def test_a_frame_shows_only_what_is_known_by_then() -> None:
    frames = (
        computational_graph("(x + y) * z", {"x": -2, "y": 5, "z": -4})
        .animations["backpropagation"]
        .frames
    )
    seen = [{text.get_text() for text in texts(frame(LIGHT))} for frame in frames]
    assert "∂f/∂x = −4" not in seen[4]
    assert {"∂f/∂x = −4", "∂f/∂z = 3"} <= seen[5]
    assert "3 →" not in seen[0]
    assert "3 →" in seen[1]


@pytest.mark.parametrize(
    ("expr", "values"),
    [
        ("(x + y) * z", {"x": -2, "y": 5, "z": -4}),
        (TWO_LAYERS, THERE),
        ("x*x - x", {"x": 3}),
        ("max(x*y, y*z) + min(x, z)/exp(y) - abs(x)", {"x": 1, "y": 2, "z": 3}),
    ],
)
def test_labels_do_not_overlap(expr: str, values: dict[str, float]) -> None:
    assert_legible(computational_graph(expr, values))


@pytest.mark.parametrize(
    ("expr", "values", "said"),
    [
        ("log(x)", {"x": 0}, "f = log(0) is −inf. Choose other values"),
        ("1/x + 2", {"x": 0}, "q₁ = 1 / 0 is inf"),
        ("sqrt(x)", {"x": 0}, "the derivative of f = √0 is inf"),
        ("log(x)", {"x": -1}, "is nan"),
        ("exp(x)", {"x": 1000}, "is inf"),
        ("x * log(0)", {"x": 1}, "log(0) is −inf"),
        ("x * 10**400", {"x": 1}, "10 ^ 400 is inf"),
        ("x * 1e999", {"x": 1}, "is inf"),
        ("x * y", {"x": 1}, "y: no value in x * y. Type y=1"),
        ("x * 2", {"x": "abc"}, "x=abc: allowed is a number"),
        ("x * 2", {"x": 1, "w": 2}, "w: the expression x * 2 has no such variable"),
    ],
)
def test_what_has_no_finite_answer_is_refused(expr: str, values: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        computational_graph(expr, values)
    assert said in str(caught.value)


def test_the_command_line(draw: Callable) -> None:
    typed = ["figure=computational_graph", f"expr={NEURON}", *(f"{k}={v}" for k, v in AT.items())]
    said = draw(*typed, "--cfg", "job")
    assert (said.code, said.err) == (0, "")
    assert "expr: sigmoid(w0*x0 + w1*x1 + w2)\n" in said.out
    assert "values:\n  w0: 2\n  x0: -1\n" in said.out
    assert "w1: -3" in draw(*typed, "--help").out
    quick = ["themes=[light]", "formats=[svg]", "animate=false"]
    said = draw(*typed, *quick)
    assert said.code == 0
    assert "f = 0.7311; ∂f/∂w₀ = −0.1966, ∂f/∂x₀ = 0.3932" in said.out
    assert draw("-m", "figure=computational_graph", "expr=x * y", "x=1,2", "y=3", *quick).code == 0


def test_one_message_for_what_cannot_be_read(draw: Callable) -> None:
    said = draw("figure=computational_graph", "expr=__import__('os')", "x=1")
    assert said.code == 2
    assert said.err.startswith("expr=__import__('os'): there is no function __import__")
    assert said.err.count("\n") == 1
    assert not list(Path().iterdir())


def test_powers_are_written_as_one_would() -> None:
    def formula(expr: str) -> tuple[str, str]:
        output = build_graph(parse(expr), {"x": 1.5}).output
        return output.written, output.edges[0].formula

    assert formula("x**2") == ("x²", "2 x")
    assert formula("x**3") == ("x ^ 3", "3 · x^2")
    assert formula("x**0.5") == ("x ^ 0.5", "0.5 · x^−0.5")
    assert formula("2**x") == ("2 ^ x", "f · log(2)")


def test_numbers_are_short() -> None:
    shown = [number_text(value) for value in (0.123456, -12345.6, 3.0, -0.0, 1e-9)]
    assert shown == ["0.1235", "−1.235e+04", "3", "0", "1e−09"]
