"""Where the jobs of a sweep come from: a list that is known, or a search that finds them out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from experiments.sweep.job import Result
from experiments.sweep.plan import Job


class Source(Protocol):
    """Gives jobs one by one, to whoever has a place for them."""

    def take(self) -> Job | None:
        """Return the next job; None where there is none now."""

    def put_back(self, job: Job) -> None:
        """Take back a job for which there was no place; it comes next."""

    @property
    def is_over(self) -> bool:
        """Whether no further job will come, whatever becomes of those at work."""

    def ended(self, job: Job, result: Result) -> None:
        """Hear what became of a job."""

    def look(self) -> None:
        """Do what is to be done now and then while jobs are at work."""


class Listed:
    """The jobs of a plan.

    Attributes:
        results: what became of each, by identity.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.waiting = deque(jobs)
        self.results: dict[str, Result] = {}

    def take(self) -> Job | None:
        """Return the next job."""
        return self.waiting.popleft() if self.waiting else None

    def put_back(self, job: Job) -> None:
        """Take back a job for which there was no place."""
        self.waiting.appendleft(job)

    @property
    def is_over(self) -> bool:
        """Whether the list is at its end."""
        return not self.waiting

    def ended(self, job: Job, result: Result) -> None:
        """Keep what became of a job."""
        self.results[job.identity] = result

    def look(self) -> None:
        """Nothing is to be done."""
