"""Points in the plane, generated: problems that a linear model cannot solve."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from experiments.data.sources import DataSet, Points, data_set_of
from experiments.errors.messages import refuse_unless

CLASS_NAMES = ("0", "1")


def check_numbers(num_samples: int, noise: float) -> None:
    """Raise UserError for a number of points or a noise that cannot be generated."""
    allowed = "a whole number of at least 10"
    refuse_unless(num_samples >= 10, "data.num_samples", num_samples, allowed, 2000)
    refuse_unless(noise >= 0, "data.noise", noise, "a standard deviation of at least 0", 0.1)


def with_noise(points: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    return points + noise * torch.randn(points.shape, generator=generator)


def moons(*, num_samples: int = 2000, noise: float = 0.1, seed: int = 0) -> DataSet:
    """Two interleaved half circles of radius 1, as scikit-learn's make_moons.

    Class 0: (cos t, sin t); class 1: (1 - cos t, 1/2 - sin t), t uniform in [0, pi].

    Args:
        num_samples: points of both classes together.
        noise: standard deviation of the Gaussian noise on each coordinate.
        seed: of the data, not of the run.
    """
    check_numbers(num_samples, noise)
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(num_samples) % 2
    t = math.pi * torch.rand(num_samples, generator=generator)
    upper = torch.stack([t.cos(), t.sin()], dim=1)
    lower = torch.stack([1 - t.cos(), 0.5 - t.sin()], dim=1)
    points = torch.where(targets[:, None] == 0, upper, lower)
    return data_set_of([Points(with_noise(points, noise, generator), targets)], CLASS_NAMES)


def xor(
    *, num_samples: int = 2000, noise: float = 0.0, margin: float = 0.1, seed: int = 0
) -> DataSet:
    """Four squares: class 1 where the signs of the coordinates differ.

    Minsky & Papert 1969, "Perceptrons": the smallest problem that no linear model solves; the
    best line is right on fewer than 3/4 of the points.

    Args:
        num_samples: points of both classes together.
        noise: standard deviation of the Gaussian noise on each coordinate.
        margin: |x| and |y| are uniform in [margin, 1], so that the classes do not touch.
        seed: of the data, not of the run.
    """
    check_numbers(num_samples, noise)
    refuse_unless(0 <= margin < 1, "data.margin", margin, "a number from 0 up to below 1", 0.1)
    generator = torch.Generator().manual_seed(seed)
    quadrants = torch.arange(num_samples) % 4
    signs = torch.stack([1 - 2 * (quadrants % 2), 1 - 2 * (quadrants // 2)], dim=1)
    sizes = margin + (1 - margin) * torch.rand(num_samples, 2, generator=generator)
    targets = (signs[:, 0] != signs[:, 1]).long()
    points = with_noise(signs * sizes, noise, generator)
    return data_set_of([Points(points, targets)], CLASS_NAMES)


def spirals(
    *, num_samples: int = 2000, noise: float = 0.02, turns: float = 1.5, seed: int = 0
) -> DataSet:
    """Two intertwined spirals: r = t, angle = 2 pi turns t (+ pi for class 1), t in (0, 1].

    Lang & Witbrock 1988, "Learning to tell two spirals apart".

    Args:
        num_samples: points of both classes together.
        noise: standard deviation of the Gaussian noise on each coordinate.
        turns: how often each arm goes round.
        seed: of the data, not of the run.
    """
    check_numbers(num_samples, noise)
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(num_samples) % 2
    # The square root makes the points as dense outside as inside.
    radius = torch.rand(num_samples, generator=generator).sqrt()
    angle = 2 * math.pi * turns * radius + math.pi * targets
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return data_set_of([Points(with_noise(points, noise, generator), targets)], CLASS_NAMES)


def circles(
    *, num_samples: int = 2000, noise: float = 0.1, factor: float = 0.5, seed: int = 0
) -> DataSet:
    """Two concentric circles, as scikit-learn's make_circles: no line divides them.

    Class 0: (cos t, sin t); class 1: factor (cos t, sin t), t uniform in [0, 2 pi].

    Args:
        num_samples: points of both classes together.
        noise: standard deviation of the Gaussian noise on each coordinate.
        factor: radius of the inner circle, between 0 and 1.
        seed: of the data, not of the run.
    """
    check_numbers(num_samples, noise)
    refuse_unless(0 < factor < 1, "data.factor", factor, "a radius between 0 and 1", 0.5)
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(num_samples) % 2
    t = 2 * math.pi * torch.rand(num_samples, generator=generator)
    radius = 1 + (factor - 1) * targets
    points = torch.stack([radius * t.cos(), radius * t.sin()], dim=1)
    return data_set_of([Points(with_noise(points, noise, generator), targets)], CLASS_NAMES)
