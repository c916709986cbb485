"""The LightningModule of every run, for classification and regression.

Shape letters: B batch, K classes or regression targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanAbsoluteError, MeanMetric, Metric, R2Score
from torchmetrics.classification import MulticlassAccuracy

from experiments.data.loader import Batch, Stream
from experiments.data.normalization import Standardize
from experiments.data.sources import DataSpec
from experiments.execution import Execution
from experiments.running import RunningMeans
from experiments.steps import BrokenStep, Steps
from experiments.updates import UpdateRules

MakeOptimizer = Callable[[nn.Module], Optimizer]
MakeScheduler = Callable[[Optimizer, int], LRScheduler]

EVALUATIONS = ("val", "test")


class ExperimentModule(L.LightningModule):
    """A network with its loss, metrics, optimizer and schedule.

    Calling the module gives phi_out's output for raw data; `predict` gives class numbers, or
    regression values in the unit of the data. Losses are means over data points; a regression
    loss is that of standardised targets, while MAE is in the unit of the data.

    Args:
        network: (B, *shape) -> (B, K).
        loss: (outputs, targets) -> mean over the batch.
        spec: what the data are.
        make_optimizer: called with the network.
        make_scheduler: called with the optimizer and the number of times that it is advanced.
        updates: what belongs to an optimizer step beside the optimizer.

    Attributes:
        execution: how many steps a call of the training step does.
        average: the averaged network, with which the run validates and tests; None for none.
        means: of the training epoch so far.

    Optimization is manual, in Lightning's words: the loop over steps, accumulation, clipping,
    averaging and schedules are here and not in the Trainer, which hears of many steps at once.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        spec: DataSpec,
        make_optimizer: MakeOptimizer,
        make_scheduler: MakeScheduler,
        updates: UpdateRules | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.normalize = Standardize(spec.shape[0], len(spec.shape) - 1)
        self.normalize_targets = (
            Standardize(spec.num_outputs) if spec.task == "regression" else None
        )
        self.network = network
        self.loss = loss
        self.spec = spec
        self.make_optimizer = make_optimizer
        self.make_scheduler = make_scheduler
        self.updates = updates or UpdateRules()
        self.execution = Execution(accumulate=self.updates.accumulate)
        self.average = self.updates.average_of(network)
        self.means = RunningMeans(spec.task, spec.num_outputs)
        self.metrics = nn.ModuleDict({f"{s}_metrics": stage_metrics(spec) for s in EVALUATIONS})
        self._steps: Steps | None = None

    def forward(self, x: Tensor) -> Tensor:
        is_averaged = self.average is not None and not self.training
        network: Any = self.average if is_averaged else self.network
        outputs: Tensor = network(self.normalize(x))
        return outputs

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

    def training_step(self, batches: Stream | Batch, batch_index: int) -> dict[str, Any]:
        """Take as many optimizer steps as `execution` says; see steps.py."""
        assert self._steps is not None
        return self._steps.run(iter((batches,)) if isinstance(batches, Batch) else batches)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self._measure("val", batch)

    def test_step(self, batch: Batch, batch_index: int) -> None:
        self._measure("test", batch)

    def _measure(self, stage: str, batch: Batch) -> None:
        outputs = self(batch.inputs)
        metrics: Any = self.metrics[f"{stage}_metrics"]
        if batch.weight:
            num_points = len(batch.targets)
            metrics["loss"].update(self.loss_of(outputs, batch.targets), num_points)
            for name, metric in metrics.items():
                if name != "loss":
                    metric.update(self._in_data_units(outputs).float(), batch.targets)

    def on_validation_epoch_end(self) -> None:
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        self._log_metrics("test")

    def _log_metrics(self, stage: str) -> None:
        # Once, not with every batch, which takes the Trainer a millisecond each time (measured).
        metrics: Any = self.metrics[f"{stage}_metrics"]
        for name, metric in metrics.items():
            # Loggers get whole rows from callbacks/history.py.
            self.log(f"{stage}/{name}", metric, logger=False, prog_bar=stage == "val")

    def _in_data_units(self, outputs: Tensor) -> Tensor:
        return self.normalize_targets.inverse(outputs) if self.normalize_targets else outputs

    def log_means(self) -> None:
        """Log `train/*` of the epoch that has just ended, and begin anew."""
        for name, value in self.means.compute(self._over_ranks).items():
            # The same on all ranks; sync_dist keeps Lightning from warning that it might not be.
            is_shared = self.trainer.world_size > 1
            self.log(
                f"train/{name}",
                value,
                on_step=False,
                on_epoch=True,
                logger=False,
                sync_dist=is_shared,
            )
        self.means.reset(self.device)

    def _over_ranks(self, sums: Tensor) -> Tensor:
        total = self.trainer.strategy.reduce(sums, reduce_op="sum")
        assert isinstance(total, Tensor)
        return total

    def on_train_start(self) -> None:
        self._steps = Steps(self)
        self.execution.begin_next_epoch(self.trainer)
        # The Trainer means to do so when it sets up the loader, which here was before it knew of
        # the checkpoint.
        self.trainer.fit_loop._load_combined_loader_states()
        sums = self.means.state()  # a resumed run has some already
        self.means.reset(self.device)
        self.means.load(sums)

    def on_train_epoch_end(self) -> None:
        # Before the checkpoints, so that a resumed run goes on with the next epoch's rate.
        assert self._steps is not None
        self._steps.end_epoch()
        self.to_evaluation()

    def on_validation_start(self) -> None:
        self.to_evaluation()

    def to_evaluation(self) -> None:
        """Take the weights that are to be evaluated, where the optimizer has others to train with.

        The next training step takes those to train with again.
        """
        if self._steps is not None:
            self._steps.to_evaluation()

    @property
    def broken_step(self) -> BrokenStep | None:
        """The step that ended the training, as its loss is not finite; None while all is well."""
        return self._steps.broken if self._steps is not None else None

    def on_train_end(self) -> None:
        self._steps = None

    def on_validation_model_zero_grad(self) -> None:
        # A validation may come between the batches of an accumulated step.
        if self.updates.accumulate == 1:
            super().on_validation_model_zero_grad()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self.make_optimizer(self.network)
        scheduler = self.make_scheduler(optimizer, self._num_total())
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": self.updates.interval},
        }

    def _num_total(self) -> int:
        """Return how often the schedule is advanced; 1 where only the clock ends the run."""
        trainer = self.trainer
        # Without it the Trainer has not counted its batches yet.
        trainer.fit_loop.setup_data()
        steps_per_epoch = math.ceil(trainer.num_training_batches / self.updates.accumulate)
        limits = [] if trainer.max_steps == -1 else [trainer.max_steps]
        if trainer.max_epochs not in (None, -1):
            limits.append(trainer.max_epochs * steps_per_epoch)
        if not limits:
            return 1
        num_steps = min(limits)
        is_by_step = self.updates.interval == "step"
        return num_steps if is_by_step else math.ceil(num_steps / steps_per_epoch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # What load_run needs beside the config, the streams that dropout draws from, and the
        # sums of an epoch that is not over.
        checkpoint["data_spec"] = self.spec.as_dict()
        checkpoint["torch_rng_state"] = torch.get_rng_state()
        if torch.cuda.is_available():
            checkpoint["cuda_rng_state"] = torch.cuda.get_rng_state()
        if self._trainer is not None:
            checkpoint["running_sums"] = self._over_ranks(self.means.state()).cpu()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self._trainer is None or not self.trainer.training:
            return
        if self.trainer.is_global_zero:
            self.means.load(checkpoint["running_sums"])
            torch.set_rng_state(checkpoint["torch_rng_state"].cpu())
            if "cuda_rng_state" in checkpoint and torch.cuda.is_available():
                torch.cuda.set_rng_state(checkpoint["cuda_rng_state"].cpu())
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
