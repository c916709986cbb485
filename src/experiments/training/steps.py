"""The optimizer steps inside one call of the Trainer's training step: forward, backward, update.

Everything a step needs is looked up once, when training starts: on a small network each lookup
through the module, the Trainer and its strategy costs a hundredth of the step.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from experiments.data.loader import Batch, TrainingLoader
from experiments.data.normalization import Standardize
from experiments.training.calls import Execution
from experiments.training.metrics import RunningMeans


@dataclass(frozen=True)
class UpdateRules:
    """What happens beside the optimizer's own step.

    Args:
        accumulate: batches whose gradients make one step, as if they were one batch.
        clip_val: the largest norm, or the largest magnitude, of the gradient; None for no limit.
        clip_algorithm: `norm` (Pascanu, Mikolov, Bengio 2013, algorithm 1, over all parameters
            together) or `value` (each component by itself).
        interval: `epoch` or `step`, when the schedule is advanced.
        closure: the optimizer computes loss and gradients again within its step.
        switched: it evaluates with other weights than it trains with.
    """

    accumulate: int = 1
    clip_val: float | None = None
    clip_algorithm: str = "norm"
    interval: str = "epoch"
    closure: bool = False
    switched: bool = False

    def part_of_step(
        self, number: int, batch: Batch, trainer: L.Trainer, loader: TrainingLoader
    ) -> tuple[bool, float, bool]:
        """Return whether a batch begins a step, its share of the step's points, whether it ends it.

        An accumulated step is the step of one larger batch: each loss weighs by its points.
        """
        if self.accumulate == 1:
            return True, 1.0, True
        first = number - number % self.accumulate
        last = min(first + self.accumulate, int(trainer.num_training_batches))
        share = batch.size / loader.sampler.num_points_in(first, last)
        return number == first, share, number + 1 == last

    def clip(self, parameters: list[nn.Parameter]) -> None:
        if self.clip_val is None:
            return
        if self.clip_algorithm == "norm":
            clip_grad_norm_(parameters, self.clip_val)
        else:
            clip_grad_value_(parameters, self.clip_val)

    def step(
        self,
        optimizer: Optimizer,
        parameters: list[nn.Parameter],
        scaler: torch.amp.GradScaler | None,
        before: Callable[[], None] | None,
        closure: Callable[[], Tensor] | None = None,
    ) -> None:
        """Let the optimizer step once.

        Args:
            scaler: of a run in half precision, whose gradients are scaled.
            before: called with the unscaled gradients in place.
            closure: computes loss and gradients again, for an optimizer that does so.
        """
        if scaler is not None:
            scaler.unscale_(optimizer)
        if before is not None:
            before()
        self.clip(parameters)
        if closure is not None:
            optimizer.step(closure)  # type: ignore[arg-type]
        elif scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()

    def after_step(
        self, network: nn.Module, average: AveragedModel | None, scheduler: LRScheduler | None
    ) -> None:
        """Advance the average and a schedule that goes by steps."""
        if average is not None:
            average.update_parameters(network)
        if scheduler is not None and self.interval == "step":
            scheduler.step()


def average_of(network: nn.Module, decay: float) -> AveragedModel:
    """Return the average of a network's weights, as yet a copy of them.

    theta_ema <- d theta_ema + (1 - d) theta after each step. Polyak & Juditsky 1992 average all
    steps alike; the exponential form as in Tarvainen & Valpola 2017, equation 1.
    """
    # Buffers (a batch norm's statistics) are averaged too: they belong to the averaged weights.
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    return average.requires_grad_(False)


class BrokenStep(NamedTuple):
    """A step that was not done, as its loss is not finite.

    Attributes:
        batch: the last of its batches.
        loss: nan, inf or -inf.
        last_loss: of the step before it; None where this is the first.
        lr: that it would have been done with.
    """

    batch: Batch
    loss: float
    last_loss: float | None
    lr: float


class Steps:
    """The optimizer steps of a run that has started.

    Args:
        module: ExperimentModule, attached to its Trainer, with the loader in place.
    """

    def __init__(self, module: Any) -> None:
        self.module: L.LightningModule = module
        self.trainer: L.Trainer = module.trainer
        self.loader: TrainingLoader = module.trainer.train_dataloader
        self.network: nn.Module = module.network
        self.loss: nn.Module = module.loss
        self.normalize: Standardize = module.normalize
        self.standardized: Callable[[Tensor], tuple[Tensor, Tensor]] = module.standardized
        self.average: AveragedModel | None = module.average
        self.rules: UpdateRules = module.rules
        self.execution: Execution = module.execution
        self.means: RunningMeans = module.means
        trainer, network = self.trainer, self.network
        self.optimizer = trainer.optimizers[0]
        configs = trainer.lr_scheduler_configs
        self.scheduler: Any = configs[0].scheduler if configs else None
        self.is_switched = self.rules.switched
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.scaler = getattr(trainer.precision_plugin, "scaler", None)
        # Strategies of several processes, scalers and callbacks' hooks want the Trainer's own
        # backward pass; where there are none of them it would only cost time.
        is_alone = trainer.world_size == 1 and self.scaler is None
        self.is_plain = is_alone and not self.execution.has_hooks
        self.before_step = None
        if self.execution.has_hooks:
            self.before_step = functools.partial(
                self.call_hooks, "on_before_optimizer_step", self.optimizer
            )
        self.step_loss = torch.zeros((), device=self.module.device)
        # Elsewhere the host would wait for the device at each step, or one rank for the others.
        self.reads_losses = is_alone and self.module.device.type == "cpu"
        self.last_loss: float | None = None
        self.broken: BrokenStep | None = None

    def take(self, batches: Iterator[Batch]) -> dict[str, Any]:
        """Take as many steps as `execution` says.

        Returns:
            `loss` of the last step, a mean over its points (over the ranks, if there are several);
            `lr` that it was taken with; `num_points` of all the steps.
        """
        execution, optimizer, rules = self.execution, self.optimizer, self.rules
        if self.is_switched:  # after a validation; where it is at the training weights, nothing
            optimizer.train()
        first, end = execution.begin(self.trainer)
        lr, num_points, num_steps = math.nan, 0, 0
        for number in range(first, end):
            # A StopIteration would end the step without a word.
            batch = next(batches, None)
            assert batch is not None, f"batch {number} of {end} is missing"
            num_points += batch.size if batch.weight else 0
            begins, share, ends = self.rules.part_of_step(number, batch, self.trainer, self.loader)
            part = self.backward(batch, share, begins)
            self.step_loss = part if begins else self.step_loss + part
            if ends:
                lr = optimizer.param_groups[0]["lr"]
                if self.reads_losses and self.is_broken(batch, float(lr)):
                    break
                closure = self.closure_of(batch) if rules.closure else None
                rules.step(optimizer, self.parameters, self.scaler, self.before_step, closure)
                rules.after_step(self.network, self.average, self.scheduler)
                num_steps += 1
                if execution.is_over():
                    break
        execution.count(self.trainer, number + 1 - first, num_steps)
        return {"loss": self.step_loss, "lr": float(lr), "num_points": num_points}

    def is_broken(self, batch: Batch, lr: float) -> bool:
        """Return whether the step's loss is not finite; the weights then stay as they gave it."""
        loss = self.step_loss.item()
        if math.isfinite(loss):
            self.last_loss = loss
            return False
        self.broken = BrokenStep(batch, loss, self.last_loss, lr)
        return True

    def closure_of(self, batch: Batch) -> Callable[[], Tensor]:
        """Return what gives the loss of a batch with its gradients in place, anew at each call.

        Also at the first call, where LBFGS has them already: others have moved the weights by then.
        """

        def closure() -> Tensor:
            loss = self.backward(batch, 1.0, True, counts=False)
            self.rules.clip(self.parameters)
            return loss

        return closure

    def backward(self, batch: Batch, share: float, begins: bool, counts: bool = True) -> Tensor:
        """Add a batch's gradient, and return its part of the step's loss.

        Args:
            share: of the step's points.
            begins: it is the first of its step.
            counts: it goes into the epoch's means.
        """
        if begins:
            if self.execution.has_hooks:
                self.call_hooks("on_before_zero_grad", self.optimizer)
            self.optimizer.zero_grad(set_to_none=True)
        inputs, targets, weight, _ = batch
        outputs = self.network(self.normalize(inputs))
        targets, measured = self.standardized(targets)
        loss = self.loss(outputs, targets)
        detached = loss.detach()
        if weight and counts:
            self.means.update(detached, outputs.detach(), measured)
        # Shares of unequal size: see data/loader.py. Times 1 would change nothing but cost a step.
        weight *= share
        weighted = loss if weight == 1 else loss * weight
        if self.is_plain:
            weighted.backward()
        else:
            self.module.manual_backward(weighted)
        return detached if weight == 1 else detached * weight

    def call_hooks(self, hook: str, *arguments: Any) -> None:
        """Call a hook of all callbacks, as the Trainer does in automatic optimization."""
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            getattr(callback, hook)(self.trainer, self.module, *arguments)

    def end_epoch(self) -> None:
        """Advance a schedule that goes by epochs, if this one was not broken off."""
        is_whole = self.loader.position >= self.trainer.num_training_batches
        if self.scheduler is None or self.rules.interval != "epoch" or not is_whole:
            return
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.watch_plateau(self.scheduler)
        else:
            self.scheduler.step()

    def watch_plateau(self, scheduler: ReduceLROnPlateau) -> None:
        """Show the schedule the loss of this epoch's validation, or of training without one."""
        trainer = self.trainer
        every = trainer.check_val_every_n_epoch or 1
        if not trainer.enable_validation:
            scheduler.step(float(trainer.callback_metrics["train/loss"]))
        elif (trainer.current_epoch + 1) % every == 0:
            # In other epochs the Trainer still has that of an earlier one.
            scheduler.step(float(trainer.callback_metrics["val/loss"]))

    def to_evaluation(self) -> None:
        if self.is_switched:
            self.optimizer.eval()
