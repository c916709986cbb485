"""The means of a training epoch, as sums on the device that are read once, at its end.

They are taken over the outputs that the training steps made anyway, each point under the weights
of its own step. torchmetrics, which measures validation and test, would cost a tenth of a small
network's step here; the tests hold one against the other.

Shape letters: B batch, K classes or regression targets.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

AT_ONCE = 4096
"""Points whose outputs are kept until they are added up together."""


def measured_on(task: str) -> tuple[str, ...]:
    """Return the names of what is measured of a task, in training, validation and test alike.

    >>> measured_on("classification"), measured_on("regression")
    (('loss', 'accuracy'), ('loss', 'mae', 'r2'))
    """
    return ("loss", "accuracy") if task == "classification" else ("loss", "mae", "r2")


class RunningMeans:
    """Mean loss, and accuracy or MAE and R2, of the points seen since the last reset.

    Args:
        task: classification or regression.
        num_outputs: K.

    R2 is 1 - sum (y - t)^2 / sum (t - mean t)^2, averaged over the K targets, and nan below two
    points.
    """

    def __init__(self, task: str, num_outputs: int) -> None:
        self.task = task
        self.num_outputs = num_outputs
        self.names = measured_on(task)
        self.reset(torch.device("cpu"))

    def reset(self, device: torch.device) -> None:
        """Forget all points; from then on the sums lie on `device`."""
        # Sums of a million float32 losses keep seven digits only in float64, which Apple's GPUs
        # lack.
        self.dtype = torch.float32 if device.type == "mps" else torch.float64
        self.num_points = 0
        self.waiting: list[tuple[Tensor, Tensor, Tensor]] = []
        self.num_waiting = 0
        self.loss = torch.zeros((), dtype=self.dtype, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)
        # Rows: |y - t|, (y - t)^2, t, t^2.
        self.sums = torch.zeros(4, self.num_outputs, dtype=self.dtype, device=device)

    def update(self, loss: Tensor, outputs: Tensor, targets: Tensor) -> None:
        """Count a batch, under its mean loss; all detached.

        Shapes: loss (), outputs (B, K), targets (B,) of class numbers or (B, K).
        """
        self.waiting.append((loss, outputs, targets))
        self.num_waiting += len(targets)
        if self.num_waiting >= AT_ONCE:
            self.add_up()

    def add_up(self) -> None:
        """Add the batches that wait to the sums, in their order.

        Many at once, since six small operations between two training steps would find the
        processor's caches full of other things and cost four times as much.
        """
        if not self.waiting:
            return
        losses, outputs, targets = zip(*self.waiting, strict=True)
        sizes = [len(t) for t in targets]
        self.waiting, self.num_waiting = [], 0
        self.num_points += sum(sizes)
        self._add_losses(losses, sizes)
        if self.task == "classification":
            # Whole numbers: they may be added in any order.
            classes = torch.cat(targets)
            if classes.is_floating_point():  # mixed: the larger part counts
                classes = classes.argmax(dim=1)
            hits = torch.cat(outputs).argmax(dim=1) == classes
            self.correct.add_(hits.count_nonzero())
            return
        for y, t in zip(outputs, targets, strict=True):
            y, t = y.to(self.dtype), t.to(self.dtype)
            error = y - t
            self.sums += torch.stack(
                [error.abs().sum(0), error.square().sum(0), t.sum(0), t.square().sum(0)]
            )

    def _add_losses(self, losses: tuple[Tensor, ...], sizes: list[int]) -> None:
        if self.loss.device.type != "cpu":
            # One by one where they lie: reading them would keep the device waiting.
            for loss, size in zip(losses, sizes, strict=True):
                self.loss.add_(loss, alpha=size)
            return
        total = float(self.loss)
        for value, size in zip(torch.stack(losses).tolist(), sizes, strict=True):
            total += value * size
        self.loss.fill_(total)

    def compute(self, total: Callable[[Tensor], Tensor] = lambda x: x) -> dict[str, float]:
        """Return each mean by its name; nan before the first point.

        Args:
            total: sums a tensor over all ranks.
        """
        values = total(self.state())
        num_points, loss, correct = values[:3].tolist()
        if not num_points:
            return dict.fromkeys(self.names, float("nan"))
        if self.task == "classification":
            return {"loss": loss / num_points, "accuracy": correct / num_points}
        absolute, squared, t, t_squared = values[3:].view(4, -1)
        variation = t_squared - t.square() / num_points
        r2 = (1 - squared / variation).mean() if num_points > 1 else torch.tensor(float("nan"))
        mae = absolute.mean() / num_points
        return {"loss": loss / num_points, "mae": float(mae), "r2": float(r2)}

    def state(self) -> Tensor:
        """Return all sums as one vector, for a checkpoint."""
        self.add_up()
        counts = torch.tensor([self.num_points], dtype=self.dtype, device=self.loss.device)
        parts = [counts, self.loss.view(1), self.correct.to(self.dtype).view(1)]
        return torch.cat([*parts, self.sums.flatten()])

    def load(self, state: Tensor) -> None:
        """Go on from what `state` returned."""
        state = state.to(self.loss)
        self.num_points = int(state[0])
        self.loss = state[1].clone()
        self.correct = state[2].to(torch.int64)
        self.sums = state[3:].view(4, -1).clone()
