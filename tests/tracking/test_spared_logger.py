"""What goes wrong at W&B amid a training is said once, and ends nothing."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from lightning.pytorch.loggers import WandbLogger

from experiments.tracking.spared_logger import SparedLogger


def test_a_row_that_cannot_be_told_ends_the_telling(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def fail(name: str) -> Any:
        def call(*arguments: Any, **values: Any) -> None:
            told.append(name)
            if len(told) > 1:
                raise BrokenPipeError(32, "Broken pipe")

        return call

    for name in ("log_metrics", "log_hyperparams", "save", "finalize", "after_save_checkpoint"):
        monkeypatch.setattr(WandbLogger, name, fail(name))
    logger = SparedLogger(experiment=object())  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        for step in range(3):
            logger.log_metrics({"val/loss": 0.5}, step)
        logger.log_hyperparams({"lr": 1})
        logger.after_save_checkpoint(None)
        logger.save()
        logger.finalize("success")
    assert told == ["log_metrics"] * 2
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("W&B: it is told nothing more (BrokenPipeError: [Errno 32] Broken pipe)")
