"""Normalisation as the first layer of the module, so that a trained run takes raw data.

The statistics are buffers: they stand in every checkpoint, and small integer images stay small
in memory until the batch is drawn.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from experiments.errors import check_choice

NORMALIZATIONS = ("standardize", "unit", "none")


class Standardize(nn.Module):
    """x -> (x - mean) / std, per channel of images or per feature of vectors.

    Args:
        num_features: C of (B, C, *) or F of (B, F).
        num_dims: dimensions after the first two.

    Attributes:
        positions: where each position of the result comes from, of all sizes together; None for
            where it is. One permutation for all points and channels takes neighbours apart.

    Shapes: (B, C, *) of any number type -> (B, C, *) of the buffers' type, float32.
    """

    mean: Tensor
    std: Tensor
    positions: Tensor | None

    def __init__(self, num_features: int, num_dims: int = 0) -> None:
        super().__init__()
        shape = (1, num_features, *[1] * num_dims)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))
        self.register_buffer("positions", None)

    def forward(self, x: Tensor) -> Tensor:
        mean, std = self.mean, self.std
        if self.positions is not None:
            x = x.flatten(2).index_select(2, self.positions).view_as(x)
        if x.dtype == mean.dtype:
            return (x - mean) / std
        # In place on the converted copy, which is a third faster.
        return x.to(mean.dtype).sub_(mean).div_(std)

    def shuffle(self, sizes: tuple[int, ...], seed: int) -> None:
        """Permute the positions from now on, by a permutation drawn from `seed`."""
        num_positions = math.prod(sizes)
        generator = torch.Generator().manual_seed(seed)
        self.positions = torch.randperm(num_positions, generator=generator)

    def inverse(self, z: Tensor) -> Tensor:
        """Return z * std + mean."""
        return z * self.std + self.mean

    def fit(self, x: Tensor, how: str) -> Standardize:
        """Set the statistics from training inputs and return self.

        Args:
            x: (N, C, *), of any number type.
            how: `standardize` to mean 0 and variance 1, `unit` to divide by the
                largest magnitude among them, `none` to leave the numbers as they are.
        """
        check_choice("data.normalize", how, NORMALIZATIONS)
        if how == "unit":
            self.std.fill_(float(x.abs().max() if x.is_floating_point() else x.max()) or 1.0)
        elif how == "standardize":
            mean, std = moments(x)
            self.mean.copy_(mean.view_as(self.mean))
            # A constant feature carries nothing; dividing by 1 leaves it at 0.
            self.std.copy_(torch.where(std > 0, std, torch.ones_like(std)).view_as(self.std))
        return self


def moments(x: Tensor, chunk: int = 4096) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation (divisor N) of each channel, in float64.

    In chunks, so that 60,000 images never stand in memory as float64; bytes are counted, which is
    exact and five times as fast.

    Shapes: (N, C, *) -> (C,), (C,).
    """
    if x.dtype == torch.uint8:
        return moments_of_bytes(x)
    dims = [d for d in range(x.dim()) if d != 1]
    count = x.numel() / x.shape[1]
    mean = sum((part.double().sum(dims) for part in x.split(chunk)), torch.zeros(()).double())
    mean = mean / count
    view = (1, -1, *[1] * (x.dim() - 2))
    squares = torch.zeros_like(mean)
    for part in x.split(chunk):
        squares += (part.double() - mean.view(view)).square().sum(dims)
    return mean, (squares / count).sqrt()


def moments_of_bytes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the same for bytes, from how often each of the 256 values occurs.

    Shapes: (N, C, *) of uint8 -> (C,), (C,).
    """
    counts = torch.stack([torch.bincount(c.flatten(), minlength=256) for c in x.unbind(1)])
    shares = counts.double() / counts.sum(1, keepdim=True)
    values = torch.arange(256, dtype=torch.float64)
    mean = (shares * values).sum(1)
    variance = (shares * (values - mean.unsqueeze(1)).square()).sum(1)
    return mean, variance.sqrt()
