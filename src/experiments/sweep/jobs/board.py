"""What the user sees of a sweep: a table that moves on a terminal, one line per job elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError
from experiments.errors.wording import and_more
from experiments.record.history import read_history
from experiments.record.metric import written
from experiments.record.record import read_record
from experiments.sweep.jobs.job import Result, RunningJob
from experiments.sweep.plan import SweepPlan
from experiments.training.console import console

SHOWN_SECONDS = 0.5
MARKS = {"completed": "✓", "diverged": "↯", "pruned": "✂"}


class Board:
    """Tells of a plan's jobs as they begin and end, and of the best value of a metric.

    Args:
        metric: its name with the stage.
        is_higher_better: whether the larger of two values is the better one.
    """

    def __init__(
        self, plan: SweepPlan, metric: str, at_once: int, *, is_higher_better: bool
    ) -> None:
        self.plan = plan
        self.metric = metric
        self.is_higher_better = is_higher_better
        self.at_once = at_once
        self.to_do = len(plan.to_do)
        self.taken = 0
        self.ended_jobs: list[tuple[str, Result]] = []
        self.seconds: list[float] = []
        self.best: tuple[float, str] | None = None
        self.console: Console = console()
        self.live = Live(console=self.console, auto_refresh=False, transient=True)
        self.last_shown = -math.inf

    def __enter__(self) -> Board:
        self.started = time.monotonic()
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.live.stop()

    def ended(self, running: RunningJob, result: Result) -> None:
        name = running.job.name
        width = len(str(self.to_do))
        value = metric_of(result, self.metric)
        if value is not None and (self.best is None or self.is_better(value, self.best[0])):
            self.best = value, name
        outcome = f"{self.metric} {written(value)}" if value is not None else result.message or ""
        if result.outcome == "taken" or result.was_there:
            # Nothing was done here: it is counted where it is.
            self.to_do, self.taken = self.to_do - 1, self.taken + 1
            by = f"  {outcome}  {TABLE['by_another']}" if result.was_there else ""
            self.tell(f"{'':{2 * width + 3}} · {result.outcome:9}  {name}{by}")
            return
        self.ended_jobs.append((name, result))
        self.seconds.append(running.own_seconds)
        mark = MARKS.get(result.outcome, "✗")
        self.tell(
            f"[{len(self.ended_jobs):{width}}/{self.to_do}] {mark} {result.outcome:9}  {name}"
            f"  {outcome}  {running.seconds:.1f} s"
        )

    def tell(self, line: str) -> None:
        """Print a line; a terminal has it broken between words, where it would break a number."""
        self.console.print(line, markup=False, soft_wrap=not self.console.is_terminal)

    def is_better(self, value: float, other: float) -> bool:
        return value > other if self.is_higher_better else value < other

    def show(self, running: Sequence[RunningJob]) -> None:
        """Bring the table up to date, now and then."""
        if not self.console.is_terminal or time.monotonic() - self.last_shown < SHOWN_SECONDS:
            return
        self.last_shown = time.monotonic()
        self.live.update(self.table(running), refresh=True)

    def table(self, running: Sequence[RunningJob]) -> Group:
        """Return the table of what is running, and the counts under it."""
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(overflow="ellipsis", no_wrap=True, ratio=1)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        for group in by_process(running):
            first, *others = group
            name = f"{escape(first.job.name)}{and_more(len(others))}"
            table.add_row(name, progress_of(first), f"{first.seconds:.0f} s")
        counts = Counter(result.outcome for _, result in self.ended_jobs)
        words = [f"{len(running)} running"]
        words += [f"{number} {outcome}" for outcome, number in counts.items()]
        words += [f"{self.taken} at another launcher"] if self.taken else []
        words.append(f"{self.to_do - len(self.ended_jobs) - len(running)} waiting")
        if self.best is not None:
            words.append(f"best {self.metric} {written(self.best[0])} ({self.best[1]})")
        if (left := self.seconds_left(running)) is not None:
            words.append(f"{duration(left)} left")
        return Group(table, Text(", ".join(words), style="dim"))

    def seconds_left(self, running: Sequence[RunningJob]) -> float | None:
        """Return how long the rest should take, from the jobs that have ended here."""
        if not self.seconds:
            return self.plan.expected_seconds(self.at_once)
        mean = sum(self.seconds) / len(self.seconds)
        waiting = self.to_do - len(self.ended_jobs) - len(running)
        begun = sum(max(0.0, mean - each.own_seconds) for each in running)
        return (waiting * mean + begun) / self.at_once


def by_process(running: Sequence[RunningJob]) -> list[list[RunningJob]]:
    """Return jobs at work by the process that trains them."""
    processes: dict[int, list[RunningJob]] = {}
    for each in running:
        processes.setdefault(each.first, []).append(each)
    return list(processes.values())


def metric_of(result: Result, metric: str) -> float | None:
    if result.folder is None:
        return None
    try:
        return read_record(Path(result.folder))["metrics"].get(metric)
    except UserError:
        return None


def progress_of(running: RunningJob) -> str:
    """Return how far a job has come, by the last row of its history."""
    job = running.job
    rows = read_history(job.sweep_dir / job.folder_name)
    if not rows:
        return ""
    last = job.config["trainer"]["max_epochs"]
    return f"epoch {int(rows[-1]['epoch'] or 0)}/{last if last > 0 else '-'}"


def duration(seconds: float) -> str:
    """Return a duration in words.

    >>> duration(42), duration(150), duration(7320)
    ('42 s', '2 min 30 s', '2 h 2 min')
    """
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def tell_failures(results: Sequence[tuple[str, Result]]) -> None:
    """Print a table of the jobs that came to nothing, on standard error."""
    table = Table(title="What failed", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("job", "outcome", "reason", "log"):
        table.add_column(column, overflow="fold")
    alike: dict[tuple[str, str | None], list[tuple[str, Result]]] = {}
    for name, result in results:
        # A job with a log has a story of its own.
        key = (result.outcome, result.message) if result.folder is None else (name, result.folder)
        alike.setdefault(key, []).append((name, result))
    for (name, result), *others in alike.values():
        log = f"{result.folder}/train.log" if result.folder else ""
        more = and_more(len(others))
        table.add_row(
            escape(name) + more, result.outcome, escape(result.message or ""), escape(log)
        )
    # Elsewhere than on a terminal a line is as long as it is, to be searched in.
    Console(file=sys.stderr, width=None if sys.stderr.isatty() else 10_000).print(table)


def summary(plan: SweepPlan, at_once: int) -> str:
    """Return in one line how many jobs there are in which state, and the time to come."""
    counts = ", ".join(f"{number} {state}" for state, number in sorted(plan.counts().items()))
    to_do = len(plan.to_do)
    seconds = plan.expected_seconds(at_once)
    if not to_do:
        to_come = "nothing is missing"
    elif seconds is None:
        to_come = f"{to_do} to do; how long that takes is known once one is done"
    else:
        to_come = f"{to_do} to do, {at_once} at once: about {duration(seconds)}"
    return f"{len(plan.jobs)} jobs: {counts}; {to_come}."
