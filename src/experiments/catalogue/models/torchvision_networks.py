"""Any network of torchvision that sorts images into classes, with an activation of our choice.

Shape letters: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import os
from enum import Enum
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.googlenet import BasicConv2d as GoogLeNetLayer
from torchvision.models.inception import BasicConv2d as InceptionLayer

from experiments.catalogue.activations import Activation
from experiments.catalogue.models.layers import Chain, check_keeps_features, output_activation
from experiments.errors.messages import UserError, check_choice, refuse_unless, user_error

HIDDEN = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, nn.Tanh)
"""Torchvision's own hidden activations. A sigmoid or hard sigmoid of its networks is the gate of a
squeeze-and-excitation, which weighs channels, and stays."""
WITH_FUNCTION = (GoogLeNetLayer, InceptionLayer)
"""Layers that call a ReLU as a function, behind their children `conv` and `bn`."""
FREEZES = ("none", "backbone")
RGB = 3
WITHOUT_HELPERS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": False, "transform_input": False},
    "inception_v3": {"aux_logits": False, "init_weights": False, "transform_input": False},
}
"""Of networks that would otherwise give further outputs in training, or scale their inputs, which
`data.normalize` does."""


class TorchvisionNetwork(nn.Module):
    """A network of torchvision: its layers are its own, its hidden activations are ours.

    Each module that is a ReLU, ReLU6, GELU, SiLU, hard swish or tanh is replaced by one instance of
    the activation, also where torchvision calls the function instead (DenseNet, GoogLeNet,
    Inception). Gates of squeeze-and-excitation stay. The last linear map or convolution gives
    `num_outputs`; the first convolution takes the data's channels.

    The initialiser draws all matrices and kernels, as those of any model, where torchvision would
    draw its own; what has no such weight (a class token, position embeddings, the joint projection
    of torch.nn.MultiheadAttention) is drawn by torchvision. Of `weights` all is kept but the last
    layer, which is new. One channel is then taken as grey: the kernels for red, green and blue are
    added up, which is what three equal channels would give. For other numbers of channels the
    first convolution is new too.

    Args:
        shape: (C, H, W), the shape of one data point.
        num_outputs: K, classes or regression targets.
        activation: makes phi; one that returns as many features as it takes.
        name: of torchvision's function, such as resnet18, vgg11_bn, mobilenet_v3_small, vit_b_16.
        weights: DEFAULT or another word of torchvision's for trained weights, downloaded once into
            the folder that torch.hub uses; None for weights that are drawn.
        freeze: none, or backbone: what `weights` brought is not trained, and its normalisation
            keeps its statistics.
        phi_out: identity, sigmoid, softmax or log_softmax.

    Raises:
        UserError: a name or a word that there is not, weights that cannot be had, images that are
            too small for the network, an activation that changes the number of features.

    Shapes: (B, C, H, W) -> (B, K).
    """

    takes_dimensions: ClassVar = (2, 2, "a network of torchvision takes images")

    def __init__(
        self,
        shape: tuple[int, ...],
        num_outputs: int,
        activation: Activation,
        *,
        name: str = "resnet18",
        weights: str | None = None,
        freeze: str = "none",
        phi_out: str = "identity",
    ) -> None:
        super().__init__()
        check_choice("model.name", name, models.list_models(module=models))
        check_choice("model.freeze", freeze, FREEZES)
        reason = "a network of torchvision has as many as it was made with"
        check_keeps_features(activation, reason, "activation=relu, or model=cnn")
        refuse_unless(
            weights is not None or freeze == "none",
            "model.freeze",
            freeze,
            "none without model.weights, as nothing is there that was learned",
            "none",
        )
        net, taught = fitted(name, weights_of(name, weights), shape, num_outputs)
        self.net = with_activation(net, activation).train()
        self.phi_out = output_activation(phi_out)
        self.taught_parameters = frozenset(f"net.{word}" for word in taught)
        self.freeze = freeze
        for word, parameter in self.named_parameters():
            parameter.requires_grad_(freeze == "none" or word not in self.taught_parameters)

    def forward(self, x: Tensor) -> Tensor:
        return self.phi_out(self.net(x))

    def train(self, mode: bool = True) -> TorchvisionNetwork:
        super().train(mode)
        if self.freeze == "backbone":
            for module in self.net.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


def fitted(
    name: str, weights: Any, shape: tuple[int, ...], num_outputs: int
) -> tuple[nn.Module, set[str]]:
    """Return a network for points of a shape, tried on one, and names of what it has learned."""
    # On the meta device there are shapes alone, and nothing to put weights into.
    is_meta = torch.get_default_device().type == "meta"
    try:
        net = built(name, None if is_meta else weights, shape, num_outputs)
        taught = set() if weights is None else parameter_names(net)
        if weights is not None:
            taught -= with_outputs(net, num_outputs, is_made_for_them=is_meta)
        taught -= with_channels(net, shape[0])
        if not is_meta:
            with torch.no_grad():
                net.eval()(torch.zeros(1, *shape))
    except UserError:
        raise
    except Exception as error:  # whatever its layers say of a window larger than an image
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise user_error("builder", given=name, shape=shape, reason=reason) from error
    return net, taught


def weights_of(name: str, word: str | None) -> Any:
    """Return the member of torchvision's weights for a network that a word names; None for none."""
    if word is None:
        return None
    known: Any = models.get_model_weights(name)
    check_choice("model.weights", word, list(known.__members__))
    return known[word]


