"""The LightningModule of every run, for classification and regression.

Shape letters: B batch, K classes or regression targets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import Metric

from experiments.catalogue.class_weights import mass_of
from experiments.data.loader import Batch, Stream
from experiments.data.normalization import Standardize
from experiments.data.sources import DataSpec
from experiments.record.metric import measured_names
from experiments.training.added_metrics import scores_of
from experiments.training.calls import Execution
from experiments.training.evaluation import Evaluation, is_group_of_ranks, type_of_sums
from experiments.training.metrics import RunningMeans
from experiments.training.random_streams import keep_streams, take_streams
from experiments.training.rank_states import OF_RANKS, gathered, own_state
from experiments.training.recipe import Recipe
from experiments.training.steps import BrokenStep, Steps, UpdateRules, average_of
from experiments.training.told_points import Told, ToldPoints


class ExperimentModule(L.LightningModule):
    """A network with its loss and metrics; to be trained, with a recipe too.

    Calling the module gives phi_out's output for raw data; `predict` gives class numbers, or
    regression values in the unit of the data. Losses are means over data points, weighted where the
    loss has weights of classes (`mass_of`); a regression loss is that of standardised targets,
    while MAE is in the unit of the data.

    Args:
        network: (B, *shape) -> (B, K).
        loss: (outputs, targets) -> mean over the batch.
        spec: what the data are.
        ema_decay: d of the averaged network (`average_of`), with which the run validates and
            tests; None for none.
        recipe: optimizer, schedule and rules of an update; None in a module that only predicts.
        execution: how many steps a call of the training step does.
        added: what is measured of validation and test beside, by name.
        balances: the loss has weights of classes that the training labels say.

    Attributes:
        tested: gathers what is told of each test point; None where that is not kept.
        member_metrics: where a member of a population, which no Trainer of its own trains, logs
            what it measures; None for the Trainer.
        member_broken: the step that ended the training of a member.

    Optimization is manual, in Lightning's words: the loop over steps, accumulation, clipping,
    averaging and schedules are here and not in the Trainer, which hears of many steps at once.
    """

    is_measurable = True
    """Whether its outputs for points can be had, and held against their targets."""

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        spec: DataSpec,
        *,
        ema_decay: float | None = None,
        recipe: Recipe | None = None,
        execution: Execution | None = None,
        added: Mapping[str, Metric] | None = None,
        balances: bool = False,
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
        self.recipe = recipe
        self.rules = recipe.rules if recipe else UpdateRules()
        self.execution = execution or Execution(accumulate=self.rules.accumulate)
        self.average = None if ema_decay is None else average_of(network, ema_decay)
        self.balances = balances
        self.mass = mass_of(loss)
        self.means = RunningMeans(spec.task, spec.num_outputs, self.mass)
        self.evaluation = Evaluation(spec.task, spec.num_outputs, added, self.mass)
        self.tested: ToldPoints | None = None
        self.member_metrics: dict[str, Tensor] | None = None
        self.member_broken: BrokenStep | None = None
        self._steps: Steps | None = None

    def forward(self, x: Tensor) -> Tensor:
        is_averaged = self.average is not None and not self.training
        network: Any = self.average if is_averaged else self.network
        outputs: Tensor = network(self.normalize(x))
        return outputs

    @property
    def trained(self) -> L.LightningModule:
        """What the Trainer trains."""
        return self

    @property
    def evaluated(self) -> nn.Module:
        """The network that it evaluates with: the averaged one where there is one."""
        return self.network if self.average is None else self.average.module

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Return class numbers (B,), or values (B, K) in the unit of the data.

        Values are float64 where float32 would round what the data tell apart: 2460310 +- 50.
        """
        outputs = self(x)
        return outputs.argmax(dim=1) if self.normalize_targets is None else self.shown(outputs)

    def shown(self, outputs: Tensor) -> Tensor:
        """Return outputs (B, K) as probabilities of classes, or values in the unit of the data."""
        if self.normalize_targets is None:
            return scores_of(self.loss)(outputs)
        return self.normalize_targets.inverse(outputs)

    def loss_of(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss over the points; targets in the unit of the data."""
        return self.loss(outputs, self.standardized(targets)[0])

    def standardized(self, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return targets as the loss takes them, and as they are measured: in more bits if need be.

        Class numbers are both as they are.
        """
        if self.normalize_targets is None:
            return targets, targets
        unrounded = self.normalize_targets.unrounded(targets)
        return unrounded.to(self.normalize_targets.result.dtype), unrounded

    def measured_names(self, config: Mapping[str, Any]) -> list[str]:
        """Return the names of what its training and validation measure."""
        added, has_full_loss = config.get("metrics"), config["log_full_loss"]
        return measured_names(self.spec.task, added, log_full_loss=has_full_loss)

    def load_saved(self, saved: Mapping[str, Any]) -> None:
        """Take the weights and statistics of a checkpoint, or raise RuntimeError."""
        self.load_state_dict(saved["state_dict"], strict=True)

    def compile_networks(self) -> None:
        """Have torch compile the network, and its average, when they are first called."""
        self.network.compile()
        if self.average is not None:
            self.average.module.compile()

    def training_step(self, batches: Stream | Batch, batch_index: int) -> dict[str, Any]:
        assert self._steps is not None
        return self._steps.take(iter((batches,)) if isinstance(batches, Batch) else batches)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self._measure(batch)

    def test_step(self, batch: Batch, batch_index: int) -> None:
        outputs = self._measure(batch)
        if self.tested is not None:
            self.tested.add(batch, self.told(outputs))

    def predict_step(self, batch: Batch, batch_index: int) -> Told:
        return self.told(self(batch.inputs))

    def told(self, outputs: Tensor) -> Told:
        """Return what the outputs (B, K) of a batch say of its points."""
        classes = outputs.argmax(dim=1) if self.normalize_targets is None else None
        return Told(classes, self.shown(outputs))

    def _measure(self, batch: Batch) -> Tensor:
        """Count a batch of validation or test, and return its outputs (B, K)."""
        outputs: Tensor = self(batch.inputs)
        targets, measured = self.standardized(batch.targets)
        self.count(batch, self.loss(outputs, targets), outputs, measured)
        return outputs

    def count(self, batch: Batch, loss: Tensor, outputs: Tensor, measured: Tensor) -> None:
        """Count a batch of validation or test, under its mean loss.

        Args:
            measured: the targets, as `standardized` gives them to be measured.
        """
        seen = None if batch.weight else 0  # a rank without a point of its own has one to spare
        self.evaluation.update(loss, outputs[:seen], measured[:seen])
        if self.evaluation.added:
            self.evaluation.update_added(self.shown(outputs[:seen]), batch.targets[:seen])

    def on_validation_epoch_start(self) -> None:
        self.evaluation.reset(self.device)

    def on_test_epoch_start(self) -> None:
        self.evaluation.reset(self.device)

    def on_validation_epoch_end(self) -> None:
        self._log("val", self.evaluation.compute(self._unit))

    def on_test_epoch_end(self) -> None:
        self._log("test", self.evaluation.compute(self._unit))
        if self.tested is not None:
            self.tested.gather(self.over_ranks)

    def log_means(self) -> None:
        """Log `train/*` of the epoch that has just ended, and begin anew."""
        self._log("train", self.means.compute(self.over_ranks, self._unit))
        self.means.reset(self.device)

    @property
    def _unit(self) -> Tensor | None:
        return self.normalize_targets.std.flatten().cpu() if self.normalize_targets else None

    def _log(self, stage: str, values: Mapping[str, float]) -> None:
        # Once, not with every batch, which takes the Trainer a millisecond each time (measured).
        for name, value in values.items():
            # As a tensor, since the Trainer would round a float to 32 bits.
            number = torch.tensor(value, dtype=type_of_sums(self.device), device=self.device)
            self.log_of_epoch(f"{stage}/{name}", number, prog_bar=stage == "val")

    def log_of_epoch(self, name: str, value: Tensor, prog_bar: bool = False) -> None:
        """Log a value of the whole epoch, the same on all ranks."""
        if self.member_metrics is not None:
            self.member_metrics[name] = value.detach()
            return
        # sync_dist keeps Lightning from warning that it might not be. Loggers get whole rows from
        # callbacks/history_rows.py.
        is_shared = is_group_of_ranks()  # by ddp for a single process, too
        self.log(
            name,
            value,
            prog_bar=prog_bar,
            on_step=False,
            on_epoch=True,
            logger=False,
            sync_dist=is_shared,
        )

    def over_ranks(self, sums: Tensor) -> Tensor:
        total = self.trainer.strategy.reduce(sums, reduce_op="sum")
        assert isinstance(total, Tensor)
        return total

    def on_train_start(self) -> None:
        self._steps = Steps(self)
        self.execution.go_on_from_checkpoint(self.trainer)
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
        return self._steps.broken if self._steps is not None else self.member_broken

    def on_train_end(self) -> None:
        self._steps = None

    def on_validation_model_zero_grad(self) -> None:
        # A validation may come between the batches of an accumulated step.
        if self.rules.accumulate == 1:
            super().on_validation_model_zero_grad()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        assert self.recipe is not None, "a module that only predicts has nothing to train with"
        optimizer = self.recipe.optimizer.make(self.network)
        scheduler = self.recipe.make_scheduler(optimizer, self.num_total())
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": self.rules.interval},
        }

    @property
    def is_attached(self) -> bool:
        try:
            return self.trainer is not None
        except RuntimeError:  # its words for none
            return False

    def num_total(self) -> int:
        """Return how often the schedule is advanced; 1 where only the clock ends the run."""
        trainer = self.trainer
        # Without it the Trainer has not counted its batches yet.
        trainer.fit_loop.setup_data()
        steps_per_epoch = math.ceil(trainer.num_training_batches / self.rules.accumulate)
        limits = [] if trainer.max_steps == -1 else [trainer.max_steps]
        if trainer.max_epochs not in (None, -1):
            limits.append(trainer.max_epochs * steps_per_epoch)
        if not limits:
            return 1
        num_steps = min(limits)
        is_by_step = self.rules.interval == "step"
        return num_steps if is_by_step else math.ceil(num_steps / steps_per_epoch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # What load_run needs beside the config, the streams that dropout draws from, and the
        # sums of an epoch that is not over.
        checkpoint["data_spec"] = self.spec.as_dict()
        keep_streams(checkpoint)
        if self.is_attached:
            sums = self.means.state()
            if self.trainer.world_size > 1:
                checkpoint[OF_RANKS] = gathered(self.trainer, sums)
            checkpoint["standardized_sums"] = self.over_ranks(sums).cpu()
            checkpoint["validated"] = self.validated()

    def validated(self) -> dict[str, Tensor]:
        """Return what the last validation has measured: at an epoch's end a plateau is shown it."""
        metrics = self.trainer.callback_metrics.items()
        return {name: value.detach().cpu() for name, value in metrics if name.startswith("val/")}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if not self.is_attached or not self.trainer.training:
            return
        # The Trainer has forgotten it.
        trainer: Any = self.trainer
        trainer.measured = dict(checkpoint.get("validated", {}))
        own = own_state(checkpoint, self.trainer)
        if own is not None:
            self.means.load(own["sums"])
            take_streams(own)
        elif self.trainer.is_global_zero:
            self._load_sums(checkpoint)
            take_streams(checkpoint)
        else:  # of another number of ranks, or before each kept its own: each begins a new stream
            torch.manual_seed(torch.initial_seed() + int(checkpoint["global_step"]))

    def _load_sums(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the sums of an epoch that is not over.

        Those of an older checkpoint are of targets in the unit of the data; amid an epoch of a
        regression they are left out.
        """
        sums = checkpoint.get("standardized_sums")
        if sums is None and self.spec.task == "classification":
            sums = checkpoint["running_sums"]
        if sums is not None:
            self.means.load(sums)
