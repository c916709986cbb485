"""`.mirror.json` in a run folder: how far the run has been mirrored to W&B."""

from __future__ import annotations

import contextlib
import glob
import json
import re
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_type_hints

from experiments.record.folder import write_atomic
from experiments.record.record import PATTERNS, is_of
from experiments.record.strangers_files import is_within, text_of

STATE = ".mirror.json"


@dataclass
class State:
    """What the mirror knows of a run beyond its own life.

    Attributes:
        wandb_id: W&B's id of the run.
        mode: online or offline.
        opened_at: when the W&B run was started, as W&B writes it in names of folders.
        wandb_folder: its folder's name below outputs/wandb; None while it is being made.
        num_rows: rows of history.csv that W&B has; known when the run is finished there.
        finished: all that the run folder held was told.
        status, ended_at: of the record, when it was told.
        record_changed_at: when record.json was changed (st_mtime_ns), when it was told.
        has_lost_server: it had to be offline, since the server went away amid the sweep.
        project, entity: where it is; None in states of an older version, or the user's own entity.
    """

    wandb_id: str
    mode: str
    opened_at: str
    wandb_folder: str | None = None
    num_rows: int = 0
    finished: bool = False
    status: str = "running"
    ended_at: str | None = None
    record_changed_at: int = 0
    has_lost_server: bool = False
    project: str | None = None
    entity: str | None = None

    def has_told(self, record: Any) -> bool:
        end = (record["wandb_id"], record["status"], record["ended_at"])
        last_told = (self.wandb_id, self.status, self.ended_at)
        return self.finished and record["status"] != "running" and end == last_told


def opened_now() -> str:
    """Return the time as W&B writes it in the names of its folders.

    >>> len(opened_now()) == len("20260131_235959")
    True
    """
    return f"{datetime.now():%Y%m%d_%H%M%S}"


def read_state(folder: Path) -> State | None:
    """Read `.mirror.json`; None where the run was never mirrored, or this is no such file.

    The folder may be a stranger's, and what is named in it is removed when it is written anew.
    """
    try:
        state = State(**json.loads(text_of(folder / STATE)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return state if is_plain(state) else None


def is_plain(state: State) -> bool:
    """Return whether the values of a state are of their types, and its names no paths."""
    fit = all(is_of(getattr(state, name), kind) for name, kind in get_type_hints(State).items())
    names = [state.wandb_id, state.opened_at, state.wandb_folder or "-"]
    return fit and all(re.fullmatch(PATTERNS["wandb_id"], name) for name in names)


def write_state(folder: Path, state: State) -> None:
    """Write `.mirror.json`, in one step.

    Without the sync to disk that a record has, which takes milliseconds: it is lost with the
    whole machine only, and then W&B's own files are too.
    """
    write_atomic(folder / STATE, json.dumps(asdict(state)) + "\n", is_synced=False)


def open_state(folder: Path, wandb_id: str, mode: str, wandb_folder: Path) -> State:
    """Write the state of a run that is about to be started, and remove what it replaces."""
    before = read_state(folder)
    if before is not None:
        remove_offline(before, wandb_folder)
    # Written first, so that whoever comes after a kill in between knows what to look for.
    state = State(wandb_id, mode, opened_now())
    write_state(folder, state)
    return state


def remove_offline(state: State, wandb_folder: Path) -> None:
    """Remove the folder of an offline run, which is about to be written anew.

    An offline run cannot be continued: the same id would make a second folder whose steps start
    at 0. Only a folder of this very run is removed, never one that was there before.
    """
    if state.mode != "offline":
        return
    if state.wandb_folder is not None:
        names = [state.wandb_folder]
    else:
        # The mirror was killed while W&B made it.
        folders = wandb_folder.glob(f"offline-run-*-{glob.escape(state.wandb_id)}*")
        names = [p.name for p in folders if p.name >= f"offline-run-{state.opened_at}"]
    for name in names:
        path = wandb_folder / name
        if is_offline_run(name, state.wandb_id) and is_within(path, wandb_folder):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path)


def is_offline_run(name: str, wandb_id: str) -> bool:
    """Return whether a folder is called as W&B calls an offline run of this id.

    >>> is_offline_run("offline-run-20260131_235959-abc", "abc")
    True
    >>> is_offline_run("offline-run-20260131_235959-abcd", "abc")
    False
    """
    # A run that the server refused is called so, and W&B numbers folders of one second.
    pattern = rf"offline-run-\d{{8}}_\d{{6}}-{re.escape(wandb_id)}(-offline)?(-\d+)?"
    return re.fullmatch(pattern, name) is not None
