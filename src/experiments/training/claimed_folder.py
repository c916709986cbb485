"""The folder that a run is trained in: its own, and nobody else's while it is trained."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.config.launch import Launch, open_folder
from experiments.errors.error_table import TABLE
from experiments.errors.messages import user_error
from experiments.record import claim as claims
from experiments.record.claim import Known, holding
from experiments.record.code import change_of_code, changes
from experiments.record.disk import refusals_told
from experiments.record.folder import CHECKPOINTS, remove_parts, write_config
from experiments.training import resume
from experiments.training.budget import Budget
from experiments.training.console import logging_to
from experiments.training.resume import Resumed
from experiments.training.run_parts import RunParts

log = logging.getLogger(__name__)

KeepingLog = Callable[[Path], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Claim:
    """What became of the wish to train a run.

    Attributes:
        is_granted: it is to be trained by this process.
        known: the run where it is done already.
        resumed: the run that is continued; None where it begins.
    """

    is_granted: bool = True
    known: Known | None = None
    resumed: Resumed | None = None


def check_planned_code(launch: Launch, parts: RunParts) -> None:
    """Raise UserError where code has changed while a sweep was under way: its runs would differ."""
    if launch.code is not None and changes(launch.code, parts.code):
        raise user_error("code_amid", change=change_of_code(launch.code, parts.code))


@contextlib.contextmanager
def claimed_folder(
    parts: RunParts, launch: Launch, resumed: Resumed | None, keeping_log: KeepingLog = logging_to
) -> Iterator[tuple[Path | None, Claim]]:
    """Claim a run and its folder for the length of the block, whose log goes to train.log.

    Args:
        resumed: the run that was asked to be continued.
        keeping_log: what writes the log of a block into a folder.

    Returns:
        The folder, None where there is nothing to train, and the claim.

    Raises:
        UserError: another process is training the run, or nothing of it is left to do.
        RunFailed: the disk is full, or refuses otherwise.
    """
    output = Path(parts.config["paths"]["output"])
    with refusals_told(output), claimed(parts, launch, resumed) as claim:
        if not claim.is_granted:
            yield None, claim
            return
        folder = folder_of(parts, launch, claim.resumed)
        # A folder of hydra.run.dir may lie on another disk than paths.output.
        of_disk = folder if launch.run_dir else output
        with refusals_told(of_disk), holding(folder), keeping_log(folder):
            for written in (folder, folder / CHECKPOINTS):
                remove_parts(written)
            if claim.resumed is not None:
                resume.check_unchanged(claim.resumed)
                launch.keep_data(folder, parts.config)
                write_config(folder, parts.config)
            yield folder, claim


@contextlib.contextmanager
def claimed(parts: RunParts, launch: Launch, resumed: Resumed | None) -> Iterator[Claim]:
    """Claim a run: in a sweep, unless it is done or another process is at it."""
    if launch.sweep_dir is None or resumed is not None:
        if resumed is None and parts.config["resume"] == "auto":
            parent, run_dir = Path(parts.config["paths"]["output"]) / "runs", launch.run_dir
            done = resume.named_run(run_dir, parts.identity)
            if done is not None:
                with logging_to(None):
                    log.info(TABLE["done_there"], done.folder, done.record["status"])
                yield Claim(is_granted=False, known=replace(done, was_there=True))
                return
            resumed = next(resume.unfinished_runs(parent, parts.identity, run_dir), None)
            if resumed is None:
                resume.check_no_other(parent, parts, run_dir)
                resume.tell_lost(parent, parts.identity, run_dir)
        yield Claim(resumed=resumed)
        return
    with claims.claim(launch.sweep_dir, parts.identity) as is_ours:
        if not is_ours:
            log.info(TABLE["claimed"].format(identity=parts.identity))
            yield Claim(is_granted=False)
            return
        known = claims.find_run(launch.sweep_dir, parts.identity)
        if known is None:
            yield Claim()
            return
        retries = launch.retry_failed or parts.config["sweep"]["retry_failed"]
        is_over = known.is_finished or (known.record["status"] == "failed" and not retries)
        if is_over:
            yield Claim(is_granted=False, known=replace(known, was_there=True))
            return
        yield Claim(resumed=resume.read_run(known.folder))


def folder_of(parts: RunParts, launch: Launch, resumed: Resumed | None) -> Path:
    """Return the run's folder: the resumed one where the identity is the same, else a new one.

    A larger budget makes another identity: that run begins with what the first one did.
    """
    config, identity = parts.config, parts.identity
    if resumed is not None:
        resume.check_something_left(resumed, identity, Budget.of(config["trainer"]))
        if resumed.record["identity"] == identity:
            return resumed.folder
        resume.check_schedule(resumed, config["scheduler"]["name"], parts.recipe)
    return open_folder(launch, config, identity)
