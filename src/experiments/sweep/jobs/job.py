"""One job of a sweep, trained in a process of its own, whoever started that."""

from __future__ import annotations

import os
import pickle
import time
from dataclasses import dataclass, field
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import open_dict, read_write

from experiments.config.launch import Launch
from experiments.errors.messages import RunFailed, UserError
from experiments.record.claim import FINISHED
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
    """

    outcome: str
    folder: str | None = None
    message: str | None = None

    @property
    def came_to_nothing(self) -> bool:
        """Whether the run has no result, nor will have one without another launch."""
        return self.outcome in ("failed", "refused", "interrupted")


@dataclass
class RunningJob:
    """A job at work, as its launcher sees it, and when it was started by the monotonic clock."""

    job: Job
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


def train_job(assignment: Assignment) -> Result:
    """Train a job in this process and say what became of it; nothing is raised but an end."""
    os.chdir(assignment.cwd)
    os.environ.update(assignment.environment)
    os.environ[SHARE] = str(assignment.cores)
    config = announce_to_hydra(assignment)
    # None for most, and each would read the whole config of Hydra.
    callbacks = Callbacks(config) if config.hydra.callbacks else None
    if callbacks:
        callbacks.on_job_start(config=config, task_function=lambda _: None)
    result = result_of_training(assignment)
    if callbacks:
        status = JobStatus.COMPLETED if result.outcome in FINISHED else JobStatus.FAILED
        overrides = assignment.job.cell.overrides
        job_return = JobReturn(overrides=overrides, cfg=config, status=status)
        callbacks.on_job_end(config=config, job_return=job_return)
    return result


def result_of_training(assignment: Assignment) -> Result:
    """Train the run of a job, and say what became of it."""
    from experiments.training.run import train

    job = assignment.job
    in_folder = bool(HydraConfig.get().job.chdir)
    launch = Launch(
        job.cell.overrides,
        sweep_dir=job.sweep_dir.absolute() if in_folder else job.sweep_dir,
        swept=list(job.cell.swept),
        retry_failed=assignment.retry_failed,
        is_quiet=True,
        in_folder=in_folder,
        code=job.code,
    )
    try:
        known = train(job.config, launch)
    except UserError as error:
        return Result("refused", message=str(error))
    except RunFailed as error:
        return Result("failed", message=str(error))
    except (KeyboardInterrupt, SystemExit):
        return Result("interrupted")
    if known is None:
        return Result("taken")
    record = known.record
    return Result(record["status"], str(known.folder), record["error"])


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
