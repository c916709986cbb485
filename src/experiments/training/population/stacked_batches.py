"""Batches of all members at once: each member's own points, in its own order.

Shape letters: A members that are still trained, M all members, B batch, N points of an epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import lightning as L
import torch
from torch import Tensor

from experiments.data.augmentation import Augmentation
from experiments.data.datamodule import DataModule
from experiments.data.loader import Batch, BatchLoader, TrainingLoader
from experiments.data.order import BatchOrder
from experiments.data.sources import Points, Subset


class StackedOrder(BatchOrder):
    """The orders of all members, of which one is asked how many batches there are.

    Args:
        orders: one for each member, alike but for their seeds.
    """

    def __init__(self, orders: Sequence[BatchOrder]) -> None:
        first = orders[0]
        super().__init__(first.num_points, first.batch_size, first.seed, fixed=first.fixed)
        self.orders = list(orders)

    def set_epoch(self, epoch: int) -> None:
        self.number = epoch
        for order in self.orders:
            order.set_epoch(epoch)


class StackedLoader(TrainingLoader):
    """The stream of batches of all members.

    Args:
        points: of which all members take theirs; they lie on the device.
        orders: one for each member.
        augmentation: what is done to each member's batches, by its own seed.

    Attributes:
        active: the numbers of the members whose batches are wanted, in the order in which they
            are; whoever trains changes it, and the next batch is of these.
    """

    def __init__(
        self,
        points: Points | Subset,
        orders: Sequence[BatchOrder],
        augmentation: Augmentation | None,
    ) -> None:
        super().__init__(lambda _: (), StackedOrder(orders), augmentation, at_once=True)
        self.points, self.orders = points, list(orders)
        self.active = list(range(len(orders)))

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of the epoch from number `start` on.

        Shapes: inputs (A, B, *shape); targets (A, B) or (A, B, K).
        """
        points, size = self.points, self.sampler.batch_size
        rows = torch.stack([order.order() for order in self.orders])
        if isinstance(points, Subset):
            rows, points = points.rows[rows], points.points
        rows = rows.to(points.inputs.device)
        for number, part in enumerate(rows.split(size, dim=1)[start:], start):
            own = part[self.active]
            flat = own.flatten()
            inputs = points.inputs.index_select(0, flat).unflatten(0, own.shape)
            targets = points.targets.index_select(0, flat).unflatten(0, own.shape)
            if self.augmentation is not None:
                inputs, targets = self.augmented(inputs, targets, number)
            yield Batch(inputs, targets, 1.0, own.shape[1])

    def augmented(self, inputs: Tensor, targets: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Return a batch as each member's own seed has it changed."""
        assert self.augmentation is not None
        changed = [
            self.augmentation(x, t, self.orders[member], number, len(t))
            for member, x, t in zip(self.active, inputs, targets, strict=True)
        ]
        xs, ts = zip(*changed, strict=True)
        return torch.stack(xs), torch.stack(ts)


class PopulationData(L.LightningDataModule):
    """The batches of all members, as the Trainer takes them.

    Args:
        members: the data of each, alike but for the seeds.
    """

    def __init__(self, members: Sequence[DataModule]) -> None:
        super().__init__()
        self.members = list(members)

    def train_dataloader(self) -> StackedLoader:
        assert self.trainer is not None
        first, device = self.members[0], self.trainer.strategy.root_device
        orders = [data.training_order() for data in self.members]
        return StackedLoader(first.train.to(device), orders, first.augmentation or None)

    def val_dataloader(self) -> BatchLoader | list[BatchLoader]:
        return self.members[0].val_dataloader()
