"""One line per epoch where the output is not a terminal (log files, notebooks, CI)."""

from __future__ import annotations

import logging

import lightning as L
from lightning.pytorch.callbacks import Callback

from experiments.callbacks.history import History

log = logging.getLogger(__name__)


class EpochLines(Callback):
    """Log the epoch's row of the history in one line."""

    def __init__(self, history: History) -> None:
        self.history = history

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        row = {n: v for n, v in self.history.last_row.items() if n.startswith(("train/", "val/"))}
        values = "  ".join(f"{name} {value:.4f}" for name, value in sorted(row.items()))
        last = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else "-"
        log.info("epoch %d/%s  %s", trainer.current_epoch + 1, last, values)
