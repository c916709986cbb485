"""The jobs of a process: one, or a population of jobs that are trained together."""

from __future__ import annotations

import functools
import os
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import open_dict, read_write

from experiments.config.launch import Launch
from experiments.errors.messages import RunFailed, UserError
from experiments.record.claim import FINISHED, Known
from experiments.record.disk import DiskRefused
from experiments.record.host import SHARE
from experiments.sweep.plan import Job


@dataclass(frozen=True)
class Assignment:
    """A job, and all else that a process needs to train it; it can be pickled.

    Attributes:
        hydra: Hydra's own part of its config, pickled.
        retry_failed: a run that has failed before is tried again.
        cores: how many of the cores are the job's own.
        cwd: the folder that relative paths are meant from.
        marker: a file in the sweep's folder, by which another machine knows that its own folder
            is the same one.
        job_timeout: seconds after which another machine ends the job; None for no limit.
    """

    job: Job
    hydra: bytes
    retry_failed: bool
    environment: dict[str, str]
    cores: int
    cwd: str
    marker: str = ""
    job_timeout: float | None = None


@dataclass(frozen=True)
class Result:
    """What became of a job.

    Attributes:
        outcome: the status of the run, or refused (a mistake in the config, nothing written) or
            taken (another process is at it).
        folder: of the run, where there is one.
        message: what went wrong.
        was_there: the run was done already, by another process.
    """

    outcome: str
    folder: str | None = None
    message: str | None = None
    was_there: bool = False

    @property
    def came_to_nothing(self) -> bool:
        """Whether the run has no result, nor will have one without another launch."""
        return self.outcome in ("failed", "refused", "interrupted")


@dataclass
class RunningJob:
    """A job at work, as its launcher sees it.

    Attributes:
        started: when, by the monotonic clock.
        group: the numbers of all jobs of its process, its own among them, the first of which is
            what the process is known by; empty where it is the only one.
    """

    job: Job
    started: float = field(default_factory=time.monotonic)
    group: tuple[int, ...] = ()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def first(self) -> int:
        """The number that its process is known by."""
        return self.group[0] if self.group else self.job.number

    @property
    def own_seconds(self) -> float:
        """Its share of the time that its process has taken."""
        return self.seconds / max(1, len(self.group))


Tell = Callable[[int, Result], None]
"""Hears what became of the job of a number, as soon as that is known."""


def train_jobs(assignments: Sequence[Assignment], tell: Tell) -> None:
    """Train the jobs of this process and say what became of each; nothing is raised but an end."""
    first = assignments[0]
    os.chdir(first.cwd)
    os.environ.update(first.environment)
    os.environ[SHARE] = str(first.cores)
    job_ends = [begin(assignment) for assignment in assignments]
    numbers = [assignment.job.number for assignment in assignments]

    def ended(index: int, outcome: Any) -> None:
        result = result_of(outcome)
        job_ends[index](result)
        tell(numbers[index], result)

    if len(assignments) == 1:
        ended(0, outcome_of_training(first))
    else:
        train_population(assignments, ended)


def begin(assignment: Assignment) -> Callable[[Result], None]:
    """Tell Hydra's callbacks that a job begins, and return what tells them of its end."""
    config = announce_to_hydra(assignment)
    if not config.hydra.callbacks:  # as in most; each would read the whole config of Hydra
        return lambda result: None
    callbacks = Callbacks(config)
    callbacks.on_job_start(config=config, task_function=lambda _: None)

    def end(result: Result) -> None:
        status = JobStatus.COMPLETED if result.outcome in FINISHED else JobStatus.FAILED
        overrides = assignment.job.cell.overrides
        job_return = JobReturn(overrides=overrides, cfg=config, status=status)
        callbacks.on_job_end(config=config, job_return=job_return)

    return end


def outcome_of_training(assignment: Assignment) -> Any:
    """Train the run of a job, and return the run, None, or what was raised."""
    from experiments.training.run import train

    try:
        return train(assignment.job.config, launch_of(assignment))
    except (UserError, RunFailed, KeyboardInterrupt, SystemExit) as error:
        return error


def train_population(assignments: Sequence[Assignment], ended: Callable[[int, Any], None]) -> None:
    """Train jobs together, telling of each as soon as its record is written."""
    from experiments.training.population.train_members import train_members

    told: set[int] = set()

    def ended_once(index: int, outcome: Any) -> None:
        if index not in told:
            told.add(index)
            ended(index, outcome)

    # Where a member's folder is made, Hydra must know that job's config and no other's.
    launches = [
        replace(launch_of(each), announce=functools.partial(announce_to_hydra, each))
        for each in assignments
    ]
    configs = [assignment.job.config for assignment in assignments]
    outcomes: Sequence[Any] = []
    try:
        outcomes = train_members(configs, launches, ended=ended_once)
    except (KeyboardInterrupt, SystemExit) as error:
        outcomes = [error] * len(assignments)
    for index, outcome in enumerate(outcomes):
        ended_once(index, outcome)


def launch_of(assignment: Assignment) -> Launch:
    job = assignment.job
    in_folder = bool(HydraConfig.get().job.chdir)
    return Launch(
        job.cell.overrides,
        sweep_dir=job.sweep_dir.absolute() if in_folder else job.sweep_dir,
        swept=list(job.cell.swept),
        retry_failed=assignment.retry_failed,
        is_quiet=True,
        in_folder=in_folder,
        code=job.code,
    )


def result_of(outcome: Known | BaseException | None) -> Result:
    """Return what became of a job, from what its training has returned or raised."""
    if outcome is None:
        return Result("taken")
    if isinstance(outcome, Known):
        record = outcome.record
        return Result(record["status"], str(outcome.folder), record["error"], outcome.was_there)
    if isinstance(outcome, UserError):
        return Result("refused", message=str(outcome))
    if isinstance(outcome, DiskRefused):
        return Result("interrupted", message=str(outcome))
    if isinstance(outcome, RunFailed):
        return Result("failed", message=str(outcome))
    return Result("interrupted")


def announce_to_hydra(assignment: Assignment) -> Any:
    """Have Hydra know the config of the job, as if it had launched it itself, and return that."""
    config: Any = pickle.loads(assignment.hydra)
    overrides, number = assignment.job.cell.overrides, assignment.job.number
    hydra = config.hydra
    with read_write(hydra), open_dict(hydra):
        # The keys that an interpolation names are not in here: it stays as it was typed.
        hydra.overrides.task = [override.replace("${", "\\${") for override in overrides]
        hydra.job.override_dirname = ",".join(overrides)
        hydra.job.id, hydra.job.num = str(number), number
        os.environ.update(hydra.job.env_set)
    HydraConfig.instance().cfg = config
    return config
