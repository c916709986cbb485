"""Curves, generated: regression on the line."""

from __future__ import annotations

import math

import torch

from experiments.data.points import check_numbers, with_noise
from experiments.data.sources import DataSet, Points, data_set_of
from experiments.errors.messages import refuse_unless


def sine(
    *, num_samples: int = 1000, noise: float = 0.1, frequency: float = 1.0, seed: int = 0
) -> DataSet:
    """A noisy sine: y = sin(2 pi f x) + noise, x uniform in [-1, 1].

    Bishop 2006, "Pattern recognition and machine learning", section 1.1, has the same curve over
    one period, [0, 1]. A random fifth is the test set, noise included: the best mean squared error
    there is noise^2 in expectation.

    Args:
        num_samples: points on the curve.
        noise: standard deviation of the Gaussian noise on y.
        frequency: f, periods per unit of x, above 0; a high one is hard for smooth activations.
        seed: of the data, not of the run.

    Shapes: x (N, 1), y (N, 1).
    """
    check_numbers(num_samples, noise)
    refuse_unless(frequency > 0, "data.frequency", frequency, "a number above 0", 1.0)
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(num_samples, 1, generator=generator) - 1
    y = with_noise((2 * math.pi * frequency * x).sin(), noise, generator)
    return data_set_of([Points(x, y)])
