"""Which jobs of a sweep are trained together, as members of a population, and how many.

Jobs that differ only in their seed and in numbers of optimizer, loss and schedule may share a
process, which trains them in one stack (training/population/). What each of them leaves is what it
leaves when it is trained alone; so a group may be of any size, and be formed anew at every launch.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, refuse_unless
from experiments.sweep.jobs.job import Result
from experiments.sweep.jobs.source import JobSource
from experiments.sweep.plan import Job
from experiments.training.population.member_costs import (
    LARGEST,
    MemberCosts,
    num_steps_of,
    what_counts,
)
from experiments.training.population.membership import population_key, why_alone

Config = dict[str, Any]

KEY = "hydra.launcher.population"
AUTO, OFF = "auto", "off"

Group = list[Job]


def size_of(given: Any) -> int | str:
    """Return how many jobs may be trained together, or auto.

    Raises:
        UserError: it is neither, nor off.
    """
    # A file's `off` is YAML's word for false.
    if given == OFF or given is False:
        return 1
    is_number = isinstance(given, int) and not isinstance(given, bool) and given >= 1
    allowed = "auto, off, or a number of runs of at least 1"
    refuse_unless(is_number or given == AUTO, KEY, given, allowed, AUTO)
    size: int | str = given
    return size


def in_groups(
    jobs: Sequence[Job],
    key_of: Callable[[Job], str | None],
    largest_of: Callable[[Group, int], int],
    num_seats: int,
) -> list[Group]:
    """Return jobs in the groups that are trained together, such that no seat is left idle.

    Those of a key are divided evenly. Where the last round of groups would leave seats idle, its
    groups are divided further: 24 jobs of one key become 12 and 12 on two seats.

    Args:
        key_of: what jobs have in common that may share a group; None for one that is alone.
        largest_of: how many of the jobs of a key are worth training together, on so many seats.
        num_seats: how many groups are at work at once.
    """
    if len(jobs) <= num_seats:
        return [[job] for job in jobs]
    by_key: dict[str, Group] = {}
    for job in jobs:
        by_key.setdefault(key_of(job) or f"alone {job.number}", []).append(job)
    groups: list[Group] = []
    for alike in by_key.values():
        largest = 1 if len(alike) == 1 else largest_of(alike, num_seats)
        groups += evenly(alike, -(-len(alike) // largest))
    while (in_last_round := len(groups) % num_seats) and (
        max(map(len, groups[-in_last_round:])) > 1
    ):
        sizes = [len(group) for group in groups[-in_last_round:]]
        place = len(groups) - in_last_round + sizes.index(max(sizes))
        groups[place : place + 1] = evenly(groups[place], 2)
    return groups


def evenly(jobs: Group, number: int) -> list[Group]:
    """Return jobs in so many groups, whose sizes differ by one at most.

    >>> [len(group) for group in evenly(list(range(10)), 4)]
    [3, 3, 2, 2]
    """
    size, more = divmod(len(jobs), number)
    ends = [size * n + min(n, more) for n in range(number + 1)]
    return [jobs[start:end] for start, end in itertools.pairwise(ends)]


@dataclass
class GroupedJobs:
    """The jobs of a source, in groups.

    Attributes:
        num_seats: how many groups are at work at once.
        alone: identities of jobs whose group has died: each shows by itself which was to blame.
        groups: those that wait for a seat.
    """

    source: JobSource
    key_of: Callable[[Job], str | None]
    largest_of: Callable[[Group, int], int]
    num_seats: int
    alone: set[str] = field(default_factory=set, init=False)
    groups: deque[Group] = field(default_factory=deque, init=False)

    def take_group(self, num_free: int) -> Group:
        """Return the jobs of the next group; none where there are none now.

        Args:
            num_free: how many seats there are for what the source gives now.
        """
        self.form_groups(num_free)
        return self.groups.popleft() if self.groups else []

    def form_groups(self, num_free: int) -> None:
        """Put what the source gives now into groups, for so many seats."""
        if jobs := list(iter(self.source.take, None)):
            waiting = [job for group in self.groups for job in group]
            groups = in_groups(
                [*waiting, *jobs],
                lambda job: None if job.identity in self.alone else self.key_of(job),
                self.largest_of,
                max(1, min(num_free, self.num_seats)),
            )
            self.groups = deque(groups)

    def put_back_group(self, group: Iterable[Job]) -> None:
        """Take back a group for which there was no room; it comes next."""
        self.groups.appendleft(list(group))

    def try_alone(self, job: Job) -> None:
        """Take back a job whose group has died with it, to be trained by itself."""
        self.alone.add(job.identity)
        self.groups.append([job])

    def take(self) -> Job | None:
        group = self.take_group(self.num_seats)
        if group[1:]:
            self.put_back_group(group[1:])
        return group[0] if group else None

    def put_back(self, job: Job) -> None:
        self.put_back_group([job])

    @property
    def is_over(self) -> bool:
        return not self.groups and self.source.is_over

    def ended(self, job: Job, result: Result) -> None:
        self.source.ended(job, result)

    def look(self) -> None:
        self.source.look()


@dataclass
class Populations:
    """What a launcher is told of populations, and what it knows of the jobs that may be in one.

    Attributes:
        size: how many jobs are trained together at most, or auto: as many as that pays for.
        costs_of: measures what members cost: of a config, on so many cores, and whether they differ
            in more than their seeds.
        is_allowed: whether jobs may share a process at all.
        num_cores: of each group at work.
        reasons: why jobs are trained alone, by identity.
        unmeasured: why it is not known what members cost, where that is so.
    """

    size: int | str
    costs_of: Callable[[Config, int, bool], MemberCosts]
    is_allowed: bool = True
    num_cores: int = field(default=1, init=False)
    keys: dict[str, str | None] = field(default_factory=dict, init=False)
    reasons: dict[str, str] = field(default_factory=dict, init=False)
    unmeasured: str = field(default="", init=False)
    costs: dict[tuple[str, bool], MemberCosts] = field(default_factory=dict, init=False)

    @property
    def most_together(self) -> int:
        size = LARGEST if isinstance(self.size, str) else self.size
        return size if self.is_allowed else 1

    def grouped(self, source: JobSource, num_seats: int, num_cores: int) -> GroupedJobs:
        """Return the jobs of a source in groups, so many of which are at work at once."""
        self.num_cores = num_cores
        return GroupedJobs(source, self.key_of, self.largest_of, num_seats)

    def key_of(self, job: Job) -> str | None:
        """Return what a job has in common with those that it may share a population with.

        None where it is trained alone, as all are with `population=off`.
        """
        if self.size == 1 or not self.is_allowed:
            return None
        if job.identity not in self.keys:
            reason = why_alone(job.config)
            key = f"{population_key(job.config)} {job.sweep_dir}" if reason is None else None
            self.keys[job.identity] = key
            self.reasons |= {} if reason is None else {job.identity: reason}
        return self.keys[job.identity]

    def told_of(self, groups: Iterable[Group]) -> list[str]:
        """Return what a user is told of jobs before they begin: a line, or none.

        Why jobs are trained alone is of interest to who has asked for populations.
        """
        sizes = [len(group) for group in groups if len(group) > 1]
        lines = []
        if sizes:
            lines.append(TABLE["populations"].format(number=sum(sizes), largest=max(sizes)))
        if self.unmeasured:
            lines.append(TABLE["unmeasured_members"].format(reason=self.unmeasured))
        if isinstance(self.size, int) and self.size > 1:
            counts = Counter(self.reasons.values()).most_common()
            lines += [TABLE["alone"].format(number=n, reason=reason) for reason, n in counts]
        return lines

    def largest_of(self, alike: Group, num_seats: int) -> int:
        """Return how many of jobs of one key are worth training together."""
        if isinstance(self.size, int):
            return self.size
        config, differ = alike[0].config, len({job.setting for job in alike}) > 1
        key = what_counts(config), differ
        if key not in self.costs:
            try:
                self.costs[key] = self.costs_of(config, self.num_cores, differ)
            except UserError as error:
                self.unmeasured = str(error)
                return 1
        costs = self.costs[key]
        num_steps = num_steps_of(config, costs.num_batches)
        return costs.best_size(len(alike), num_steps, num_seats)
