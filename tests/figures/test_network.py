"""Networks as formula and picture, against counts by hand and published sizes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from figure_drawings import drawing_of
from overlap import assert_legible, texts
from running import plain

from experiments.errors.messages import UserError
from experiments.figures.page.drawing import Drawing
from experiments.figures.page.themes import LIGHT
from experiments.training.build import build_module, load_data


def network(tmp_path: Path, *overrides: str) -> Drawing:
    return drawing_of(tmp_path, "figure=network", *overrides)


def test_an_mlp_of_maxout_units_counted_by_hand(tmp_path: Path) -> None:
    drawing = network(tmp_path, "model.hidden=[64,32]", "activation=maxout")
    numbers = drawing.numbers
    # Maxout takes the larger of two affine pieces, so W has two rows for each unit.
    shapes = [(128, 64), (64, 64), (10, 32)]
    assert numbers["input"] == [1, 8, 8]
    for layer, (rows, columns) in zip(numbers["layers"], shapes, strict=True):
        assert list(layer["parameters"].values()) == [[rows, columns], [rows]]
        assert layer["num_parameters"] == rows * columns + rows
    assert numbers["num_parameters"] == sum(rows * (columns + 1) for rows, columns in shapes)
    assert [layer["gives"] for layer in numbers["layers"]] == [[64], [32], [10]]
    assert [layer["formula"] for layer in numbers["layers"]] == [
        "h₁ = maxout(W₁ x + b₁)",
        "h₂ = maxout(W₂ h₁ + b₂)",
        "y = W₃ h₂ + b₃",
    ]
    shown = {text.get_text() for text in texts(drawing.pictures["network"](LIGHT))}
    assert {"128 × 64", "64 × 64", "10 × 32", "8,320", "4,160", "330"} <= shown


def test_a_network_that_is_no_chain_of_layers_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"figure=network .* model=resnet is none. Try model=cnn"):
        network(tmp_path, "model=resnet", "model.depth=8", "model.width=2")


def test_the_linear_model(tmp_path: Path) -> None:
    [layer] = network(tmp_path, "model=linear", "model.phi_out=log_softmax", "loss=nll").numbers[
        "layers"
    ]
    assert layer["formula"] == "y = log_softmax(W x + b)"
    assert layer["parameters"] == {"weight": [10, 64], "bias": [10]}


def test_a_cnn_counted_by_the_formula_of_windows(tmp_path: Path) -> None:
    keys = ["model.channels=[6,16]", "model.kernel_size=[3,2]", "model.padding=[1,valid]"]
    keys += ["model.stride=[1,2]", "model.pool=[max,none]", "model.dense=[20]"]
    first, second, dense, head = network(tmp_path, "model=cnn", *keys).numbers["layers"]
    # 8 stays 8 at F = 3, P = 1, and the pool halves it; then (4 - 2)/2 + 1 = 2.
    assert first["after"] == {"affine": [6, 8, 8], "activation": [6, 8, 8], "pool": [6, 4, 4]}
    assert second["gives"] == [16, 2, 2]
    assert first["num_parameters"] == 6 * (1 * 3 * 3) + 6
    assert second["num_parameters"] == 16 * (6 * 2 * 2) + 16
    assert (second["kernel_size"], second["stride"], second["padding"]) == ((2, 2), (2, 2), (0, 0))
    assert (first["pool_size"], dense["takes"], head["gives"]) == (2, [64], [10])
    assert first["formula"] == "h₁ = MaxPool(relu(W₁ ∗ x + b₁))"
    assert dense["formula"] == "h₃ = relu(W₃ h₂ + b₃)"


def test_the_one_dimensional_cnn_of_mnist1d_has_its_published_count(tmp_path: Path) -> None:
    keys = ["model.channels=[25,25,25]", "model.kernel_size=[5,3,3]", "model.stride=2"]
    keys += ["model.padding=1", "model.pool=none"]
    drawing = network(tmp_path, "model=cnn", "data=mnist1d", *keys)
    numbers = drawing.numbers
    assert numbers["num_parameters"] == 5210  # Greydanus 2020
    assert [layer["gives"] for layer in numbers["layers"]] == [[25, 19], [25, 10], [25, 5], [10]]
    assert_legible(drawing)


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.hidden=[16,16,8]", "model.norm=batch", "model.dropout=0.1", "model.residual=true"],
        ["model=cnn", "model.norm=group", "model.norm_groups=4", "activation=prelu"],
    ],
    ids=["mlp", "cnn"],
)
def test_nothing_of_the_real_network_is_left_out(tmp_path: Path, overrides: list[str]) -> None:
    numbers = network(tmp_path, *overrides).numbers
    config = plain(
        "logger=none", *(["model=mlp"] if "model=cnn" not in overrides else []), *overrides
    )
    real = build_module(config, load_data(config).spec).network
    count = sum(p.numel() for p in real.parameters())
    assert numbers["num_parameters"] == count
    assert sum(layer["num_parameters"] for layer in numbers["layers"]) == count
    shapes = [shape for layer in numbers["layers"] for shape in layer["parameters"].values()]
    assert sorted(shapes) == sorted(list(p.shape) for p in real.parameters())


def test_what_stands_around_a_layer_is_in_its_formula(tmp_path: Path) -> None:
    keys = ["model.hidden=[64,64]", "model.norm=layer", "model.dropout=[0,0.5]"]
    numbers = network(tmp_path, *keys, "model.residual=true").numbers
    assert [layer["formula"] for layer in numbers["layers"]][:2] == [
        "h₁ = relu(LayerNorm(W₁ x)) + x",
        "h₂ = dropout(relu(LayerNorm(W₂ h₁))) + h₁",
    ]


DEEP = ",".join(["16"] * 12)
VERY_DEEP = ",".join(["8"] * 30)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["model=cnn"],
        [f"model.hidden=[{DEEP}]", "model.norm=batch", "model.dropout=0.1"],
        ["model=cnn", f"model.channels=[{DEEP}]", "model.pool=none", "model.norm=group"],
        [f"model.hidden=[{VERY_DEEP}]"],
    ],
    ids=["default", "cnn", "deep mlp", "deep cnn", "very deep"],
)
def test_labels_do_not_overlap(tmp_path: Path, overrides: list[str]) -> None:
    drawing = network(tmp_path, *overrides)
    assert_legible(drawing)
    width = drawing.pictures["network"](LIGHT).get_size_inches()[0]
    assert math.isfinite(width)
    assert width < 20


def test_parts_that_do_not_fit_are_refused_as_in_training(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="model=cnn data=moons: a CNN slides windows"):
        network(tmp_path, "model=cnn", "data=moons")
    with pytest.raises(UserError, match="model: convolution 1 has an input of size 8"):
        network(tmp_path, "model=cnn", "model.kernel_size=9", "model.padding=valid")
