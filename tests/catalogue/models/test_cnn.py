"""The CNN: sizes by (W - F + 2P)/S + 1, shapes in 1 to 3 dimensions, and windows that vanish."""

from __future__ import annotations

import re

import pytest
import torch
import yaml
from torch import nn

from experiments.catalogue.activations import Maxout
from experiments.catalogue.models.cnn import CNN
from experiments.errors.messages import UserError


def cnn(shape: tuple[int, ...] = (1, 28, 28), activation=nn.ReLU, **values) -> CNN:
    return CNN(shape, 10, activation, **values)


@pytest.mark.parametrize(
    "shape", [(1, 40), (3, 40), (1, 8, 8), (3, 32, 32), (2, 9, 7), (1, 6, 6, 6)]
)
@pytest.mark.parametrize("norm", ["none", "batch", "layer", "group"])
def test_takes_one_two_and_three_dimensions(shape: tuple[int, ...], norm: str) -> None:
    net = cnn(shape, channels=[8, 16], norm=norm, dropout=0.2, dense=[12])
    assert net(torch.randn(4, *shape)).shape == (4, 10)


@pytest.mark.parametrize("padding", ["same", "valid", 0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("pool", ["none", "max", "avg"])
def test_the_head_fits_whatever_the_windows_are(
    kernel_size: int, stride: int, padding: object, pool: str
) -> None:
    # The forward pass itself is the check: torch computes every size anew.
    net = cnn(channels=[4, 4], kernel_size=kernel_size, stride=stride, padding=padding, pool=pool,
              pool_size=1 if stride > 1 else 2)  # fmt: skip
    assert net(torch.randn(2, 1, 28, 28)).shape == (2, 10)


def test_same_keeps_the_size_at_stride_1() -> None:
    net = cnn(channels=[4], kernel_size=5, pool="none")
    assert net.head.in_features == 4 * 28 * 28


def test_one_value_for_all_layers_or_one_for_each() -> None:
    net = cnn(channels=[4, 8, 16], kernel_size=[5, 3, 1], pool=["max", "none", "avg"])
    assert [conv.affine.kernel_size[0] for conv in net.convs] == [5, 3, 1]
    pools = [[type(m).__name__ for m in conv if "Pool" in type(m).__name__] for conv in net.convs]
    assert pools == [["MaxPool2d"], [], ["AvgPool2d"]]


def test_parameters_of_the_published_mnist1d_cnn() -> None:
    # Greydanus & Kobak 2024: three Conv1d of 25 channels, kernels 5 3 3, stride 2, padding 1.
    net = cnn(
        (1, 40), channels=[25, 25, 25], kernel_size=[5, 3, 3], stride=2, padding=1, pool="none"
    )
    assert sum(p.numel() for p in net.parameters()) == 5210


def test_maxout_doubles_the_features_before_it() -> None:
    net = cnn(activation=Maxout, channels=[8], dense=[16])
    assert net.convs[0].affine.out_channels == 16
    assert net.dense[0].affine.out_features == 32
    assert net(torch.randn(2, 1, 28, 28)).shape == (2, 10)


def test_no_bias_before_a_normalisation() -> None:
    net = cnn(channels=[8, 8], norm=["batch", "none"])
    assert [conv.affine.bias is None for conv in net.convs] == [True, False]


VANISHING = [
    (
        {"shape": (1, 8, 8), "channels": [4], "kernel_size": 11, "padding": "valid"},
        "model: convolution 1 has an input of size 8, and (W - F + 2P)/S + 1 = (8 - 11 + 2*0)/1 + 1"
        " is below 1: nothing would be left. Try model.kernel_size=7",
    ),
    (
        {"shape": (1, 8, 8), "channels": [4] * 4},
        "model: pool 4 has an input of size 1, and (W - F + 2P)/S + 1 = (1 - 2 + 2*0)/2 + 1 is below"
        " 1: nothing would be left. Try model.pool=none, or model.channels=[4,4,4].",
    ),
    (
        {"shape": (1, 40), "channels": [4, 4], "kernel_size": [3, 30], "padding": 1},
        "model: convolution 2 has an input of size 20, and (W - F + 2P)/S + 1 = (20 - 30 + 2*1)/1",
    ),
    (
        {"shape": (1, 8, 8), "channels": [4, 4], "kernel_size": 9, "padding": "valid"},
        "model: convolution 1 has an input of size 8, and (W - F + 2P)/S + 1 = (8 - 9 + 2*0)/1 + 1"
        " is below 1: nothing would be left. Try model.kernel_size=2, or model.padding=same.",
    ),
    (
        {"shape": (1, 6, 6), "channels": [4, 4], "kernel_size": 8, "padding": 0, "stride": 5},
        "model: convolution 1 has an input of size 6",
    ),
]


@pytest.mark.parametrize(("values", "said"), VANISHING)
def test_a_window_that_does_not_fit_is_named_and_what_is_proposed_works(
    values: dict, said: str
) -> None:
    with pytest.raises(UserError) as caught:
        cnn(**values)
    message = str(caught.value)
    assert message.startswith(said)
    proposals = re.findall(r"(?:Try|or) ((?:model\.\S+ ?)+?)(?=, or|\.$)", message)
    assert proposals
    for proposal in proposals:
        overrides = dict(word.removeprefix("model.").split("=") for word in proposal.split())
        assert cnn(**{**values, **{k: yaml.safe_load(v) for k, v in overrides.items()}})


REFUSED = [
    ({"channels": []}, "model.channels=[]: allowed is a list of at least one number"),
    ({"channels": [4, 0]}, "model.channels=[4,0]: allowed is whole numbers of at least 1. Try model.channels=[4,32]."),
    ({"kernel_size": [3]}, "model.kernel_size=[3]: give one value for all layers or one for each"),
    ({"kernel_size": "big"}, "model.kernel_size=big: allowed is a whole number"),
    ({"kernel_size": 4}, "model.padding=same: allowed is a number or valid, as the kernel size 4"),
    ({"padding": -1}, "model.padding=-1: allowed is same, valid or a number of at least 0"),
    ({"padding": "sane"}, "model.padding=sane: allowed is same, valid or a number"),
    ({"padding": [1]}, "model.padding=[1]: give one value for all layers"),
    ({"stride": 0}, "model.stride=0: allowed is whole numbers of at least 1. Try model.stride=1."),
    ({"pool": "maxx"}, "Choices: none, max, avg. Did you mean model.pool=max?"),
    ({"norm": "bacth"}, "Did you mean model.norm=batch?"),
    ({"norm": "group", "channels": [6, 6]}, "model.norm_groups=8: allowed is a divisor of 6"),
    ({"dropout": 1.0}, "model.dropout=1.0: allowed is a probability from 0 up to below 1"),
    ({"dense": [0]}, "model.dense=[0]: allowed is whole numbers of at least 1. Try model.dense=[128]."),
    ({"phi_out": "softmx"}, "Did you mean model.phi_out=softmax?"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "said"), REFUSED)
def test_values_that_cannot_be_built_are_told(values: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        cnn(**values)
    assert said in str(caught.value)
