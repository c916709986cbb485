"""Run folders as a sweep leaves them, without any training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.record.record import SCHEMA, Record, write_record


def record_of(**values: Any) -> Record:
    """Return a record of a run that is done, with some values changed."""
    usual: Any = {
        "schema": SCHEMA,
        "identity": "0" * 16,
        "setting": "1" * 16,
        "seed": 0,
        "status": "completed",
        "overrides": [],
        "metrics": {"test/accuracy": 0.9, "val/accuracy": 0.8, "val/loss": 0.4},
        "best_epoch": 1,
        "epochs": 1,
        "steps": 10,
        "num_parameters": 100,
        "num_activation_parameters": 0,
        "duration_seconds": 2.0,
        "fit_seconds": 1.0,
        "train_seconds": 0.5,
        "samples_per_second": 1000.0,
        "error": None,
        "environment": {},
        "data_checksum": "2" * 16,
        "code": None,
        "earlier_code": None,
        "population": None,
        "started_at": "2026-01-01T00:00:00.000+00:00",
        "ended_at": "2026-01-01T00:00:02.000+00:00",
        "wandb_id": None,
    }
    return {**usual, **values}


def write_run(folder: Path, **values: Any) -> Path:
    """Write the record of a run into its folder."""
    folder.mkdir(parents=True)
    write_record(folder, record_of(**values))
    return folder
