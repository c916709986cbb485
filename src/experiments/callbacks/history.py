"""history.csv, and the same rows to every logger: files are the truth, W&B is their mirror."""

from __future__ import annotations

import math
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from experiments.records import HistoryFile


class History(Callback):
    """Write one row per epoch, and one per `every_n_steps` optimizer steps.

    An epoch's row has the means over its data points and the learning rate of its last step. A
    step's row has `train/loss_step`, the loss of that step's batch. Epochs count from 1, and
    `step` is the number of optimizer steps done.

    Args:
        file: None writes no file (ranks other than 0).
        every_n_steps: 0 for rows of epochs only.
    """

    def __init__(self, file: HistoryFile | None, every_n_steps: int = 0) -> None:
        self.file = file
        self.every_n_steps = every_n_steps
        self.lr = math.nan
        self.last_logged_step = 0
        self.has_validated = False
        self.last_row: dict[str, float] = {}

    # Not on_fit_start, which comes before the Trainer's counts are restored from a checkpoint.
    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.last_logged_step = trainer.global_step
        # After a resume from a checkpoint the rows that came after it are written anew.
        if self.file is not None and trainer.is_global_zero:
            self.file.truncate(trainer.global_step)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.lr = float(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        step = trainer.global_step
        if not self.every_n_steps or step % self.every_n_steps or step == self.last_logged_step:
            return
        self.last_logged_step = step
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        # Each rank's loss carries its share's weight, so that the mean over ranks is the batch's.
        loss = trainer.strategy.reduce(loss.detach(), reduce_op="mean")
        # The Trainer divides a loss by the number of accumulated batches; a row has the whole one.
        loss = float(loss) * trainer.accumulate_grad_batches
        self._write(trainer, {"train/loss_step": loss, "lr": self.lr})

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.has_validated = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        metrics = {
            name: float(value) if isinstance(value, torch.Tensor) else value
            for name, value in trainer.callback_metrics.items()
            # The Trainer keeps the values of the last validation, also in epochs without one.
            if name.startswith(("train/", "val/") if self.has_validated else "train/")
        }
        self.has_validated = False
        self._write(trainer, {**metrics, "lr": self.lr})

    def _write(self, trainer: L.Trainer, values: dict[str, float]) -> None:
        if not trainer.is_global_zero:
            return
        self.last_row = row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            **values,
        }
        if self.file is not None:
            self.file.append(row)
        for logger in trainer.loggers:
            logger.log_metrics({"epoch": row["epoch"], **values}, step=trainer.global_step)
