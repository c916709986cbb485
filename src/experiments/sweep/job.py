"""One job of a sweep, carried out in a process of its own, whoever started that."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import open_dict, read_write

from experiments.claims import FINISHED
from experiments.cores import SHARE
from experiments.errors import RunFailed, UserError
from experiments.folders import Launch


@dataclass(frozen=True)
class Task:
    """All that a process needs to carry out a job; plain values, so that it can travel.

    Attributes:
        config: the resolved config.
        hydra: Hydra's own part of it, pickled.
        overrides: what makes the config.
        swept: those of them that differ between jobs.
        sweep_dir: where the run's folder belongs.
        identity: of the run.
        retry_failed: a run that has failed before is tried again.
        environment: variables to set.
        cores: how many of the cores are the job's own.
        number: its place in the sweep.
        cwd: the folder that relative paths are meant from.
    """

    config: dict[str, Any]
    hydra: bytes
    overrides: list[str]
    swept: list[str]
    sweep_dir: str
    identity: str
    retry_failed: bool
    environment: dict[str, str]
    cores: int
    number: int
    cwd: str


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


def carry_out(task: Task) -> Result:
    """Carry out a job in this process, and say what became of it; nothing is raised but an end."""
    os.chdir(task.cwd)
    os.environ.update(task.environment)
    os.environ[SHARE] = str(task.cores)
    config = announce_to_hydra(task)
    # None for most, and each would read the whole config of Hydra.
    callbacks = Callbacks(config) if config.hydra.callbacks else None
    if callbacks:
        callbacks.on_job_start(config=config, task_function=lambda _: None)
    result = trained(task)
    if callbacks:
        status = JobStatus.COMPLETED if result.outcome in FINISHED else JobStatus.FAILED
        job_return = JobReturn(overrides=task.overrides, cfg=config, status=status)
        callbacks.on_job_end(config=config, job_return=job_return)
    return result


def trained(task: Task) -> Result:
    """Train the run of a job, and say what became of it."""
    from experiments import training  # seconds of imports, which a server has behind it

    launch = Launch(
        task.overrides,
        sweep_dir=Path(task.sweep_dir),
        swept=task.swept,
        retry_failed=task.retry_failed,
        is_quiet=True,
    )
    try:
        known = training.carry_out(task.config, launch)
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


def announce_to_hydra(task: Task) -> Any:
    """Have Hydra know the config of the job, as if it had launched it itself, and return that."""
    config: Any = pickle.loads(task.hydra)
    hydra = config.hydra
    with read_write(hydra), open_dict(hydra):
        hydra.overrides.task = task.overrides
        hydra.job.override_dirname = ",".join(task.overrides)
        hydra.job.id, hydra.job.num = str(task.number), task.number
        os.environ.update(hydra.job.env_set)
    HydraConfig.instance().cfg = config
    return config
