"""What a resumed run takes over from what it has done so far: checkpoints and history."""

from __future__ import annotations

import functools
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, user_error
from experiments.record.code import change_of_code, is_other_code
from experiments.record.folder import CHECKPOINTS, HISTORY, write_atomic
from experiments.record.history import is_begun_by, read_history
from experiments.record.same_data import is_other_data
from experiments.record.strangers_files import is_within
from experiments.training.budget import ended_amid
from experiments.training.resume import INSTEAD, Resumed
from experiments.training.run_parts import RunParts
from experiments.training.whole_checkpoint import (
    AMID,
    BEST,
    BEST_AMID,
    LAST,
    is_to_go_on_from,
    kept_in,
    load_checkpoint,
    tell_broken,
)

log = logging.getLogger(__name__)


def carry_over(resumed: Resumed | None, folder: Path, parts: RunParts) -> Path | None:
    """Bring what the run has done so far to `folder`, and return the checkpoint to go on from.

    Lightning forgets which weights were best when its checkpoint names another folder: so the
    names inside are made those of `folder`, also where the run's own folder was moved. What was
    best is forgotten where it was so on other data. Where its file is lost the run begins anew:
    whether a later epoch is better cannot be told from the rest.
    """
    if resumed is None:
        return None
    tell_broken(resumed.folder, resumed.checkpoint)
    source, source_of_best = sources_of(resumed, parts)
    if source is None:
        (folder / HISTORY).unlink(missing_ok=True)  # of a beginning that is lost
        return None
    old, new = resumed.folder, folder / CHECKPOINTS
    is_other_content = is_other_data(resumed.record, parts.data_checksum)
    before = resumed.record["code"] or {}
    is_other = is_other_content or is_other_code(resumed.record, parts.code)
    saved = load_checkpoint(source, INSTEAD)
    is_lost = loses_best(saved) and not is_to_go_on_from(source_of_best)
    if is_other_content:
        log.warning(TABLE["gone_on"].format(path=old, checksum=resumed.record["data_checksum"]))
    elif is_other:
        change = change_of_code(before, parts.code)
        log.warning(TABLE["gone_on_code"].format(path=old, change=change))
    elif is_lost:
        log.warning(TABLE["lost_best"], source_of_best)
    if (is_lost and not is_other) or not bring_history(saved, old, folder):
        (folder / HISTORY).unlink(missing_ok=True)
        return None
    is_changed = is_lost or is_other
    if is_changed:
        saved["callbacks"] = without_best(saved["callbacks"])
    elif loses_best(saved):
        check_is_of(source_of_best, old)
        bring(load_checkpoint(source_of_best, INSTEAD), source_of_best, new / BEST)
    check_is_of(source, old)
    bring(saved, source, new / LAST, is_changed)
    return new / LAST


def sources_of(resumed: Resumed, parts: RunParts) -> tuple[Path | None, Path]:
    """Return the checkpoint that a run goes on from, and that of the best weights until then.

    Of a run that its budget has ended amid an epoch, a larger one goes on from that epoch. Where
    the file of that is broken it cannot be told whether it was the run's end, so that it goes on
    from what was best before it.
    """
    if resumed.checkpoint is None:
        return None, resumed.folder / CHECKPOINTS / BEST
    best, amid, best_amid = (
        resumed.folder / CHECKPOINTS / name for name in (BEST, AMID, BEST_AMID)
    )
    if resumed.record["identity"] == parts.identity:
        return resumed.checkpoint, best
    if amid.is_file() and not is_to_go_on_from(amid):
        earlier = best_amid if is_to_go_on_from(best_amid) else None
        log.warning(TABLE["whole_checkpoint"], amid, earlier or "the beginning")
        return earlier, best_amid
    ended = ended_amid(resumed.folder, resumed.checkpoint, parts.config["trainer"])
    return (resumed.checkpoint, best) if ended is None else (ended, best_amid)


