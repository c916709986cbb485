"""The loop over optimizer steps inside one call of the Trainer's training step.

Everything a step needs is looked up once, when training starts: on a small network each lookup
through the module, the Trainer and its strategy costs a hundredth of the step.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from experiments.data.loader import Batch, TrainingLoader

if TYPE_CHECKING:
    from experiments.module import ExperimentModule


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
        module: what is trained, attached to its Trainer.
    """

    def __init__(self, module: ExperimentModule) -> None:
        trainer = module.trainer
        loader: Any = trainer.train_dataloader
        assert isinstance(loader, TrainingLoader)
        self.module, self.trainer, self.loader = module, trainer, loader
        self.network, self.normalize, self.loss = module.network, module.normalize, module.loss
        self.normalize_targets = module.normalize_targets
        self.updates, self.execution, self.means = module.updates, module.execution, module.means
        self.average = module.average
        self.optimizer = trainer.optimizers[0]
        configs = trainer.lr_scheduler_configs
        self.scheduler: Any = configs[0].scheduler if configs else None
        self.is_switched = module.updates.switched
        self.parameters = [p for p in module.network.parameters() if p.requires_grad]
        self.scaler = getattr(trainer.precision_plugin, "scaler", None)
        # Strategies of several processes, scalers and callbacks' hooks want the Trainer's own
        # backward pass; where there are none of them it would only cost time.
        is_alone = trainer.world_size == 1 and self.scaler is None
        self.is_plain = is_alone and not self.execution.has_hooks
        self.before_step = None
        if self.execution.has_hooks:
            self.before_step = functools.partial(
                self.tell, "on_before_optimizer_step", self.optimizer
            )
        self.step_loss = torch.zeros((), device=module.device)
        # Elsewhere the host would wait for the device at each step, or one rank for the others.
        self.reads_losses = is_alone and module.device.type == "cpu"
        self.last_loss: float | None = None
        self.broken: BrokenStep | None = None

    def run(self, batches: Iterator[Batch]) -> dict[str, Any]:
        """Take as many steps as `execution` says.

        Returns:
            `loss` of the last step, a mean over its points (over the ranks, if there are several);
            `lr` that it was taken with; `num_points` of all the steps.
        """
        execution, optimizer, updates = self.execution, self.optimizer, self.updates
        if self.is_switched:  # after a validation; where it is at the training weights, nothing
            optimizer.train()  # type: ignore[attr-defined]
        first, end = execution.begin(self.trainer)
        lr, num_points, num_steps = math.nan, 0, 0
        for number in range(first, end):
            # A StopIteration would end the step without a word.
            batch = next(batches, None)
            assert batch is not None, f"batch {number} of {end} is missing"
            num_points += batch.size if batch.weight else 0
            begins, share, ends = self.place(number, batch)
            part = self.backward(batch, share, begins)
            self.step_loss = part if begins else self.step_loss + part
            if ends:
                lr = optimizer.param_groups[0]["lr"]
                if self.reads_losses and self.is_broken(batch, float(lr)):
                    break
                closure = self.closure_of(batch) if updates.closure else None
                updates.step(optimizer, self.parameters, self.scaler, self.before_step, closure)
                updates.after_step(self.network, self.average, self.scheduler)
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

    def place(self, number: int, batch: Batch) -> tuple[bool, float, bool]:
        """Return whether a batch begins a step, its share of the step's points, whether it ends it.

        An accumulated step is the step of one larger batch: each loss weighs by its points.
        """
        accumulate = self.updates.accumulate
        if accumulate == 1:
            return True, 1.0, True
        first = number - number % accumulate
        last = min(first + accumulate, int(self.trainer.num_training_batches))
        share = batch.size / self.loader.sampler.num_points_in(first, last)
        return number == first, share, number + 1 == last

    def closure_of(self, batch: Batch) -> Callable[[], Tensor]:
        """Return what gives the loss of a batch with its gradients in place, anew at each call.

        Also at the first call, where LBFGS has them already: others have moved the weights by then.
        """

        def closure() -> Tensor:
            loss = self.backward(batch, 1.0, True, counts=False)
            self.updates.clip(self.parameters)
            return loss

        return closure

    def backward(self, batch: Batch, share: float, begins: bool, counts: bool = True) -> Tensor:
        """Add a batch's gradient, and return its part of the step's loss.

        Args:
            batch: the batch.
            share: of the step's points.
            begins: it is the first of its step.
            counts: it goes into the epoch's means.
        """
        if begins:
            if self.execution.has_hooks:
                self.tell("on_before_zero_grad", self.optimizer)
            self.optimizer.zero_grad(set_to_none=True)
        inputs, targets, weight, _ = batch
        outputs = self.network(self.normalize(inputs))
        if self.normalize_targets is None:
            loss = self.loss(outputs, targets)
            measured = outputs.detach()
        else:
            loss = self.loss(outputs, self.normalize_targets(targets))
            measured = self.normalize_targets.inverse(outputs.detach())
        detached = loss.detach()
        if weight and counts:
            self.means.update(detached, measured, targets)
        # Shares of unequal size: see data/loader.py. Times 1 would change nothing but cost a step.
        weight *= share
        weighted = loss if weight == 1 else loss * weight
        if self.is_plain:
            weighted.backward()
        else:
            self.module.manual_backward(weighted)
        return detached if weight == 1 else detached * weight

    def tell(self, hook: str, *arguments: Any) -> None:
        """Call a hook of all callbacks, as the Trainer does in automatic optimization."""
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            getattr(callback, hook)(self.trainer, self.module, *arguments)

    def end_epoch(self) -> None:
        """Advance a schedule that goes by epochs, if this one was not broken off."""
        is_whole = self.loader.position >= self.trainer.num_training_batches
        if self.scheduler is None or self.updates.interval != "epoch" or not is_whole:
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
        """Let the network have the weights that it is to be evaluated with."""
        if self.is_switched:
            self.optimizer.eval()  # type: ignore[attr-defined]
