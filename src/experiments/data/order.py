"""Which points stand in which batch: a pure function of (seed, epoch)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Share(NamedTuple):
    """A rank's part of a batch: indices of points, its weight, and the size of the whole batch."""

    rows: Tensor
    weight: float
    size: int


class EvenDraws:
    """Points drawn with replacement, such that each class is as likely as any other.

    P(point) = 1 / (K n_k) for a point of class k, which has n_k of the points; K counts the
    classes that have any. As torch's WeightedRandomSampler with weights 1 / n_k, but without its
    limit of 2^24 points.

    Args:
        targets: (N,) of class numbers.
    """

    def __init__(self, targets: Tensor) -> None:
        self.members = targets.argsort(stable=True)
        counts = torch.bincount(targets)
        self.counts = counts[counts > 0]
        self.starts = self.counts.cumsum(0) - self.counts

    def __call__(self, number: int, generator: torch.Generator) -> Tensor:
        """Return the indices of so many points."""
        classes = torch.randint(0, len(self.counts), (number,), generator=generator)
        # In float64, where a number below 1 times n stays below n.
        parts = torch.rand(number, dtype=torch.float64, generator=generator)
        within = (parts * self.counts[classes]).long()
        return self.members[self.starts[classes] + within]


class BatchOrder:
    """Which points stand in which batch.

    Args:
        num_points: N.
        batch_size: of the whole batch, over all ranks.
        seed: None for the order of the data itself (validation, test).
        rank: this process.
        num_ranks: how many processes share each batch.
        fixed: use the first epoch's order in every epoch (for overfitting a few batches).
        draws: what draws the N points of an epoch; None: each point once, shuffled.
    """

    def __init__(
        self,
        num_points: int,
        batch_size: int,
        seed: int | None = None,
        rank: int = 0,
        num_ranks: int = 1,
        fixed: bool = False,
        draws: EvenDraws | None = None,
    ) -> None:
        self.num_points = num_points
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.num_ranks = num_ranks
        self.fixed = fixed
        self.draws = draws
        self.number = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0; the Trainer calls this."""
        self.number = epoch

    @property
    def epoch(self) -> int:
        return 0 if self.fixed else self.number

    def __len__(self) -> int:
        return math.ceil(self.num_points / self.batch_size)

    def num_points_in(self, first: int, last: int) -> int:
        """Return how many points stand in the batches `first` to `last` - 1, over all ranks."""
        return min(last * self.batch_size, self.num_points) - first * self.batch_size

    def order(self) -> Tensor:
        if self.seed is None:
            return torch.arange(self.num_points)
        generator = torch.Generator().manual_seed(mix(self.seed, self.epoch))
        if self.draws is not None:
            return self.draws(self.num_points, generator)
        return torch.randperm(self.num_points, generator=generator)

    def __iter__(self) -> Iterator[Share]:
        for whole in self.order().split(self.batch_size):
            share = whole[self.rank :: self.num_ranks] if self.num_ranks > 1 else whole
            weight = len(share) * self.num_ranks / len(whole)
            # A rank without a point still takes part in the step, with weight 0.
            index = share if len(share) else whole[:1]
            yield Share(index, weight, len(whole))


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
