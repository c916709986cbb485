"""One network of each family of torchvision: it is built, and no activation of its own is called."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode
from torchvision import models

from experiments.catalogue.models.torchvision_networks import TorchvisionNetwork

pytestmark = pytest.mark.slow

FAMILIES = [
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s"),
    *("googlenet", "inception_v3", "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small"),
    *("regnet_y_400mf", "resnet18", "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_0"),
    *("swin_t", "swin_v2_t", "vgg11_bn", "vit_b_32", "wide_resnet50_2"),
]
CALLS = {F.relu, F.relu_, torch.relu, torch.relu_, F.relu6, F.gelu, F.silu, F.hardswish, torch.tanh}
"""Activations as functions, which modules of torch call too."""


class Called(AssertionError):
    """An activation of torchvision's own was called."""


class Forbidding(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in CALLS:
            raise Called(func.__name__)
        return func(*args, **(kwargs or {}))


class Doubled(nn.Module):
    """An activation like none of torch's, which counts its calls."""

    num_calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Doubled.num_calls += 1
        return x * 2


@pytest.mark.parametrize("name", FAMILIES)
def test_no_activation_is_left_but_ours(name: str) -> None:
    shape = (1, 299, 299) if name == "inception_v3" else (1, 224, 224)
    with torch.device("meta"):
        net = TorchvisionNetwork(shape, 7, Doubled, name=name)
        Doubled.num_calls = 0
        with Forbidding():
            assert net.train()(torch.zeros(2, *shape)).shape == (2, 7)
    # One that a block shares among its layers is called for each of them.
    assert Doubled.num_calls >= sum(isinstance(m, Doubled) for m in net.modules()) > 0


@pytest.mark.parametrize("name", ["densenet121", "googlenet", "resnet18"])
def test_torchvision_s_own_would_be_caught(name: str) -> None:
    more = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"), Forbidding(), pytest.raises(Called):
        models.get_model(name, **more)(torch.zeros(1, 3, 224, 224))


def test_there_is_one_of_each_file_of_torchvision() -> None:
    files = {models.get_model_builder(name).__module__ for name in models.list_models(models)}
    assert {models.get_model_builder(name).__module__ for name in FAMILIES} == files
