"""Validate the weights that a run ends with, also where it ends in mid-epoch."""

from __future__ import annotations

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback


class LastValidation(Callback):
    """Ask for a stop at `trainer.max_steps`, upon which the Trainer validates before it ends.

    Left to itself it ends in mid-epoch with weights that were never validated.
    """

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        if 0 < trainer.max_steps <= trainer.global_step:
            trainer.should_stop = True
