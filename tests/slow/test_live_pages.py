"""Figures as pages in a real browser: what they show against torch, by mouse, key and slider."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from figure_drawings import drawing_of
from torch import nn

from experiments.figures.graph.expressions import RULES, parse
from experiments.figures.graph.graph_program import program_of
from experiments.figures.graph.graphs import build_graph
from experiments.figures.live.live_page import live_html
from experiments.figures.measured.surfaces import SURFACES
from experiments.figures.page.making import as_json
from experiments.figures.page.themes import THEMES

pytestmark = pytest.mark.slow


@dataclass
class Live:
    """An open page, what it asked for and what the browser had to say of it."""

    page: Any
    path: Path
    drawing: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def number(self, selector: str) -> float:
        """Return the last number of a text."""
        text = self.page.inner_text(selector).replace("−", "-")
        return float(re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?", text)[-1])

    def slide(self, selector: str, value: float) -> None:
        """Set a slider as a hand would: its value, and the event of it."""
        script = "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }"
        self.page.eval_on_selector(selector, script, str(value))


@pytest.fixture
def live(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Live]]:
    """Return a function that opens a figure's page; nothing may be asked for, nothing complained."""
    opened: list[Live] = []

    def call(name: str, *overrides: str, width: int = 1280, scheme: str = "light") -> Live:
        drawing = drawing_of(tmp_path, f"figure={name}", *overrides)
        data = as_json(drawing.live.data)
        path = tmp_path / f"{name}-{len(opened)}.html"
        path.write_text(live_html(name, drawing.live.title, "", data), encoding="utf-8")
        context = chromium.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, has_touch=width < 500
        )
        shown = Live(context.new_page(), path, drawing)
        shown.page.on("request", lambda request: shown.requests.append(request.url))
        shown.page.on("console", lambda message: shown.complaints.append(message.text))
        shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
        shown.page.goto(path.as_uri())
        opened.append(shown)
        return shown

    yield call
    for shown in opened:
        shown.page.context.close()
        assert shown.requests == [shown.path.as_uri()]
        assert shown.complaints == []


def to_four_digits(value: float) -> float:
    return float(f"{value:.4g}")


MODULES = {
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "relu": nn.ReLU(),
    "leaky_relu": nn.LeakyReLU(0.1),
    "elu": nn.ELU(),
}


