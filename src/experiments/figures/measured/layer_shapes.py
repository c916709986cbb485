"""What each layer of a network is and how large: read off the network while a batch passes.

Shape letters: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from experiments.catalogue.models.layers import Chain
from experiments.training.module import ExperimentModule

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerPart:
    """A module within a layer.

    Attributes:
        name: affine, norm, activation, pool or dropout.
        module: itself.
        shape: of what it gives, without B.
    """

    name: str
    module: nn.Module
    shape: Shape


@dataclass(frozen=True)
class LayerShape:
    """A layer: what is between h_{i-1} and h_i.

    Attributes:
        path: its name in the network.
        in_shape: of what it takes, without B.
        parts: in the order in which they work.
        parameters: the shape of each, by name.
        is_residual: whether what it takes is added to what it gives.
    """

    path: str
    in_shape: Shape
    parts: tuple[LayerPart, ...]
    parameters: dict[str, Shape]
    is_residual: bool = False

    @property
    def affine(self) -> LayerPart:
        """W h + b, or the convolution W * h + b."""
        return self.parts[0]

    @property
    def is_convolution(self) -> bool:
        """Whether a window slides over what it takes."""
        return hasattr(self.affine.module, "kernel_size")

    @property
    def shape(self) -> Shape:
        return self.parts[-1].shape

    @property
    def num_parameters(self) -> int:
        return sum(torch.Size(shape).numel() for shape in self.parameters.values())

    def part(self, name: str) -> LayerPart | None:
        return next((part for part in self.parts if part.name == name), None)


def trace_layers(module: ExperimentModule, inputs: Tensor) -> list[LayerShape]:
    """Return the layers of a network in the order in which a batch passes them.

    Args:
        module: with the network.
        inputs: (B, *shape), as the data set gives them.
    """
    passed: list[tuple[str, nn.Module, Shape, Shape]] = []
    handles = []
    for name, part in parts_of(module.network):

        def note(part: nn.Module, taken: Any, given: Tensor, name: str = name) -> None:
            passed.append((name, part, tuple(taken[0].shape[1:]), tuple(given.shape[1:])))

        handles.append(part.register_forward_hook(note))
    try:
        with torch.no_grad():
            module.eval()(inputs)
    finally:
        for handle in handles:
            handle.remove()
    paths = list(dict.fromkeys(layer_path(name) for name, *_ in passed))
    return [
        layer_of(module.network, path, [p for p in passed if layer_path(p[0]) == path])
        for path in paths
    ]


def parts_of(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the parts of all layers, by their names in the network; the head is one itself."""
    chains = {name: module for name, module in network.named_modules() if isinstance(module, Chain)}
    parts = [
        (f"{path}.{n}", m) for path, chain in chains.items() for n, m in chain.named_children()
    ]
    return [*parts, ("head", network.get_submodule("head"))]


def layer_path(name: str) -> str:
    """Return the layer to which a part belongs.

    >>> layer_path("layers.0.affine"), layer_path("head")
    ('layers.0', 'head')
    """
    return name.rpartition(".")[0] or name


def layer_of(
    network: nn.Module, path: str, passed: list[tuple[str, nn.Module, Shape, Shape]]
) -> LayerShape:
    """Return a layer from what was seen of its parts."""
    layer = network.get_submodule(path)
    parts = tuple(
        LayerPart("affine" if name == path else name.rpartition(".")[2], part, given)
        for name, part, _, given in passed
    )
    parameters = {name: tuple(p.shape) for name, p in layer.named_parameters()}
    is_residual = bool(getattr(layer, "residual", False))
    return LayerShape(path, passed[0][2], parts, parameters, is_residual)
