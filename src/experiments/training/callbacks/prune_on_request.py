"""Stop a run that a search has given up."""

from __future__ import annotations

from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback

from experiments.record.folder import is_asked_to_stop


class PruneOnRequest(Callback):
    """Stop after the epoch in which `experiments.record.folder` asks for it.

    `pruned` then says so: None, or one line for the record. The last epoch is no place to stop:
    a run that has done all of its epochs is whole.

    Attributes:
        folder: the run folder; None where a rank has none.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.pruned: str | None = None

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        asked = self.folder is not None and is_asked_to_stop(self.folder)
        # One rank may have looked before the file was there, and another after.
        asked = trainer.strategy.reduce_boolean_decision(asked, all=False)
        epoch = trainer.current_epoch + 1
        if asked and epoch != trainer.max_epochs:
            self.pruned = f"stopped by the search's pruner after epoch {epoch}"
            trainer.should_stop = True
