"""Carry out the jobs of a plan side by side, each in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.claims import claim, find_run
from experiments.errors import user_error
from experiments.records import LOG, Status, now, write_record
from experiments.sweep.board import Board
from experiments.sweep.composition import Composer
from experiments.sweep.connection import Ended, ServerProcess
from experiments.sweep.job import Result, Task
from experiments.sweep.plan import Job
from experiments.sweep.seats import Seat, Seats
from experiments.sweep.source import Source

GRACE_SECONDS = 3.5
"""How long an interrupted job may take to write its record before it is killed."""
LOOK_SECONDS = 0.5
CLAIM_SECONDS = 1.0
"""How long to try for the claim of a dead job: another launcher may be looking at it."""


@dataclass
class Running:
    """A job at work."""

    job: Job
    seats: list[Seat]
    started: float = field(default_factory=time.monotonic)
    reason: str | None = None
    is_interrupted: bool = False

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.started


def check_numbers(workers: Any, jobs_per_device: Any, job_timeout: float | None) -> None:
    """Raise UserError for a number of workers or jobs that is none, or a time that is over."""
    for key, given in (("workers", workers), ("jobs_per_device", jobs_per_device)):
        is_number = isinstance(given, int) and not isinstance(given, bool) and given >= 1
        if not is_number and not (key == "workers" and given == "auto"):
            raise user_error(
                "not_allowed",
                key=f"hydra.launcher.{key}",
                given=given,
                allowed="1 or more" + (", or auto" if key == "workers" else ""),
                instead="auto" if key == "workers" else 1,
            )
    if job_timeout is not None and not job_timeout > 0:
        raise user_error(
            "not_allowed",
            key="hydra.launcher.job_timeout",
            given=job_timeout,
            allowed="a number of seconds, or null for no limit",
            instead=3600,
        )


class Workers:
    """The jobs at work, and those that wait.

    Args:
        server: what they are forked from.
        composer: knows Hydra's part of each config.
        board: where the user sees how it goes.
        seats: what they take of the machine.
        job_timeout: seconds after which a job is ended as failed; None for no limit.
        retry_failed: runs that have failed before are tried again.
    """

    def __init__(
        self,
        server: ServerProcess,
        composer: Composer,
        board: Board,
        seats: Seats,
        job_timeout: float | None = None,
        retry_failed: bool = False,
    ) -> None:
        self.server = server
        self.composer = composer
        self.board = board
        self.seats = seats
        self.job_timeout = job_timeout
        self.retry_failed = retry_failed
        self.running: dict[int, Running] = {}

    def carry_out(self, source: Source) -> None:
        """Carry out all jobs that a source gives.

        Raises:
            KeyboardInterrupt: Ctrl-C; the jobs at work have been interrupted.
        """
        try:
            while self.running or not source.is_over:
                self.fill(source)
                for ended in self.server.ended(LOOK_SECONDS):
                    job, result = self.take_leave(ended)
                    source.ended(job, result)
                    self.fill(source)
                self.end_overdue()
                source.look()
                self.board.show(list(self.running.values()))
        except KeyboardInterrupt:
            self.interrupt()
            raise

    def fill(self, source: Source) -> None:
        """Start jobs while there are some and seats for them."""
        while self.seats.free and len(self.running) < self.seats.at_once:
            job = source.take()
            if job is None:
                return
            if not self.start(job):
                source.put_back(job)
                return

    def start(self, job: Job) -> bool:
        """Start a job where there are seats for it; False where it has to wait."""
        taken = self.seats.take(job)
        if not taken:
            return False
        environment, cores = self.seats.environment(job, taken), self.seats.cores(taken)
        task = task_of(job, self.composer, environment, cores, self.retry_failed)
        self.running[job.number] = Running(job, taken)
        self.server.run(job.number, task)
        return True

    def take_leave(self, ended: Ended) -> tuple[Job, Result]:
        """Free the seats of a job that has ended, and return what became of it."""
        running = self.running.pop(ended.number)
        self.seats.give_back(running.seats)
        result = ended.result or died(running, ended)
        self.board.ended(running, result)
        return running.job, result

    def end_overdue(self) -> None:
        """Kill the jobs that have taken too long."""
        for number, running in self.running.items():
            limit = self.job_timeout
            if limit is not None and running.seconds > limit and running.reason is None:
                running.reason = f"took longer than hydra.launcher.job_timeout={limit:g} seconds"
                self.server.stop(number, signal.SIGKILL)

    def interrupt(self) -> None:
        """Have every job write down that it was interrupted, and end those that do not."""
        for number, running in self.running.items():
            running.reason, running.is_interrupted = "stopped by SIGINT", True
            self.server.stop(number, signal.SIGINT)
        until = time.monotonic() + GRACE_SECONDS
        while self.running and time.monotonic() < until:
            for ended in self.server.ended(max(0.0, until - time.monotonic())):
                self.take_leave(ended)
        for number in self.running:
            self.server.stop(number, signal.SIGKILL)
        until = time.monotonic() + 1
        while self.running and time.monotonic() < until:
            for ended in self.server.ended(max(0.0, until - time.monotonic())):
                self.take_leave(ended)


def task_of(
    job: Job, composer: Composer, environment: dict[str, str], cores: int, retry_failed: bool
) -> Task:
    """Return what a process needs to carry out a job."""
    return Task(
        config=job.config,
        hydra=composer.hydra(job.cell.overrides),
        overrides=job.cell.overrides,
        swept=list(job.cell.swept),
        sweep_dir=str(job.sweep_dir),
        identity=job.identity,
        retry_failed=retry_failed,
        environment=environment,
        cores=cores,
        number=job.number,
        cwd=os.getcwd(),
    )


def died(running: Running, ended: Ended) -> Result:
    """Write into the record of a job why its process died, and return what became of it."""
    reason = running.reason or reason_of(ended)
    status: Status = "interrupted" if running.is_interrupted else "failed"
    return record_death(running.job.sweep_dir, running.job.identity, status, reason, ended.output)


def record_death(
    sweep_dir: Path, identity: str, status: Status, reason: str, output: str
) -> Result:
    """Write into the record of a run why it is over, and return what became of it.

    Args:
        sweep_dir: the folder of the sweep.
        identity: of the run.
        status: failed or interrupted.
        reason: in one line.
        output: what its process said last.
    """
    folder = None
    with patient_claim(sweep_dir, identity) as is_ours:
        known = find_run(sweep_dir, identity) if is_ours else None
        if known is not None and not known.is_finished:
            folder = known.folder
            known.record["status"] = status
            known.record["error"], known.record["ended_at"] = reason, now()
            write_record(folder, known.record)
            keep_output(folder, reason, output)
    return Result(status, str(folder) if folder else None, reason)


@contextlib.contextmanager
def patient_claim(sweep_dir: Path, identity: str) -> Iterator[bool]:
    """Claim a run whose owner has died; who only looks whether it is claimed is waited for."""
    until = time.monotonic() + CLAIM_SECONDS
    while True:
        with claim(sweep_dir, identity) as is_ours:
            if is_ours or time.monotonic() > until:
                yield is_ours
                return
        time.sleep(0.02)


def reason_of(ended: Ended) -> str:
    """Return why a process died, in one line."""
    if ended.code < 0:
        name = signal.Signals(-ended.code).name
        of_memory = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{of_memory}"
    lines = [line for line in ended.output.splitlines() if line.strip()]
    return f"its process ended with code {ended.code}" + (f": {lines[-1]}" if lines else "")


def keep_output(folder: Path, reason: str, output: str) -> None:
    """Add to the log of a run what its process said last."""
    with (folder / LOG).open("a", encoding="utf-8") as log:
        log.write(f"{now()} ERROR experiments.sweep: {reason}\n{output}")