def built(name: str, weights: Any, shape: tuple[int, ...], num_outputs: int) -> nn.Module:
    """Return torchvision's network as it is: with its weights, or with our number of outputs."""
    arguments = dict(WITHOUT_HELPERS.get(name, {}))
    if weights is None:
        arguments["num_classes"] = num_outputs
        if name.startswith("vit_"):
            arguments["image_size"] = shape[1]
        if name.startswith("maxvit"):
            arguments["input_size"] = tuple(shape[1:])
        here = torch.get_default_device()
        # RegNet reads its widths off a tensor, which has no numbers on the meta device.
        with torch.device("cpu" if name.startswith("regnet") else here):
            network: nn.Module = models.get_model(name, **arguments)
        return network.to(here)
    arguments.pop("init_weights", None)  # torchvision says it itself where there are weights
    try:
        taught: nn.Module = models.get_model(name, weights=weights, progress=False, **arguments)
    except Exception as error:  # of a download: whatever urllib and the check of its hash raise
        raise no_weights(name, weights, error) from error
    return taught


def no_weights(name: str, weights: Any, error: Exception) -> UserError:
    assert isinstance(weights, Enum)
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    url: str = weights.url  # type: ignore[attr-defined]
    return user_error(
        "no_weights",
        given=weights.name,
        name=name,
        reason=reason,
        file=url.rpartition("/")[2],
        folder=os.path.join(torch.hub.get_dir(), "checkpoints"),
    )


def parameter_names(network: nn.Module) -> set[str]:
    return {name for name, _ in network.named_parameters()}


def with_outputs(network: nn.Module, num_outputs: int, is_made_for_them: bool) -> set[str]:
    """Replace the last layer, and return the names of its parameters.

    Args:
        is_made_for_them: it gives as many outputs already.
    """
    layers = [
        (path, module)
        for path, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]
    path, last = layers[-1]
    new: nn.Module
    if is_made_for_them:
        new = last
    elif isinstance(last, nn.Conv2d):  # SqueezeNet's, of one position
        new = nn.Conv2d(last.in_channels, num_outputs, last.kernel_size)  # type: ignore[arg-type]
    else:
        new = nn.Linear(last.in_features, num_outputs, last.bias is not None)
    network.set_submodule(path, new)
    return {f"{path}.{name}" for name in parameter_names(new)}


def with_channels(network: nn.Module, num_channels: int) -> set[str]:
    """Have the first convolution take so many channels; return names of parameters that are new.

    For one channel its kernels are the sum of those for red, green and blue.
    """
    path, first = next(
        (path, module) for path, module in network.named_modules() if isinstance(module, nn.Conv2d)
    )
    if num_channels == RGB:
        return set()
    new = nn.Conv2d(
        num_channels,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]
        first.stride,  # type: ignore[arg-type]
        first.padding,  # type: ignore[arg-type]
        bias=first.bias is not None,
    )
    network.set_submodule(path, new)
    if num_channels > 1:
        return {f"{path}.{name}" for name in parameter_names(new)}
    with torch.no_grad():
        new.weight.copy_(first.weight.sum(1, keepdim=True))
        if new.bias is not None and first.bias is not None:
            new.bias.copy_(first.bias)
    return set()


def with_activation(network: nn.Module, activation: Activation) -> nn.Module:
    """Replace every hidden activation of a network of torchvision, and return it."""
    for name, child in list(network.named_children()):
        if isinstance(child, HIDDEN):
            setattr(network, name, activation())
        elif isinstance(child, WITH_FUNCTION):
            setattr(network, name, Chain(conv=child.conv, bn=child.bn, activation=activation()))
        else:
            with_activation(child, activation)
    if isinstance(network, models.DenseNet):  # whose forward pass has a last ReLU of its own
        return Chain(
            features=network.features,
            activation=activation(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=network.classifier,
        )
    return network
