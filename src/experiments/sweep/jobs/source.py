"""Where the jobs of a sweep come from: a list that is known, or a search that finds them out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from experiments.sweep.jobs.job import Result
from experiments.sweep.plan import Job


class JobSource(Protocol):
    """Gives jobs one by one, to whoever has room for them."""

    def take(self) -> Job | None:
        """Return the next job; None where there is none now."""

    def put_back(self, job: Job) -> None:
        """Take back a job for which there was no room; it comes next."""

    @property
    def is_over(self) -> bool:
        """Whether no further job will come, whatever becomes of those at work."""

    def ended(self, job: Job, result: Result) -> None:
        """Hear what became of a job."""

    def look(self) -> None:
        """Do what is to be done now and then while jobs are at work."""


class ListedJobs:
    """The jobs of a plan.

    Attributes:
        results: what became of each, by identity.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.waiting = deque(jobs)
        self.results: dict[str, Result] = {}

    def take(self) -> Job | None:
        return self.waiting.popleft() if self.waiting else None

    def put_back(self, job: Job) -> None:
        self.waiting.appendleft(job)

    @property
    def is_over(self) -> bool:
        return not self.waiting

    def ended(self, job: Job, result: Result) -> None:
        self.results[job.identity] = result

    def look(self) -> None:
        """Nothing is to be done."""
