"""Paths of optimizers, against torch's own optimizers run by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from figure_drawings import composition_of, drawing_of
from matplotlib.text import Text
from overlap import LAST_ROW, assert_legible, collisions, smallest_letters

from experiments.errors.messages import UserError
from experiments.figures.page.composing import Composition
from experiments.figures.page.drawing import Drawing
from experiments.figures.page.making import compute_drawing
from experiments.figures.page.themes import LIGHT

FIGURE = "figure=optimizer_trajectories"
BY_HAND: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.005),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.001, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.002, momentum=0.9, nesterov=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.5),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.03, alpha=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1),
}


STEPS = {"rmsprop": 100}
"""Of 200 where a path is compared: RMSprop then circles the minimum at its whole rate, where a
difference in the last bit grows to a hundredth within 30 steps."""


def beale(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def by_hand(make: Callable[..., torch.optim.Optimizer], start: Any, steps: int) -> np.ndarray:
    theta = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = make([theta])
    path = [theta.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        beale(theta[0], theta[1]).backward()
        optimizer.step()
        path.append(theta.detach().clone())
    return torch.stack(path).numpy()


@pytest.fixture(scope="module")
def composition(tmp_path_factory: pytest.TempPathFactory) -> Composition:
    """Return one composition for all surfaces: to compose six optimizers takes a second."""
    return composition_of(tmp_path_factory.mktemp("default"), FIGURE)


@pytest.fixture(scope="module")
def default(composition: Composition) -> Drawing:
    return compute_drawing(composition.config(), composition)


def test_on_beale_each_path_is_torchs_own_step_for_step(default: Drawing) -> None:
    numbers = default.numbers
    assert list(numbers["paths"]) == list(BY_HAND)
    for name, make in BY_HAND.items():
        found = numbers["paths"][name]
        expected = by_hand(make, [1.0, 1.5], STEPS.get(name, 200))
        compared = found["theta"][: len(expected)]
        np.testing.assert_allclose(compared, expected, rtol=0, atol=1e-12, err_msg=name)
        values = beale(*found["theta"].T).numpy()
        np.testing.assert_allclose(found["f"], values, rtol=0, atol=1e-12, err_msg=name)
        assert len(found["theta"]) == 201
        assert found["end"] == ""


def test_labels_do_not_overlap(default: Drawing) -> None:
    assert_legible(default)
    assert smallest_letters(default) >= LAST_ROW


@pytest.mark.parametrize("surface", ["rosenbrock", "saddle", "six_hump_camel"])
def test_labels_do_not_overlap_on_other_surfaces(composition: Composition, surface: str) -> None:
    config = composition.config() | {"surface": surface, "frames": 1}
    drawing = compute_drawing(config, composition)
    assert all(one["end"] == "" for one in drawing.numbers["paths"].values())
    assert collisions(drawing.pictures["optimizer_trajectories"]) == []


def test_gradient_descent_on_the_ravine_is_its_closed_form(tmp_path: Path) -> None:
    """theta_k = ((1 - lr)^k x_0, (1 - 100 lr)^k y_0)."""
    given = [FIGURE, "surface=ravine", "optim=[sgd]", "optim.lr=0.008", "steps=30", "frames=1"]
    numbers = drawing_of(tmp_path, *given, "start=[-4,2]").numbers
    k = np.arange(31)
    expected = np.stack([-4 * 0.992**k, 2 * 0.2**k], axis=1)
    np.testing.assert_allclose(numbers["paths"]["sgd"]["theta"], expected, atol=1e-12)
    assert numbers["paths"]["sgd"]["lr"] == 0.008


def test_a_path_that_leaves_the_picture_is_drawn_to_its_end_and_said(tmp_path: Path) -> None:
    """From lr = 2/100 on gradient descent diverges on the ravine: |1 - 100 lr| > 1."""
    given = [FIGURE, "surface=ravine", "optim=[sgd]", "optim.lr=0.022", "start=[-4,2]", "frames=1"]
    drawing = drawing_of(tmp_path, *given)
    path = drawing.numbers["paths"]["sgd"]
    # |y_k| = 2 * 1.2^k is above 3.2 from k = 3 on.
    assert path["end"] == "left the picture at step 3"
    k = np.arange(201)
    expected = np.stack([-4 * 0.978**k, 2 * (-1.2) ** k], axis=1)
    np.testing.assert_allclose(path["theta"], expected, rtol=1e-9)
    assert "left the picture at step 3" in drawing.said[0]
    figure = assert_legible_with(drawing, "sgd left the picture at step 3", "sgd, lr 0.022")
    right = figure.axes[1].get_ylim()
    assert right[1] < float(path["f"][-1])  # it leaves that panel through the top, not its scale


def test_a_path_without_numbers_ends_where_they_do(tmp_path: Path) -> None:
    given = [FIGURE, "surface=ravine", "optim=[sgd]", "optim.lr=1e9", "steps=50", "frames=1"]
    path = drawing_of(tmp_path, *given).numbers["paths"]["sgd"]
    # |y_k| = 1.5 (1e11)^k, and f = 50 y^2 overflows where it is above 1e153: at k = 14.
    assert path["end"] == "left the picture at step 1, no finite number at step 14"
    assert len(path["theta"]) == 14


def test_momentum_wins_in_the_ravine_each_lr_being_in_the_picture(
    composition: Composition,
) -> None:
    """Gradient descent takes 1 - lr of x at each step; momentum 0.9 about sqrt(0.9) of all."""
    config = composition.config() | {"surface": "ravine", "frames": 1}
    drawing = compute_drawing(config, composition)
    paths = drawing.numbers["paths"]
    gaps = {name: float(path["f"][-1]) for name, path in paths.items()}
    best = (9 * (1 - 2 / 101) ** 200) ** 2 / 2  # of any rate: gradient descent at its best one
    assert gaps["momentum"] < 1e-3 * best
    assert gaps["nesterov"] == min(gaps.values())
    assert_legible_with(drawing, *(f"{name}, lr {path['lr']:g}" for name, path in paths.items()))


def assert_legible_with(drawing: Drawing, *words: str) -> Any:
    """Assert that a picture says some words, none upon others, and return it."""
    draw = drawing.pictures["optimizer_trajectories"]
    assert collisions(draw) == []
    with mpl.rc_context(LIGHT.settings):
        figure = draw(LIGHT)
    written = {text.get_text() for text in figure.findobj(Text)}
    assert set(words) <= written
    return figure


def test_any_optimizer_of_the_catalogue(tmp_path: Path) -> None:
    names = ["lbfgs", "schedulefree_sgd", "pytorch_optimizer", "rprop"]
    given = [FIGURE, f"optim=[{','.join(names)}]", "steps=20", "frames=1"]
    paths = drawing_of(tmp_path, *given).numbers["paths"]
    assert list(paths) == ["lbfgs", "schedulefree_sgd", "lion", "rprop"]
    assert paths["lbfgs"]["f"][-1] < 1e-8
    start = torch.tensor([1.0, 1.5], dtype=torch.float64)
    # Lion's first step is lr times the sign of the gradient (Chen et al. 2023, algorithm 2).
    point = start.clone().requires_grad_()
    sign = torch.autograd.grad(beale(point[0], point[1]), point)[0].sign()
    expected = start - 0.001 * sign
    np.testing.assert_allclose(paths["lion"]["theta"][1], expected, atol=1e-12)


def test_the_slice_of_a_network(tmp_path: Path) -> None:
    given = [FIGURE, "surface=network", "optim=[sgd]", "steps=5", "frames=1", "hidden=[4]"]
    drawing = drawing_of(tmp_path, *given, "trainer.max_epochs=1", "data.num_samples=100")
    numbers = drawing.numbers
    grid, [minimum] = numbers["grid"], numbers["minima"]
    assert numbers["lowest"] <= np.min(grid["f"]) + 1e-12
    assert numbers["lowest"] > 0
    assert all(-1 <= one <= 1 for one in minimum)
    path = numbers["paths"]["sgd"]
    assert path["f"][0] > path["f"][-1]
    # One step of gradient descent, its gradient from differences of the grid around the start.
    j, i = (np.abs(grid[key] - value).argmin() for key, value in (("x", -0.8), ("y", 0.8)))
    h = grid["x"][1] - grid["x"][0]
    slope_x = (grid["f"][i, j + 1] - grid["f"][i, j - 1]) / (2 * h)
    slope_y = (grid["f"][i + 1, j] - grid["f"][i - 1, j]) / (2 * h)
    step = ((path["theta"][0] - path["theta"][1]) / path["lr"]).numpy()
    np.testing.assert_allclose(step, [slope_x, slope_y], atol=0.05 * np.abs(step).max())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["surface=bale"], "surface=bale: there is no such surface.*Did you mean surface=beale"),
        (["start=[9,9]", "optim=[sgd]"], r"start=\[9.0,9.0\]: allowed is a point of the picture"),
        (["start=3", "optim=[sgd]"], "start=3: allowed is a point"),
        (["x_range=[2,1]", "optim=[sgd]"], r"x_range=\[2,1\]: allowed is a range \[low,high\]"),
        (["steps=0"], "steps=0: allowed is a whole number of at least 1"),
        (["optim=[sgd,muon]"], "optim=muon: it is made for the matrices of a network"),
        (["optim.lr=-1", "optim=[sgd]"], "optim.lr=-1: allowed is a number above 0"),
    ],
)
def test_bad_input(tmp_path: Path, given: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        drawing_of(tmp_path, FIGURE, "frames=1", *given)


def test_what_has_no_effect_is_said(tmp_path: Path) -> None:
    drawing = drawing_of(tmp_path, FIGURE, "optim=[sgd]", "steps=2", "frames=1", "model=linear")
    assert drawing.said[-1] == "model=linear has no effect with surface=beale."
