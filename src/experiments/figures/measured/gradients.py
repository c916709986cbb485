"""Gradients of L(theta) on mini-batches: their mean, their spread around it, their time.

Shape letters: N training points, B points of a mini-batch, P parameters.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from experiments.data.datamodule import DataModule
from experiments.data.sources import Points
from experiments.record.host import processor
from experiments.training.module import ExperimentModule

Draw = Callable[[int, torch.Generator], Tensor]
Numbers = dict[str, Any]
CHUNK = 64
"""Points of which single gradients are held at once."""
REPEATS = 40
"""Rounds of steps, one of each size. The fastest counts: what else the machine does only adds."""
MOST_DEVIATIONS = 64
"""Mini-batches whose deviations say in which direction the first panel looks."""


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
        points: the training set.
        full: grad L, (P,).
        draw: gives the rows of a mini-batch.
        batch_size: |B|.
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


def partition_numbers(
    module: ExperimentModule,
    points: Points,
    full: Tensor,
    batch_size: int,
    generator: torch.Generator,
) -> Numbers:
    """Return the mean over a partition, and its gradients in a plane through grad L."""
    batches = list(partition(points, batch_size, generator))
    mean = torch.zeros_like(full)
    kept: list[Tensor] = []
    for batch in batches:
        part = gradient(module, batch)
        mean += part * (len(batch) / len(points))
        if len(kept) < MOST_DEVIATIONS:
            kept.append(part - full)
    plane = plane_of_most_deviation(torch.stack(kept), full)
    return {
        "batch_size": batch_size,
        "sizes": [len(batch) for batch in batches],
        "norm": float(full.norm()),
        "relative_difference": float((mean - full).norm() / full.norm()),
        "gradients": [(plane @ gradient(module, batch)).tolist() for batch in batches],
        "mean": (plane @ mean).tolist(),
        "full": (plane @ full).tolist(),
    }


def plane_of_most_deviation(deviations: Tensor, full: Tensor) -> Tensor:
    """Return what takes a gradient to its place in a plane, (2, P), in the unit |grad L|.

    The plane is spanned by grad L and by the direction across it in which most of the deviations
    lie.
    """
    along = full / full.norm()
    deviations = deviations - (deviations @ along)[:, None] * along
    across = torch.linalg.svd(deviations, full_matrices=False).Vh[0]
    return torch.stack([along, across]) / full.norm()


def spread_numbers(
    module: ExperimentModule,
    points: Points,
    full: Tensor,
    batch_sizes: Sequence[int],
    num_draws: int,
    generator: torch.Generator,
) -> Numbers:
    """Return the spread of mini-batch gradients, measured and expected, and its slope."""
    trace = mean_squared_norm(module, points) - float(full.square().sum())
    noise_scale = trace / float(full.square().sum())
    ways = (
        ("with_replacement", draws_with_replacement(len(points)), None),
        ("without_replacement", draws_without_replacement(len(points)), len(points)),
    )
    numbers: Numbers = {"batch_sizes": list(batch_sizes), "draws": num_draws}
    for way, draw, population in ways:
        numbers[way] = {
            "measured": [
                spread(module, points, full, draw, size, num_draws, generator)
                for size in batch_sizes
            ],
            "expected": [expected_spread(noise_scale, size, population) for size in batch_sizes],
        }
    measured = numbers["with_replacement"]["measured"]
    slope = float(np.polyfit(np.log(batch_sizes), np.log(measured), 1)[0])
    return numbers | {"slope": slope, "noise_scale": noise_scale}


def time_numbers(
    module: ExperimentModule,
    make_optimizer: Callable[[nn.Module], Optimizer],
    datamodule: DataModule,
    batch_sizes: Sequence[int],
) -> Numbers:
    """Return the seconds of an optimizer step by batch size, and the line through them."""
    sizes = sorted(set(batch_sizes))
    module = copy.deepcopy(module).train()
    points = Points(datamodule.train.inputs, datamodule.train.targets)
    optimizer = make_optimizer(module.network)
    # In rounds, so that a moment in which the machine is busy does not hit one size alone.
    rounds = [
        [step_seconds(module, optimizer, points, size, number) for size in sizes]
        for number in range(REPEATS)
    ]
    seconds = [min(each) for each in zip(*rounds, strict=True)]
    constant, each = line_through(sizes, seconds)
    return {
        "batch_sizes": sizes,
        "seconds": seconds,
        "constant_seconds": constant,
        "seconds_per_point": each,
        "device": processor(),
        "threads": 1,
    }


def step_seconds(
    module: ExperimentModule,
    optimizer: torch.optim.Optimizer,
    points: Points,
    size: int,
    seed: int,
) -> float:
    """Return how long a step took: batch, gradient, update."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(points), (size,), generator=generator)
    started = time.perf_counter()
    batch = points.take(rows)
    optimizer.zero_grad(set_to_none=True)
    outputs = module.network(module.normalize(batch.inputs))
    module.loss_of(outputs, batch.targets).backward()
    optimizer.step()
    return time.perf_counter() - started


def line_through(sizes: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """Return a and b of a + b |B|, by least squares of the relative errors.

    >>> a, b = line_through([1, 10, 100], [3.0, 21.0, 201.0])
    >>> round(a, 6), round(b, 6)
    (1.0, 2.0)
    """
    x, y = np.asarray(sizes, float), np.asarray(seconds, float)
    rows = np.stack([1 / y, x / y], axis=1)
    (constant, each), *_ = np.linalg.lstsq(rows, np.ones_like(y), rcond=None)
    return float(constant), float(each)
