"""What gradient_noise measures of mini-batch gradients: their mean, their spread, their time."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments import hardware
from experiments.data.datamodule import DataModule
from experiments.data.sources import Points
from experiments.figures.gradients import (
    draws_with_replacement,
    draws_without_replacement,
    expected_spread,
    gradient,
    mean_squared_norm,
    partition,
    spread,
)
from experiments.module import ExperimentModule

REPEATS = 40
"""Rounds of steps, one of each size. The fastest counts: what else the machine does only adds."""
MOST_DEVIATIONS = 64
"""Mini-batches whose deviations say in which direction the first panel looks."""

Numbers = dict[str, Any]


def partition_numbers(
    module: ExperimentModule,
    points: Points,
    full: Tensor,
    batch_size: int,
    generator: torch.Generator,
) -> Numbers:
    """Return the mean over a partition, and its gradients in a plane through grad L.

    The plane is spanned by grad L and by the direction across it in which most of the deviations
    lie; its unit is |grad L|.
    """
    batches = list(partition(points, batch_size, generator))
    mean = torch.zeros_like(full)
    kept: list[Tensor] = []
    for batch in batches:
        one = gradient(module, batch)
        mean += one * (len(batch) / len(points))
        if len(kept) < MOST_DEVIATIONS:
            kept.append(one - full)
    along = full / full.norm()
    deviations = torch.stack(kept)
    deviations = deviations - (deviations @ along)[:, None] * along
    across = torch.linalg.svd(deviations, full_matrices=False).Vh[0]
    plane = torch.stack([along, across]) / full.norm()
    shown = [(plane @ gradient(module, batch)).tolist() for batch in batches]
    return {
        "batch_size": batch_size,
        "sizes": [len(batch) for batch in batches],
        "norm": float(full.norm()),
        "relative_difference": float((mean - full).norm() / full.norm()),
        "gradients": shown,
        "mean": (plane @ mean).tolist(),
        "full": (plane @ full).tolist(),
    }


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
    module: ExperimentModule, datamodule: DataModule, batch_sizes: Sequence[int]
) -> Numbers:
    """Return the seconds of an optimizer step by batch size, and the line through them."""
    sizes = sorted(set(batch_sizes))
    module = copy.deepcopy(module).train()
    points = Points(datamodule.train.inputs, datamodule.train.targets)
    optimizer = module.make_optimizer(module.network)
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
        "device": hardware.processor(),
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
