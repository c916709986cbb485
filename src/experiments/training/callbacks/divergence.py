"""Stop a run whose loss is no longer a number: it will not recover."""

from __future__ import annotations

import math
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from experiments.training.diagnostics.nonfinite import first_nonfinite, nonfinite_weights, others
from experiments.training.module import ExperimentModule
from experiments.training.steps import BrokenStep


class StopOnDivergence(Callback):
    """Stop at the first step whose training loss is not finite.

    `diverged` then says so: None, or one line for the record, with the step, the last finite loss,
    the learning rate, and where in the network the first number is not finite. On one CPU it is
    the very step, before its update. On a GPU, or with several ranks, reading each loss would cost
    time: there the run stops after the first epoch whose mean is not finite, and of the network
    the weights alone are looked at.
    """

    def __init__(self) -> None:
        self.diverged: str | None = None

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any
    ) -> None:
        if not isinstance(pl_module, ExperimentModule):
            self.diverged = line_after(trainer, pl_module, outputs["loss"])
            trainer.should_stop = trainer.should_stop or self.diverged is not None
            return
        broken = pl_module.broken_step
        if broken is not None:
            self.diverged = line_on(trainer, pl_module, broken)
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        loss = trainer.callback_metrics.get("train/loss")
        if self.diverged or loss is None or math.isfinite(float(loss)):
            return
        line = f"the training loss was {float(loss)} in epoch {trainer.current_epoch + 1}"
        network: nn.Module = pl_module
        if isinstance(pl_module, ExperimentModule):
            network = pl_module.network
        broken = nonfinite_weights(network)
        if broken:
            line += f"; not finite: the weights of {broken[0]}{others(len(broken) - 1)}"
        self.diverged = line
        trainer.should_stop = True


def line_after(trainer: L.Trainer, module: L.LightningModule, loss: Tensor | None) -> str | None:
    """Return one line on a step of somebody's module whose loss is not finite, which was done."""
    if loss is None or module.device.type != "cpu" or math.isfinite(loss):
        return None
    value, step, epoch = float(loss), trainer.global_step, trainer.current_epoch + 1
    return f"the training loss was {value} at step {step} (epoch {epoch})"


def line_on(trainer: L.Trainer, module: ExperimentModule, broken: BrokenStep) -> str:
    """Return one line on the step that broke: what it was, and where it began."""
    number, epoch = trainer.global_step + 1, trainer.current_epoch + 1
    line = f"the training loss was {broken.loss} at step {number} (epoch {epoch}, lr {broken.lr:g})"
    if broken.last_loss is not None:
        line += f", after {broken.last_loss:.4g}"
    batch = broken.batch
    with trainer.precision_plugin.forward_context():
        where = first_nonfinite(
            module.network, module.loss_of, module.normalize(batch.inputs), batch.targets
        )
    return line + (f"; not finite first: {where}" if where else "")
