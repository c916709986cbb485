"""last.ckpt amid an epoch, so that a killed run loses no more than a few steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint

from experiments.training.calls import Execution


class LastAmidEpoch(Checkpoint):
    """Write `path` every `every_n_steps` optimizer steps, in one atomic step.

    Lightning's ModelCheckpoint warns of weights after the step where optimization is manual, and
    wants another state of them; the state after the step is the one to go on from.

    Args:
        every_n_steps: at least 1.

    Attributes:
        path: None on ranks other than 0, until they are told.
    """

    def __init__(self, every_n_steps: int) -> None:
        self.path: Path | None = None
        self.every_n_steps = every_n_steps
        self.last_step = 0
        self.is_due = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.last_step = trainer.global_step
        # Every rank takes part in writing a checkpoint, and rank 0 alone knows where.
        self.path = trainer.strategy.broadcast(self.path)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        step = trainer.global_step
        if step == self.last_step or step % self.every_n_steps:
            return
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return  # the checkpoint of the epoch follows
        self.last_step = step
        # A run resumed from between the two would leave the validation out.
        self.is_due = Execution.is_followed_by_validation(trainer)
        if not self.is_due:
            self._save(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.is_due:
            self.is_due = False
            self._save(trainer)

    def _save(self, trainer: L.Trainer) -> None:
        if self.path is not None:
            trainer.save_checkpoint(self.path, weights_only=False)
