"""One trial of a search: its runs, one for each seed, and what they come to."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna

from experiments.errors.messages import UserError
from experiments.errors.wording import listed
from experiments.record.claim import FINISHED, find_run
from experiments.record.folder import ask_to_stop, is_asked_to_stop, take_back
from experiments.record.history import read_history
from experiments.record.metric import worst_of
from experiments.record.record import Record, read_record
from experiments.sweep.jobs.job import Result
from experiments.sweep.plan import Job


@dataclass
class SeedRun:
    """The run of a trial with one of its seeds.

    Attributes:
        state: waiting, working (here), elsewhere, or ended.
        result: what became of it.
        record: of a run that is finished.
        folder: of the run, once it is known.
    """

    job: Job
    state: str = "waiting"
    result: Result | None = None
    record: Record | None = None
    folder: Path | None = None

    @property
    def is_at_work(self) -> bool:
        return self.state in ("working", "elsewhere")

    def end(self, result: Result) -> None:
        self.state, self.result = "ended", result
        self.folder = Path(result.folder) if result.folder else self.folder
        if result.outcome in FINISHED and self.folder is not None:
            self.record = read_record(self.folder)
            take_back(self.folder)

    def look_on_disk(self, also_failed: bool) -> None:
        """End it where its record on disk is finished; also where that says failed."""
        known = find_run(self.job.sweep_dir, self.job.identity)
        if known is None:
            return
        self.folder = known.folder
        status = known.record["status"]
        if known.is_finished or (also_failed and status == "failed"):
            self.end(Result(status, str(known.folder), known.record["error"]))

    def look_for_folder(self) -> None:
        """Find the folder of a run at work, which has none yet in its first moments."""
        if self.folder is None:
            with contextlib.suppress(UserError):
                known = find_run(self.job.sweep_dir, self.job.identity)
                self.folder = known.folder if known else None

    def score(self, metric: str, worst: float | None) -> float | None:
        """Return its value at its end, of one that diverged the worst; None while there is none."""
        if self.record is None or self.record["status"] not in ("completed", "diverged"):
            return None
        is_whole = self.record["status"] == "completed"
        return self.record["metrics"].get(metric) if is_whole else worst

    def curve(self, metric: str) -> dict[int, float]:
        """Return a metric at the end of each epoch so far."""
        self.look_for_folder()
        rows = read_history(self.folder) if self.folder else []
        return {
            int(row["epoch"]): float(value)
            for row in rows
            # A row amid an epoch has no mean of it.
            if row.get("train/loss") is not None
            and row["epoch"] is not None
            and (value := row.get(metric)) is not None
        }


@dataclass
class ClaimedTrial:
    """A trial that this launcher has claimed.

    Attributes:
        optuna_trial: the study's own.
        params: its values by name.
        runs: one for each seed.
        claim: keeps other launchers away.
        reported: the last epoch that the study knows of.
        seeds_reported: the seeds whose values it knows, by their place among the runs.
        is_looked_at: the pruner has been asked about them.
        is_given_up: the pruner has asked for its end.
    """

    optuna_trial: optuna.Trial
    params: dict[str, Any]
    runs: list[SeedRun]
    claim: contextlib.ExitStack
    reported: int = 0
    seeds_reported: set[int] = field(default_factory=set)
    is_looked_at: bool = False
    is_given_up: bool = False

    @property
    def outcomes(self) -> list[str]:
        """What became of each run; of those that are not at their end nothing."""
        return [run.result.outcome for run in self.runs if run.result is not None]

    @property
    def is_lost(self) -> bool:
        """Whether it will have no value, whatever its other seeds come to."""
        return self.is_given_up or any(
            run.result is not None and run.result.came_to_nothing for run in self.runs
        )

    @property
    def waiting(self) -> list[SeedRun]:
        """The runs that are still to be carried out; none of a trial that is lost."""
        return [] if self.is_lost else [run for run in self.runs if run.state == "waiting"]

    @property
    def is_at_its_end(self) -> bool:
        return not self.waiting and not any(run.is_at_work for run in self.runs)

    @property
    def seconds(self) -> float:
        """What its runs took, together."""
        return sum(run.record["duration_seconds"] for run in self.runs if run.record)

    def scores(self, metric: str) -> list[float | None]:
        """Return the value of each seed that has been trained to its end; None for diverged."""
        records = [run.record for run in self.runs if run.record is not None]
        return [
            record["metrics"].get(metric) if record["status"] == "completed" else None
            for record in records
            if record["status"] in ("completed", "diverged")
        ]

    def why_failed(self, metric: str) -> str | None:
        """Return why it has no value, in one line; None where it has one."""
        for run in self.runs:
            if run.result is not None and run.result.outcome in ("failed", "refused"):
                return run.result.message or run.result.outcome
            record = run.record
            if record and record["status"] == "completed" and metric not in record["metrics"]:
                measured = [name for name in record["metrics"] if name.startswith("val/")]
                return f"its record has no {metric}; it has {listed(measured) or 'no val/*'}"
        return None

    def report(self, metric: str, every: int) -> None:
        """Tell the study of the epochs that are new, until its pruner gives the trial up.

        A value is the mean over the seeds that have been started, each of which has come so far;
        one that has ended earlier keeps its last value. Seeds that start later are not waited for,
        so that a bad trial may be given up after the first of them. Where nothing is left to be
        stopped, only the verdict over the last epoch counts: a run that was short enough to be
        over before anyone looked is not judged by how it began.
        """
        if self.is_given_up:
            return
        started = [run for run in self.runs if run.state != "waiting"]
        curves = [run.curve(metric) for run in started]
        running = [c for c, run in zip(curves, started, strict=True) if run.is_at_work]
        last = min((max(c, default=0) for c in running), default=None)
        if last is None:
            last = max((max(c, default=0) for c in curves), default=0)
        for epoch in range(self.reported + 1, last + 1):
            self.reported = epoch
            values = [at(curve, epoch) for curve in curves if curve]
            if epoch % every or not values or not all(map(math.isfinite, values)):
                continue
            self.optuna_trial.report(fmean(values), epoch)
            if self.optuna_trial.should_prune() and (running or epoch == last):
                self.give_up()
                return

    def report_seeds(self, metric: str, worst: float | None) -> None:
        """Tell the study of the seeds that are new, and give the trial up where it says so.

        A seed is the step of its value, so that trials are compared by the seeds that both have.

        Args:
            worst: what a seed that diverged counts as; None where that cannot be known yet.
        """
        if self.is_given_up:
            self.give_up()
            return
        for index, run in enumerate(self.runs):
            value = run.score(metric, worst)
            if value is not None and index not in self.seeds_reported:
                self.optuna_trial.report(value, index)
                self.seeds_reported.add(index)
                self.is_looked_at = False
        if not (self.is_at_its_end or self.is_looked_at):
            self.is_looked_at = True
            if self.optuna_trial.should_prune():
                self.give_up()

    def give_up(self) -> None:
        """Ask its runs to stop, wherever they are trained; those that wait are not begun."""
        self.is_given_up = True
        for run in self.runs:
            if run.is_at_work:
                run.look_for_folder()
                if run.folder is not None and not is_asked_to_stop(run.folder):
                    ask_to_stop(run.folder)


def at(curve: Mapping[int, float], epoch: int) -> float:
    """Return a curve's value at an epoch, or at the last one before it where it has none.

    >>> at({2: 0.5, 4: 0.3}, 3), at({2: 0.5}, 1)
    (0.5, nan)
    """
    return curve[max(known)] if (known := [e for e in curve if e <= epoch]) else math.nan


def worse_than_all(values: Sequence[float], higher: bool, metric: str) -> float | None:
    """Return the value that a diverged run counts as; None where nothing is known to be worse than.

    It is finite, since one infinite value would leave a Gaussian process nothing to tell the
    others apart by, and no larger than it needs to be, for the same reason: 0 for an accuracy;
    else as far beyond the worst as that is from the best, and at least half of its size.

    >>> worse_than_all([0.2, 0.4], higher=False, metric="val/loss")
    0.6
    >>> worse_than_all([2.0], higher=False, metric="val/loss")
    3.0
    """
    if math.isfinite(worst := worst_of(metric)):
        return worst
    if not values:
        return None
    best, worst = (max(values), min(values)) if higher else (min(values), max(values))
    further = max(abs(worst - best), abs(worst) / 2)
    return round(worst - further if higher else worst + further, 12)
