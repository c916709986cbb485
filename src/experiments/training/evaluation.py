"""What validation and test measure: torchmetrics, on targets as the loss takes them.

Shape letters: B batch, K classes or regression targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, MeanMetric, Metric, R2Score
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.utilities.distributed import gather_all_tensors

from experiments.catalogue.class_weights import Mass
from experiments.record.metric import measured_on
from experiments.training.added_metrics import update

NOISE = 1e-13
"""The part of its mean square below which the variance of a target is rounding: float32 rounds by
6e-8, and squares of that are 4e-15."""


def is_group_of_ranks() -> bool:
    """Return whether processes add up what they measure, be it only one."""
    return dist.is_available() and dist.is_initialized()


def type_of_sums(device: torch.device) -> torch.dtype:
    """Return the type in which values of many points are added up and told on a device.

    Sums of a million float32 losses keep seven digits only in float64, which Apple's GPUs lack.
    """
    return torch.float32 if device.type == "mps" else torch.float64


def of_all_ranks(state: Tensor, group: Any = None) -> list[Tensor]:
    """Return the state of a metric of every rank, the same on all of them.

    A rank without a point has an empty list of outputs (N, K), which torchmetrics takes for one of
    shape (0,) and of numbers, and torch cannot gather tensors of unlike dimensions.
    """
    kinds: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(kinds, (state.shape[1:], state.dtype, len(state) if state.dim() else 1))
    filled = [(shape, dtype) for shape, dtype, length in kinds if length]
    if filled and state.dim() and not len(state):
        shape, dtype = filled[0]
        state = torch.zeros(0, *shape, dtype=dtype, device=state.device)
    gathered: list[Tensor] = gather_all_tensors(state, group)
    return gathered


class DefinedR2(R2Score):
    """R2 = 1 - sum (y - t)^2 / sum (t - mean t)^2, the mean over K targets.

    It is nan where a target is constant and below two points, where torchmetrics says 0 and raises.
    """

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        for sum_of in ("sum_squared_error", "sum_error", "residual"):
            # A scalar until the first update, which a rank without a point could not share out.
            self.add_state(sum_of, torch.zeros(num_outputs), dist_reduce_fx="sum")

    def compute(self) -> Tensor:
        variation = self.sum_squared_error - self.sum_error.square() / self.total
        varies = variation > NOISE * self.sum_squared_error
        return torch.where(varies, 1 - self.residual / variation, math.nan).mean()


class WeightedMean(Metric):
    """Mean of batches' means, each of which counts by the weights of its points: sum w l / sum w.

    So the loss of a whole comes out of its batches, however it was cut into them.
    """

    total: Tensor
    mass: Tensor

    def __init__(self) -> None:
        super().__init__()
        for sum_of in ("total", "mass"):
            self.add_state(sum_of, torch.zeros(()), dist_reduce_fx="sum")

    def update(self, mean: Tensor, mass: Tensor) -> None:
        mass = mass.to(self.dtype)
        self.total = self.total + mean.to(self.dtype) * mass
        self.mass = self.mass + mass

    def compute(self) -> Tensor:
        return self.total / self.mass


class Evaluation(nn.Module):
    """Mean loss, and accuracy or MAE and R2, of the points of a validation or test, on all ranks.

    Targets of a regression come standardised, such that no offset or scale of the data is too much
    for sums; MAE is brought back to the unit of the data. All is added up in float64 (float32 on
    Apple's GPUs, which lack it): float32 sums gave an R2 of 1.002 for targets of 2460310 +- 50, and
    as float32 9 hits of 10 are less than 0.9.

    Args:
        mass: what the loss divides by in its mean, where it has weights of classes; its mean over
            all points then is the weighted one, as torch's over all of them at once.
    """

    def __init__(
        self,
        task: str,
        num_outputs: int,
        added: Mapping[str, Metric] | None = None,
        mass: Mass | None = None,
    ) -> None:
        super().__init__()
        self.mass = mass
        make: dict[str, Callable[[], Metric]] = {
            # Not weighted, as a weight is lost where nan is not looked for.
            "loss": lambda: MeanMetric(nan_strategy="disable") if mass is None else WeightedMean(),
            # What it would validate is so already, and to look costs more than to count.
            "accuracy": lambda: MulticlassAccuracy(
                num_outputs, average="micro", validate_args=False
            ),
            "mae": lambda: MeanAbsoluteError(num_outputs=num_outputs),
            "r2": lambda: DefinedR2(num_outputs),
        }
        self.task = task
        self.metrics = nn.ModuleDict({name: make[name]() for name in measured_on(task)})
        self.added = nn.ModuleDict(added or {})
        for part in self.added.modules():
            if isinstance(part, Metric):
                part.dist_sync_fn = of_all_ranks

    def _always(self) -> dict[str, Metric]:
        return {name: cast("Metric", metric) for name, metric in self.metrics.items()}

    def _all(self) -> dict[str, Metric]:
        added = {name: cast("Metric", metric) for name, metric in self.added.items()}
        return self._always() | added

    @property
    def dtype(self) -> torch.dtype:
        return self._always()["loss"].dtype

    def reset(self, device: torch.device) -> None:
        """Forget all points; from then on the states lie on `device`."""
        dtype = type_of_sums(device)
        for metric in self._all().values():
            if metric.device != device or metric.dtype != dtype:
                metric.to(device).set_dtype(dtype)
            metric.reset()

    def update(self, loss: Tensor, outputs: Tensor, targets: Tensor) -> None:
        """Count a batch, under its mean loss; of no points, as a rank's may be, nothing.

        Shapes: loss (), outputs (B, K), targets (B,) of class numbers or (B, K).
        """
        if not len(targets):
            return
        if self.task == "regression":
            outputs, targets = outputs.to(self.dtype), targets.to(self.dtype)
        for name, metric in self._always().items():
            if name == "loss" and self.mass is not None:
                metric.update(loss, self.mass(targets))
            elif name == "loss":
                metric.update(loss.expand(len(targets)))
            else:
                metric.update(outputs, targets)

    def update_added(self, outputs: Tensor, targets: Tensor) -> None:
        """Count a batch for the added metrics.

        Shapes: outputs (B, K), probabilities of classes or values in the unit of the data; targets
        (B,) or (B, K).
        """
        if not len(targets):
            return
        for metric in self.added.values():
            update(cast("Metric", metric), outputs.to(self.dtype), targets)

    def compute(self, unit: Tensor | None = None) -> dict[str, float]:
        """Return each mean by its name; nan where no rank has seen a point.

        Args:
            unit: (K,), what 1 of each standardised target is in the unit of the data; None for 1.
        """
        metrics = self._all()
        # In a group the other ranks wait for this one.
        if not metrics["loss"].update_called and not is_group_of_ranks():
            return dict.fromkeys(metrics, math.nan)
        values = {name: metric.compute() for name, metric in metrics.items()}
        if "mae" in values and unit is not None:
            values["mae"] = values["mae"].cpu() * unit
        return {name: float(value.mean()) for name, value in values.items()}
