"""What a fixed probe batch tells of a network: its activations, and how noisy its gradient is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from experiments.training.diagnostics.measures import (
    Bounds,
    bounds_of,
    dead_fraction,
    derivative,
    flat_fraction,
    norm,
    saturated_fraction,
)
from experiments.training.diagnostics.watched_layers import Passed, WatchedLayer, recorded

NUM_PARTS = 8
"""The batches into which a probe is cut to see how much their gradients differ."""

LossOf = Callable[[Tensor, Tensor], Tensor]


class Probe(NamedTuple):
    """Points to look at, as they enter the network, and their targets.

    Shapes: inputs (B, *shape); targets (B,) or (B, K).
    """

    inputs: Tensor
    targets: Tensor

    def parts(self) -> list[Probe]:
        """Return the probe as batches of one size; what is left over is left out.

        >>> len(Probe(torch.zeros(20, 1), torch.zeros(20)).parts())
        10
        """
        size = max(1, len(self.targets) // NUM_PARTS)
        whole = len(self.targets) // size * size
        inputs, targets = self.inputs[:whole].split(size), self.targets[:whole].split(size)
        return [Probe(x, t) for x, t in zip(inputs, targets, strict=True)]


def drawn(num_points: int, size: int, seed: int) -> Tensor:
    """Return the indices of a probe: `size` of the points, or all of fewer, fixed by a seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(num_points, generator=generator)[:size]


class Seen(NamedTuple):
    """What one look at the probe gave.

    Attributes:
        passed: through each layer, all points together.
        small: the mean of |g|^2 over the parts, and `big` that of the whole: () each.
        num_small: the points of a part.
        num_big: the points of all.
        gradients: of the whole probe, one for each parameter.
    """

    passed: dict[str, Passed]
    small: Tensor
    big: Tensor
    num_small: int
    num_big: int
    gradients: list[Tensor]


def look(
    network: nn.Module,
    loss_of: LossOf,
    probe: Probe,
    layers: Sequence[WatchedLayer],
    parameters: Sequence[nn.Parameter],
) -> Seen:
    """Return what passes through the layers, and the gradients of the probe's parts.

    One forward and one backward pass over each point. Where gradients gather (`.grad`) nothing is
    touched.
    """
    parts = probe.parts()
    squares, total = [], [torch.zeros_like(p, dtype=torch.float32) for p in parameters]
    with recorded(layers) as each, torch.enable_grad():
        for part in parts:
            loss = loss_of(network(part.inputs), part.targets)
            known = torch.autograd.grad(loss, list(parameters), allow_unused=True)
            gradients = [
                torch.zeros_like(p) if g is None else g
                for p, g in zip(parameters, known, strict=True)
            ]
            squares.append(norm(gradients).square())
            torch._foreach_add_(total, gradients, alpha=1 / len(parts))
    passed = {
        name: Passed(torch.cat([part.z for part in passes]), torch.cat([part.h for part in passes]))
        for name, passes in each.items()
        if passes
    }
    num_small = len(parts[0].targets)
    return Seen(
        passed,
        torch.stack(squares).mean(),
        norm(total).square(),
        num_small,
        num_small * len(parts),
        total,
    )


def units(
    layer: WatchedLayer, passed: Passed, bounds: dict[str, Bounds | None] | None = None
) -> dict[str, Tensor]:
    """Return what is said of a layer's units: dead, saturated, mean and variance.

    A layer without an activation has the last two alone. The variance is that of all outputs
    together, over points, units and positions.

    Args:
        bounds: of the activations by layer, which are looked up, and kept, there.
    """
    h = passed.h.float()
    values = {"mean": h.mean(), "variance": h.var(unbiased=False)}
    if layer.activation is None:
        return values
    bounds = {} if bounds is None else bounds
    if layer.name not in bounds:
        bounds[layer.name] = bounds_of(layer.activation, passed.z)
    known = bounds[layer.name]
    if known is None:
        saturated = flat_fraction(derivative(layer.activation, passed.z))
    else:
        saturated = saturated_fraction(h, known)
    return {"dead": dead_fraction(h), "saturated": saturated, **values}
