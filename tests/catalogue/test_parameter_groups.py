"""Kinds of parameters and the groups that optimizers get."""

from __future__ import annotations

import pytorch_optimizer
import torch
from networks import small

from experiments.catalogue.optimizers import optimizer_for
from experiments.catalogue.parameter_groups import by_matrix, kinds_of


def test_kinds_of_parameters() -> None:
    network = small()
    kinds = {name: kinds_of(network)[p] for name, p in network.named_parameters()}
    assert kinds == {
        "0.weight": "weight",
        "0.bias": "bias",
        "1.weight": "norm",
        "1.bias": "norm",
        "2.weight": "activation",
        "4.weight": "weight",
        "4.bias": "bias",
        "5.weight": "weight",
        "5.bias": "bias",
    }


def test_what_no_decay_names_is_left_where_its_gradient_leaves_it() -> None:
    network = small()
    optimizer = optimizer_for(
        network, torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.5}, no_decay=["bias", "norm"]
    )
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in network.named_parameters():
        factor = 1.0 if kinds_of(network)[parameter] in ("bias", "norm") else 1 - 0.1 * 0.5
        torch.testing.assert_close(parameter.detach(), factor * before[name])


def test_without_no_decay_the_optimizer_is_torchs_own() -> None:
    optimizer = optimizer_for(small(), torch.optim.AdamW, {"lr": 0.1})
    assert [len(group["params"]) for group in optimizer.param_groups] == [9]


def test_the_output_layer_is_none_of_the_matrices() -> None:
    network = small()
    matrices, rest = by_matrix(network)
    assert [p.shape for p in matrices] == [(4, 2, 3, 3), (5, 16)]
    assert sum(p.numel() for p in [*matrices, *rest]) == sum(
        p.numel() for p in network.parameters()
    )


def test_without_a_decay_given_the_rest_has_that_of_the_class() -> None:
    optimizer = optimizer_for(small(), torch.optim.Muon, {"lr": 0.1})
    # Muon's own default, and not AdamW's 0.01.
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.1}


def test_the_rest_of_a_matrix_optimizer_has_groups_too() -> None:
    network = small()
    values = {"lr": 0.1, "weight_decay": 0.5}
    for optimizer_class in (torch.optim.Muon, pytorch_optimizer.Muon):
        optimizer = optimizer_for(network, optimizer_class, values, no_decay=["bias"])
        decays = {
            id(p): group["weight_decay"]
            for group in optimizer.param_groups
            for p in group["params"]
        }
        rates = {group["lr"] for group in optimizer.param_groups}
        assert rates == {0.1}
        for parameter in by_matrix(network)[1]:
            is_spared = kinds_of(network)[parameter] == "bias"
            assert decays[id(parameter)] == (0.0 if is_spared else 0.5)
