"""The means of a training epoch, logged before anything asks for them."""

from __future__ import annotations

import lightning as L
from lightning.pytorch.callbacks import Callback

from experiments.training.module import ExperimentModule


class EpochMeans(Callback):
    """Log the epoch's `train/*`; the first of all callbacks, since others read them.

    The module's own hook would come too late: the Trainer calls it after those of callbacks.
    """

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ExperimentModule)
        pl_module.log_means()
