"""`hydra/launcher=workers`: jobs side by side on this machine, each forked from one server."""

from __future__ import annotations

import signal
import time
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from experiments.errors.messages import refuse_unless
from experiments.record.record import Status
from experiments.sweep.jobs.board import Board
from experiments.sweep.jobs.carrier import WatchingCarrier
from experiments.sweep.jobs.deaths import cause_of_death, record_death
from experiments.sweep.jobs.job import RunningJob
from experiments.sweep.jobs.seats import Seat, Seats, seats_of
from experiments.sweep.jobs.server import EndedJob, ServerProcess
from experiments.sweep.jobs.source import JobSource
from experiments.sweep.plan import Job

GRACE_SECONDS = 3.5
"""How long an interrupted job may take to write its record before it is killed."""
LAST_SECONDS = 1.0
LOOK_SECONDS = 0.5


def check_numbers(workers: Any, jobs_per_device: Any, job_timeout: float | None) -> None:
    """Raise UserError for a number of workers or jobs that is none, or a time that is over."""
    for key, given in (("workers", workers), ("jobs_per_device", jobs_per_device)):
        fits = isinstance(given, int) and not isinstance(given, bool) and given >= 1
        if key == "workers":
            fits, allowed, instead = fits or given == "auto", "1 or more, or auto", "auto"
        else:
            allowed, instead = "1 or more", "1"
        refuse_unless(fits, f"hydra.launcher.{key}", given, allowed, instead)
    key, allowed = "hydra.launcher.job_timeout", "a number of seconds, or null for no limit"
    refuse_unless(job_timeout is None or job_timeout > 0, key, job_timeout, allowed, 3600)


@dataclass(eq=False)
class Workers(WatchingCarrier):
    """The jobs of this machine, forked from a server that also examines their configs.

    Attributes:
        workers: how many jobs at once, or auto.
        jobs_per_device: how many jobs share a GPU.
        taken: the seats of each job at work.
        reasons: why jobs are ended from outside, and what is written of those whose process dies.
    """

    examiner: ServerProcess
    _: KW_ONLY
    workers: int | str
    jobs_per_device: int
    seats: Seats = field(init=False)
    taken: dict[int, list[Seat]] = field(default_factory=dict, init=False)
    reasons: dict[int, tuple[Status, str]] = field(default_factory=dict, init=False)

    @property
    def server(self) -> ServerProcess:
        return self.examiner

    @property
    def at_once(self) -> int:
        return len(self.all_seats) if self.workers == "auto" else int(self.workers)

    @property
    def all_seats(self) -> list[Seat]:
        return seats_of(self.server.ready["devices"], self.workers, self.jobs_per_device)

    def run_jobs(self, source: JobSource, board: Board) -> None:
        self.seats = Seats(self.all_seats, self.server.ready["devices"]["cpu"], self.at_once)
        super().run_jobs(source, board)

    def start_jobs(self, source: JobSource) -> None:
        while self.seats.free and len(self.running) < self.seats.at_once:
            job = source.take()
            if job is None:
                return
            if not self.start(job):
                source.put_back(job)
                return

    def start(self, job: Job) -> bool:
        """Start a job where there are seats for it; False where it has to wait."""
        seats = self.seats.take(job)
        if not seats:
            return False
        environment, cores = self.seats.environment(job, seats), self.seats.cores(seats)
        self.server.start_job(self.assignment(job, cores, environment))
        self.running[job.number], self.taken[job.number] = RunningJob(job), seats
        return True

    def hear_of_ends(self, source: JobSource) -> None:
        for ended in self.server.ended_jobs(LOOK_SECONDS):
            self.take_leave(ended, source)
            self.start_jobs(source)
        limit = self.job_timeout
        for number, running in self.running.items():
            if limit is not None and running.seconds > limit and number not in self.reasons:
                reason = f"took longer than hydra.launcher.job_timeout={limit:g} seconds"
                self.reasons[number] = "failed", reason
                self.server.stop_job(number, signal.SIGKILL)

    def take_leave(self, ended: EndedJob, source: JobSource | None = None) -> None:
        """Free the seats of a job that has ended, and tell what became of it."""
        running = self.running.pop(ended.number)
        self.seats.give_back(self.taken.pop(ended.number))
        died: tuple[Status, str] = "failed", cause_of_death(ended)
        status, reason = self.reasons.pop(ended.number, died)
        result = ended.result or record_death(running.job, status, reason, ended.output)
        self.tell(running, result, source)

    def interrupt(self) -> None:
        self.reasons = dict.fromkeys(self.running, ("interrupted", "stopped by SIGINT"))
        for how, seconds in ((signal.SIGINT, GRACE_SECONDS), (signal.SIGKILL, LAST_SECONDS)):
            for number in self.running:
                self.server.stop_job(number, how)
            until = time.monotonic() + seconds
            while self.running and time.monotonic() < until:
                for ended in self.server.ended_jobs(max(0.0, until - time.monotonic())):
                    self.take_leave(ended)
