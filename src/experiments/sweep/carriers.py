"""Who carries out the jobs of a sweep on this machine: our workers, or any launcher of Hydra's."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher

from experiments.claims import find_run
from experiments.errors import RunFailed
from experiments.sweep.board import Board
from experiments.sweep.composition import Composer
from experiments.sweep.connection import ServerProcess
from experiments.sweep.job import Result
from experiments.sweep.plan import Job
from experiments.sweep.seats import Seat, Seats, seats_of
from experiments.sweep.source import Source
from experiments.sweep.workers import Workers

Config = dict[str, Any]
WAIT_SECONDS = 0.5


class LocalCarrier:
    """Our workers, forked from a server."""

    def __init__(
        self,
        server: ServerProcess,
        workers: int | str,
        jobs_per_device: int,
        job_timeout: float | None,
    ) -> None:
        self.server = server
        self.workers = workers
        self.jobs_per_device = jobs_per_device
        self.job_timeout = job_timeout

    def check(self, config: Config, overrides: Sequence[str]) -> None:
        """Raise UserError for keys of a config that are missing, or that nothing takes."""
        self.server.check(config, overrides)

    def checksum(self, config: Config) -> str:
        """Return the checksum of the data of a config."""
        return self.server.checksum(config)

    def measures(self, config: Config) -> list[str]:
        """Return the names of what is measured on the data of a config."""
        return self.server.measures(config)

    @property
    def at_once(self) -> int:
        """How many jobs work side by side."""
        return len(self.seats) if self.workers == "auto" else int(self.workers)

    @property
    def seats(self) -> list[Seat]:
        """What jobs take of the machine."""
        return seats_of(self.server.ready["devices"], self.workers, self.jobs_per_device)

    def carry_out(
        self, source: Source, board: Board, composer: Composer, retry_failed: bool
    ) -> None:
        """Carry out all jobs that a source gives."""
        seats = Seats(self.seats, self.server.ready["devices"]["cpu"], self.at_once)
        workers = Workers(self.server, composer, board, seats, self.job_timeout, retry_failed)
        workers.carry_out(source)


@contextlib.contextmanager
def local_carrier(
    workers: int | str, jobs_per_device: int, job_timeout: float | None, start: str
) -> Iterator[LocalCarrier]:
    """Start the server that jobs are forked from, for the length of the block."""
    with ServerProcess(start) as server:
        yield LocalCarrier(server, workers, jobs_per_device, job_timeout)


class ForeignCarrier:
    """A launcher of Hydra's, such as basic and joblib: it composes each job for itself."""

    at_once = 1

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher

    def check(self, config: Config, overrides: Sequence[str]) -> None:
        """Raise UserError for keys of a config that are missing, or that nothing takes."""
        from experiments import preparation  # it imports torch, which the jobs need as well

        preparation.check_keys(config, list(overrides))

    def checksum(self, config: Config) -> str:
        """Return the checksum of the data of a config."""
        from experiments import building

        return building.load_data(config).checksum()

    def measures(self, config: Config) -> list[str]:
        """Return the names of what is measured on the data of a config."""
        from experiments import building
        from experiments.running import measured_on

        return list(measured_on(building.load_data(config).task))

    def carry_out(
        self, source: Source, board: Board, composer: Composer, retry_failed: bool
    ) -> None:
        """Carry out all jobs that a source gives, as many in a batch as it gives at once."""
        while not source.is_over:
            jobs = list(iter(source.take, None))
            if not jobs:
                time.sleep(WAIT_SECONDS)  # others are at what is left
                source.look()
                continue
            returns = self.launcher.launch([job.cell.overrides for job in jobs], initial_job_idx=0)
            for job, returned in zip(jobs, returns, strict=True):
                source.ended(job, result_of(job, returned))
            source.look()


def result_of(job: Job, returned: JobReturn) -> Result:
    """Return what became of a job, by its record where it has one."""
    known = find_run(job.sweep_dir, job.identity)
    if known is not None:
        record = known.record
        outcome = "taken" if record["status"] == "running" else record["status"]
        return Result(outcome, str(known.folder), record["error"])
    try:
        _ = returned.return_value
    except Exception as error:
        told = error.__cause__ if isinstance(error, RunFailed) else error
        return Result("refused", message=str(told or error))
    return Result("taken")


@contextlib.contextmanager
def foreign_carrier(launcher: Launcher) -> Iterator[ForeignCarrier]:
    """Have a launcher of Hydra's carry out the jobs."""
    yield ForeignCarrier(launcher)
