"""The layers of a network, by the names that they have in it, and what passes through them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class WatchedLayer(NamedTuple):
    """A map with weights and the activation behind it.

    Attributes:
        name: in the network, such as layers.0, convs.1 or head.
        affine: the module whose `weight` is a matrix or a kernel.
        activation: None where none follows, as behind the last layer.
    """

    name: str
    affine: nn.Module
    activation: nn.Module | None

    @property
    def weight(self) -> Tensor:
        weight = self.affine.weight
        assert isinstance(weight, Tensor)
        return weight

    @property
    def last(self) -> nn.Module:
        """The module whose outputs are the layer's activations."""
        return self.activation if self.activation is not None else self.affine


def layers_of(network: nn.Module) -> list[WatchedLayer]:
    """Return the layers in the order in which the network holds them.

    A layer is whatever owns a `weight` of two dimensions or more. Of a module with children called
    `affine` and `activation` it has the module's name, and its activation.

    >>> [layer.name for layer in layers_of(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))]
    ['0']
    """
    modules = dict(network.named_modules())
    layers = []
    for name, module in modules.items():
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.dim() < 2:
            continue
        parent, _, last = name.rpartition(".")
        if last == "affine":
            activation = getattr(modules[parent], "activation", None)
            layers.append(WatchedLayer(parent, module, activation))
        else:
            layers.append(WatchedLayer(name, module, None))
    return layers


def spread(layers: Sequence[WatchedLayer], most: int) -> list[WatchedLayer]:
    """Return at most `most` layers, evenly from the first to the last."""
    if len(layers) <= most:
        return list(layers)
    if most == 1:
        return [layers[-1]]
    return [layers[round(i * (len(layers) - 1) / (most - 1))] for i in range(most)]


class Passed(NamedTuple):
    """What entered and what left a layer's activation in one forward pass.

    Shapes: (B, C', *) and (B, C, *).
    """

    z: Tensor
    h: Tensor


@contextlib.contextmanager
def recorded(layers: Sequence[WatchedLayer]) -> Iterator[dict[str, list[Passed]]]:
    """Give what passes through each layer inside the block, a `Passed` for each forward pass."""
    passed: dict[str, list[Passed]] = {layer.name: [] for layer in layers}
    entered: dict[str, Tensor] = {}
    handles = []
    for layer in layers:

        def before(module: nn.Module, arguments: Any, name: str = layer.name) -> None:
            z = arguments[0].detach()
            # An activation that works in place would leave its outputs there.
            entered[name] = z.clone() if getattr(module, "inplace", False) else z

        def after(module: nn.Module, arguments: Any, h: Tensor, name: str = layer.name) -> None:
            passed[name].append(Passed(entered.pop(name), h.detach()))

        handles += [
            layer.last.register_forward_pre_hook(before),
            layer.last.register_forward_hook(after),
        ]
    try:
        yield passed
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def observed(network: nn.Module, is_training: bool = False) -> Iterator[None]:
    """Let a network be called inside the block as if it had never been.

    It evaluates (no dropout, the running statistics of batch norm), or trains; a compiled one runs
    uncompiled, so that hooks hear of every module. Afterwards its modes, its buffers and torch's
    random state are what they were.
    """
    modes = [(module, module.training) for module in network.modules()]
    buffers = [(b, b.clone()) for b in network.buffers()] if is_training else []
    compiled, network._compiled_call_impl = network._compiled_call_impl, None
    network.train(is_training)
    try:
        with torch.random.fork_rng(devices=[], enabled=is_training):
            yield
    finally:
        network._compiled_call_impl = compiled
        for module, mode in modes:
            module.training = mode
        for buffer, value in buffers:
            buffer.copy_(value)
