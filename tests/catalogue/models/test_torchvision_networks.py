"""Networks of torchvision: their own with the same weights, and no activation left but ours."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from experiments.catalogue.activations import Maxout
from experiments.catalogue.initializers import default, initialize
from experiments.catalogue.models.torchvision_networks import HIDDEN, TorchvisionNetwork
from experiments.errors.messages import UserError

SMALL = {"name": "squeezenet1_1"}
"""The smallest network there is for 32 pixels, of 0.7 million weights."""
IMAGE = (3, 32, 32)


def test_resnet18_with_relu_is_torchvision_s_of_the_same_weights() -> None:
    ours = TorchvisionNetwork(IMAGE, 10, nn.ReLU).eval()
    theirs = models.resnet18(num_classes=10).eval()
    theirs.load_state_dict(ours.net.state_dict())
    x = torch.randn(2, *IMAGE)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x))


def test_every_hidden_activation_is_replaced_and_gates_stay() -> None:
    # Of every family: tests/slow/test_torchvision_families.py.
    with torch.device("meta"):
        net = TorchvisionNetwork((1, 32, 32), 10, nn.PReLU, name="mobilenet_v3_small")
        theirs = models.mobilenet_v3_small()
    assert not [m for m in net.modules() if isinstance(m, HIDDEN)]
    pairs = ((nn.PReLU, HIDDEN), (nn.Hardsigmoid, nn.Hardsigmoid), (nn.BatchNorm2d,) * 2)
    for ours, own in pairs:
        number = sum(isinstance(m, ours) for m in net.modules())
        assert number == sum(isinstance(m, own) for m in theirs.modules()) > 0


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Stand in for torchvision's server: weights of a network for a thousand classes."""
    torch.manual_seed(1)
    state = models.squeezenet1_1().state_dict()
    weights = models.SqueezeNet1_1_Weights

    def get_state_dict(self: Any, *arguments: Any, **values: Any) -> dict[str, torch.Tensor]:
        return state

    monkeypatch.setattr(weights, "get_state_dict", get_state_dict)
    return state


def test_weights_are_kept_but_for_the_last_layer(trained: dict[str, torch.Tensor]) -> None:
    net = TorchvisionNetwork(IMAGE, 10, nn.ReLU, weights="DEFAULT", **SMALL)
    initialize(net, default, seed=0)
    state = net.net.state_dict()
    changed = {name for name, value in state.items() if not value.equal(trained[name])}
    assert changed == {"classifier.1.weight", "classifier.1.bias"}
    assert state["classifier.1.weight"].shape == (10, 512, 1, 1)


def test_one_channel_is_taken_as_grey(trained: dict[str, torch.Tensor]) -> None:
    grey = TorchvisionNetwork((1, 32, 32), 10, nn.ReLU, weights="DEFAULT", **SMALL).eval()
    colour = TorchvisionNetwork(IMAGE, 10, nn.ReLU, weights="DEFAULT", **SMALL).eval()
    initialize(grey, default, seed=0)
    initialize(colour, default, seed=0)
    x = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(grey(x), colour(x.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)


def test_other_channels_have_a_new_first_convolution(trained: dict[str, torch.Tensor]) -> None:
    net = TorchvisionNetwork((5, 32, 32), 10, nn.ReLU, weights="DEFAULT", **SMALL)
    assert net.net.features[0].weight.shape[1] == 5
    assert "net.features.0.weight" not in net.taught_parameters
    assert "net.features.3.squeeze.weight" in net.taught_parameters


def test_a_frozen_backbone_trains_what_is_new(trained: dict[str, torch.Tensor]) -> None:
    values = {"weights": "DEFAULT", "freeze": "backbone", **SMALL}
    net = TorchvisionNetwork((1, 32, 32), 10, nn.ReLU, **values)
    free = {name for name, p in net.named_parameters() if p.requires_grad}
    assert free == {"net.classifier.1.weight", "net.classifier.1.bias"}


def test_a_frozen_backbone_keeps_its_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    state = models.shufflenet_v2_x0_5().state_dict()
    weights = models.ShuffleNet_V2_X0_5_Weights
    monkeypatch.setattr(weights, "get_state_dict", lambda self, *a, **v: state)
    values = {"name": "shufflenet_v2_x0_5", "weights": "DEFAULT", "freeze": "backbone"}
    net = TorchvisionNetwork(IMAGE, 10, nn.ReLU, **values).train()
    before = net.net.conv1[1].running_mean.clone()
    net(torch.rand(4, *IMAGE))
    assert net.net.conv1[1].running_mean.equal(before)
    assert net.training
    assert net.net.training


def test_weights_without_a_network_are_one_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def offline(*arguments: Any, **values: Any) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError) as caught:
        TorchvisionNetwork(IMAGE, 10, nn.ReLU, weights="DEFAULT", **SMALL)
    message = str(caught.value)
    assert message.startswith("model.weights=IMAGENET1K_V1: the weights of squeezenet1_1 are not")
    assert "no route to host" in message
    assert f"put squeezenet1_1-b8a52dc0.pth into {tmp_path}" in message


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "resnet-18"}, "Did you mean model.name=resnet18?"),
        ({"name": "fasterrcnn_resnet50_fpn"}, "there is no such model.name"),
        ({"weights": "IMAGENET"}, "Did you mean model.weights=DEFAULT?"),
        ({"freeze": "all"}, "Did you mean model.freeze=backbone?"),
        ({"freeze": "backbone"}, "model.freeze=backbone: allowed is none without model.weights"),
        ({"name": "squeezenet1_1", "shape": (1, 8, 8)}, "model.name=squeezenet1_1: this network cannot take points of shape (1, 8, 8)"),
        ({"name": "vit_b_32", "shape": (1, 28, 28)}, "(Input shape indivisible by patch size!)"),
        ({"activation": Maxout}, "activation: it takes 2 features for each that it returns"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_built_are_told(values: dict, said: str) -> None:
    shape = values.pop("shape", IMAGE)
    activation = values.pop("activation", nn.ReLU)
    with pytest.raises(UserError) as caught:
        TorchvisionNetwork(shape, 10, activation, **{"name": "resnet18", **values})
    assert said in str(caught.value)
