"""Initialisers: torch's and the papers' formulas, and tensors that depend on their name alone."""

from __future__ import annotations

import math

import pytest
import torch
from running import plain
from torch import nn

from experiments.building import build_module, load_data
from experiments.initializers import default, initialize, kaiming, tensor_seed, xavier


def drawn(initializer, layer: nn.Module, seed: int = 0) -> nn.Module:
    initialize(layer, initializer, seed)
    return layer


@pytest.mark.parametrize(
    "layer", [nn.Linear(300, 200), nn.Conv1d(30, 200, 5), nn.Conv2d(30, 200, 3)]
)
def test_default_has_torchs_bounds(layer: nn.Module) -> None:
    # Torch draws both from U(-b, b), b = 1/sqrt(fan_in); its own reset is the reference.
    fan_in = layer.weight[0].numel()
    bound = 1 / math.sqrt(fan_in)
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


def filled(tensor, is_bias, fan_in, fan_out, generator, value: float = 1.0) -> None:
    tensor.fill_(value)


def test_the_arguments_of_an_initialiser_reach_it() -> None:
    config = plain("model=linear")
    config["init"] = {"name": "filled", "_target_": "test_initializers.filled", "value": 7.0}
    weight = build_module(config, load_data(config).spec).network.state_dict()["head.weight"]
    assert torch.equal(weight, torch.full((10, 64), 7.0))


def test_no_weight_depends_on_global_state() -> None:
    torch.manual_seed(1)
    first = network("model=cnn", "model.norm=batch", "model.dense=[16]")
    torch.manual_seed(2)
    second = network("model=cnn", "model.norm=batch", "model.dense=[16]")
    assert all(torch.equal(first[name], second[name]) for name in first)
