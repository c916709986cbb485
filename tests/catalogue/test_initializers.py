"""Initialisers: torch's and the papers' formulas, and tensors that depend on their name alone."""

from __future__ import annotations

import functools
import math

import pytest
import scipy
import torch
from running import plain
from torch import nn

from experiments.catalogue.initializers import (
    default,
    initialize,
    kaiming,
    lecun,
    orthogonal,
    siren,
    tensor_seed,
    truncated_normal,
    xavier,
)
from experiments.training.build import build_module, load_data


def drawn(initializer, layer: nn.Module, seed: int = 0) -> nn.Module:
    initialize(layer, initializer, seed)
    return layer


@pytest.mark.parametrize(
    "layer", [nn.Linear(300, 200), nn.Conv1d(30, 200, 5), nn.Conv2d(30, 200, 3)]
)
def test_default_has_torchs_bounds(layer: nn.Module) -> None:
    # Torch draws both from U(-b, b), b = 1/sqrt(fan_in); its own reset is the reference.
    fan_in = layer.weight[0].numel()
    bound = torch.tensor(1 / math.sqrt(fan_in)).item()  # rounded as weights are
    layer.reset_parameters()
    assert layer.weight.abs().max().item() <= bound
    reference = layer.weight.std().item()
    drawn(default, layer)
    assert layer.weight.abs().max().item() <= bound
    assert layer.bias.abs().max().item() <= bound
    assert layer.weight.std().item() == pytest.approx(reference, rel=0.02)
    assert layer.weight.abs().max().item() > 0.99 * bound


def test_xavier_equals_torchs() -> None:
    layer = drawn(xavier, nn.Conv2d(3, 8, 5), seed=3)
    reference = torch.empty_like(layer.weight)
    nn.init.xavier_uniform_(
        reference, generator=torch.Generator().manual_seed(tensor_seed(3, "weight"))
    )
    assert torch.equal(layer.weight, reference)
    assert torch.equal(layer.bias, torch.zeros(8))


def test_kaiming_equals_torchs() -> None:
    layer = drawn(kaiming, nn.Linear(40, 30), seed=3)
    reference = torch.empty_like(layer.weight)
    nn.init.kaiming_normal_(
        reference,
        nonlinearity="relu",
        generator=torch.Generator().manual_seed(tensor_seed(3, "weight")),
    )
    torch.testing.assert_close(layer.weight, reference)
    assert torch.equal(layer.bias, torch.zeros(30))


def first_and_second(initializer, **values) -> list[nn.Linear]:
    """Return two layers of 400 and 300 features, the first of which reads the data."""
    layers = nn.Sequential(nn.Linear(400, 300), nn.Linear(300, 200))
    initialize(layers, functools.partial(initializer, **values), seed=0)
    return list(layers)


def test_lecun_has_its_variance_and_the_gain_beyond_the_first_layer() -> None:
    first, second = first_and_second(lecun, gain=3.0)
    assert first.weight.std().item() == pytest.approx(1 / 20, rel=0.02)
    assert second.weight.std().item() == pytest.approx(3 / math.sqrt(300), rel=0.02)
    assert not second.bias.any()


def test_orthogonal_rows_or_columns_are_orthonormal() -> None:
    wide, narrow = drawn(orthogonal, nn.Linear(300, 200)), drawn(orthogonal, nn.Linear(200, 300))
    torch.testing.assert_close(wide.weight @ wide.weight.T, torch.eye(200), rtol=0, atol=1e-5)
    # 300 outputs of 200 inputs: each column has the squared length 300 / 200.
    torch.testing.assert_close(
        narrow.weight.T @ narrow.weight, 1.5 * torch.eye(200), rtol=0, atol=1e-5
    )
    kernel = drawn(orthogonal, nn.Conv2d(8, 16, 3)).weight.flatten(1)
    torch.testing.assert_close(kernel @ kernel.T, torch.eye(16), rtol=0, atol=1e-5)
    reference = torch.empty(200, 300)
    nn.init.orthogonal_(
        reference, generator=torch.Generator().manual_seed(tensor_seed(0, "weight"))
    )
    assert torch.equal(wide.weight, reference)


