"""The data of a run, as the Trainer takes it."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import lightning as L
import torch

from experiments.data.augmentation import Augmentation, shifted
from experiments.data.loader import Fetch, FromMemory, FromWorkers, Loader, TrainingLoader
from experiments.data.order import BatchOrder
from experiments.data.sources import DataSet, Points, Subset, split
from experiments.errors import TABLE, user_error

log = logging.getLogger(__name__)

EVALUATION_BATCH_SIZE = 128


class DataModule(L.LightningDataModule):
    """Training, validation and test batches of a data set.

    Args:
        data: the data set.
        name: its name, for messages.
        batch_size: points per optimizer step over all ranks, or `full` for the training set.
        val_fraction: the part of the training points that validates, from 0 up to below 1.
        split_seed: of the cut between the two.
        seed: of the batch order and of the augmentation.
        overfit: take the same batches in every epoch.
        augmentation: what is done to training batches.
        memory_limit: gigabytes (10^9 bytes); what is larger is read by workers, not held on the
            device.
        num_workers: processes that read then.
        test_shift: pixels by which every test image is moved at most, drawn from `split_seed`.

    Attributes:
        at_once: hand out the stream of training batches, of which a call of the training step takes
            many, instead of single ones.
        evaluation_batch_size: points of a batch in validation and test.

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
        augmentation: Augmentation | None = None,
        memory_limit: float = math.inf,
        num_workers: int = 0,
        test_shift: int = 0,
    ) -> None:
        super().__init__()
        self.train, self.val = cut_validation(data.train, val_fraction, split_seed)
        self.test = data.test
        if test_shift:
            check_shift(test_shift, data.spec.shape, name)
            self.test = moved(data.test, test_shift, split_seed)
        self.facts = data.facts
        self.split_name = f"val_fraction={val_fraction} split_seed={split_seed}"
        self.spec = data.spec
        self.batch_size = checked_batch_size(batch_size, len(self.train), name)
        self.seed = seed
        self.overfit = overfit
        num_classes = self.spec.num_outputs if self.spec.task == "classification" else 0
        self.augmentation = replace(augmentation or Augmentation(), num_classes=num_classes)
        self.augmentation.check(self.spec.shape, name)
        check_workers(memory_limit, num_workers)
        self.memory_limit = memory_limit
        self.num_workers = num_workers
        self.at_once = False
        self.evaluation_batch_size = EVALUATION_BATCH_SIZE

    @property
    def num_batches(self) -> int:
        """Batches of a training epoch."""
        return math.ceil(len(self.train) / self.batch_size)

    @property
    def gigabytes(self) -> float:
        """The size of all points."""
        return sum(points.num_bytes for points in (self.train, self.val, self.test)) / 1e9

    @property
    def fits_in_memory(self) -> bool:
        """Whether the points are held on the device."""
        return self.gigabytes <= self.memory_limit

    def _fetch(self, points: Points | Subset) -> Fetch:
        device = torch.device("cpu")
        if self.trainer is not None:
            device = self.trainer.strategy.root_device
        if self.fits_in_memory:
            return FromMemory(points, device)
        return FromWorkers(points, device, self.num_workers)

    def _order(
        self, points: Points | Subset, batch_size: int, seed: int | None = None
    ) -> BatchOrder:
        rank, num_ranks = 0, 1
        if self.trainer is not None:
            rank, num_ranks = self.trainer.global_rank, self.trainer.world_size
        return BatchOrder(len(points), batch_size, seed, rank, num_ranks, fixed=self.overfit)

    def train_dataloader(self) -> TrainingLoader:
        if not self.fits_in_memory:
            values = {"size": self.gigabytes, "given": self.memory_limit}
            log.info(TABLE["memory_limit"].format(**values, num_workers=self.num_workers))
        return TrainingLoader(
            self._fetch(self.train),
            self._order(self.train, self.batch_size, self.seed),
            self.augmentation or None,
            at_once=self.at_once,
        )

    def _evaluation_loader(self, points: Points | Subset) -> Loader:
        return Loader(self._fetch(points), self._order(points, self.evaluation_batch_size))

    def in_order(self) -> Loader:
        """Return the training points as they are, in their own order."""
        return self._evaluation_loader(self.train)

    def val_dataloader(self) -> Loader | list[Loader]:
        # An empty list is how the Trainer is told that there is no validation.
        return self._evaluation_loader(self.val) if len(self.val) else []

    def test_dataloader(self) -> Loader:
        return self._evaluation_loader(self.test)


def check_shift(shift: int, shape: tuple[int, ...], name: str) -> None:
    """Raise UserError for a shift that the test points cannot make."""
    side = min(shape[1:], default=0)
    if not side:
        raise user_error("spatial", key="test_shift", given=shift, data=name, shape=shape)
    if not 0 <= shift <= side:
        raise user_error(
            "not_allowed",
            key="data.test_shift",
            given=shift,
            allowed=f"0 (none) to {side} pixels, the size of a point of {name}",
            instead=max(1, side // 8),
        )


def moved(points: Points, shift: int, seed: int) -> Points:
    """Return the points, each moved by up to `shift` positions, with zeros where nothing was."""
    generator = torch.Generator().manual_seed(seed)
    draws = (len(points), points.inputs.dim() - 2)
    offsets = torch.randint(0, 2 * shift + 1, draws, generator=generator)
    # In parts, as the indices of all pixels at once take eight times the memory of the images.
    parts = zip(points.inputs.split(1024), offsets.split(1024), strict=True)
    return Points(torch.cat([shifted(x, shift, own) for x, own in parts]), points.targets)


def check_workers(memory_limit: float, num_workers: int) -> None:
    """Raise UserError for a limit or a number of workers below 0."""
    for key, given, instead in (("memory_limit", memory_limit, 4), ("num_workers", num_workers, 2)):
        if not given >= 0:
            raise user_error(
                "not_allowed",
                key=f"data.{key}",
                given=given,
                allowed="a number of at least 0",
                instead=instead,
            )


def cut_validation(train: Points, fraction: float, seed: int) -> tuple[Subset, Subset]:
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
