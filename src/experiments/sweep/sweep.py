"""A sweep that is being carried out, under whatever launcher Hydra was given."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.config.composer import Composer, added_by
from experiments.errors.error_table import TABLE
from experiments.errors.wording import listed
from experiments.record.claim import forget_dead_owners, lost_records, runs_of
from experiments.record.metric import Added, is_higher_better, numbers_of
from experiments.sweep.declaration import Declaration, declare
from experiments.sweep.grid import Cell
from experiments.sweep.jobs.board import Board, summary
from experiments.sweep.jobs.carrier import Carrier
from experiments.sweep.jobs.job import Result
from experiments.sweep.jobs.source import ListedJobs
from experiments.sweep.plan import SweepPlan, data_key, make_plan

WAIT_SECONDS = 1.0

Failures = list[tuple[str, Result]]
"""The names of jobs that came to nothing, and what became of them."""


@dataclass
class Sweep:
    """A sweep that is being carried out.

    Attributes:
        retry_failed: runs that have failed before are tried again.
        dry_run: nothing is carried out; what would be is told.
        command: what was typed.
        code: of somebody else's that its jobs are made with, by module.
    """

    composer: Composer
    carrier: Carrier
    declaration: Declaration
    sweep_dir: Path
    retry_failed: bool
    dry_run: bool
    command: str
    code: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def added(self) -> Added:
        """What its runs measure beside, by name."""
        return added_by(self.composer.master)

    def plan(self, cells: Sequence[Cell], sweep_dir: Path | None = None) -> SweepPlan:
        """Return the plan of these cells, whose runs lie in the sweep's folder or another one."""
        folder = sweep_dir or self.sweep_dir
        plan = make_plan(cells, self.composer, self.carrier.examiner, folder, self.retry_failed)
        self.code |= {name: text for job in plan.jobs for name, text in job.code.items()}
        tell_lost(plan)
        return plan

    def settle_metric(self, plan: SweepPlan) -> None:
        """Have the declaration name a metric that all runs measure, or raise UserError."""
        by_data = {data_key(job.config): job.config for job in plan.jobs if job.checksum}
        names = [self.carrier.examiner.measures(config) for config in by_data.values()]
        self.declaration = self.declaration.with_metric(names)
        self.tell_unmeasured(plan)

    def tell_unmeasured(self, plan: SweepPlan) -> None:
        """Say which added metrics runs lack that were done before they were asked for."""
        lacking: dict[str, int] = {}
        for job in plan.jobs:
            known = plan.known.get(job.identity)
            measured = known.record["metrics"] if known is not None else {}
            if not any(name.startswith("val/") for name in measured):
                continue
            for name in numbers_of(job.config.get("metrics")):
                lacking[name] = lacking.get(name, 0) + (f"val/{name}" not in measured)
        if names := [name for name, number in lacking.items() if number]:
            number = max(lacking.values())
            print(TABLE["unmeasured"].format(number=number, names=listed(names)))

    def declare(self, more: Mapping[str, Any] | None = None) -> None:
        """Write down what the sweep is about, before its first run."""
        how: Any = self.composer.master.sweep.changed_code
        of_code = {} if how is None else {"changed_code": how, "code": self.code}
        declare(self.sweep_dir, self.declaration, self.command, {**of_code, **(more or {})})

    def tell_plan(self, plan: SweepPlan) -> None:
        """Print every job of a plan, what is done of it, and how long the rest should take."""
        for job in plan.jobs:
            print(f"{plan.state(job):11}  {job.folder_name}")
        print(summary(plan, self.carrier.at_once))

    def complete(self, plan: SweepPlan, metric: str | None = None) -> Failures:
        """Carry out what is missing, and return the jobs that came to nothing.

        Runs that another launcher is at are waited for, and taken up where that one is gone. Of a
        metric, by default the declared one, the best is shown.
        """
        print(summary(plan, self.carrier.at_once), flush=True)
        shown = metric or self.declaration.metric
        higher = is_higher_better(shown, self.added)
        results: dict[str, Result] = {}
        while True:
            ended = {key for key, result in results.items() if result.outcome != "taken"}
            to_do = [job for job in plan.to_do if job.identity not in ended]
            if to_do:
                source = ListedJobs(to_do)
                at_once = self.carrier.at_once
                with Board(plan, shown, at_once, is_higher_better=higher) as board:
                    self.carrier.run_jobs(source, board)
                results |= source.results
            elif plan.counts()["running"]:
                time.sleep(WAIT_SECONDS)
            else:
                for folder in {job.sweep_dir for job in plan.jobs}:
                    forget_dead_owners(folder)
                return failures(plan, results)
            plan = plan.anew()


def tell_lost(plan: SweepPlan) -> None:
    """Say which runs are there and count for nothing, as their records cannot be read."""
    missing = [job for job in plan.jobs if job.identity not in plan.known]
    folders = {job.sweep_dir: runs_of(job.sweep_dir) for job in missing}
    for job in missing:
        for reason in lost_records(folders[job.sweep_dir].get(job.identity[:8], ())):
            print(TABLE["lost_record"].format(reason=reason))


def failures(plan: SweepPlan, results: Mapping[str, Result]) -> Failures:
    """Return the jobs of a plan that came to nothing, now or before."""
    failed = []
    for job in plan.jobs:
        result = results.get(job.identity)
        known = plan.known.get(job.identity)
        if result is None and known is not None and known.record["status"] == "failed":
            message = f"{known.record['error']} (before; sweep.retry_failed=true tries it again)"
            result = Result("failed", str(known.folder), message)
        if result is not None and result.came_to_nothing:
            failed.append((job.name, result))
    return failed
