"""The losses of all members at once.

Shape letters: A members, B batch, K classes or regression targets.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap

StackedLoss = Callable[[Tensor, Tensor], Tensor]
"""From outputs (A, B, K) and targets (A, B) or (A, B, K) to the mean loss of each member, (A,)."""


def stacked_loss(loss: nn.Module) -> StackedLoss:
    """Return what computes a loss for each of several members."""
    if isinstance(getattr(loss, "weight", None), Tensor):  # whose mean is by weight
        return lambda outputs, targets: torch.stack(
            [loss(y, t) for y, t in zip(outputs, targets, strict=True)]
        )
    of_points: Any = copy.copy(loss)
    of_points.reduction = "none"
    if isinstance(loss, nn.MultiMarginLoss):  # for which vmap has no rule
        return lambda outputs, targets: (
            of_points(outputs.flatten(0, 1), targets.flatten()).view(targets.shape).mean(1)
        )
    if not isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss):
        return vmap(loss)

    def losses(outputs: Tensor, targets: Tensor) -> Tensor:
        if targets.is_floating_point():  # points that are mixed
            return vmap(loss)(outputs, targets)
        # Torch takes classes from dimension 1. With the points behind them its softmax goes along
        # the points: of sixteen members with ten classes loss and gradient take a third of the
        # time.
        by_point: Tensor = of_points(outputs.transpose(1, 2), targets)
        return by_point.mean(1)

    return losses


class Losses:
    """The losses of members, of which those with equal numbers lie together.

    Args:
        losses: of each row.
        names: equal for equal losses.
    """

    def __init__(self, losses: Sequence[nn.Module], names: Sequence[str]) -> None:
        self.losses = list(losses)
        self.blocks: list[tuple[slice, StackedLoss]] = []
        for _, grouped in groupby(enumerate(names), lambda numbered: numbered[1]):
            rows = [row for row, _ in grouped]
            block = slice(rows[0], rows[-1] + 1)
            self.blocks.append((block, stacked_loss(self.losses[rows[0]])))

    def of_row(self, row: int) -> nn.Module:
        return self.losses[row]

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of each member over its points.

        Shapes: outputs (A, B, K), targets (A, B) or (A, B, K) -> (A,).
        """
        if len(self.blocks) == 1:
            return self.blocks[0][1](outputs, targets)
        return torch.cat([loss(outputs[rows], targets[rows]) for rows, loss in self.blocks])