def bring_history(saved: dict[str, Any], old: Path, folder: Path) -> bool:
    """Have the rows that a checkpoint counts on in a folder: those of the run's own file, or where
    that is lost or damaged, those that the checkpoint has kept.

    Returns:
        False where neither has them.
    """
    kept = saved["callbacks"].get("History", {})
    first, rows = kept_in(saved), []
    try:
        rows, reason = read_history(old), "rows are missing, or others"
    except UserError as error:
        reason = str(error)
    if len(first or rows) < kept.get("num_rows", 0):
        log.warning(TABLE["lost_history"], old / HISTORY, reason)
        return False
    if not is_begun_by(rows, first):
        log.warning(TABLE["kept_history"], old / HISTORY, reason)
        write_atomic(folder / HISTORY, kept["text"])
    elif old != folder and (old / HISTORY).is_file():
        check_is_of(old / HISTORY, old)
        shutil.copyfile(old / HISTORY, folder / HISTORY)
    return True


def bring(saved: dict[str, Any], source: Path, target: Path, is_changed: bool = False) -> None:
    """Write a checkpoint to its place, such that all that names its folder names that of the place;
    not where that is what the place has.
    """
    here, callbacks = os.path.realpath(target.parent), saved["callbacks"]
    then = {state["dirpath"] for state in callbacks.values() if "dirpath" in state}
    for folder_then in then:
        callbacks = renamed(callbacks, folder_then, here)
    if is_changed or source != target or then != {here}:
        check_paths(callbacks, here, source, INSTEAD)
        saved = {**saved, "callbacks": callbacks}
        write_atomic(target, functools.partial(torch.save, saved), is_synced=False)


def check_is_of(path: Path, folder: Path) -> None:
    """Raise UserError for a link that leads out of a run's folder: its target would be copied."""
    if not is_within(path, folder):
        raise user_error("not_a_run", path=path, reason="it is a link that leads out of its folder")


def check_paths(callbacks: Any, here: str, checkpoint: Path, instead: str) -> None:
    """Raise UserError where a checkpoint remembers files of another folder.

    Lightning removes the best weights so far when it has found better ones, and takes where they
    are from the checkpoint.
    """
    for state in callbacks.values():
        if not isinstance(state, dict) or "dirpath" not in state:
            continue
        for path in words_in(state):
            is_path = os.path.isabs(path) or ".." in Path(path).parts or "://" in path
            if is_path and not is_within(path, here):
                reason = f"it remembers {path[:200]} as one of its files"
                raise user_error(
                    "corrupt_checkpoint", path=checkpoint, reason=reason, instead=instead
                )


def words_in(value: Any) -> Iterator[str]:
    """Yield the words among nested values, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from words_in(key)
            yield from words_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from words_in(part)


def loses_best(saved: dict[str, Any]) -> bool:
    """Return whether a checkpoint counts on the file of the best weights."""
    paths = [state.get("best_model_path", "") for state in saved["callbacks"].values()]
    return any(path.endswith(BEST) for path in paths)


def without_best(callbacks: dict[str, Any]) -> dict[str, Any]:
    """Return the states of callbacks without those that remember the best value so far."""
    remembered = ("best_model_score", "best_score")
    return {name: s for name, s in callbacks.items() if not any(key in s for key in remembered)}


def kept_rows(
    resumed: Resumed | None, checkpoint: Path | None, folder: Path
) -> list[dict[str, float | None]] | None:
    """Return the rows of history.csv that a resumed run goes on from; None where it begins.

    Those that came after its checkpoint are written anew.
    """
    if resumed is None:
        return None
    if checkpoint is None:
        return []
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    num_rows = saved["callbacks"].get("History", {}).get("num_rows", 0)
    return read_history(folder)[:num_rows]


def renamed(value: Any, old: str, new: str) -> Any:
    """Return nested plain values in which every path below `old` is one below `new`."""
    if isinstance(value, str):
        return value.replace(old, new, 1) if value.startswith(old) else value
    if isinstance(value, dict):
        return {renamed(k, old, new): renamed(v, old, new) for k, v in value.items()}
    return value
