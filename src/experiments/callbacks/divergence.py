"""Stop a run whose loss is no longer a number: it will not recover."""

from __future__ import annotations

import math

import lightning as L
from lightning.pytorch.callbacks import Callback


class StopOnDivergence(Callback):
    """Stop after the first epoch whose mean training loss is not finite.

    `diverged` then says so: None, or one line for the record.
    """

    def __init__(self) -> None:
        self.diverged: str | None = None

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        loss = trainer.callback_metrics.get("train/loss")
        if loss is not None and not math.isfinite(float(loss)):
            self.diverged = (
                f"the training loss was {float(loss)} in epoch {trainer.current_epoch + 1}"
            )
            trainer.should_stop = True
