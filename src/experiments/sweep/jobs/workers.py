"""`hydra/launcher=workers`: jobs side by side on this machine, each forked from one server."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from experiments.errors.error_table import TABLE
from experiments.errors.messages import RunFailed, refuse_unless
from experiments.record.claim import FINISHED
from experiments.record.record import Status
from experiments.sweep.jobs.board import Board
from experiments.sweep.jobs.carrier import WatchingCarrier
from experiments.sweep.jobs.deaths import cause_of_death, record_death
from experiments.sweep.jobs.job import RunningJob
from experiments.sweep.jobs.populations import GroupedJobs, Populations
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
        populations: which jobs are trained together, in one process.
        taken: the seats of each process at work, by the number of its first job.
        reasons: why jobs are ended from outside, and what is written of those whose process dies.
    """

    examiner: ServerProcess
    _: KW_ONLY
    workers: int | str
    jobs_per_device: int
    populations: Populations
    seats: Seats = field(init=False)
    grouped: GroupedJobs = field(init=False)
    taken: dict[int, list[Seat]] = field(default_factory=dict, init=False)
    reasons: dict[int, tuple[Status, str]] = field(default_factory=dict, init=False)

    @property
    def server(self) -> ServerProcess:
        return self.examiner

    @property
    def at_once(self) -> int:
        return len(self.all_seats) if self.workers == "auto" else int(self.workers)

    @property
    def most_together(self) -> int:
        return self.populations.most_together

    @property
    def all_seats(self) -> list[Seat]:
        return seats_of(self.server.ready["devices"], self.workers, self.jobs_per_device)

    def run_jobs(self, source: JobSource, board: Board) -> None:
        self.seats = Seats(self.all_seats, self.server.ready["devices"]["cpu"], self.at_once)
        num_cores = self.seats.cores([None])
        self.grouped = self.populations.grouped(source, self.at_once, num_cores)
        self.grouped.form_groups(self.room)
        for line in self.populations.told_of(self.grouped.groups):
            board.tell(line)
        super().run_jobs(self.grouped, board)

    def start_jobs(self, source: JobSource) -> None:
        while (room := self.room) > 0 and (group := self.grouped.take_group(room)):
            if not self.start(group):
                self.grouped.put_back_group(group)
                return

    @property
    def room(self) -> int:
        """How many groups could be started now."""
        return min(len(self.seats.free), self.seats.at_once - len(self.taken))

    def start(self, group: Sequence[Job]) -> bool:
        """Start jobs where there are seats for them; False where they have to wait."""
        first = group[0]
        seats = self.seats.take(first)
        if not seats:
            return False
        environment, cores = self.seats.environment(first, seats), self.seats.cores(seats)
        self.server.start_job(*(self.assignment(job, cores, environment) for job in group))
        self.taken[first.number] = seats
        numbers = tuple(job.number for job in group) if len(group) > 1 else ()
        self.running |= {job.number: RunningJob(job, group=numbers) for job in group}
        return True

    def hear_of_ends(self, source: JobSource) -> None:
        for ended in self.server.ended_jobs(LOOK_SECONDS):
            self.take_leave(ended, source)
            self.start_jobs(source)
        self.end_late_ones()

    def end_late_ones(self) -> None:
        """Kill what has taken longer than it may: of jobs in one process, as long as each alone."""
        limit = self.job_timeout
        if limit is None:
            return
        late = {n: r for n, r in self.running.items() if r.own_seconds > limit}
        reason = f"took longer than hydra.launcher.job_timeout={limit:g} seconds"
        for number, running in late.items():
            if number not in self.reasons:
                self.reasons[number] = "failed", reason
                self.server.stop_job(running.first, signal.SIGKILL)

    def take_leave(self, ended: EndedJob, source: JobSource | None = None) -> None:
        """Free the seats of a job that has ended, and tell what became of it."""
        running = self.running.pop(ended.number)
        if not set(running.group) & self.running.keys():
            self.seats.give_back(self.taken.pop(running.first))
        died: tuple[Status, str] = "failed", cause_of_death(ended)
        status, reason = self.reasons.pop(ended.number, died)
        if ended.result is None and running.group and status != "interrupted":
            self.try_alone(running, reason, ended.output, source)
            return
        result = ended.result or record_death(running.job, status, reason, ended.output)
        self.tell(running, result, source)

    def try_alone(
        self, running: RunningJob, reason: str, output: str, source: JobSource | None
    ) -> None:
        """Have a job whose process has died with others in it go on in one of its own.

        Which of them is to blame shows itself there, and is recorded of that one alone.
        """
        number = len(running.group)
        if not set(running.group) & self.running.keys():
            told = TABLE["population_died"].format(number=number, reason=reason)
            self.board.console.print(told, markup=False)
        reason = f"{reason}, with {number} runs in it"
        result = record_death(running.job, "interrupted", reason, output)
        if result.outcome in FINISHED:  # it was done, and had no time to say so
            self.tell(running, result, source)
            return
        self.grouped.try_alone(running.job)

    def interrupt(self) -> None:
        self.reasons = dict.fromkeys(self.running, ("interrupted", "stopped by SIGINT"))
        # Without a server the jobs are gone too, and their records say where they were.
        with contextlib.suppress(OSError, RunFailed):
            for how, seconds in ((signal.SIGINT, GRACE_SECONDS), (signal.SIGKILL, LAST_SECONDS)):
                for first in self.taken:
                    self.server.stop_job(first, how)
                until = time.monotonic() + seconds
                while self.running and time.monotonic() < until:
                    for ended in self.server.ended_jobs(max(0.0, until - time.monotonic())):
                        self.take_leave(ended)
