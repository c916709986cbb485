"""How long the optimizer steps take, without validation, checkpoints and set-up."""

from __future__ import annotations

import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback


class Stopwatch(Callback):
    """Sum up the seconds of training epochs less those of the validations inside them.

    Attributes:
        train_seconds: seconds in which optimizer steps were done (data included).
        num_samples: training points seen, over all ranks.
    """

    def __init__(self) -> None:
        self.train_seconds = 0.0
        self.num_samples = 0
        self._started: float | None = None

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._started = time.perf_counter()

    on_train_start = on_train_epoch_start
    """A run resumed amid an epoch has no start of that epoch."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._started is not None:
            self.train_seconds += time.perf_counter() - self._started
            self._started = None

    on_validation_start = on_train_epoch_end

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self.on_train_epoch_end(trainer, pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.training or trainer.state.fn == "fit":
            self._started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any
    ) -> None:
        self.num_samples += outputs["num_points"]
