"""The record of a run from its start to its end, however it ends."""

from __future__ import annotations

import contextlib
import errno
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from experiments import hardware
from experiments.errors import RunFailed, UserError, user_error
from experiments.folders import Launch
from experiments.preparation import Prepared
from experiments.records import LOG, SCHEMA, Record, now, read_history
from experiments.results import Row, selected_metrics
from experiments.tracking import agent
from experiments.trainer import Watch

log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What fitting and testing left behind, so far as they came."""

    watch: Watch | None = None
    test_metrics: dict[str, float] = field(default_factory=dict)
    fit_seconds: float = 0.0
    health: str | None = None

    @contextlib.contextmanager
    def clock(self) -> Iterator[None]:
        """Count the time of the block as `fit_seconds`, however it ends."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.fit_seconds += time.perf_counter() - started


def new_record(prepared: Prepared, launch: Launch, before: Record | None) -> Record:
    """Return the record of a run that is about to start, or to go on from `before`."""
    config, data = prepared.config, prepared.datamodule
    started_at = now()
    wandb_id = None
    if config["logger"]["name"] == "wandb":
        # A single run may be repeated as it is; in a sweep the identity is the run.
        moment = "".join(c for c in started_at[:19] if c.isdigit())
        wandb_id = prepared.identity if launch.sweep_dir else f"{prepared.identity[:8]}-{moment}"
        if before and before["wandb_id"] and before["identity"] == prepared.identity:
            wandb_id = before["wandb_id"]
        wandb_id = agent.run_id() or wandb_id
    return Record(
        schema=SCHEMA,
        identity=prepared.identity,
        setting=prepared.setting,
        seed=config["seed"],
        status="running",
        overrides=before["overrides"] if before else launch.overrides,
        metrics={},
        best_epoch=None,
        epochs=0,
        steps=0,
        num_parameters=prepared.num_parameters,
        num_activation_parameters=prepared.num_activation_parameters,
        num_classes=data.spec.num_outputs if data.spec.task == "classification" else None,
        num_train=len(data.train),
        num_val=len(data.val),
        num_test=len(data.test),
        duration_seconds=before["duration_seconds"] if before else 0.0,
        fit_seconds=before["fit_seconds"] if before else 0.0,
        train_seconds=before["train_seconds"] if before else 0.0,
        samples_per_second=None,
        error=None,
        health=None,
        environment=hardware.environment(
            prepared.accelerator, prepared.num_devices, prepared.num_threads
        ),
        data_checksum=prepared.data_checksum,
        started_at=before["started_at"] if before else started_at,
        ended_at=None,
        wandb_id=wandb_id,
    )


def finish_record(record: Record, folder: Path, outcome: Outcome) -> None:
    """Write what came out into the record."""
    watch = outcome.watch
    assert watch is not None
    rows = count(record, folder, outcome)
    metrics, best_epoch = selected_metrics(rows, watch.best.best_model_path)
    record["metrics"] = {**metrics, **outcome.test_metrics}
    record["best_epoch"] = best_epoch
    diverged, pruned = watch.divergence.diverged, watch.pruning.pruned
    record["status"] = "diverged" if diverged else "pruned" if pruned else "completed"
    record["error"] = diverged or pruned
    record["health"] = outcome.health


def count(record: Record, folder: Path, outcome: Outcome) -> list[Row]:
    """Write epochs, steps and times into the record, and return the rows of the history."""
    rows = read_history(folder)
    # A row of an epoch has its mean loss; one of a step has train/loss_step.
    epochs = [row["epoch"] for row in rows if row.get("train/loss") is not None]
    record["epochs"] = max((int(epoch or 0) for epoch in epochs), default=0)
    record["steps"] = max((int(row["step"] or 0) for row in rows), default=0)
    record["fit_seconds"] += outcome.fit_seconds
    if outcome.watch is not None:
        stopwatch = outcome.watch.stopwatch
        record["train_seconds"] += stopwatch.train_seconds
        if stopwatch.train_seconds > 0:
            record["samples_per_second"] = stopwatch.num_samples / stopwatch.train_seconds
    return rows


def broken_off(
    record: Record, folder: Path, outcome: Outcome, error: BaseException, is_in_sweep: bool
) -> BaseException:
    """Write into the record how the run broke off, and return what to raise."""
    if record["status"] != "running":
        return error  # all was done; what broke off was the telling of it
    count(record, folder, outcome)
    if isinstance(error, KeyboardInterrupt | SystemExit):
        signal_name = "SIGINT" if isinstance(error, KeyboardInterrupt) else "SIGTERM"
        record["status"], record["error"] = "interrupted", f"stopped by {signal_name}"
        if not is_in_sweep:  # which says itself how it goes on
            log.warning("Stopped. To continue: python train.py resume=%s", folder)
        return error
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    record["status"], record["error"] = "failed", reason
    log.error("The run failed.", exc_info=error)
    if isinstance(error, UserError) or is_full_disk(error):
        return error
    return RunFailed(str(user_error("run_failed", reason=reason, log=folder / LOG)))


def is_full_disk(error: BaseException) -> bool:
    """Return whether an error says that there is no space left."""
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


@contextlib.contextmanager
def full_disk_told(path: Path) -> Iterator[None]:
    """Turn a full disk into one message; a record that could not be replaced stays as it was."""
    try:
        yield
    except OSError as error:
        if not is_full_disk(error):
            raise
        raise RunFailed(str(user_error("disk_full", path=path, reason=error.strerror))) from error
