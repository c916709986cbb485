"""The minimum of a loss over one weight or two, against the normal equations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_drawings import drawing_of
from overlap import assert_legible
from running import plain

from experiments.errors.messages import UserError
from experiments.training.build import build_datamodule, load_data

FIGURE = "figure=loss_minimum"
DATA = ["model=linear", "data=sine", "data.num_samples=100", "data.noise=0.3"]
DATA += ["data.frequency=0.2", "data.val_fraction=0"]
QUICK = ["trainer.max_epochs=3", "resolution=5"]


def training_points() -> tuple[np.ndarray, np.ndarray]:
    """Return x, and y standardised, (N,) each."""
    config = plain(*DATA)
    train = build_datamodule(config, load_data(config)).train
    x, y = (one.double().numpy()[:, 0] for one in (train.inputs, train.targets))
    return x, (y - y.mean()) / y.std()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return drawing_of(tmp_path_factory.mktemp("two"), FIGURE)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return drawing_of(tmp_path_factory.mktemp("one"), FIGURE, "bias=false")


def test_the_argmin_is_that_of_the_normal_equations(two: Any) -> None:
    x, y = training_points()
    matrix = np.stack([x, np.ones_like(x)], axis=1)
    theta = np.linalg.solve(matrix.T @ matrix, matrix.T @ y)
    np.testing.assert_allclose(two.numbers["argmin"], theta, atol=1e-5)
    assert two.numbers["lowest"] == pytest.approx(((matrix @ theta - y) ** 2).mean(), abs=1e-6)
    assert two.numbers["num_points"] == len(x) == 80
    w, b = two.numbers["axes"]
    expected = ((w[7] * x + b[90] - y) ** 2).mean()
    assert two.numbers["loss"][90, 7] == pytest.approx(expected, rel=1e-5)


def test_the_argmin_of_one_weight(one: Any) -> None:
    x, y = training_points()
    np.testing.assert_allclose(one.numbers["argmin"], [(x * y).sum() / (x * x).sum()], atol=1e-5)
    [w] = one.numbers["axes"]
    expected = [((v * x - y) ** 2).mean() for v in w]
    np.testing.assert_allclose(one.numbers["loss"], expected, rtol=1e-5)


@pytest.mark.parametrize("drawing", ["one", "two"])
def test_the_full_batch_path_is_gradient_descent_by_hand(
    drawing: str, request: pytest.FixtureRequest
) -> None:
    numbers = request.getfixturevalue(drawing).numbers
    x, y = training_points()
    matrix = np.stack([x, np.ones_like(x)], axis=1)[:, : len(numbers["argmin"])]
    path = numbers["paths"]["full batch"]["theta"]
    theta = path[0]
    for found in path:
        np.testing.assert_allclose(found, theta, atol=1e-5)
        theta = theta - 0.1 * 2 * matrix.T @ (matrix @ theta - y) / len(x)
    assert len(path) == 31


def test_both_paths_have_as_many_passes_and_come_near_the_argmin(two: Any) -> None:
    numbers = two.numbers
    full, mini = numbers["paths"]["full batch"], numbers["paths"]["mini-batches of 8"]
    assert full["passes"][-1] == mini["passes"][-1] == 30
    assert len(mini["theta"]) == 30 * 10 + 1
    np.testing.assert_array_equal(full["theta"][0], mini["theta"][0])
    for path in (full, mini):
        assert path["loss"][-1] - numbers["lowest"] < 0.05 * (path["loss"][0] - numbers["lowest"])


def test_labels_do_not_overlap(one: Any, two: Any) -> None:
    assert_legible(one)
    assert_legible(two)


def test_another_loss_and_optimizer(tmp_path: Path) -> None:
    given = ["loss=huber", "optim=adam", "data.batch_size=full", *QUICK]
    numbers = drawing_of(tmp_path, FIGURE, *given).numbers
    assert list(numbers["paths"]) == ["full batch"]
    x, y = training_points()
    residual = np.abs(numbers["argmin"][0] * x + numbers["argmin"][1] - y)
    huber = np.where(residual <= 1, residual**2 / 2, residual - 0.5).mean()
    assert numbers["lowest"] == pytest.approx(huber, abs=1e-6)
    assert numbers["lowest"] <= numbers["loss"].min() + 1e-9


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["data=diabetes"], "model=linear has 11 on data=diabetes. Try model=linear data=sine"),
        (["model=mlp", "model.hidden=[2]"], "model=mlp has 7 on data=sine"),
        (["resolution=1"], "resolution=1: allowed is a whole number, 3 to 1001"),
    ],
)
def test_bad_input(tmp_path: Path, given: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        drawing_of(tmp_path, FIGURE, *given)