def test_truncated_normal_is_cut_and_keeps_the_variance_that_it_says() -> None:
    first, second = first_and_second(truncated_normal, gain=2.0)
    assert first.weight.std().item() == pytest.approx(1 / 20, rel=0.02)
    assert second.weight.std().item() == pytest.approx(2 / math.sqrt(300), rel=0.02)
    # scipy's truncated normal is the independent twin of the cut's standard deviation.
    of_the_cut = scipy.stats.truncnorm(-2, 2).std()
    assert first.weight.abs().max().item() == pytest.approx(2 / 20 / of_the_cut, rel=0.01)
    _, given = first_and_second(truncated_normal, std=0.05, bias=0.05)
    assert given.weight.std().item() == pytest.approx(0.05 * of_the_cut, rel=0.02)
    assert given.weight.abs().max() <= 0.1
    assert torch.equal(given.bias, torch.full((200,), 0.05))


def test_siren_has_the_papers_bounds() -> None:
    first, second = first_and_second(siren, omega_0=30.0)
    assert first.weight.abs().max().item() == pytest.approx(1 / 400, rel=0.01)
    assert second.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 300) / 30, rel=0.01)
    assert second.bias.abs().max().item() == pytest.approx(1 / math.sqrt(300), rel=0.05)


def test_a_gain_of_auto_is_that_of_the_activation() -> None:
    gains = {}
    for activation in ("relu", "tanh"):
        config = plain("model=mlp", "init=orthogonal", f"activation={activation}")
        weight = build_module(config, load_data(config).spec).network.layers[1].affine.weight
        gains[activation] = math.sqrt((weight @ weight.T).diagonal().mean().item())
        assert config["init"]["gain"] == "auto"  # the record keeps what was asked for
    assert gains["relu"] == pytest.approx(math.sqrt(2), rel=1e-5)
    # 1 / sqrt(E[tanh(z)^2]), by scipy.
    square, _ = scipy.integrate.quad(lambda z: math.tanh(z) ** 2 * scipy.stats.norm.pdf(z), -9, 9)
    assert gains["tanh"] == pytest.approx(1 / math.sqrt(square), rel=1e-5)


def network(*overrides: str) -> dict[str, torch.Tensor]:
    config = plain(*overrides)
    return build_module(config, load_data(config).spec).network.state_dict()


def test_tensors_that_agree_in_name_and_shape_start_alike() -> None:
    # A wider first layer leaves the second's width, and so the head, as they were.
    narrow = network("model=mlp", "model.hidden=[32,64]")
    wide = network("model=mlp", "model.hidden=[48,64]")
    assert torch.equal(narrow["head.weight"], wide["head.weight"])
    assert torch.equal(narrow["layers.1.affine.bias"], wide["layers.1.affine.bias"]) is False
    with_norm = network("model=mlp", "model.hidden=[32,64]", "model.norm=batch")
    assert torch.equal(narrow["layers.0.affine.weight"], with_norm["layers.0.affine.weight"])
    other_phi = network("model=mlp", "model.hidden=[32,64]", "activation=tanh")
    assert all(torch.equal(narrow[name], other_phi[name]) for name in narrow)


def test_another_seed_is_another_start() -> None:
    first, second = network("model=mlp"), network("model=mlp", "seed=1")
    assert not torch.equal(first["head.weight"], second["head.weight"])


def filled(tensor, place, generator, value: float = 1.0) -> None:
    tensor.fill_(value)


def test_the_arguments_of_an_initialiser_reach_it() -> None:
    config = plain("model=linear")
    config["init"] = {"name": "filled", "_target_": f"{__name__}.filled", "value": 7.0}
    weight = build_module(config, load_data(config).spec).network.state_dict()["head.weight"]
    assert torch.equal(weight, torch.full((10, 64), 7.0))


def test_no_weight_depends_on_global_state() -> None:
    torch.manual_seed(1)
    first = network("model=cnn", "model.norm=batch", "model.dense=[16]")
    torch.manual_seed(2)
    second = network("model=cnn", "model.norm=batch", "model.dense=[16]")
    assert all(torch.equal(first[name], second[name]) for name in first)
