"""Cross validation: all points in K folds, of which one tests and the others train and validate.

What makers give as a test set, or for validation, is pooled with the rest: over the K folds each
point is tested exactly once, and every run is one of a data set without a test set of its own.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from experiments.data.order import mix
from experiments.data.sources import Points, Subset
from experiments.errors.messages import refuse_unless

FOLDS = 4
"""A stream of the split's seed, beside those of training_part.py."""


def pooled(parts: list[Points]) -> Points:
    """Return the points of all parts, one part after the other."""
    return Points(joined([p.inputs for p in parts]), joined([p.targets for p in parts]))


def joined(tensors: list[Tensor]) -> Tensor:
    # Of a user's own parts one may be held in 32 bits and another in 64.
    kind = functools.reduce(torch.promote_types, (tensor.dtype for tensor in tensors))
    return torch.cat([tensor.to(kind) for tensor in tensors])


def fold_numbers(targets: Tensor, num_folds: int, seed: int) -> Tensor:
    """Return which fold, from 0, each of N points belongs to, at random and as even as can be.

    The points of a class are dealt to the folds one after the other, and the next class begins
    where the last one ended: any two folds differ by one point at most, in each class and in all.
    Targets of a regression (N, K) count as one class.

    >>> fold_numbers(torch.tensor([0, 0, 0, 1, 1, 1]), 3, seed=0).bincount().tolist()
    [2, 2, 2]
    """
    generator = torch.Generator().manual_seed(mix(seed, FOLDS))
    shuffled = torch.randperm(len(targets), generator=generator)
    if not targets.is_floating_point():
        shuffled = shuffled[targets[shuffled].argsort(stable=True)]
    numbers = torch.empty(len(targets), dtype=torch.int64)
    numbers[shuffled] = torch.arange(len(targets)) % num_folds
    return numbers


def cut_fold(
    parts: list[Points], num_folds: int, fold: int, seed: int, name: str
) -> tuple[Subset, Subset]:
    """Return (rest, test): all points but those of a fold, and those of it; both in their order.

    Args:
        parts: all N points that there are.
        num_folds: K, from 2 to N.
        fold: which one tests, from 0 to K - 1.
        seed: of the cut.
        name: of the data set, for messages.

    Raises:
        UserError: more folds than points, or a fold that there is not.
    """
    points = pooled(parts)
    allowed = f"2 to {len(points)}, the points of {name}, or null for none"
    refuse_unless(2 <= num_folds <= len(points), "data.folds", num_folds, allowed, 5)
    allowed = f"0 to {num_folds - 1}, as data.folds={num_folds}"
    refuse_unless(0 <= fold < num_folds, "data.fold", fold, allowed, 0)
    is_tested = fold_numbers(points.targets, num_folds, seed) == fold
    rows = ((~is_tested).nonzero().squeeze(1), is_tested.nonzero().squeeze(1))
    rest, test = (Subset(points, own) for own in rows)
    return rest, test
