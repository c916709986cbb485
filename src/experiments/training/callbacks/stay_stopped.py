"""A run that early stopping had ended does not go on when it is resumed."""

from __future__ import annotations

import lightning as L
from lightning.pytorch.callbacks import Callback, EarlyStopping


class StayStopped(Callback):
    """Stop a resumed run at once whose patience was at its end when the checkpoint was written.

    Lightning saves how long each EarlyStopping has waited, but not that it asked for the stop: a
    run killed while it was tested would train one epoch more.
    """

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, EarlyStopping) and callback.wait_count >= callback.patience:
                trainer.should_stop = True
