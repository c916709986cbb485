"""The loggers of the group `logger`: W&B, Lightning's CSV, or none."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from experiments.folders import Launch
from experiments.preparation import Prepared
from experiments.records import CHECKPOINTS, Record
from experiments.results import predictions
from experiments.tracking import media

log = logging.getLogger(__name__)


def start_loggers(
    prepared: Prepared, folder: Path, launch: Launch, record: Record, is_resumed: bool
) -> list[Logger]:
    """Return the loggers of the group `logger`."""
    node = prepared.config["logger"]
    if node["name"] == "csv":
        return [CSVLogger(folder.parent, name=folder.name, version="csv")]
    if node["name"] != "wandb":
        return []
    # wandb takes a third of a second to import.
    from experiments.tracking.logger import start_wandb

    assert record["wandb_id"]
    logger = start_wandb(
        prepared.config,
        record,
        name=folder.name,
        job_type=launch.sweep_name,
        is_resumed=is_resumed,
    )
    record["wandb_id"] = logger.version if logger else None
    return [logger] if logger else []


def selected_media(prepared: Prepared, folder: Path) -> media.Media | None:
    """Return a classifier's confusions and worst mistakes with the selected weights."""
    module, datamodule = prepared.module, prepared.datamodule
    points = datamodule.test if prepared.config["test"] else datamodule.val
    if module.spec.task != "classification" or not len(points):
        return None
    best = torch.load(folder / CHECKPOINTS / "best.ckpt", weights_only=True)
    module.load_state_dict(best["state_dict"])
    return media.media_of(
        module.spec.class_names,
        points.inputs.numpy(),
        points.targets.numpy(),
        predictions(module, points),
    )


def log_media(prepared: Prepared, record: Record, folder: Path, loggers: list[Logger]) -> None:
    """Log confusion matrix and worst mistakes of a classifier, with the selected weights, to W&B.

    The run is complete by now: what goes wrong here is said, and spoils nothing.
    """
    for logger in loggers:
        is_wanted = prepared.config["logger"].get("media") in (True, "auto")
        if not isinstance(logger, WandbLogger) or record["status"] != "completed" or not is_wanted:
            continue
        try:
            selected = selected_media(prepared, folder)
            if selected is not None:
                media.log_media(logger.experiment, selected)
        except Exception as error:
            log.warning("W&B: confusion matrix and mistakes were not logged (%s).", error)


def keep_media(prepared: Prepared, record: Record, folder: Path) -> None:
    """Write the same into the run folder of a sweep's job, for the process that mirrors it.

    Only where it is asked for: it takes a tenth of the time of a short run.
    """
    is_wanted = prepared.config["logger"].get("media") is True
    if is_wanted and record["wandb_id"] and record["status"] == "completed":
        selected = selected_media(prepared, folder)
        if selected is not None:
            media.write_media(folder, selected)


def finish_loggers(
    prepared: Prepared, loggers: list[Logger], record: Record, folder: Path, exit_code: int
) -> None:
    """End the W&B run, with the record's metrics as its summary."""
    for logger in loggers:
        if not isinstance(logger, WandbLogger):
            continue
        from experiments.tracking.wandb_run import finish_run, summary_of

        best = folder / CHECKPOINTS / "best.ckpt"
        log_model = prepared.config["logger"]["log_model"]
        try:
            finish_run(
                logger.experiment, summary_of(record), exit_code, best if log_model else None
            )
        except Exception as error:
            # The record on disk is whole; W&B is its mirror.
            log.warning("W&B: the run could not be finished there (%s).", error)
