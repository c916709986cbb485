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
from experiments.record.history import OF_HISTORIES, Rows, rows_in
from experiments.record.strangers_files import check_archive

log = logging.getLogger(__name__)

LAST, BEST = "last.ckpt", "best.ckpt"
AMID, BEST_AMID = "amid.ckpt", "best-amid.ckpt"
"""Where a run was when its budget ended it amid an epoch, and what was best until then."""
GONE_ON_BY = {"state_dict", "optimizer_states", "callbacks", "epoch", "global_step"}
"""What a run cannot go on without."""


def is_whole(path: Path) -> bool:
    """Return whether each byte of a checkpoint is the one that was written.

    torch writes zip files, whose list of contents comes last, with a sum of each content (CRC-32)
    that torch itself does not look at when it reads: of zeros amid a file it makes weights.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # whatever a broken byte makes of the list
        return False


def is_to_go_on_from(path: Path) -> bool:
    """Return whether a run can go on from a checkpoint: it is whole, and of this kind of run."""
    if not is_whole(path):
        return False
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # whatever another version has written
        return False
    return isinstance(saved, dict) and saved.keys() >= GONE_ON_BY


def latest_whole(folder: Path) -> Path | None:
    """Return the latest checkpoint that a run can go on from; None where there is none."""
    paths = [folder / CHECKPOINTS / name for name in (LAST, BEST)]
    return next((path for path in paths if is_to_go_on_from(path)), None)


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
        if not is_whole(path):
            raise ValueError("its content is not what was written")
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # of whatever kind the broken byte makes it
        reason = "it is empty" if not path.stat().st_size else " ".join(str(error).split())[:200]
        raise user_error("corrupt_checkpoint", path=path, reason=reason, instead=instead) from error


def kept_in(saved: dict[str, Any]) -> Rows:
    """Return the rows of the history that a checkpoint has kept; none of an older one, nor of a
    long history.
    """
    try:
        text = saved["callbacks"].get("History", {}).get("text", "")
        return rows_in(text.splitlines(keepends=True))
    except OF_HISTORIES:
        return []
