"""Continue a run from its last checkpoint: `resume=FOLDER` or `resume=auto`."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from experiments.errors import UserError, listed, user_error
from experiments.folders import read_config
from experiments.module import ExperimentModule
from experiments.records import CHECKPOINTS, CONFIG, HISTORY, Record, read_history, read_record
from experiments.schedulers import depends_on_total

LOCK = ".lock"
CHANGEABLE = (
    "trainer.max_epochs",
    "trainer.max_steps",
    "trainer.max_time",
    "test",
    "steps_per_execution",
    "trainer.threads",
    "trainer.log_every_n_steps",
    "log_full_loss",
    "checkpoint.every_n_steps",
    "data.root",
    "data.path",
    "data.test_path",
    "data.memory_limit",
    "data.num_workers",
)
HARMLESS = ("resume", "logger", "progress", "paths", "trainer.profiler")


@dataclass(frozen=True)
class Resumed:
    """The run that is continued.

    Attributes:
        folder: its folder.
        record: its record.
        checkpoint: its last checkpoint; None where it was stopped before the first.
    """

    folder: Path
    record: Record
    checkpoint: Path | None


def lock_of(folder: Path) -> FileLock:
    """Return the lock of a run folder: whoever trains holds it, and it dies with its owner."""
    return FileLock(folder / LOCK)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder, or raise UserError where another process does."""
    lock = lock_of(folder)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise user_error("run_is_alive", path=folder) from error
    try:
        yield
    finally:
        lock.release()


def is_alive(folder: Path) -> bool:
    """Return whether some process is training the run of this folder."""
    try:
        with held(folder):
            return False
    except UserError:
        return True


def read_run(folder: Path) -> Resumed:
    """Return the run of a folder, or raise UserError where it is none."""
    if not folder.is_dir():
        raise user_error("not_a_run", path=folder, reason="there is no such folder")
    record = read_record(folder)
    if not (folder / CONFIG).is_file():
        raise user_error("not_a_run", path=folder, reason=f"it has no {CONFIG}")
    last = folder / CHECKPOINTS / "last.ckpt"
    return Resumed(folder, record, last if last.is_file() else None)


def check_unchanged(resumed: Resumed) -> None:
    """Raise UserError where the run was taken up by another process meanwhile."""
    if read_record(resumed.folder) != resumed.record:
        raise user_error("run_is_alive", path=resumed.folder)


def config_of(resumed: Resumed, config: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """Return the run's own config, with what may be changed taken from the present one.

    Raises:
        UserError: an override of anything else.
    """
    saved = read_config(resumed.folder)
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        if key in CHANGEABLE:
            set_value(saved, key, get_value(config, key))
        elif not key.startswith(HARMLESS):
            raise user_error(
                "resume_override",
                path=resumed.folder,
                given=override,
                allowed=listed(CHANGEABLE),
            )
    for key in ("resume", "logger", "progress", "paths"):
        saved[key] = config[key]
    saved["trainer"]["profiler"] = config["trainer"]["profiler"]
    return saved


def get_value(config: dict[str, Any], key: str) -> Any:
    """Return the value at a dotted key."""
    for word in key.split("."):
        config = config[word]
    return config


def set_value(config: dict[str, Any], key: str, value: Any) -> None:
    """Set the value at a dotted key."""
    *parents, last = key.split(".")
    for word in parents:
        config = config[word]
    config[last] = value


def unfinished_runs(parent: Path, identity: str) -> Iterator[Resumed]:
    """Yield the runs below `parent` that have this identity and are not finished, newest first."""
    folders = sorted(parent.glob(f"**/*-{identity[:8]}*/record.json"), reverse=True)
    for path in folders:
        try:
            resumed = read_run(path.parent)
        except UserError:
            continue
        is_unfinished = resumed.record["status"] in ("running", "failed", "interrupted")
        if resumed.record["identity"] == identity and is_unfinished and not is_alive(path.parent):
            yield resumed


def carry_over(resumed: Resumed, folder: Path) -> Path | None:
    """Bring what the run has done so far to `folder`, and return the checkpoint to go on from.

    Lightning forgets which weights were best when its checkpoint names another folder: so the
    names inside are made those of `folder`, also where the run's own folder was moved.
    """
    if resumed.checkpoint is None:
        return None
    old, new = resumed.folder, folder / CHECKPOINTS
    if old != folder:
        for name in (HISTORY, f"{CHECKPOINTS}/best.ckpt"):
            if (old / name).is_file():
                shutil.copyfile(old / name, folder / name)
    saved = torch.load(resumed.checkpoint, map_location="cpu", weights_only=True)
    written_for = {state["dirpath"] for state in saved["callbacks"].values() if "dirpath" in state}
    here = os.path.realpath(new)
    if written_for != {here}:
        for place in written_for:
            saved["callbacks"] = renamed(saved["callbacks"], place, here)
        torch.save(saved, new / "last.part")
        os.replace(new / "last.part", new / "last.ckpt")
    return new / "last.ckpt"


def renamed(value: Any, old: str, new: str) -> Any:
    """Return nested plain values in which every path below `old` is one below `new`."""
    if isinstance(value, str):
        return value.replace(old, new, 1) if value.startswith(old) else value
    if isinstance(value, dict):
        return {renamed(k, old, new): renamed(v, old, new) for k, v in value.items()}
    return value


def check_something_left(resumed: Resumed, identity: str, max_epochs: int) -> None:
    """Raise UserError where the budget is spent, or the run has diverged."""
    record = resumed.record
    if is_alive(resumed.folder):
        raise user_error("run_is_alive", path=resumed.folder)
    if record["status"] == "diverged":
        raise user_error("resume_diverged", path=resumed.folder, error=record["error"])
    is_done = record["status"] == "completed" and record["identity"] == identity
    # By the history, since a killed run's record does not know how far it came.
    epochs = max((int(row["epoch"] or 0) for row in read_history(resumed.folder)), default=0)
    if is_done or 0 < max_epochs < epochs:
        raise user_error(
            "resume_done",
            path=resumed.folder,
            status=record["status"],
            epochs=epochs,
            instead=2 * max(max_epochs, epochs, 1),
        )


def check_schedule(resumed: Resumed, scheduler: str, module: ExperimentModule) -> None:
    """Raise UserError where a schedule that is laid out over the whole run gets another length."""
    if depends_on_total(module.make_scheduler):
        raise user_error("resume_schedule", path=resumed.folder, scheduler=scheduler)
