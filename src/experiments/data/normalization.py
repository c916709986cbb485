"""Normalisation as the first layer of the module, so that a trained run takes raw data.

The statistics are buffers: they stand in every checkpoint, and small integer images stay small
in memory until the batch is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from experiments.errors.messages import check_choice

NORMALIZATIONS = ("standardize", "unit", "none")
MOST_SHIFT = 1e-4
"""The part of a standard deviation by which statistics may be off."""


class Standardize(nn.Module):
    """x -> (x - mean) / std, per channel of images or per feature of vectors.

    Where 32 bits would round the statistics too far, and for data in 64 bits, the statistics are in
    64 bits and so is the arithmetic; the result is then rounded to the network's own type.

    Args:
        num_features: C of (B, C, *) or F of (B, F).
        num_dims: dimensions after the first two.

    Attributes:
        positions: where each position of the result comes from, of all sizes together; None for
            where it is. One permutation for all points and channels takes neighbours apart.
        result: empty, and of the type that the network takes.

    Shapes: (B, C, *) of any number type -> (B, C, *) of the network's type, float32.
    """

    mean: Tensor
    std: Tensor
    positions: Tensor | None
    result: Tensor

    def __init__(self, num_features: int, num_dims: int = 0) -> None:
        super().__init__()
        shape = (1, num_features, *[1] * num_dims)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))
        self.register_buffer("positions", None)
        self.register_buffer("result", torch.empty(0), persistent=False)
        self.register_load_state_dict_pre_hook(take_saved_type)

    def forward(self, x: Tensor) -> Tensor:
        return self.unrounded(x).to(self.result.dtype)

    def unrounded(self, x: Tensor) -> Tensor:
        """Return the result in the bits that it was computed in, 32 at least."""
        mean, std = self.mean, self.std
        if self.positions is not None:
            x = x.flatten(2).index_select(2, self.positions).view_as(x)
        if x.dtype in (mean.dtype, torch.float64):
            return (x - mean) / std
        # In place on the converted copy, which is a third faster.
        return x.to(mean.dtype).sub_(mean).div_(std)

    def shuffle(self, sizes: tuple[int, ...], seed: int) -> None:
        """Permute the positions from now on, by a permutation drawn from `seed`."""
        generator = torch.Generator().manual_seed(seed)
        self.positions = torch.randperm(math.prod(sizes), generator=generator)

    def inverse(self, z: Tensor) -> Tensor:
        """Return values in the unit of the data, in as many bits as these need."""
        return z * self.std + self.mean

    def fit(self, x: Tensor, how: str) -> Standardize:
        """Set the statistics from training inputs and return self.

        Args:
            x: (N, C, *), of any number type.
            how: `standardize` to mean 0 and variance 1, `unit` to divide by the
                largest magnitude among them, `none` to leave the numbers as they are.
        """
        return self.set(*statistics_of(x, how), x.dtype)

    def set(self, mean: Tensor, std: Tensor, dtype: torch.dtype) -> Standardize:
        """Set the statistics, (C,) of float64 each, for data of a type, and return self."""
        are_enough = dtype != torch.float64 and fit_32_bits(mean, std)
        bits = torch.float32 if are_enough else torch.float64
        self.mean = mean.to(bits).view_as(self.mean)
        self.std = std.to(bits).view_as(self.std)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Standardize:
        # A network in fewer bits must not round the statistics: a mean of 2,460,310 is 2,457,600 in
        # bfloat16.
        kept = {"mean": self.mean, "std": self.std}
        super()._apply(fn, recurse)
        for name, value in kept.items():
            moved = getattr(self, name)
            if moved.dtype.itemsize < value.dtype.itemsize:
                setattr(self, name, value.to(moved.device))
        return self


def take_saved_type(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Give statistics the bits that those to be loaded have."""
    for name in ("mean", "std"):
        saved, own = state.get(prefix + name), getattr(module, name)
        if saved is not None and saved.dtype.itemsize > own.dtype.itemsize:
            setattr(module, name, own.to(saved.dtype))


def fit_32_bits(mean: Tensor, std: Tensor) -> bool:
    """Return whether statistics in float32 shift no standardised number by more than 1e-4."""
    shift = (mean.float().double() - mean).abs() / std
    scale = (std.float().double() - std).abs() / std
    return bool((shift <= MOST_SHIFT).all() and (scale <= MOST_SHIFT).all())


def statistics_of(x: Tensor, how: str) -> tuple[Tensor, Tensor]:
    """Return what is subtracted from each channel of training inputs, and what divides it.

    Shapes: (N, C, *) -> (C,), (C,) of float64.
    """
    check_choice("data.normalize", how, NORMALIZATIONS)
    if how == "standardize":
        mean, std = moments(x)
        # A constant feature carries nothing; dividing by 1 leaves it at 0.
        return mean, torch.where(std > 0, std, torch.ones_like(std))
    mean, std = torch.zeros(2, x.shape[1], dtype=torch.float64)
    largest = float(x.abs().max() if x.is_floating_point() else x.max()) if how == "unit" else 1.0
    return mean, std + (largest or 1.0)


def moments(x: Tensor, chunk: int = 4096) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation (divisor N) of each channel, in float64.

    In chunks, so that 60,000 images never stand in memory as float64; bytes are counted, which is
    exact and five times as fast.

    Shapes: (N, C, *) -> (C,), (C,).
    """
    if x.dtype == torch.uint8:
        return moments_of_bytes(x)
    if x.dtype == torch.float64:
        return moments_of_any_size(x, chunk)
    return moments_of_floats(x, chunk)


def moments_of_floats(x: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """Return the same for numbers whose sums and squares float64 holds."""
    dims = [d for d in range(x.dim()) if d != 1]
    count = x.numel() / x.shape[1]
    mean = sum((part.double().sum(dims) for part in x.split(chunk)), torch.zeros(()).double())
    mean = mean / count
    # The mean of equal numbers is rounded, and they would have a deviation: 10 times 0.1 has 1e-17.
    low = x.amin(dims).double()
    mean = torch.where(low == x.amax(dims).double(), low, mean)
    view = (1, -1, *[1] * (x.dim() - 2))
    squares = torch.zeros_like(mean)
    for part in x.split(chunk):
        squares += (part.double() - mean.view(view)).square().sum(dims)
    return mean, (squares / count).sqrt()


def moments_of_any_size(x: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """Return the same for float64, of which 1e200 has no square and a sum of 1e307 is infinite.

    Each channel is shifted by its middle and divided by its reach first. Equal numbers have a
    deviation of 0 then, which rounding would not leave them.
    """
    dims = [d for d in range(x.dim()) if d != 1]
    view = (1, -1, *[1] * (x.dim() - 2))
    low, high = x.amin(dims), x.amax(dims)
    middle, reach = low / 2 + high / 2, high - low
    reach = torch.where(reach > 0, reach, torch.ones_like(reach))
    middle = torch.where(high > low, middle, low)
    count = x.numel() / x.shape[1]

    def scaled(part: Tensor) -> Tensor:
        return (part - middle.view(view)) / reach.view(view)

    parts = x.split(chunk)
    mean = sum((scaled(part).sum(dims) for part in parts), torch.zeros_like(low)) / count
    squares = torch.zeros_like(low)
    for part in parts:
        squares += (scaled(part) - mean.view(view)).square().sum(dims)
    return middle + mean * reach, (squares / count).sqrt() * reach


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
