"""Callbacks that end a run in every way that a run can end badly."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback


class AtEpoch(Callback):
    """Does something bad at the end of an epoch of one seed.

    Args:
        how: raise, kill, exit, or hang until there is a file.
        seed: of the run that does.
        unless: a file with which all goes well.
    """

    def __init__(self, how: str, seed: int, unless: str = "") -> None:
        self.how, self.seed, self.unless = how, seed, unless

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if f"seed-{self.seed}-" not in str(trainer.default_root_dir):
            return
        if trainer.current_epoch != 1 or (self.unless and Path(self.unless).exists()):
            return
        if self.how == "raise":
            raise RuntimeError("this callback raises")
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "exit":
            print("a last word", flush=True)
            os._exit(7)
        until = time.monotonic() + 600
        while time.monotonic() < until and not (self.unless and Path(self.unless).exists()):
            time.sleep(0.05)
