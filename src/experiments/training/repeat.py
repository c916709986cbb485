"""A run again: `from=FOLDER` trains it from its own folder, and says whether it is the same."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.config.launch import Launch
from experiments.errors.error_table import TABLE
from experiments.errors.messages import RunFailed, refuse_unless, user_error
from experiments.errors.wording import few, listed
from experiments.record.claim import Known
from experiments.record.environment import changes_between, made_with
from experiments.record.folder import CHECKPOINTS, LOG
from experiments.record.history import read_history
from experiments.training.resume import UNCHANGING, Resumed, config_of, read_run
from experiments.training.whole_checkpoint import BEST, LAST, is_whole, load_checkpoint

log = logging.getLogger(__name__)

COMPARABLE = ("completed", "diverged")


def asked_again(config: dict[str, Any], launch: Launch) -> tuple[dict[str, Any], Resumed | None]:
    """Return the config to train with, and the run that `from=FOLDER` names.

    Raises:
        UserError: it is no run that has come to its end, or something is typed beside it that makes
            another run of it.
    """
    given = config.get("again")
    if given is None:
        return config, None
    refuse_unless(given not in ("", "true", "false"), "from", given, "a run's folder", "FOLDER")
    if config["resume"] is not None:
        raise user_error("again_resumed", given=given, resume=config["resume"])
    if launch.sweep_dir is not None:
        raise user_error("again_of_sweep", given=given)
    original = read_run(Path(given))
    if (status := original.record["status"]) not in COMPARABLE:
        raise user_error("again_unfinished", path=given, status=status)
    own = config_of(original, config, launch.overrides, UNCHANGING, "again_override")
    return {**own, "again": str(given)}, original


def tell_whether_same(original: Resumed, known: Known) -> None:
    """Say that a run that was trained again is the same, bit for bit.

    Raises:
        RunFailed: it is not; the message says in what, and what of its environment may explain it.
    """
    differing = differences(original, known)
    changed = changes_between(made_with(original.record), made_with(known.record))
    if not differing:
        beside = TABLE["same_beside"].format(changes="; ".join(changed)) if changed else ""
        num_rows = len(read_history(known.folder))
        num_metrics = len(known.record["metrics"])
        before, after = (
            {name for name in (BEST, LAST) if checkpoint_of(folder, name)}
            for folder in (original.folder, known.folder)
        )
        gone = sorted(after - before)
        weights = "the weights, " if after & before else ""
        beside += TABLE["weights_gone"].format(names=listed(gone)) if gone else ""
        log.info(TABLE["same"], original.folder, weights, num_rows, num_metrics, beside)
        return
    is_gpu = not str(known.record["environment"].get("device")).startswith("cpu")
    why = "; ".join(changed) or TABLE["same_environment_gpu" if is_gpu else "same_environment"]
    values = {"path": original.folder, "folder": known.folder, "why": why}
    log.warning("%s", TABLE["not_same"].format(differences="; ".join(differing), **values))
    log_file = known.folder / LOG
    raise RunFailed(str(user_error("again_differs", path=original.folder, log=log_file)))


def differences(original: Resumed, known: Known) -> list[str]:
    """Return in what two runs differ: where their histories part, weights, metrics."""
    before, after = original.record, known.record
    found = [
        parting(read_history(original.folder), read_history(known.folder)),
        *(of_weights(original.folder, known.folder, name) for name in (BEST, LAST)),
        *(
            f"{key} {before[key]} -> {after[key]}"
            for key in ("status", "best_epoch", "steps")
            if before[key] != after[key]
        ),
    ]
    names = sorted({*before["metrics"], *after["metrics"]}, key=lambda n: not n.startswith("test"))
    metrics = [
        f"{name} {shown(one)} -> {shown(other)}"
        for name in names
        if not same(one := before["metrics"].get(name), other := after["metrics"].get(name))
    ]
    return [each for each in [*found, few(metrics) if metrics else None] if each]


def parting(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> str | None:
    """Return where two histories part; None where they are the same."""
    for one, other in zip(before, after, strict=False):
        names = [n for n in [*one, *other] if not same(one.get(n), other.get(n))]
        if names:
            step, name = other.get("step"), names[0]
            return f"from step {step} on: {name} {shown(one.get(name))} -> {shown(other.get(name))}"
    if len(before) != len(after):
        return f"{len(before)} -> {len(after)} rows of history"
    return None


def of_weights(before: Path, after: Path, name: str) -> str | None:
    """Return by how much the weights of two checkpoints differ; None where they are the same, or
    those of before are gone.
    """
    paths = [checkpoint_of(folder, name) for folder in (before, after)]
    if paths[0] is None:
        return None
    if paths[1] is None:
        return f"it has no {name}"
    one, other = (load_checkpoint(p, "Leave from=... away.")["state_dict"] for p in paths if p)
    if one.keys() != other.keys():
        return f"{name}: other names of weights"
    unequal = [key for key in one if not torch.equal(one[key], other[key])]
    if not unequal:
        return None
    largest = max(distance(one[key], other[key]) for key in unequal)
    return f"{name}: {len(unequal)} of {len(one)} tensors differ, by {largest:.3g} at most"


def checkpoint_of(folder: Path, name: str) -> Path | None:
    path = folder / CHECKPOINTS / name
    return path if is_whole(path) else None


def distance(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return math.inf
    return float((one.double() - other.double()).abs().max())


def same(one: float | None, other: float | None) -> bool:
    both = one is not None and other is not None
    return one == other or (both and math.isnan(one) and math.isnan(other))  # type: ignore[arg-type]


def shown(value: float | None) -> str:
    return "(none)" if value is None else repr(value)
