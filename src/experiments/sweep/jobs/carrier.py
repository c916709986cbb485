"""Who carries out the jobs of a sweep: what is asked of all, and what those share who watch theirs.

This machine's workers, Ray and SLURM each keep jobs at work and hear of their ends; a launcher of
Hydra's is handed a batch and returns when that is over.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Protocol

from experiments.config.composer import Composer
from experiments.sweep.examiner import Examiner
from experiments.sweep.jobs.board import Board
from experiments.sweep.jobs.job import Assignment, Result, RunningJob
from experiments.sweep.jobs.source import JobSource
from experiments.sweep.plan import Job


class Carrier(Protocol):
    @property
    def examiner(self) -> Examiner: ...

    @property
    def at_once(self) -> int:
        """How many jobs, or populations of them, work side by side."""

    @property
    def most_together(self) -> int:
        """How many jobs are trained together at most, as a population."""

    def run_jobs(self, source: JobSource, board: Board) -> None:
        """Carry out all jobs that a source gives, and tell the board of them."""


@dataclass(eq=False)
class WatchingCarrier(ABC):
    """Starts jobs while there is room, hears of their ends, and interrupts them after a Ctrl-C.

    Attributes:
        examiner: knows what configs mean.
        composer: knows Hydra's part of each config.
        retry_failed: runs that have failed before are tried again.
        job_timeout: seconds after which a job is ended as failed; None for no limit.
        running: the jobs at work, by whatever stands for each of them.
    """

    examiner: Examiner
    composer: Composer
    retry_failed: bool = False
    job_timeout: float | None = None
    running: dict[Any, RunningJob] = field(default_factory=dict, init=False)
    board: Board = field(init=False)

    @property
    @abstractmethod
    def at_once(self) -> int:
        """How many jobs, or populations of them, work side by side."""

    @property
    def most_together(self) -> int:
        return 1

    def run_jobs(self, source: JobSource, board: Board) -> None:
        """Carry out all jobs that a source gives; those at work at a Ctrl-C are interrupted."""
        self.board = board
        try:
            while self.is_busy or not source.is_over:
                self.start_jobs(source)
                self.hear_of_ends(source)
                source.look()
                board.show(list(self.running.values()))
        except KeyboardInterrupt:
            self.interrupt()
            raise

    @property
    def is_busy(self) -> bool:
        """Whether jobs are at work, or otherwise not settled."""
        return bool(self.running)

    @abstractmethod
    def start_jobs(self, source: JobSource) -> None:
        """Start jobs while there are some, and room for them."""

    @abstractmethod
    def hear_of_ends(self, source: JobSource) -> None:
        """Tell what became of the jobs that have ended, waiting a moment for one."""

    @abstractmethod
    def interrupt(self) -> None:
        """Have every job write down that it was interrupted, and end those that do not."""

    def assignment(
        self, job: Job, cores: int, environment: dict[str, str] | None = None, marker: str = ""
    ) -> Assignment:
        return Assignment(
            job=job,
            hydra=self.composer.hydra(job.cell.overrides),
            retry_failed=self.retry_failed,
            environment=environment or {},
            cores=cores,
            cwd=os.getcwd(),
            marker=marker,
            job_timeout=self.job_timeout,
        )

    def tell(self, running: RunningJob, result: Result, source: JobSource | None = None) -> None:
        """Tell the user what became of a job, and the source where it still listens."""
        self.board.ended(running, result)
        if source is not None:
            source.ended(running.job, result)
