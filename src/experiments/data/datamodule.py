"""The data of a run, as the Trainer takes it."""

from __future__ import annotations

import math

import lightning as L

from experiments.data.loader import BatchOrder, MemoryLoader
from experiments.data.sources import DataSet, Points, split
from experiments.errors import user_error

EVAL_BATCH_SIZE = 512


class DataModule(L.LightningDataModule):
    """Training, validation and test batches of a data set.

    Args:
        data: the data set.
        name: its name, for messages.
        batch_size: points per optimizer step over all ranks, or `full` for the training set.
        val_fraction: the part of the training points that validates, from 0 up to below 1.
        split_seed: of the cut between the two.
        seed: of the batch order.
        overfit: take the same batches in every epoch.

    Raises:
        UserError: a batch size or a fraction that the data cannot give.
    """

    def __init__(
        self,
        data: DataSet,
        name: str,
        *,
        batch_size: int | str = 64,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        seed: int = 0,
        overfit: bool = False,
    ) -> None:
        super().__init__()
        self.train, self.val = cut_validation(data.train, val_fraction, split_seed)
        self.test = data.test
        self.spec = data.spec
        self.batch_size = checked_batch_size(batch_size, len(self.train), name)
        self.seed = seed
        self.overfit = overfit

    def _loader(self, points: Points, batch_size: int, seed: int | None) -> MemoryLoader:
        rank, num_ranks = 0, 1
        if self.trainer is not None:
            rank, num_ranks = self.trainer.global_rank, self.trainer.world_size
        order = BatchOrder(len(points), batch_size, seed, rank, num_ranks, fixed=self.overfit)
        return MemoryLoader(points, order)

    def train_dataloader(self) -> MemoryLoader:
        return self._loader(self.train, self.batch_size, self.seed)

    def val_dataloader(self) -> MemoryLoader | list[MemoryLoader]:
        # An empty list is how the Trainer is told that there is no validation.
        return self._loader(self.val, EVAL_BATCH_SIZE, None) if len(self.val) else []

    def test_dataloader(self) -> MemoryLoader:
        return self._loader(self.test, EVAL_BATCH_SIZE, None)


def cut_validation(train: Points, fraction: float, seed: int) -> tuple[Points, Points]:
    """Return (train, validation), or raise UserError where one of them would be empty."""
    num_val = round(fraction * len(train)) if 0 <= fraction < 1 else -1
    # R2 is not defined on a single point.
    lowest = 2 if train.targets.is_floating_point() else 1
    if num_val < 0 or num_val >= len(train) or (fraction > 0 and num_val < lowest):
        raise user_error(
            "split",
            given=fraction,
            num_samples=len(train),
            num_train=len(train) - num_val if num_val >= 0 else 0,
            num_val=max(num_val, 0),
            instead=max(0.1, math.ceil(1000 * lowest / len(train)) / 1000),
        )
    return split(train, fraction, seed)


def checked_batch_size(batch_size: int | str, num_train: int, name: str) -> int:
    """Return the batch size as a number, or raise UserError."""
    if batch_size == "full":
        return num_train
    if isinstance(batch_size, int) and 1 <= batch_size <= num_train:
        return batch_size
    instead = (
        "full" if isinstance(batch_size, int) and batch_size > num_train else min(64, num_train)
    )
    raise user_error("batch_size", given=batch_size, most=num_train, data=name, instead=instead)
