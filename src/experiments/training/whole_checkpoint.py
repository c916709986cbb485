"""Which checkpoints of a run are whole: a machine that goes down leaves empty or zeroed files."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path
from typing import Any

import torch

from experiments.errors.error_table import TABLE
from experiments.errors.messages import user_error
from experiments.record.folder import CHECKPOINTS
from experiments.record.strangers_files import check_archive

log = logging.getLogger(__name__)

LAST, BEST = "last.ckpt", "best.ckpt"
AMID, BEST_AMID = "amid.ckpt", "best-amid.ckpt"
"""Where a run was when its budget ended it amid an epoch, and what was best until then."""


def is_whole(path: Path) -> bool:
    """Return whether a checkpoint is there to its end: torch writes zip files, whose list of
    contents comes last.
    """
    return path.is_file() and zipfile.is_zipfile(path)


def latest_whole(folder: Path) -> Path | None:
    """Return the latest checkpoint of a run that is whole; None where there is none."""
    last, best = (folder / CHECKPOINTS / name for name in (LAST, BEST))
    if is_whole(last):
        return last
    return best if is_whole(best) else None


def tell_broken(folder: Path, checkpoint: Path | None) -> None:
    """Say where a run goes on from an earlier checkpoint than its last, or from none."""
    last = folder / CHECKPOINTS / LAST
    if last.is_file() and checkpoint != last:
        both = f"{last} and {BEST}" if checkpoint is None else last
        log.warning(TABLE["whole_checkpoint"], both, checkpoint or "the beginning")


def load_checkpoint(path: Path, instead: str) -> dict[str, Any]:
    """Return what a checkpoint holds.

    Raises:
        UserError: it is broken; `instead` says what to do.
    """
    try:
        check_archive(path)
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # of whatever kind the broken byte makes it
        reason = "it is empty" if not path.stat().st_size else " ".join(str(error).split())[:200]
        raise user_error("corrupt_checkpoint", path=path, reason=reason, instead=instead) from error
