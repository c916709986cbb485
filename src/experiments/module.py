"""The LightningModule of every run, for classification and regression.

Shape letters: B batch, K classes or regression targets.
"""

from __future__ import annotations

import functools
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

from experiments.data.loader import Batch, Stream, TrainingLoader
from experiments.data.normalization import Standardize
from experiments.data.sources import DataSpec
from experiments.execution import Execution
from experiments.running import RunningMeans
from experiments.updates import UpdateRules

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
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
        make_optimizer: called with the parameters.
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
        self.is_plain = True
        self._scheduler: Any = None
        self._optimized: list[nn.Parameter] = []
        self._step_loss = torch.zeros(())

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
        """Take as many optimizer steps as `execution` says, from a stream of batches.

        Returns:
            `loss` of the last step, a mean over its points (over the ranks, if there are several);
            `lr` that it was taken with; `num_points` of all the steps.
        """
        stream = iter((batches,)) if isinstance(batches, Batch) else batches
        first, end = self.execution.begin(self.trainer)
        lr, num_points, num_steps = math.nan, 0, 0
        for number in range(first, end):
            # A StopIteration would end the step without a word.
            batch = next(stream, None)
            assert batch is not None, f"batch {number} of {end} is missing"
            num_points += batch.size if batch.weight else 0
            begins, share, ends = self._place(number, batch)
            part = self._backward(batch, share, begins)
            self._step_loss = part if begins else self._step_loss + part
            if ends:
                lr = self._step()
                num_steps += 1
                if self.execution.is_over():
                    break
        self.execution.count(self.trainer, number + 1 - first, num_steps)
        return {"loss": self._step_loss, "lr": lr, "num_points": num_points}

    def _place(self, number: int, batch: Batch) -> tuple[bool, float, bool]:
        """Return whether a batch begins a step, its share of the step's points, whether it ends it.

        An accumulated step is the step of one larger batch: each loss weighs by its points.
        """
        accumulate, num_batches = self.updates.accumulate, int(self.trainer.num_training_batches)
        if accumulate == 1:
            return True, 1.0, True
        first = number - number % accumulate
        last = min(first + accumulate, num_batches)
        order = self._loader.sampler
        return number == first, batch.size / order.num_points_in(first, last), number + 1 == last

    def _backward(self, batch: Batch, share: float, begins: bool) -> Tensor:
        """Add a batch's gradient, and return its part of the step's loss."""
        if begins:
            optimizer = self.trainer.optimizers[0]
            if self.execution.has_hooks:
                self._tell("on_before_zero_grad", optimizer)
            optimizer.zero_grad(set_to_none=True)
        outputs = self(batch.inputs)
        loss = self.loss_of(outputs, batch.targets)
        if batch.weight:
            self.means.update(loss.detach(), self._in_data_units(outputs.detach()), batch.targets)
        # Shares of unequal size: see data/loader.py. Times 1 would change nothing but cost a step.
        weight = batch.weight * share
        weighted = loss if weight == 1 else loss * weight
        if self.is_plain:
            weighted.backward()
        else:
            self.manual_backward(weighted)
        return weighted.detach()

    def _step(self) -> float:
        """Step once with the gradients in place, and return the learning rate of that step."""
        optimizer = self.trainer.optimizers[0]
        lr = float(optimizer.param_groups[0]["lr"])
        before = None
        if self.execution.has_hooks:
            before = functools.partial(self._tell, "on_before_optimizer_step", optimizer)
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        self.updates.step(optimizer, self._optimized, scaler, before)
        self.updates.after_step(self.network, self.average, self._scheduler)
        return lr

    def _tell(self, hook: str, *arguments: Any) -> None:
        """Call a hook of all callbacks, as the Trainer does in automatic optimization."""
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            getattr(callback, hook)(self.trainer, self, *arguments)

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

    @property
    def _loader(self) -> TrainingLoader:
        loader: Any = self.trainer.train_dataloader
        assert isinstance(loader, TrainingLoader)
        return loader

    def _over_ranks(self, sums: Tensor) -> Tensor:
        total = self.trainer.strategy.reduce(sums, reduce_op="sum")
        assert isinstance(total, Tensor)
        return total

    def on_train_start(self) -> None:
        is_alone = self.trainer.world_size == 1
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        self.is_plain = is_alone and scaler is None and not self.execution.has_hooks
        configs = self.trainer.lr_scheduler_configs
        self._scheduler = configs[0].scheduler if configs else None
        self._optimized = [p for p in self.network.parameters() if p.requires_grad]
        # The Trainer means to do so when it sets up the loader, which here was before it knew of
        # the checkpoint.
        self.trainer.fit_loop._load_combined_loader_states()
        sums = self.means.state()  # a resumed run has some already
        self.means.reset(self.device)
        self.means.load(sums)

    def on_train_epoch_end(self) -> None:
        # Before the checkpoints, so that a resumed run goes on with the next epoch's rate.
        is_whole = self._loader.position >= self.trainer.num_training_batches
        if self._scheduler is not None and self.updates.interval == "epoch" and is_whole:
            self._scheduler.step()

    def on_validation_model_zero_grad(self) -> None:
        # A validation may come between the batches of an accumulated step.
        if self.updates.accumulate == 1:
            super().on_validation_model_zero_grad()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self.make_optimizer(self.network.parameters())
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
