"""What the user sees of a sweep: a table that moves on a terminal, one line per job elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from experiments.console import console
from experiments.derived import is_higher_better
from experiments.errors import UserError
from experiments.records import read_history, read_record
from experiments.sweep.job import Result
from experiments.sweep.plan import Plan

if TYPE_CHECKING:
    from experiments.sweep.workers import Running

SHOWN_SECONDS = 0.5
MARKS = {"completed": "✓", "diverged": "↯", "pruned": "✂"}


class Board:
    """Tells of jobs as they begin and end.

    Args:
        plan: the whole sweep.
        metric: of which the best is shown, e.g. test/accuracy.
        at_once: how many jobs work side by side.
    """

    def __init__(self, plan: Plan, metric: str, at_once: int) -> None:
        self.plan = plan
        self.metric = metric
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

    def ended(self, running: Running, result: Result) -> None:
        """Tell of a job that has ended."""
        name = running.job.name
        width = len(str(self.to_do))
        if result.outcome == "taken":
            # Nothing was done here: it is counted where it is.
            self.to_do, self.taken = self.to_do - 1, self.taken + 1
            self.console.print(
                f"{'':{2 * width + 3}} · taken      {name}", markup=False, soft_wrap=True
            )
            return
        self.ended_jobs.append((name, result))
        self.seconds.append(running.seconds)
        value = metric_of(result, self.metric)
        if value is not None and (self.best is None or self.is_better(value, self.best[0])):
            self.best = value, name
        told = f"{self.metric} {value:.4f}" if value is not None else result.message or ""
        mark = MARKS.get(result.outcome, "✗")
        self.console.print(
            f"[{len(self.ended_jobs):{width}}/{self.to_do}] {mark} {result.outcome:9}  {name}"
            f"  {told}  {running.seconds:.1f} s",
            markup=False,
            soft_wrap=True,
        )

    def is_better(self, value: float, other: float) -> bool:
        """Return whether a value of the metric is better than another."""
        return value > other if is_higher_better(self.metric) else value < other

    def show(self, running: Sequence[Running]) -> None:
        """Bring the table up to date, now and then."""
        if not self.console.is_terminal or time.monotonic() - self.last_shown < SHOWN_SECONDS:
            return
        self.last_shown = time.monotonic()
        self.live.update(self.table(running), refresh=True)

    def table(self, running: Sequence[Running]) -> Group:
        """Return the table of what is running, and the counts under it."""
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(overflow="ellipsis", no_wrap=True, ratio=1)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        for one in running:
            table.add_row(escape(one.job.name), progress_of(one), f"{one.seconds:.0f} s")
        counts = Counter(result.outcome for _, result in self.ended_jobs)
        words = [f"{len(running)} running"]
        words += [f"{number} {outcome}" for outcome, number in counts.items()]
        words += [f"{self.taken} at another launcher"] if self.taken else []
        words.append(f"{self.to_do - len(self.ended_jobs) - len(running)} waiting")
        if self.best is not None:
            words.append(f"best {self.metric} {self.best[0]:.4f} ({self.best[1]})")
        if (left := self.seconds_left(running)) is not None:
            words.append(f"{duration(left)} left")
        return Group(table, Text(", ".join(words), style="dim"))

    def seconds_left(self, running: Sequence[Running]) -> float | None:
        """Return how long the rest should take, from the jobs that have ended here."""
        if not self.seconds:
            return self.plan.expected_seconds(self.at_once)
        each = sum(self.seconds) / len(self.seconds)
        waiting = self.to_do - len(self.ended_jobs) - len(running)
        begun = sum(max(0.0, each - one.seconds) for one in running)
        return (waiting * each + begun) / self.at_once


def metric_of(result: Result, metric: str) -> float | None:
    """Return a metric of a run that has ended."""
    if result.folder is None:
        return None
    try:
        return read_record(Path(result.folder))["metrics"].get(metric)
    except UserError:
        return None


def progress_of(running: Running) -> str:
    """Return how far a job has come, by the last row of its history."""
    place = running.job.sweep_dir
    short = running.job.identity[:8]
    folder = next(iter(place.glob(f"{running.job.name}-{short}")), None)
    rows = read_history(folder) if folder else []
    if not rows:
        return ""
    last = running.job.config["trainer"]["max_epochs"]
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
        more = f" and {len(others):,} more" if others else ""
        table.add_row(
            escape(name) + more, result.outcome, escape(result.message or ""), escape(log)
        )
    # Elsewhere than on a terminal a line is as long as it is, to be searched in.
    Console(file=sys.stderr, width=None if sys.stderr.isatty() else 10_000).print(table)


def tell_plan(plan: Plan, at_once: int) -> None:
    """Print every job of a plan, what is done of it, and how long the rest should take."""
    for job in plan.jobs:
        print(f"{plan.state(job):11}  {job.name}-{job.identity[:8]}")
    print(summary(plan, at_once))


def summary(plan: Plan, at_once: int) -> str:
    """Return in one line how many jobs there are in which state, and the time to come."""
    counts = ", ".join(f"{number} {state}" for state, number in sorted(plan.counts().items()))
    to_do = len(plan.to_do)
    seconds = plan.expected_seconds(at_once)
    if not to_do:
        told = "nothing is missing"
    elif seconds is None:
        told = f"{to_do} to do; how long that takes is known once one is done"
    else:
        told = f"{to_do} to do, {at_once} at once: about {duration(seconds)}"
    return f"{len(plan.jobs)} jobs: {counts}; {told}."
