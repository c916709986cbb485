"""Run folders as the jobs of a sweep write them, without training anything, and their mirror."""

from __future__ import annotations

import contextlib
import functools
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from running import plain

from experiments.record.folder import write_atomic
from experiments.record.history import HistoryFile
from experiments.record.record import SCHEMA, Record, now, write_record
from experiments.tracking.mirror import Mirror

SWEEP = Path("outputs/sweeps/activations")


@functools.cache
def config_text(overrides: tuple[str, ...]) -> str:
    """Return config.yaml of a run with seed 0; composing it takes longer than the rest of a job."""
    return OmegaConf.to_yaml(OmegaConf.create(plain("model=mlp", "seed=0", *overrides)))


class Job:
    """A job that writes its run folder step by step.

    Args:
        seed: of the run, from which all names are made.
        parent: of the run folder.
        overrides: of the config.
        values: of the record.
    """

    def __init__(self, seed: int, *overrides: str, parent: Path = SWEEP, **values: Any) -> None:
        identity = f"{seed:02x}" * 8
        self.folder = parent / f"seed={seed}-{identity[:8]}"
        with contextlib.suppress(FileExistsError):
            self.folder.mkdir(parents=True)
            text = re.sub("^seed: 0$", f"seed: {seed}", config_text(overrides), flags=re.MULTILINE)
            write_atomic(self.folder / "config.yaml", text)
        empty: Any = dict.fromkeys(Record.__annotations__)
        self.record: Record = {
            **empty,
            "schema": SCHEMA,
            "identity": identity,
            "setting": "5e" * 8,
            "seed": seed,
            "metrics": {},
            "overrides": [],
            "status": "running",
            "num_parameters": 10,
            "epochs": 0,
            "steps": 0,
            "duration_seconds": 0.0,
            "fit_seconds": 0.0,
            "train_seconds": 0.0,
            "environment": {},
            "started_at": now(),
            "data_checksum": "c0",
            "wandb_id": identity,
            **values,
        }
        write_record(self.folder, self.record)
        self.history = HistoryFile(self.folder)

    @property
    def name(self) -> str:
        """Return what W&B shows."""
        typed = [o for o in self.record["overrides"] if not o.startswith("seed=")]
        return " ".join(["digits mlp relu adam", *typed, f"seed={self.record['seed']}"])

    def train(self, *epochs: int) -> None:
        """Write a row for each epoch."""
        for epoch in epochs:
            row = {"epoch": epoch, "step": 10 * epoch, "train/loss": 1 / epoch, "lr": 0.1}
            self.history.append({**row, "val/accuracy": epoch / 7})

    def end(self, status: Any = "completed") -> None:
        """Write the record at the end."""
        rows = self.history.rows
        self.record |= {"status": status, "ended_at": now(), "epochs": len(rows)}
        self.record["metrics"] = {"test/accuracy": 0.5, "val/accuracy": 0.25}
        write_record(self.folder, self.record)


def whole(seed: int, *overrides: str, num_epochs: int = 3, **values: Any) -> Job:
    """Return a job that has completed."""
    job = Job(seed, *overrides, **values)
    job.train(*range(1, num_epochs + 1))
    job.end()
    return job


def epochs(rows: list[dict[str, Any]]) -> list[int]:
    return [row["epoch"] for row in rows]


def mirror_once(sweep: Path = SWEEP) -> Mirror:
    """Mirror what is there."""
    mirror = Mirror(sweep)
    mirror.look()
    assert mirror.finish() == 0
    return mirror


def look(mirror: Mirror) -> None:
    """Look, and wait for what it started."""
    mirror.look()
    mirror._wait()


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a condition, which is looked at again and again."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
