"""The data of a run, as the Trainer takes it."""

from __future__ import annotations

import copy
import logging
import math
from dataclasses import replace

import lightning as L
import torch

from experiments.data.augmentation import Augmentation, shifted
from experiments.data.folds import cut_fold
from experiments.data.loader import (
    BatchLoader,
    Fetch,
    FromMemory,
    FromWorkers,
    HandOut,
    TrainingLoader,
)
from experiments.data.order import BatchOrder, EvenDraws
from experiments.data.sources import DataSet, Points, Subset, split
from experiments.data.training_part import ALL, fewer_points, with_wrong_labels
from experiments.errors.error_table import TABLE
from experiments.errors.messages import refuse_unless, user_error
from experiments.record.host import num_cores

log = logging.getLogger(__name__)

EVALUATION_BATCH_SIZE = 128
SHUFFLE, BALANCED = "shuffle", "balanced"
AUTO = "auto"
"""A batch size that is found before the data of a run are built (training/fitting_batch.py)."""


class DataModule(L.LightningDataModule):
    """Training, validation and test batches of a data set.

    Args:
        name: of the data set, for messages.
        batch_size: points per optimizer step over all ranks, or `full` for the training set; cut
            to that where it is larger.
        val_fraction: the part of the training points that validates, from 0 up to below 1; not
            used where the data bring validation points of their own.
        split_seed: of the cut between the two, of which points `num_train` takes, and of which
            labels `label_noise` draws anew.
        folds: K of a cross validation: all points are cut anew, and one in K tests; None for none.
        fold: which of them tests, from 0.
        num_train: so many of the training points that the cut leaves, by class; or `all`.
        label_noise: the share of the training labels that is drawn anew, from 0 to 1.
        sampler: `shuffle`, each training point once in an epoch; or `balanced`, as many points,
            drawn with replacement, each class as likely as any other.
        seed: of the batch order and of the augmentation.
        overfit: take the same batches in every epoch.
        augmentation: what is done to training batches.
        memory_limit: gigabytes (10^9 bytes); what is larger is read by workers, not held on the
            device.
        num_workers: processes that read then; no more than this process has cores.
        test_shift: pixels by which every test image is moved at most, drawn from `split_seed`.
        at_once: hand out the stream of training batches, of which a call of the training step takes
            many, instead of single ones.

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
        evaluation_batch_size: int = EVALUATION_BATCH_SIZE,
        at_once: bool = False,
        num_train: int | str = ALL,
        label_noise: float = 0.0,
        sampler: str = SHUFFLE,
        folds: int | None = None,
        fold: int = 0,
    ) -> None:
        super().__init__()
        self.brings_validation = data.val is not None and folds is None
        self.split_name = f"val_fraction={val_fraction} split_seed={split_seed}"
        self.test: Points | Subset = data.test
        if folds is not None:
            self.split_name += f" fold {fold} of {folds}"
            parts = [data.train, data.test, *([] if data.val is None else [data.val])]
            rest, self.test = cut_fold(parts, folds, fold, split_seed, name)
            self.train, self.val = cut_validation(rest, val_fraction, split_seed)
            number = {"tested": len(self.test), "number": len(rest) + len(self.test)}
            log.info(TABLE["fold_of_all"].format(data=name, fold=fold, folds=folds, **number))
        elif data.val is None:
            self.train, self.val = cut_validation(data.train, val_fraction, split_seed)
        else:
            self.split_name = "all of the training part"
            self.train, self.val = whole(data.train), whole(data.val)
            log.info(TABLE["given_validation"].format(data=name, number=len(data.val)))
        num_classes = data.spec.num_outputs if data.spec.task == "classification" else 0
        if num_train != ALL:
            self.split_name += f" num_train={num_train} of split_seed={split_seed}"
        self.train = fewer_points(self.train, num_train, split_seed, name)
        wrong = with_wrong_labels(self.train, label_noise, num_classes, split_seed, name)
        self.train, self.num_redrawn = wrong
        if sampler == BALANCED and not num_classes:
            raise user_error("classes_only", key="data.sampler", given=sampler, data=name)
        self.sampler = sampler
        if test_shift:
            check_shift(test_shift, data.spec.shape, name)
            self.test = moved(self.test, test_shift, split_seed)
        self.name = name
        self.facts = data.facts
        self.feature_names, self.target_names = data.feature_names, data.target_names
        self.spec = data.spec
        self.batch_size = checked_batch_size(batch_size, len(self.train), name)
        self.is_batch_cut = batch_size not in ("full", self.batch_size)
        self.seed = seed
        self.overfit = overfit
        self.augmentation = replace(augmentation or Augmentation(), num_classes=num_classes)
        self.augmentation.check_values(self.spec.shape, name)
        self.memory_limit = memory_limit
        # More than there are cores, as in a container, would only wait for each other.
        self.num_workers = min(num_workers, num_cores())
        self.at_once = at_once
        self.hand_out: HandOut | None = None  # what is made of a batch for whoever trains
        self.evaluation_batch_size = evaluation_batch_size

    @property
    def batch_size_in_words(self) -> str:
        is_all = self.batch_size == len(self.train)
        return f"{self.batch_size}" + (" (all)" if is_all else "")

    @property
    def num_batches(self) -> int:
        return math.ceil(len(self.train) / self.batch_size)

    @property
    def gigabytes(self) -> float:
        return sum(points.num_bytes for points in (self.train, self.val, self.test)) / 1e9

    @property
    def fits_in_memory(self) -> bool:
        return self.gigabytes <= self.memory_limit

    def _fetch(self, points: Points | Subset) -> Fetch:
        device = torch.device("cpu")
        if self.trainer is not None:
            device = self.trainer.strategy.root_device
        if self.fits_in_memory:
            return FromMemory(points, device)
        return FromWorkers(points, device, self.num_workers)

    def _order(
        self,
        points: Points | Subset,
        batch_size: int,
        seed: int | None = None,
        draws: EvenDraws | None = None,
    ) -> BatchOrder:
        rank, num_ranks = 0, 1
        if self.trainer is not None:
            rank, num_ranks = self.trainer.global_rank, self.trainer.world_size
        return BatchOrder(len(points), batch_size, seed, rank, num_ranks, self.overfit, draws)

    def training_order(self) -> BatchOrder:
        draws = EvenDraws(self.train.targets) if self.sampler == BALANCED else None
        return self._order(self.train, self.batch_size, self.seed, draws)

    def with_seed(self, seed: int) -> DataModule:
        """Return the same parts of the same data, in the batch order of another seed."""
        other = copy.copy(self)
        other.seed = seed
        return other

    def train_dataloader(self) -> TrainingLoader:
        if not self.fits_in_memory:
            values = {"size": self.gigabytes, "given": self.memory_limit}
            log.info(TABLE["memory_limit"].format(**values, num_workers=self.num_workers))
        return TrainingLoader(
            self._fetch(self.train),
            self.training_order(),
            self.augmentation or None,
            at_once=self.at_once,
            hand_out=self.hand_out,
        )

    def _evaluation_loader(self, points: Points | Subset) -> BatchLoader:
        order = self._order(points, self.evaluation_batch_size)
        return BatchLoader(self._fetch(points), order, hand_out=self.hand_out)

    def in_order(self) -> BatchLoader:
        """Return the training points as they are, in their own order."""
        return self._evaluation_loader(self.train)

    def val_dataloader(self) -> BatchLoader | list[BatchLoader]:
        # An empty list is how the Trainer is told that there is no validation.
        return self._evaluation_loader(self.val) if len(self.val) else []

    def test_dataloader(self) -> BatchLoader:
        return self._evaluation_loader(self.test)


def check_shift(shift: int, shape: tuple[int, ...], name: str) -> None:
    """Raise UserError for a shift that the test points cannot make."""
    side = min(shape[1:], default=0)
    if not side:
        raise user_error("spatial", key="test_shift", given=shift, data=name, shape=shape)
    allowed = f"0 (none) to {side} pixels, the size of a point of {name}"
    refuse_unless(0 <= shift <= side, "data.test_shift", shift, allowed, max(1, side // 8))


def moved(points: Points | Subset, shift: int, seed: int) -> Points:
    """Return the points, each moved by up to `shift` positions, with zeros where nothing was."""
    generator = torch.Generator().manual_seed(seed)
    draws = (len(points), points.inputs.dim() - 2)
    offsets = torch.randint(0, 2 * shift + 1, draws, generator=generator)
    # In parts, as the indices of all pixels at once take eight times the memory of the images.
    parts = zip(points.inputs.split(1024), offsets.split(1024), strict=True)
    return Points(torch.cat([shifted(x, shift, own) for x, own in parts]), points.targets)


def whole(points: Points) -> Subset:
    return Subset(points, torch.arange(len(points)))


def cut_validation(train: Points | Subset, fraction: float, seed: int) -> tuple[Subset, Subset]:
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
    """Return the batch size as a number, at most all points, or raise UserError."""
    if batch_size == "full":
        return num_train
    if isinstance(batch_size, int) and batch_size >= 1:
        return min(batch_size, num_train)
    instead = min(64, num_train)
    raise user_error("batch_size", given=batch_size, most=num_train, data=name, instead=instead)
