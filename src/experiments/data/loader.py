"""Batches from memory: a batch is an index into one tensor.

The order of an epoch is a pure function of (seed, epoch), and what is done to a batch's images a
pure function of (seed, epoch, batch). The last batch is as short as it comes out; nothing is
dropped and nothing is repeated.

With several ranks a batch is still the batch of the whole run: each rank takes its share, and
`weight` makes the mean over ranks of (weight * mean over the share) the mean over the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from experiments.data.augmentation import Augmentation
from experiments.data.order import BatchOrder
from experiments.data.sources import Points, Subset


class Batch(NamedTuple):
    """A rank's share of a batch.

    Shapes: inputs (B, *shape); targets (B,) or (B, K). `size` is the number of points of the whole
    batch over all ranks, and `weight` is B * ranks / size, 1 on one device.
    """

    inputs: Tensor
    targets: Tensor
    weight: float
    size: int


Fetch = Callable[[list[Tensor]], Iterable[tuple[Tensor, Tensor]]]
"""How points come to the device: inputs and targets at one set of indices after the other."""


HandOut = Callable[[Batch], Any]
"""What is made of a batch before it is handed out."""


class FromMemory:
    """All points lie on the device; those of a batch are taken by their index."""

    def __init__(self, points: Points | Subset, device: torch.device) -> None:
        self.points = points.to(device)
        self.device = device

    def __call__(self, indices: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        # What is small is done for the whole epoch at once; the inputs are taken batch by batch.
        sizes = [len(index) for index in indices]
        rows = torch.cat(indices).to(self.device) if indices else torch.zeros(0, dtype=torch.int64)
        points = self.points
        if isinstance(points, Subset):
            rows, points = points.rows.index_select(0, rows), points.points
        targets = points.targets.index_select(0, rows).split(sizes)
        for index, batch_targets in zip(rows.split(sizes), targets, strict=True):
            yield points.inputs.index_select(0, index), batch_targets


class _Indexed(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Points of which a whole batch is asked for at once."""

    def __init__(self, points: Points | Subset) -> None:
        self.points = points

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor]:
        taken = self.points.take(index)
        return taken.inputs, taken.targets


class FromWorkers:
    """The points stay where they are (a memory-mapped file), and worker processes read ahead."""

    def __init__(self, points: Points | Subset, device: torch.device, num_workers: int) -> None:
        self.points = points
        self.device = device
        self.num_workers = num_workers

    def __call__(self, indices: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        loader: torch.utils.data.DataLoader[Any] = torch.utils.data.DataLoader(
            _Indexed(self.points),
            batch_size=None,
            sampler=indices,
            num_workers=self.num_workers,
            # It would draw from the stream that dropout draws from.
            generator=torch.Generator(),
            pin_memory=self.device.type == "cuda",
        )
        for inputs, targets in loader:
            yield (
                inputs.to(self.device, non_blocking=True),
                targets.to(self.device, non_blocking=True),
            )


class BatchLoader:
    """An iterable over the batches of an epoch.

    Its attributes are those of a DataLoader that the Trainer asks for: on `sampler` it calls
    `set_epoch` before each epoch, and `batch_sampler` is None, as there is none.
    """

    batch_sampler = None

    def __init__(
        self,
        fetch: Fetch,
        order: BatchOrder,
        augmentation: Augmentation | None = None,
        hand_out: HandOut | None = None,
    ) -> None:
        self.hand_out = hand_out or (lambda batch: batch)
        self.fetch = fetch
        self.sampler = order
        self.augmentation = augmentation

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Any]:
        return map(self.hand_out, self.batches())

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of the sampler's epoch from number `start` on."""
        order = self.sampler
        shares = list(order)[start:]
        fetched = self.fetch([share.rows for share in shares])
        for number, (share, (inputs, targets)) in enumerate(
            zip(shares, fetched, strict=True), start
        ):
            # A rank without a point of its own has one of weight 0.
            if self.augmentation is not None and share.weight:
                inputs, targets = self.augmentation(inputs, targets, order, number, share.size)
            yield Batch(inputs, targets, share.weight, share.size)


class Stream:
    """What is left of an epoch: whoever trains takes from it as many batches as it likes."""

    def __init__(self, loader: TrainingLoader, batches: Iterator[Batch]) -> None:
        self._loader = loader
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = next(self._batches)
        self._loader.position += 1
        return batch


class TrainingLoader(BatchLoader):
    """Batches to train on; it knows how far it has come, and goes on from there after a resume.

    Args:
        at_once: hand out not batches but the `Stream` of them, again and again until it is
            exhausted, so that one call of the training step can do many optimizer steps.
    """

    def __init__(
        self,
        fetch: Fetch,
        order: BatchOrder,
        augmentation: Augmentation | None = None,
        at_once: bool = False,
        hand_out: HandOut | None = None,
    ) -> None:
        super().__init__(fetch, order, augmentation, hand_out)
        self.at_once = at_once
        self.position = 0
        self.resumed: dict[str, int] | None = None

    # A generator, so that all of it happens after the Trainer has set the epoch.
    def __iter__(self) -> Iterator[Any]:
        start, self.resumed = self._start(), None
        self.position = start
        stream = Stream(self, self.batches(start))
        while self.position < len(self):
            yield stream if self.at_once else self.hand_out(next(stream))

    def _start(self) -> int:
        resumed = self.resumed
        return resumed["position"] if resumed and resumed["epoch"] == self.sampler.number else 0

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.sampler.number, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Start the next pass where `state` was taken, if that is the same epoch."""
        self.resumed = dict(state)
