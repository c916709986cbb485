"""One line per epoch where the output is not a terminal (log files, notebooks, CI)."""

from __future__ import annotations

import logging
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import ProcessingSpeedColumn
from rich.console import RenderableType
from rich.progress import Task
from rich.text import Text

from experiments.record.metric import written
from experiments.training.callbacks.history_rows import History

log = logging.getLogger(__name__)


class SpeedOnceKnown(ProcessingSpeedColumn):
    """The steps in a second, and nothing before they are known, as in an epoch of one call."""

    def render(self, task: Task) -> RenderableType:
        return super().render(task) if task.speed else Text()


class EpochBar(RichProgressBar):
    """Lightning's bar, which counts optimizer steps, and epochs from 1 as all else does."""

    def configure_columns(self, trainer: L.Trainer) -> list[Any]:
        return [
            SpeedOnceKnown(self.theme.processing_speed)
            if isinstance(column, ProcessingSpeedColumn)
            else column
            for column in super().configure_columns(trainer)
        ]

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """Return what stands behind the bar: all but the end of W&B's id, `v_num`."""
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        return {name: value for name, value in metrics.items() if name != "v_num"}

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        # The index that it is given is that of the first of many steps.
        last = trainer.fit_loop.epoch_loop.batch_idx
        super().on_train_batch_end(trainer, pl_module, outputs, batch, last)

    def _get_train_description(self, current_epoch: int) -> str:
        last = self.trainer.max_epochs
        text = f"Epoch {current_epoch + 1}" + (f"/{last}" if last and last > 0 else "")
        return text.ljust(len(self.validation_description))


class EpochLines(Callback):
    """Log the epoch's row of the history in one line."""

    def __init__(self, history: History) -> None:
        self.history = history

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        row = {n: v for n, v in self.history.last_row.items() if n.startswith(("train/", "val/"))}
        values = "  ".join(f"{name} {written(value)}" for name, value in sorted(row.items()))
        last = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else "-"
        log.info("epoch %d/%s  %s", trainer.current_epoch + 1, last, values)
