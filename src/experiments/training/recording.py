"""The record of a run from its start to its end, however it ends."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from experiments.config.arguments import command_line
from experiments.config.launch import Launch
from experiments.data.datamodule import DataModule
from experiments.errors.memory import is_out_of_memory
from experiments.errors.messages import RunFailed, UserError, user_error
from experiments.errors.places import place_of
from experiments.errors.redaction import redacted
from experiments.record.chance import chance_of
from experiments.record.code import is_other_code
from experiments.record.disk import is_refusal
from experiments.record.folder import LOG
from experiments.record.history import read_history
from experiments.record.predictions import Predictions
from experiments.record.record import SCHEMA, Record, now, write_record
from experiments.record.same_data import is_other_data
from experiments.tracking import agent, names
from experiments.training import devices, out_of_memory
from experiments.training.added_metrics import build_metrics, guesses
from experiments.training.resume import Resumed
from experiments.training.run_parts import RunParts
from experiments.training.slurm_job import CODES
from experiments.training.weighted_loss import weights_in

log = logging.getLogger(__name__)

Row = dict[str, float | None]


@dataclass
class Outcome:
    """What fitting and testing left behind, so far as they came."""

    test_metrics: dict[str, float] = field(default_factory=dict)
    predictions: Predictions | None = None
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


class Recorder:
    """Keeps a run's record true while the run lives, from its first moment to its end.

    It alone writes record.json and changes the record. As a context manager it says at the end of
    its block what became of the run: what `finish` found, or how the run broke off.

    Args:
        resumed: the run that is continued; None where it begins.
        population: what the record says of a run that is trained together with others.

    Raises:
        RunFailed: the block broke off with an error that the user has not been told of yet.
    """

    def __init__(
        self,
        parts: RunParts,
        launch: Launch,
        folder: Path,
        resumed: Resumed | None,
        population: dict[str, int] | None = None,
    ) -> None:
        self.parts, self.trainer, self.folder = parts, parts.trainer, folder
        self.output = Path(parts.config["paths"]["output"])
        self.is_resumed = resumed is not None
        self.is_in_sweep = launch.sweep_dir is not None
        self.record = new_record(parts, launch, resumed.record if resumed else None)
        self.record["population"] = population
        self.outcome = Outcome()

    def __enter__(self) -> Recorder:
        self._started = time.perf_counter()
        write_record(self.folder, self.record)
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        is_told = error is None or self._break_off(error)
        population = self.record["population"]
        seconds = (time.perf_counter() - self._started) / (
            population["members"] if population else 1
        )
        self.record["duration_seconds"] += seconds
        self.record["ended_at"] = now()
        write_record(self.folder, self.record)
        if not is_told:
            reason, path = self.record["error"], self.folder / LOG
            raise RunFailed(str(user_error("run_failed", reason=reason, log=path))) from error

    def name_at_wandb(self, wandb_id: str | None) -> None:
        self.record["wandb_id"] = wandb_id

    def finish(self) -> None:
        """Note what came out of a run that has done all it was to do."""
        record, watch, outcome = self.record, self.trainer.watch, self.outcome
        metrics, best_epoch = selected_metrics(self._count(), self.trainer.selected())
        record["metrics"] = {**metrics, **outcome.test_metrics}
        record["best_epoch"] = best_epoch
        diverged, pruned = watch.divergence.diverged, watch.pruning.pruned
        record["status"] = "diverged" if diverged else "pruned" if pruned else "completed"
        record["error"] = diverged or pruned
        record["health"] = outcome.health

    def end_as_failed(self, reason: str) -> None:
        """Write that the run failed, for a process that is about to be killed."""
        self.record["status"], self.record["error"] = "failed", reason
        self.record["ended_at"] = now()
        write_record(self.folder, self.record)
        log.error("The run failed: %s", reason)

    def _break_off(self, error: BaseException) -> bool:
        """Note how the run broke off, and return whether the error itself says so to the user."""
        record = self.record
        if record["status"] != "running":
            return True  # all was done; what broke off was the telling of it
        self._count()
        if isinstance(error, KeyboardInterrupt | SystemExit) and not leaves_by_itself(error):
            record["status"], record["error"] = "interrupted", f"stopped by {signal_of(error)}"
            if not self.is_in_sweep:  # which says itself how it goes on
                log.warning("Stopped. To continue: %s", command_line(f"resume={self.folder}"))
            return True
        is_refused = is_refusal(error, self.output, self.folder)
        # By a disk, which may have room when the same is asked for again.
        record["status"] = "interrupted" if is_refused else "failed"
        place = "" if isinstance(error, UserError) else place_of(error)
        record["error"] = redacted(" ".join(f"{type(error).__name__}: {error}".split()) + place)
        if is_out_of_memory(error):
            record["error"] = out_of_memory.told_of(error, self.parts)
        log.error("The run failed.", exc_info=error)
        if is_out_of_memory(error):
            out_of_memory.let_go_of(error)
        return isinstance(error, UserError) or is_refused

    def _count(self) -> list[Row]:
        """Note epochs, steps and times, and return the rows of the history."""
        record, history = self.record, self.trainer.watch.history.file
        try:
            rows = read_history(self.folder)
        except UserError:  # as after a write that was refused, which is what is told
            if history is None:
                raise
            rows = history.rows
        # A row of an epoch has its mean loss; one of a step has train/loss_step.
        epochs = [row["epoch"] for row in rows if row.get("train/loss") is not None]
        record["epochs"] = max((int(epoch or 0) for epoch in epochs), default=0)
        record["steps"] = max((int(row["step"] or 0) for row in rows), default=0)
        stopwatch = self.trainer.watch.stopwatch
        record["fit_seconds"] += self.outcome.fit_seconds
        record["train_seconds"] += stopwatch.train_seconds
        if stopwatch.train_seconds > 0:
            record["samples_per_second"] = stopwatch.num_samples / stopwatch.train_seconds
        return rows


def signal_of(error: BaseException) -> str:
    """Return the signal that has ended a run."""
    if isinstance(error, SystemExit):
        return CODES.get(int(error.code or 0), "SIGTERM")
    return "SIGINT"


def leaves_by_itself(error: BaseException) -> bool:
    """Return whether somebody else's code has called sys.exit, where no signal asked for it."""
    is_exit = isinstance(error, SystemExit) and error.code not in CODES
    return is_exit and bool(place_of(error))


