"""The start of a run at W&B: `wandb.init`, where its files lie, and what a refusal leaves."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb

from experiments.tracking import agent
from experiments.tracking.reachable import Mode
from experiments.tracking.state import is_offline_run

STAGED_HERE = "EXPERIMENTS_WANDB_DATA_DIR"


def start_run(
    mode: Mode, folder: Path, arguments: Mapping[str, Any], **settings: Any
) -> tuple[Any, str | None]:
    """Call `wandb.init`; where the server refuses the run, offline, and return the line about it.

    Args:
        mode: online or offline.
        folder: where the files of W&B's runs lie, called wandb.
        arguments: of `wandb.init`, with an id.
        settings: more of `wandb.Settings`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stage_artifacts_in(folder)
    arguments = {
        "dir": str(folder.parent),
        "reinit": "create_new",
        "settings": wandb.Settings(silent=True, **{"init_timeout": 30, **settings}),
        **arguments,
    }
    try:
        return wandb.init(mode=mode, **arguments), None
    except Exception as error:
        if mode == "offline" or agent.run_id():
            raise  # an agent's run has one id, which stays taken by the attempt that failed
        reason = " ".join(str(error).split())[:200]
    arguments["resume"] = None
    line = f"W&B: offline, because the server refused the run ({reason})."
    try:
        return wandb.init(mode="offline", **arguments), line
    except Exception:
        # The id stays taken in this process by the attempt that failed.
        remove_empty(folder, str(arguments["id"]))
        arguments["id"] = f"{arguments['id']}-offline"
        return wandb.init(mode="offline", **arguments), line


def remove_empty(folder: Path, run_id: str) -> None:
    """Remove what an offline run leaves that could not be started: a folder of logs alone."""
    for path in folder.glob(f"offline-run-*-{glob.escape(run_id)}"):
        if not any(path.glob("*.wandb")):
            shutil.rmtree(path, ignore_errors=True)


def stage_artifacts_in(folder: Path) -> None:
    """Have W&B stage artifacts below `folder` instead of the user's data folder.

    An environment variable is the only way; one that the user has set is left alone.
    """
    if os.environ.get("WANDB_DATA_DIR", "") in ("", os.environ.get(STAGED_HERE, "")):
        os.environ["WANDB_DATA_DIR"] = os.environ[STAGED_HERE] = str(folder)


def remove_superseded(run: Any, folder: Path) -> None:
    """Remove what an earlier attempt of a run left offline: all of it is in this one.

    Synced later it would take this one's place.
    """
    own = Path(run.settings.sync_dir).resolve()
    for path in folder.glob(f"offline-run-*-{glob.escape(run.id)}*"):
        if path.resolve() != own and is_offline_run(path.name, run.id):
            shutil.rmtree(path, ignore_errors=True)
