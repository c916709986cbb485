"""The LightningModule of every run, for classification and regression.

Shape letters: B batch, K classes or regression targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanAbsoluteError, MeanMetric, Metric, R2Score
from torchmetrics.classification import MulticlassAccuracy

from experiments.data.loader import Batch
from experiments.data.normalization import Standardize
from experiments.data.sources import DataSpec

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
MakeScheduler = Callable[[Optimizer, int], LRScheduler]

STAGES = ("train", "val", "test")


class ExperimentModule(L.LightningModule):
    """A network with its loss, metrics, optimizer and schedule.

    Calling the module gives phi_out's output for raw data; `predict` gives class numbers, or
    regression values in the unit of the data. Losses are means over data points; a regression
    loss is that of standardised targets, while MAE is in the unit of the data.

    Args:
        network: (B, *shape) -> (B, K).
        loss: (outputs, targets) -> mean over the batch.
        spec: what the data are.
        make_optimizer: called with the parameters.
        make_scheduler: called with the optimizer and the number of times that it is advanced.
        interval: `epoch` or `step`, when the schedule is advanced.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        spec: DataSpec,
        make_optimizer: MakeOptimizer,
        make_scheduler: MakeScheduler,
        interval: str = "epoch",
    ) -> None:
        super().__init__()
        self.normalize = Standardize(spec.shape[0], len(spec.shape) - 1)
        self.normalize_targets = (
            Standardize(spec.num_outputs) if spec.task == "regression" else None
        )
        self.network = network
        self.loss = loss
        self.spec = spec
        self.make_optimizer = make_optimizer
        self.make_scheduler = make_scheduler
        self.interval = interval
        self.metrics = nn.ModuleDict({f"{stage}_metrics": stage_metrics(spec) for stage in STAGES})

    def forward(self, x: Tensor) -> Tensor:
        return self.network(self.normalize(x))

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Return class numbers (B,), or values (B, K) in the unit of the data."""
        outputs = self(x)
        if self.normalize_targets is None:
            return outputs.argmax(dim=1)
        return self.normalize_targets.inverse(outputs)

    def loss_of(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss over the points; targets in the unit of the data."""
        if self.normalize_targets is not None:
            targets = self.normalize_targets(targets)
        return self.loss(outputs, targets)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        loss = self._measured_loss("train", batch)
        # Shares of unequal size: see data/loader.py. Times 1 would change nothing but cost a step.
        return loss if batch.weight == 1 else loss * batch.weight

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self._measured_loss("val", batch)

    def test_step(self, batch: Batch, batch_index: int) -> None:
        self._measured_loss("test", batch)

    def _measured_loss(self, stage: str, batch: Batch) -> Tensor:
        outputs = self(batch.inputs)
        loss = self.loss_of(outputs, batch.targets)
        metrics: Any = self.metrics[f"{stage}_metrics"]
        if batch.weight:
            self._update(metrics, outputs.detach(), batch.targets, loss.detach())
        # Also on a rank without a point: the others would wait for its part of the metrics.
        for name, metric in metrics.items():
            # Loggers get whole rows from callbacks/history.py.
            self.log(
                f"{stage}/{name}",
                metric,
                on_step=False,
                on_epoch=True,
                logger=False,
                prog_bar=stage == "val",
                batch_size=len(batch.targets),
            )
        return loss

    def _update(
        self, metrics: dict[str, Metric], outputs: Tensor, targets: Tensor, loss: Tensor
    ) -> None:
        if self.normalize_targets is not None:
            outputs = self.normalize_targets.inverse(outputs)
        for name, metric in metrics.items():
            if name == "loss":
                metric.update(loss, len(targets))
            else:
                metric.update(outputs.float(), targets)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self.make_optimizer(self.network.parameters())
        scheduler = self.make_scheduler(optimizer, self._num_total())
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": self.interval},
        }

    def _num_total(self) -> int:
        """Return how often the schedule is advanced; 1 where only the clock ends the run."""
        num_steps = self.trainer.estimated_stepping_batches
        if math.isinf(num_steps):
            return 1
        if self.interval == "step":
            return int(num_steps)
        # Without it a run that is bounded by steps alone has not counted its batches yet.
        self.trainer.fit_loop.setup_data()
        num_batches = self.trainer.num_training_batches
        return math.ceil(num_steps / math.ceil(num_batches / self.trainer.accumulate_grad_batches))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # What load_run needs beside the config, and the stream that dropout draws from.
        checkpoint["data_spec"] = self.spec.as_dict()
        checkpoint["torch_rng_state"] = torch.get_rng_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self._trainer is None or not self.trainer.training:
            return
        if self.trainer.is_global_zero:
            torch.set_rng_state(checkpoint["torch_rng_state"].cpu())
        else:  # the state is rank 0's; each rank draws a stream of its own
            torch.manual_seed(torch.initial_seed() + int(checkpoint["global_step"]))


def stage_metrics(spec: DataSpec) -> nn.ModuleDict:
    """Return the metrics of one stage: the mean loss, and accuracy or MAE and R2."""
    metrics: dict[str, Metric] = {"loss": MeanMetric(nan_strategy="disable")}
    if spec.task == "classification":
        metrics["accuracy"] = MulticlassAccuracy(
            spec.num_outputs, average="micro", validate_args=False
        )
    else:
        metrics["mae"] = MeanAbsoluteError()
        metrics["r2"] = R2Score()
    return nn.ModuleDict(metrics)
