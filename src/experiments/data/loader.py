"""Batches from memory: a batch is an index into one tensor.

The order of an epoch is a pure function of (seed, epoch). The last batch is as short as it comes
out; nothing is dropped and nothing is repeated.

With several ranks a batch is still the batch of the whole run: each rank takes its share, and
`weight` makes the mean over ranks of (weight * mean over the share) the mean over the batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.data.sources import Points


class Batch(NamedTuple):
    """A rank's share of a batch.

    Shapes: inputs (B, *shape); targets (B,) or (B, K). `weight` is B * ranks / whole batch, 1 on
    one device.
    """

    inputs: Tensor
    targets: Tensor
    weight: float


class BatchOrder:
    """Which points stand in which batch.

    Args:
        num_points: N.
        batch_size: of the whole batch, over all ranks.
        seed: None for the order of the data itself (validation, test).
        rank: this process.
        num_ranks: how many processes share each batch.
        fixed: use the first epoch's order in every epoch (for overfitting a few batches).
    """

    def __init__(
        self,
        num_points: int,
        batch_size: int,
        seed: int | None = None,
        rank: int = 0,
        num_ranks: int = 1,
        fixed: bool = False,
    ) -> None:
        self.num_points = num_points
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.num_ranks = num_ranks
        self.fixed = fixed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0; the Trainer calls this."""
        self.epoch = 0 if self.fixed else epoch

    def __len__(self) -> int:
        return math.ceil(self.num_points / self.batch_size)

    def order(self) -> Tensor:
        """Return the permutation of this epoch, (N,)."""
        if self.seed is None:
            return torch.arange(self.num_points)
        # Seeds stay below 2**32, so that (seed, epoch) fills different bits of the 64; the
        # permutation of another pair is another stream because numbers are drawn from a hash.
        generator = torch.Generator().manual_seed(mix(self.seed, self.epoch))
        return torch.randperm(self.num_points, generator=generator)

    def __iter__(self) -> Iterator[tuple[Tensor, float]]:
        for whole in self.order().split(self.batch_size):
            share = whole[self.rank :: self.num_ranks]
            weight = len(share) * self.num_ranks / len(whole)
            # A rank without a point still takes part in the step, with weight 0.
            yield (share, weight) if len(share) else (whole[:1], 0.0)


def mix(seed: int, epoch: int) -> int:
    """Return a 32-bit seed for (seed, epoch): the finaliser of SplitMix64 over both.

    Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators". Neighbouring pairs
    give unrelated streams, which seed + epoch would not: (0, 1) and (1, 0) would be equal.
    """
    mask = (1 << 64) - 1
    z = ((seed << 32) + epoch + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return (z ^ (z >> 31)) >> 32


class MemoryLoader:
    """An iterable over batches of points that lie in memory.

    Its attributes are those of a DataLoader that the Trainer asks for: on `sampler` it calls
    `set_epoch` before each epoch, and `batch_sampler` is None, as there is none.
    """

    batch_sampler = None

    def __init__(self, points: Points, order: BatchOrder) -> None:
        self.points = points
        self.sampler = order

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        for index, weight in self.sampler:
            yield Batch(self.points.inputs[index], self.points.targets[index], weight)