def test_pointing_at_a_curve_reads_both_off_as_torch_has_them(live: Callable[..., Live]) -> None:
    shown = live("activation_curves")
    box = shown.page.locator("section[data-name=tanh] svg").bounding_box()
    for share in (0.2, 0.45, 0.81):
        shown.page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        for name, module in MODULES.items():
            text = shown.page.inner_text(f"section[data-name={name}] .reading").replace("−", "-")
            at, phi, slope = map(float, re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?", text))
            x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
            value = module(x)
            [gradient] = torch.autograd.grad(value, x)
            assert phi == pytest.approx(to_four_digits(value.item()), rel=1e-9, abs=1e-12), name
            assert slope == pytest.approx(to_four_digits(float(gradient)), rel=1e-9, abs=1e-12)
    before = shown.page.inner_text("section[data-name=elu] .reading")
    shown.page.focus("#x")
    shown.page.keyboard.press("ArrowLeft")
    assert shown.page.inner_text("section[data-name=elu] .reading") != before


def test_each_output_of_a_convolution_is_torchs_at_each_stride_and_padding(
    live: Callable[..., Live],
) -> None:
    shown = live("convolution", "channels=2")
    x, w, b = (shown.drawing.numbers[key] for key in ("inputs", "weight", "bias"))
    for stride, padding in ((2, 1), (1, 0), (3, 2), (4, 3)):
        shown.slide("#stride", stride)
        shown.slide("#padding", padding)
        expected = nn.functional.conv2d(x[None], w, b, stride, padding)[0].flatten().tolist()
        shown.page.click("h1")
        for step, output in enumerate(expected):
            result = shown.page.inner_text("#result").partition("(the last")[0].replace("−", "-")
            left, right = result.split(" = ")[1:]
            assert float(right) == output, (stride, padding, step)
            assert eval(left, {}) == output
            assert shown.page.inner_text(".made") == right.strip().replace("-", "−")
            shown.page.keyboard.press("ArrowRight")
        cells = shown.page.locator(".square .cells").all_inner_texts()[-len(b) :]
        numbers = [float(n.replace("−", "-")) for text in cells for n in text.split()]
        assert numbers == expected


def test_the_window_plays_and_pauses(live: Callable[..., Live]) -> None:
    shown = live("convolution", "seconds=0.05")
    shown.page.clock.install(time=0)  # the test's own, however busy the machine is
    shown.page.clock.pause_at(1000)
    shown.page.click("#play")
    assert shown.page.inner_text("#play") == "❚❚ Pause"
    shown.page.clock.run_for(160)
    assert shown.page.input_value("#step") == "3"
    shown.page.click("#play")
    shown.page.clock.run_for(1000)
    assert shown.page.input_value("#step") == "3"
    assert shown.page.inner_text("#play") == "▶ Play"
    shown.page.click("#back")
    assert shown.page.input_value("#step") == "2"


def test_a_graph_goes_forward_and_backward_and_its_values_can_be_changed(
    live: Callable[..., Live],
) -> None:
    shown = live("computational_graph")
    shown.page.click("h1")
    shown.page.keyboard.press("Home")
    captions = []
    for _ in range(6):
        captions.append(shown.page.inner_text("#caption").replace("−", "-"))
        shown.page.keyboard.press("ArrowRight")
    assert captions[1:4] == [
        "Forward 1 of 2: q₁ = x + y = 3",
        "Forward 2 of 2: f = q₁ · z = -12",
        "Backward: ∂f/∂f = 1",
    ]
    assert captions[5].endswith(
        "∂f/∂x = ∂f/∂q₁ · ∂q₁/∂x = -4 · 1 = -4; ∂f/∂y = ∂f/∂q₁ · ∂q₁/∂y = -4 · 1 = -4"
    )
    shown.page.fill("#value-x", "1.25")
    shown.page.fill("#value-z", "0.5")
    cells = [row.split("\t") for row in shown.page.inner_text("table").splitlines()[1:]]
    table = {name.partition(" ")[0]: tuple(map(float, numbers)) for name, *numbers in cells}
    x, y, z = 1.25, 5.0, 0.5
    assert table == {
        "x": (x, z),
        "y": (y, z),
        "z": (z, x + y),
        "q₁": (x + y, z),
        "f": ((x + y) * z, 1.0),
    }


SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}
POINTS = [(0.3, 0.8), (1.7, 0.45), (0.9, 2.6)]


def test_every_operation_of_a_graph_is_torchs_and_its_gradients_are_autograds(
    live: Callable[..., Live],
) -> None:
    shown = live("computational_graph", "animate=false")
    for name, rule in RULES.items():
        call = f"{name}(x, y)" if len(rule.derivatives) == 2 else f"{name}(x) * y"
        tree = parse(call if name not in SIGNS else f"x {SIGNS[name]} y")
        for x, y in POINTS:
            graph = build_graph(tree, {"x": x, "y": y})
            found = shown.page.evaluate(
                """([program, point]) => {
                    const gradients = [0, 0], values = [...point];
                    const made = program.map(({operation, operands}) => {
                        const inputs = operands.map((o) => o.node === undefined ? o.value : values[o.node]);
                        const [f, slopes] = OPERATIONS[operation], value = f(...inputs);
                        values.push(value);
                        return {value, local: slopes(inputs[0], inputs[1], value)};
                    });
                    return made;
                }""",
                [program_of(tree), [x, y]],
            )
            for known, node in zip(found, graph.operations, strict=True):
                assert known["value"] == pytest.approx(node.value, rel=1e-12, abs=1e-14), name
                local = [edge.local for edge in node.edges]
                assert known["local"][: len(local)] == pytest.approx(local, rel=1e-12, abs=1e-14)


OPTIMIZERS: dict[str, Callable[[Any, float], torch.optim.Optimizer]] = {
    "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr),
    "momentum": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
    "nesterov": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, nesterov=True),
    "adagrad": lambda p, lr: torch.optim.Adagrad(p, lr=lr),
    "rmsprop": lambda p, lr: torch.optim.RMSprop(p, lr=lr, alpha=0.9),
    "adam": lambda p, lr: torch.optim.Adam(p, lr=lr),
    "adamw": lambda p, lr: torch.optim.AdamW(p, lr=lr, weight_decay=0.1),
    "amsgrad": lambda p, lr: torch.optim.Adam(p, lr=lr, amsgrad=True),
    "decayed": lambda p, lr: torch.optim.SGD(
        p, lr=lr, momentum=0.5, dampening=0.2, weight_decay=0.1
    ),
    "centered": lambda p, lr: torch.optim.RMSprop(p, lr=lr, centered=True, momentum=0.3),
}


