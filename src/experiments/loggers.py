"""The loggers of the group `logger`: W&B, Lightning's CSV, or none."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from experiments.folders import Launch
from experiments.preparation import Prepared
from experiments.records import CHECKPOINTS, Record
from experiments.results import predictions

log = logging.getLogger(__name__)


def start_loggers(
    prepared: Prepared, folder: Path, launch: Launch, record: Record, is_resumed: bool
) -> list[Logger]:
    """Return the loggers of the group `logger`."""
    config = prepared.config
    node = config["logger"]
    if node["name"] == "csv":
        return [CSVLogger(folder.parent, name=folder.name, version="csv")]
    if node["name"] != "wandb":
        return []
    # wandb takes a third of a second to import.
    from experiments.tracking.logger import start_wandb

    assert record["wandb_id"]
    names = [config[group]["name"] for group in ("model", "activation", "optim", "data")]
    logger = start_wandb(
        node,
        Path(config["paths"]["output"]),
        run_id=record["wandb_id"],
        name=folder.name,
        group=prepared.setting,
        job_type=launch.sweep_name,
        tags=names,
        config={
            **config,
            "identity": prepared.identity,
            "setting": prepared.setting,
            "num_parameters": prepared.num_parameters,
            "num_activation_parameters": prepared.num_activation_parameters,
            "data_checksum": prepared.data_checksum,
        },
        is_resumed=is_resumed,
    )
    record["wandb_id"] = logger.version if logger else None
    return [logger] if logger else []


def log_media(prepared: Prepared, record: Record, folder: Path, loggers: list[Logger]) -> None:
    """Log confusion matrix and worst mistakes of a classifier, with the selected weights, to W&B.

    The run is complete by now: what goes wrong here is said, and spoils nothing.
    """
    module, datamodule = prepared.module, prepared.datamodule
    wanted = prepared.config["logger"].get("media") and module.spec.task == "classification"
    points = datamodule.test if prepared.config["test"] else datamodule.val
    if not wanted or record["status"] != "completed" or not len(points):
        return
    for logger in loggers:
        if not isinstance(logger, WandbLogger):
            continue
        from experiments.tracking import logger as tracking

        try:
            best = torch.load(folder / CHECKPOINTS / "best.ckpt", weights_only=True)
            module.load_state_dict(best["state_dict"])
            tracking.log_media(
                logger,
                module.spec.class_names,
                points.inputs.numpy(),
                points.targets.numpy(),
                predictions(module, points),
            )
        except Exception as error:
            log.warning("W&B: confusion matrix and mistakes were not logged (%s).", error)


def finish_loggers(
    prepared: Prepared, loggers: list[Logger], record: Record, folder: Path, exit_code: int
) -> None:
    """End the W&B run, with the record's metrics as its summary."""
    for logger in loggers:
        if not isinstance(logger, WandbLogger):
            continue
        from experiments.tracking.logger import finish_wandb

        best = folder / CHECKPOINTS / "best.ckpt"
        log_model = prepared.config["logger"]["log_model"]
        try:
            finish_wandb(logger, summary_of(record), exit_code, best if log_model else None)
        except Exception as error:
            # The record on disk is whole; W&B is its mirror.
            log.warning("W&B: the run could not be finished there (%s).", error)


def summary_of(record: Record) -> dict[str, Any]:
    """Return what W&B shows of a finished run.

    `val/*` are left to W&B's own best values; those of the selected weights are `selected/val/*`.
    """
    metrics = record["metrics"]
    return {
        **{name: value for name, value in metrics.items() if name.startswith("test/")},
        **{f"selected/{n}": v for n, v in metrics.items() if not n.startswith("test/")},
        "status": record["status"],
        "best_epoch": record["best_epoch"],
        "epochs": record["epochs"],
        "steps": record["steps"],
    }
