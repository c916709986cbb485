"""What a network tells of each test point, gathered while it is tested.

Shape letters: B batch, N test points, K classes or regression targets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.data.datamodule import DataModule
from experiments.data.loader import Batch
from experiments.record.predictions import Predictions, in_fewest_bytes, keeps_all_classes


class Told(NamedTuple):
    """What a network says of points: their classes with probabilities, or values alone.

    Shapes: classes (B,), None of a regression; shown (B, K), probabilities of the classes, or
    values in the unit of the data.
    """

    classes: Tensor | None
    shown: Tensor

    def kept(self, has_all_classes: bool) -> Told:
        """Return what is kept of it: probabilities as float16, (B, K) or of the class alone (B,).

        Values are float32, or float64 where they are so.
        """
        if self.classes is None:
            return Told(None, self.shown if self.shown.dtype.itemsize > 2 else self.shown.float())
        shown = self.shown
        if not has_all_classes:
            shown = shown.gather(1, self.classes.unsqueeze(1)).squeeze(1)
        return Told(self.classes, shown.half())


class ToldPoints:
    """Gathers what is told of the test points, batch by batch and over all ranks, in their order.

    Of a batch each rank has every R-th point, R the number of ranks (data/order.py).

    Attributes:
        predictions: all of it, once the test has ended; None before.
    """

    def __init__(self, data: DataModule) -> None:
        spec = data.spec
        self.num_outputs = spec.num_outputs
        self.has_all_classes = keeps_all_classes(len(data.test), spec.num_outputs)
        self.num_points = 0
        self.rows: list[Tensor] = []
        self.told: list[Told] = []
        self.targets: list[Tensor] = []
        self.predictions: Predictions | None = None
        trainer = data.trainer
        assert trainer is not None
        self.rank, self.num_ranks = trainer.global_rank, trainer.world_size

    def add(self, batch: Batch, told: Told) -> None:
        """Add what is told of this rank's share of a batch."""
        own = None if batch.weight else 0  # a rank without a point of its own has one to spare
        kept = told.kept(self.has_all_classes)
        classes = kept.classes if kept.classes is None else kept.classes[:own]
        self.told.append(Told(classes, kept.shown[:own]))
        self.targets.append(batch.targets[:own])
        end = self.num_points + batch.size
        self.rows.append(torch.arange(self.num_points, end)[self.rank :: self.num_ranks])
        self.num_points = end

    def gather(self, over_ranks: Callable[[Tensor], Tensor]) -> None:
        """Bring the points of all ranks together.

        Args:
            over_ranks: sums a tensor over them.
        """
        if not self.told:
            return
        rows = torch.cat(self.rows)

        def whole(parts: list[Tensor]) -> Tensor:
            own = torch.cat(parts)
            if self.num_ranks == 1:
                return own.cpu()
            # A rank has zeros where another has numbers, so that the sum is exact.
            total = own.new_zeros(self.num_points, *own.shape[1:])
            total[rows.to(own.device)] = own
            is_half = total.dtype == torch.float16
            total = over_ranks(total.float() if is_half else total)
            return (total.half() if is_half else total).cpu()

        targets = whole(self.targets).numpy()
        shown = whole([told.shown for told in self.told]).numpy()
        classes = [told.classes for told in self.told if told.classes is not None]
        self.told, self.targets = [], []
        if not classes:
            self.predictions = Predictions(targets, values=shown)
            return
        small = [in_fewest_bytes(a, self.num_outputs) for a in (targets, whole(classes).numpy())]
        self.predictions = Predictions(small[0], classes=small[1], probabilities=shown)
