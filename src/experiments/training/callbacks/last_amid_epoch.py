"""Checkpoints amid an epoch, so that a run that is ended there loses a few steps, or none."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint

from experiments.training.agreement import Agreement
from experiments.training.calls import Execution
from experiments.training.interruption import Interruption
from experiments.training.whole_checkpoint import AMID, BEST, BEST_AMID, LAST


class LastAmidEpoch(Checkpoint):
    """Write last.ckpt every so many optimizer steps or seconds, and when a signal ends the run.

    Lightning's ModelCheckpoint warns of weights after the step where optimization is manual, and
    wants another state of them; the state after the step is the one to go on from.

    A budget (`max_steps`, `max_time`) that ends a run amid an epoch ends its epoch with it: it is
    validated, its row is written, and last.ckpt is that of its end. From there a larger budget
    could not go on as if it had been given at once. So where the epoch was is kept beside, in
    amid.ckpt, with the best weights as they were then. Where the budget ends with the epoch, that
    ends as every other one, validated or not.

    Args:
        every_n_steps: 0 for none.
        every_seconds: None for none.
        interruption: by a signal, of a run that is no member of a population.

    Attributes:
        folder: of the checkpoints; None on ranks other than 0, until they are told.
    """

    def __init__(
        self, every_n_steps: int, every_seconds: float | None, interruption: Interruption
    ) -> None:
        self.folder: Path | None = None
        self.every_n_steps = every_n_steps
        self.every_seconds = every_seconds
        self.interruption = interruption
        self.agreement: Agreement | None = None
        self.last_step = 0
        self.saved_at = 0.0
        self.after_validation: str | None = None
        self.is_ending = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.last_step = trainer.global_step
        self.saved_at = time.monotonic()
        # Every rank takes part in writing a checkpoint, and rank 0 alone knows where.
        self.folder = trainer.strategy.broadcast(self.folder)
        if isinstance(trainer, L.Trainer):  # no member's
            execution = getattr(pl_module, "execution", None)
            self.agreement = getattr(execution, "agreement", None)
            if self.agreement is not None:
                self.agreement.begin(trainer.global_step)
            self.interruption.begin(execution, is_shared=self.agreement is not None)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.world_size > 1:
            self.interruption.begin_test()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        step = trainer.global_step
        if step == self.last_step:
            return  # amid an accumulated step
        self.last_step = step
        is_due = self._is_due(trainer, step)
        if trainer.is_ended_early:  # type: ignore[attr-defined]
            return  # by what no budget mends
        # The end that a budget brings would have the epoch validated, due or not.
        self.is_ending, trainer.should_stop = trainer.should_stop, False
        name = AMID if self.is_ending else LAST if is_due else None
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return  # the checkpoint of the epoch follows
        if name is not None and Execution.is_followed_by_validation(trainer):
            self.after_validation = name  # resumed from between the two it would be left out
            return
        self._save(trainer, name)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        name, self.after_validation = self.after_validation, None
        self._save(trainer, name)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.saved_at = time.monotonic()
        trainer.should_stop = trainer.should_stop or self.is_ending
        if self.agreement is not None:
            self._ask(trainer, self.agreement, is_time=False)
        self.interruption.stop()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.interruption.end()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self.interruption.end()

    def _is_due(self, trainer: L.Trainer, step: int) -> bool:
        seconds = time.monotonic() - self.saved_at
        is_time = self.every_seconds is not None and seconds >= self.every_seconds
        if self.agreement is not None:
            is_asked = step >= self.agreement.next_step
            is_time = is_asked and self._ask(trainer, self.agreement, is_time)
        is_numbered = self.every_n_steps and step % self.every_n_steps == 0
        return bool(self.interruption.asked or is_numbered or is_time)

    def _ask(self, trainer: L.Trainer, agreement: Agreement, is_time: bool) -> bool:
        """Ask all ranks whether the run ends, and return whether the clock wants a checkpoint."""
        agreed = agreement.ask(trainer, int(self.interruption.heard or 0), is_time)
        self.interruption.agree(agreed.signal)
        return agreed.is_time

    def _save(self, trainer: L.Trainer, name: str | None) -> None:
        """Write a checkpoint, if one is due, and end the run where that was asked for."""
        if name is not None and self.folder is not None:
            if name == AMID and trainer.is_global_zero:
                trainer.write_waiting()  # type: ignore[attr-defined]
                keep_as_it_is(self.folder / BEST, self.folder / BEST_AMID)
            trainer.save_checkpoint(self.folder / name, weights_only=False)
        if name == LAST:
            self.saved_at = time.monotonic()
            self.interruption.stop()
        elif name == AMID:
            trainer.should_stop = True


def keep_as_it_is(path: Path, kept: Path) -> None:
    """Have a second name for a file, which keeps its content when the first one is replaced."""
    kept.unlink(missing_ok=True)
    if not path.is_file():
        return
    try:
        os.link(path, kept)
    except OSError:  # a disk without links
        shutil.copyfile(path, kept)
