"""Lightning's logger for W&B, by which nothing that goes wrong there reaches the training.

W&B's service is a process of its own. Where its disk is full, or it is killed, the next row that it
is told raises in whoever tells it: in the training, amid an epoch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch.loggers import WandbLogger

log = logging.getLogger(__name__)


class SparedLogger(WandbLogger):
    """Tells W&B until that fails, and says once that it has.

    Attributes:
        has_failed: nothing more is told.
    """

    has_failed = False

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._try(lambda: super(SparedLogger, self).log_metrics(metrics, step))

    def log_hyperparams(self, params: Any) -> None:
        self._try(lambda: super(SparedLogger, self).log_hyperparams(params))

    def save(self) -> None:
        self._try(lambda: super(SparedLogger, self).save())

    def finalize(self, status: str) -> None:
        self._try(lambda: super(SparedLogger, self).finalize(status))

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        self._try(lambda: super(SparedLogger, self).after_save_checkpoint(checkpoint_callback))

    def _try(self, tell: Callable[[], object]) -> None:
        if self.has_failed:
            return
        try:
            tell()
        except Exception as error:
            self.has_failed = True
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            log.warning("W&B: it is told nothing more (%s). All is in the run's folder.", reason)
