"""history.csv, and the same rows to every logger: files are the truth, W&B is their mirror."""

from __future__ import annotations

import math
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from experiments.record.history import HistoryFile

PARTS_OF_NAMES = ("_step", "_epoch")
"""What Lightning adds to a name that is logged for steps and epochs at once, beside the name."""


def measured(trainer: L.Trainer, stage: str) -> dict[str, float]:
    """Return what was measured of a stage, such as val/, each value under one name."""
    values = trainer.callback_metrics
    twice = {f"{name}{part}" for name in values for part in PARTS_OF_NAMES}
    return {n: float(v) for n, v in values.items() if n.startswith(stage) and n not in twice}


class History(Callback):
    """Write one row per epoch, and one per `every_n_steps` optimizer steps.

    An epoch's row has the means over its data points, its validation, and the learning rate of
    its last step. A validation inside an epoch has a row of its own, and so has every
    `every_n_steps`-th step: `train/loss_step`, the loss of that step's points. Epochs count from
    1, and `step` is the number of optimizer steps done.

    Args:
        every_n_steps: 0 for rows of epochs only.

    Attributes:
        file: what is written; None for nothing (ranks other than 0).
    """

    def __init__(self, every_n_steps: int = 0) -> None:
        self.file: HistoryFile | None = None
        self.every_n_steps = every_n_steps
        self.lr = math.nan
        self.last_seen_step = 0
        self.num_rows = 0
        self.has_validated = False
        self.last_row: dict[str, float] = {}
        self.waiting: dict[str, float] = {}

    # Not on_fit_start, which comes before the Trainer's counts are restored from a checkpoint.
    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.last_seen_step = trainer.global_step
        # After a resume from a checkpoint the rows that came after it are written anew.
        if self.file is not None and trainer.is_global_zero:
            self.file.keep(self.num_rows)

    def state_dict(self) -> dict[str, Any]:
        # With the rows themselves: the file may be lost or damaged where the checkpoint is not.
        num_rows, text = self.num_rows, ""
        if self.file is not None:
            num_rows, text = len(self.file.rows), self.file.text
        return {"num_rows": num_rows, "text": text, "lr": self.lr, "waiting": self.waiting}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.num_rows, self.lr = state["num_rows"], state["lr"]
        self.waiting = dict(state.get("waiting", {}))

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any
    ) -> None:
        step = trainer.global_step
        if step == self.last_seen_step:
            return  # amid an accumulated step
        self.last_seen_step, self.lr = step, outputs["lr"]
        if not self.every_n_steps or step % self.every_n_steps:
            return
        # Each rank's loss carries its share's weight, so that the mean over ranks is the batch's.
        values = {"lr": self.lr}
        if outputs["loss"] is not None:  # of a training step of somebody's, which returns nothing
            loss = trainer.strategy.reduce(outputs["loss"], reduce_op="mean")
            values = {"train/loss_step": float(loss), **values}
        self._write(trainer, values)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # At the end of the epoch its values go into the epoch's own row.
        is_last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        self.has_validated = is_last or trainer.should_stop
        if not self.has_validated:
            self._write(trainer, {**measured(trainer, "val/"), "lr": self.lr})

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # The Trainer keeps the values of the last validation, also in epochs without one.
        validated = measured(trainer, "val/") if self.has_validated else {}
        self.has_validated = False
        self._write(trainer, {**measured(trainer, "train/"), **validated, "lr": self.lr})

    def add(self, trainer: L.Trainer, values: dict[str, float], to_next_row: bool) -> None:
        """Take values of another callback, into the row that comes next or one of their own."""
        if to_next_row:
            self.waiting |= values
        else:
            self._write(trainer, {"lr": self.lr, **values})

    def _write(self, trainer: L.Trainer, values: dict[str, float]) -> None:
        if not trainer.is_global_zero:
            return
        values, self.waiting = {**values, **self.waiting}, {}
        self.last_row = row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            **values,
        }
        if self.file is not None:
            self.file.append(row)
        for logger in trainer.loggers:
            logger.log_metrics({"epoch": row["epoch"], **values}, step=trainer.global_step)
