"""What is measured in training: the means of an epoch.

They are sums on the device that are read once, at the end, over the outputs that the steps made
anyway, each point under the weights of its own step. torchmetrics, which measures validation and
test (evaluation.py), would cost a tenth of a small network's step here; tests hold the two
together.

Shape letters: B batch, K classes or regression targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from experiments.catalogue.class_weights import Mass
from experiments.record.metric import measured_on
from experiments.training.evaluation import NOISE, type_of_sums

AT_ONCE = 4096
"""Points whose outputs are kept until they are added up together."""


def num_hits(outputs: Tensor, classes: Tensor) -> Tensor:
    return (outputs.argmax(dim=1) == classes).count_nonzero()


COUNTED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"accuracy": num_hits}
"""Of classification: what is counted among outputs (B, K) for the classes (B,), by the name of the
share that it is of all points."""


def sums_of(y: Tensor, t: Tensor) -> Tensor:
    """Return of regression the sums over points that `RunningMeans.compute` makes its means of.

    Shapes: y and t (B, K); one row (K,) for each of |y - t|, (y - t)^2, t, t^2.
    """
    error = y - t
    return torch.stack([error.abs().sum(0), error.square().sum(0), t.sum(0), t.square().sum(0)])


class RunningMeans:
    """Mean loss, and accuracy or MAE and R2, of the points seen since the last reset.

    R2 is 1 - sum (y - t)^2 / sum (t - mean t)^2, averaged over the K targets, and nan where one of
    them is constant, as below two points. Targets come standardised, such that no offset or scale
    of the data is too much for the sums; MAE is brought back to the unit of the data.

    Args:
        mass: what the loss divides by in its mean, where it has weights of classes: a batch then
            counts by that in the mean loss, and not by its points.
    """

    def __init__(self, task: str, num_outputs: int, mass: Mass | None = None) -> None:
        self.task = task
        self.mass_of = mass
        self.num_outputs = num_outputs
        self.names = measured_on(task)
        self.reset(torch.device("cpu"))

    def reset(self, device: torch.device) -> None:
        """Forget all points; from then on the sums lie on `device`."""
        self.dtype = type_of_sums(device)
        self.num_points = 0
        self.waiting: list[tuple[Tensor, Tensor, Tensor]] = []
        self.num_waiting = 0
        self.loss = torch.zeros((), dtype=self.dtype, device=device)
        self.mass = torch.zeros((), dtype=self.dtype, device=device)
        self.counts = torch.zeros(len(COUNTED), dtype=torch.int64, device=device)
        nothing = torch.zeros(0, self.num_outputs, dtype=self.dtype, device=device)
        self.sums = sums_of(nothing, nothing)

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
        if self.mass_of is None:
            self._add_losses(losses, sizes)
        else:
            for loss, t in zip(losses, targets, strict=True):
                mass = self.mass_of(t).to(self.dtype)
                self.loss += loss * mass
                self.mass += mass
        if self.task == "classification":
            # Whole numbers: they may be added in any order.
            classes = torch.cat(targets)
            if classes.is_floating_point():  # mixed: the larger part counts
                classes = classes.argmax(dim=1)
            y = torch.cat(outputs)
            self.counts += torch.stack([count(y, classes) for count in COUNTED.values()])
            return
        for y, t in zip(outputs, targets, strict=True):
            self.sums += sums_of(y.to(self.dtype), t.to(self.dtype))

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

    def compute(
        self, total: Callable[[Tensor], Tensor] = lambda x: x, unit: Tensor | None = None
    ) -> dict[str, float]:
        """Return each mean by its name; nan before the first point.

        Args:
            total: sums a tensor over all ranks.
            unit: (K,), what 1 of each standardised target is in the unit of the data; None for 1.
        """
        values = total(self.state())
        num_points, loss, *counts = values[: 2 + len(COUNTED)].tolist()
        if not num_points:
            return dict.fromkeys(self.names, float("nan"))
        if self.mass_of is not None:
            loss *= num_points / values[-1].item()
        if self.task == "classification":
            shares = {name: count / num_points for name, count in zip(COUNTED, counts, strict=True)}
            return {"loss": loss / num_points, **shares}
        sums = values[2 + len(COUNTED) :].view(-1, self.num_outputs)
        absolute, squared, t, t_squared = sums.cpu().double()
        variation = t_squared - t.square() / num_points
        varies = variation > NOISE * t_squared
        r2 = torch.where(varies, 1 - squared / variation, math.nan).mean()
        mae = absolute / num_points * (1.0 if unit is None else unit)
        return {"loss": loss / num_points, "mae": float(mae.mean()), "r2": float(r2)}

    def state(self) -> Tensor:
        """Return all sums as one vector, for a checkpoint."""
        self.add_up()
        counts = torch.tensor([self.num_points], dtype=self.dtype, device=self.loss.device)
        parts = [counts, self.loss.view(1), self.counts.to(self.dtype)]
        masses = [] if self.mass_of is None else [self.mass.view(1)]
        return torch.cat([*parts, self.sums.flatten(), *masses])

    def load(self, state: Tensor) -> None:
        """Go on from what `state` returned."""
        state = state.to(self.loss)
        if self.mass_of is not None:
            state, self.mass = state[:-1], state[-1].clone()
        self.num_points = int(state[0])
        self.loss = state[1].clone()
        sums_from = 2 + len(COUNTED)
        self.counts = state[2:sums_from].to(torch.int64)
        self.sums = state[sums_from:].view(-1, self.num_outputs).clone()