def torchs(surface: Any, make: Callable[..., Any], lr: float, steps: int) -> tuple[Any, dict]:
    """Return the path of torch's optimizer, and its options."""
    theta = torch.tensor(surface.start, dtype=torch.float64, requires_grad=True)
    optimizer, path = make([theta], lr), [list(surface.start)]
    for _ in range(steps):
        optimizer.zero_grad()
        surface.value(theta).backward()
        optimizer.step()
        path.append(theta.detach().tolist())
    options = {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}
    return np.array(path), json.loads(json.dumps(options))


def test_paths_in_the_page_are_those_of_torchs_optimizers(live: Callable[..., Live]) -> None:
    shown = live("optimizer_trajectories", "surface=ravine", "steps=60", "frames=1")
    rates = shown.drawing.live.data["rates"]
    for surface in SURFACES:
        for name, make in OPTIMIZERS.items():
            rate = rates[surface.name].get(name, 0.002)
            for lr in (0.3 * rate, rate):
                expected, options = torchs(surface, make, lr, 60)
                rule = type(make([torch.zeros(1, requires_grad=True)], lr)).__name__
                given = [surface.name, rule, options, list(surface.start), 60]
                found = shown.page.evaluate("(given) => pathOf(...given)", given)
                np.testing.assert_allclose(
                    found, expected, rtol=0, atol=1e-6, err_msg=f"{surface.name} {name} {lr}"
                )


def test_sliders_change_the_path_that_is_shown_and_back_at_the_start_it_is_torchs(
    live: Callable[..., Live],
) -> None:
    shown = live("optimizer_trajectories", "surface=ravine", "optim=[sgd,momentum]", "frames=1")
    ravine = next(known for known in SURFACES if known.name == "ravine")
    assert "at every step: sgd, momentum" in shown.page.inner_text("#equal")
    row = ".optimizer[data-name=momentum]"

    def reading() -> float:
        text = shown.page.inner_text(f"{row} .reading").replace("−", "-")
        return float(re.search(r"= (-?[\d.e+-]+) at", text)[1])

    def f_of(path: Any) -> float:
        return to_four_digits(float(ravine.value(torch.tensor(path[-1]))))

    start = reading()
    assert start == f_of(torchs(ravine, OPTIMIZERS["momentum"], 0.006, 200)[0])
    lr, momentum = (f"{row} .slider:nth-child({n}) input" for n in (1, 2))
    shown.slide(lr, 25)
    expected = torchs(ravine, OPTIMIZERS["momentum"], 0.006 * 10**0.5, 200)[0]
    assert reading() == pytest.approx(f_of(expected), rel=1e-3)
    shown.slide(lr, 0)
    shown.slide(momentum, 0.5)
    half = torchs(ravine, lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.5), 0.006, 200)[0]
    assert reading() == pytest.approx(f_of(half), rel=1e-3)
    shown.slide(momentum, 0.9)
    assert reading() == start
    shown.page.select_option("#surface", "saddle")
    saddle = next(known for known in SURFACES if known.name == "saddle")
    assert reading() == pytest.approx(
        float(saddle.value(torch.tensor(torchs(saddle, OPTIMIZERS["momentum"], 0.03, 200)[0][-1])))
        + 0.25,
        abs=1e-6,
    )


@pytest.mark.parametrize(
    "name", ["activation_curves", "computational_graph", "convolution", "optimizer_trajectories"]
)
def test_a_page_is_read_on_a_phone_and_in_both_themes(live: Callable[..., Live], name: str) -> None:
    words = ["steps=20", "frames=1"] if name == "optimizer_trajectories" else []
    for width, scheme in ((390, "dark"), (1280, "light")):
        shown = live(name, *words, width=width, scheme=scheme)
        assert not shown.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        paper = "getComputedStyle(document.documentElement).getPropertyValue('--paper')"
        assert shown.page.evaluate(paper).strip() == THEMES[scheme].paper
        shown.page.click("#theme")
        other = "light" if scheme == "dark" else "dark"
        assert shown.page.evaluate(paper).strip() == THEMES[other].paper
        if width < 500 and name != "activation_curves":
            before = shown.page.input_value("#step")
            shown.page.tap("#back" if before != "0" else "#next")
            assert shown.page.input_value("#step") != before