def new_record(parts: RunParts, launch: Launch, before: Record | None) -> Record:
    """Return the record of a run that is about to start, or to go on from `before`."""
    config, data = parts.config, parts.datamodule
    weights = weights_in(parts.module.loss)
    started_at = now()
    return Record(
        schema=SCHEMA,
        identity=parts.identity,
        setting=parts.setting,
        seed=config["seed"],
        status="running",
        overrides=before["overrides"] if before else launch.overrides,
        metrics={},
        best_epoch=None,
        epochs=0,
        steps=0,
        num_parameters=parts.num_parameters,
        num_activation_parameters=parts.num_activation_parameters,
        num_classes=data.spec.num_outputs if data.spec.task == "classification" else None,
        num_train=len(data.train),
        num_val=len(data.val),
        num_test=len(data.test),
        num_redrawn=data.num_redrawn or None,
        class_weights=weights.tolist() if weights is not None else None,
        chance=chances(data),
        guessing=guesses_of(parts),
        duration_seconds=before["duration_seconds"] if before else 0.0,
        fit_seconds=before["fit_seconds"] if before else 0.0,
        train_seconds=before["train_seconds"] if before else 0.0,
        samples_per_second=None,
        error=None,
        health=None,
        environment=devices.environment(parts.accelerator, parts.num_devices, parts.num_threads),
        data_checksum=parts.data_checksum,
        earlier_data=earlier_data_of(parts, before),
        code=parts.code or None,
        earlier_code=earlier_code_of(parts, before),
        population=None,
        started_at=before["started_at"] if before else started_at,
        ended_at=None,
        wandb_id=wandb_id_of(parts, launch, before),
    )


def chances(data: DataModule) -> dict[str, float] | None:
    """Return what guessing gets right of each part of the data; None for regression."""
    if data.spec.task != "classification":
        return None
    found: dict[str, float] = {}
    for name, part in (("train", data.train), ("val", data.val), ("test", data.test)):
        if len(part):
            chance = chance_of(torch.bincount(part.targets).tolist())
            found |= {name: chance.share, f"{name}_limit": chance.limit}
    return found


def guesses_of(parts: RunParts) -> dict[str, float] | None:
    """Return what guessing gives of each added metric in validation and test; None without any."""
    data, spec = parts.datamodule, parts.datamodule.spec
    metrics = build_metrics(parts.config, spec)
    if not metrics:
        return None
    train, num_outputs = data.train.targets, spec.num_outputs
    guessed = {"val": data.val} | ({"test": data.test} if parts.config["test"] else {})
    return {
        f"{stage}/{name}": value
        for stage, part in guessed.items()
        if len(part)
        for name, value in guesses(metrics, num_outputs, train, part.targets).items()
    }


def earlier_data_of(parts: RunParts, before: Record | None) -> list[str] | None:
    """Return the checksums of other data that a run was trained on so far; None for most."""
    if before is None:
        return None
    earlier = list(before["earlier_data"] or [])
    if is_other_data(before, parts.data_checksum):
        earlier.append(str(before["data_checksum"]))
    return earlier or None


def earlier_code_of(parts: RunParts, before: Record | None) -> list[dict[str, str]] | None:
    """Return the other texts of its code that a run was trained with so far; None for most."""
    if before is None:
        return None
    earlier = list(before["earlier_code"] or [])
    if is_other_code(before, parts.code):
        earlier.append(dict(before["code"] or {}))
    return earlier or None


def wandb_id_of(parts: RunParts, launch: Launch, before: Record | None) -> str | None:
    """Return the id that the run is to have at W&B; None where it does not go there.

    It belongs to the run folder: the same run in another folder is another one at W&B, and takes
    the place of none.
    """
    if parts.config["logger"]["name"] != "wandb":
        return None
    if agent.run_id():
        return agent.run_id()
    if before and before["wandb_id"] and before["identity"] == parts.identity:
        return before["wandb_id"]
    return names.new_id(parts.config, launch.overrides, launch.swept)


def selected_metrics(rows: list[Row], selected: tuple[int, int] | None) -> tuple[Row, int | None]:
    """Return train/* and val/* of the epoch whose weights were selected, and that epoch.

    Args:
        rows: history.csv.
        selected: epoch and step of the selected weights; None where no checkpoint was written.
    """
    if selected is None:
        return {}, None
    best_epoch, best_step = selected
    metrics: Row = {}
    for row in rows:
        if row["epoch"] == best_epoch:
            # An epoch may have been validated several times; its training has one row.
            stages = ("train/", "val/") if row["step"] == best_step else ("train/",)
            metrics |= {
                name: value
                for name, value in row.items()
                if value is not None and name.startswith(stages) and name != "train/loss_step"
            }
    return metrics, best_epoch
