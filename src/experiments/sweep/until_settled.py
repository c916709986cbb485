"""`sweep.until=settled`: a sweep that goes on, look by look, only with what is not settled.

All settings are trained up to the first look and judged. Those whose comparison is settled (better,
worse, equivalent) stop there; the others go on to the next look, with what they are compared to.
What a look says follows from the declaration and the records of its runs alone, so that whoever
continues a sweep that was killed, and each launcher that shares it, comes to the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, user_error
from experiments.errors.wording import spelled
from experiments.record.claim import FINISHED
from experiments.sweep.changed_code import records_in
from experiments.sweep.declaration import Declaration, read_declarations
from experiments.sweep.jobs.board import duration
from experiments.sweep.plan import Job, SweepPlan
from experiments.sweep.sweep import Failures, Sweep

Group = tuple[str, ...]
"""What the jobs of one setting share: their swept overrides without the seed."""


class Looked(Protocol):
    """What the runs of a sweep say at a look.

    Attributes:
        settings: the records' hashes of what is not settled, and of what it is compared to.
        settled: what is settled by then, a sentence each.
        still_open: what is not.
    """

    @property
    def settings(self) -> frozenset[str]: ...
    @property
    def settled(self) -> list[str]: ...
    @property
    def still_open(self) -> list[str]: ...


Judge = Callable[[Path, int], Looked]
"""Says what the runs in a folder tell at a look, given its number of seeds."""


def judge_look(sweep_dir: Path, seeds: int) -> Looked:
    # With numpy and scipy, which take 0.8 s of a processor (measured), and not before.
    from experiments.comparison.looks import open_settings

    return open_settings(sweep_dir, seeds)


def in_force(declaration: Declaration, sweep_dir: Path) -> Declaration:
    """Return a declaration with the looks that count: those that stood there before the first run.

    Raises:
        UserError: there are runs, and no looks were declared before them.
    """
    if declaration.until is None:
        return declaration
    began = min((record["started_at"] for record in records_in(sweep_dir)), default=None)
    if began is None:
        return declaration
    from experiments.comparison.declared import before_the_runs

    said = read_declarations(sweep_dir)
    first = before_the_runs(said, began) if said else {}
    instead = f"{sweep_dir}-looks"
    if first.get("until") is None:
        raise user_error("late_looks", path=sweep_dir, instead=instead)
    kept = {key: first[key] for key in ("looks", "spending", "max_seeds", "seeds")}
    counting = replace(declaration, **kept)
    if counting != declaration:
        words = {"first": spelled(first["looks"]), "spending": first["spending"]}
        print(TABLE["first_looks"].format(path=sweep_dir, instead=instead, **words))
    return counting


def complete(sweep: Sweep, plan: SweepPlan) -> Failures:
    """Carry out the runs of a plan, all of them or look by look, as the sweep declares.

    Returns:
        the jobs that came to nothing.
    """
    if sweep.declaration.until is None:
        return sweep.complete(plan)
    if sweep.declaration.delta is None:
        print(TABLE["looks_without_delta"])
    return LookByLook(sweep, plan).complete()


def tell_plan(sweep: Sweep, plan: SweepPlan) -> None:
    """Print the jobs of a plan; with looks, those of the next one, and how many may follow."""
    if sweep.declaration.until is None:
        sweep.tell_plan(plan)
    else:
        LookByLook(sweep, plan).tell()


def check_no_folds(plan: SweepPlan) -> None:
    """Raise UserError for runs of folds, which are no seeds and share points."""
    folds = {job.config["data"]["folds"] for job in plan.jobs} - {None}
    if folds:
        raise user_error("looks_folds", given=min(folds))


@dataclass
class LookByLook:
    """A sweep on its way through its looks.

    Attributes:
        plan: of all runs that may be needed.
        going_on: the settings that are not settled, and what they are compared to.
        failed: the jobs that came to nothing; their settings stay at the look where they are.
        told: the sentences that were printed.
    """

    sweep: Sweep
    plan: SweepPlan
    judge: Judge = judge_look
    going_on: set[Group] = field(init=False)
    failed: Failures = field(default_factory=list, init=False)
    told: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.looks = list(self.sweep.declaration.looks or ())
        self.going_on = set(map(group_of, self.plan.jobs))

    def complete(self) -> Failures:
        """Carry out the runs look by look, and return the jobs that came to nothing."""
        for number, seeds in enumerate(self.looks, 1):
            part = self.part(seeds)
            if not is_over(part):
                print(f"Look {number} of {len(self.looks)}, at {seeds} seeds:")
                self.failed += self.sweep.complete(part)
            self.look(part.anew(), seeds)
            if not self.going_on:
                break
        self.tell_end()
        return self.failed

    def part(self, seeds: int) -> SweepPlan:
        """Return the plan of what is not settled, up to so many seeds."""
        numbers = set(self.sweep.declaration.seeds[:seeds])
        jobs = [
            job
            for job in self.plan.jobs
            if job.config["seed"] in numbers and group_of(job) in self.going_on
        ]
        return replace(self.plan, jobs=jobs).anew()

    def look(self, part: SweepPlan, seeds: int) -> None:
        """Judge a look, after whose runs only what is not settled goes on."""
        try:
            looked = self.judge(self.sweep.sweep_dir, seeds)
        except UserError:
            if is_over(part):
                raise
            self.going_on = set()  # so many have failed that nothing is left to be compared
            return
        for sentence in looked.settled:
            if sentence not in self.told:
                print(f"  {sentence}")
        self.told.update(looked.settled)
        hashes: dict[Group, set[str]] = {}
        for job in self.plan.jobs:
            # Runs that count with other code have hashes of their own.
            hashes.setdefault(group_of(job), set()).add(job.setting)
        self.going_on = {group for group, own in hashes.items() if own & looked.settings}

    def tell_end(self) -> None:
        """Say how many runs it took, and what all seeds of all settings would have."""
        plan = self.plan.anew()
        left = [job for job in plan.jobs if plan.state(job) not in FINISHED]
        took = f"{len(plan.jobs) - len(left)} of at most {len(plan.jobs)} runs"
        if self.failed:
            print(f"{took}; what has failed keeps its comparisons where they are.")
            return
        seconds = replace(plan, jobs=left).expected_seconds(self.sweep.carrier.at_once)
        time = f", about {duration(seconds)}" if left and seconds else ""
        print(f"{took}: {len(left)} {'was' if len(left) == 1 else 'were'} not needed{time}.")

    def tell(self) -> None:
        """Print the jobs of the look that is next, and how many there may be in all."""
        least, most = (len(self.part(seeds).jobs) for seeds in (self.looks[0], self.looks[-1]))
        for seeds in self.looks:
            part = self.part(seeds)
            if not is_over(part):
                self.sweep.tell_plan(part)
                break
            self.look(part, seeds)
        if not self.going_on or is_over(self.part(self.looks[-1])):
            print("Nothing is missing.")
        print(TABLE["looks_planned"].format(looks=spelled(self.looks), least=least, most=most))


def group_of(job: Job) -> Group:
    return job.cell.without("seed").swept


def is_over(plan: SweepPlan) -> bool:
    """Return whether every run of a plan has a result."""
    return all(plan.state(job) in FINISHED for job in plan.jobs)
