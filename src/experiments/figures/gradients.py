"""Gradients of L(theta) on parts of the training set, and how far they lie from that on all of it.

Shape letters: N training points, B points of a mini-batch, P parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from experiments.data.sources import Points
from experiments.module import ExperimentModule

Draw = Callable[[int, torch.Generator], Tensor]
CHUNK = 64
"""Points of which single gradients are held at once."""


def gradient(module: ExperimentModule, points: Points) -> Tensor:
    """Return grad L_B(theta), L_B = 1/|B| sum over B of l(theta; x, y), as one vector.

    Shapes: -> (P,).
    """
    weights = [p for p in module.network.parameters() if p.requires_grad]
    outputs = module.network(module.normalize(points.inputs))
    parts = torch.autograd.grad(module.loss_of(outputs, points.targets), weights)
    return torch.cat([part.flatten() for part in parts])


def mean_squared_norm(module: ExperimentModule, points: Points) -> float:
    """Return 1/N sum_i |grad l(theta; x_i, y_i)|^2, each point's gradient by itself."""
    weights = {n: p.detach() for n, p in module.network.named_parameters() if p.requires_grad}

    def loss(values: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        outputs = torch.func.functional_call(module.network, values, (x[None],))
        return module.loss_of(outputs, y[None])

    def squared_norm(x: Tensor, y: Tensor) -> Tensor:
        parts = torch.func.grad(loss)(weights, x, y)
        return torch.stack([part.square().sum() for part in parts.values()]).sum()

    inputs = module.normalize(points.inputs)
    norms = torch.func.vmap(squared_norm, chunk_size=CHUNK)(inputs, points.targets)
    return float(norms.mean())


def partition(points: Points, batch_size: int, generator: torch.Generator) -> Iterator[Points]:
    """Yield mini-batches of which every point is in exactly one; the last may be shorter."""
    for rows in torch.randperm(len(points), generator=generator).split(batch_size):
        yield points.take(rows)


def draws_with_replacement(num_points: int) -> Draw:
    """Return what draws a mini-batch of which each point may be any of the N."""
    return lambda size, generator: torch.randint(num_points, (size,), generator=generator)


def draws_without_replacement(num_points: int) -> Draw:
    """Return what draws a mini-batch of different points, as an epoch of training does."""
    return lambda size, generator: torch.randperm(num_points, generator=generator)[:size]


def spread(
    module: ExperimentModule,
    points: Points,
    full: Tensor,
    draw: Draw,
    batch_size: int,
    num_draws: int,
    generator: torch.Generator,
) -> float:
    """Return sqrt(mean |grad L_B - grad L|^2) / |grad L| over `num_draws` mini-batches.

    Args:
        module: the network and its loss.
        points: the training set.
        full: grad L, (P,).
        draw: gives the rows of a mini-batch.
        batch_size: |B|.
        num_draws: how many are drawn.
        generator: that they are drawn from.
    """
    squares = [
        (gradient(module, points.take(draw(batch_size, generator))) - full).square().sum()
        for _ in range(num_draws)
    ]
    return float(torch.stack(squares).mean().sqrt() / full.norm())


def expected_spread(noise_scale: float, batch_size: int, num_points: int | None = None) -> float:
    """Return what `spread` is expected to be.

    With replacement the mean of B independent gradients has the covariance Sigma / B, so that
    sqrt(tr Sigma / B) / |grad L| = sqrt(noise_scale / B). Without, the finite population's factor
    sqrt((N - B) / (N - 1)) comes to it, and nothing is left at B = N. (Cochran 1977, "Sampling
    techniques", theorem 2.2.)

    Args:
        noise_scale: tr Sigma / |grad L|^2, Sigma the covariance of single gradients (divisor N);
            B_simple of McCandlish, Kaplan, Amodei 2018, "An empirical model of large-batch
            training", equation 2.9: the batch size at which noise and gradient are equally long.
        batch_size: B.
        num_points: N, for sampling without replacement.

    >>> expected_spread(4.0, 16), expected_spread(4.0, 16, num_points=16)
    (0.5, 0.0)
    """
    left = 1.0 if num_points is None else (num_points - batch_size) / max(1, num_points - 1)
    return math.sqrt(noise_scale / batch_size * left)
