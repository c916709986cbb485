"""What a sweep ends with: means by setting, what they say, and what would say more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from rich.console import Console
from rich.text import Text

from experiments.comparison.blocks import has_folds
from experiments.comparison.design import Request
from experiments.comparison.formats import unit_of_metric
from experiments.comparison.lookups import Dict
from experiments.comparison.reading import FoundRun, Reading, read_runs
from experiments.comparison.report.sentences import metric_and_delta
from experiments.comparison.report.table import Table
from experiments.comparison.report.terminal import MOST_ROWS, rich_table
from experiments.comparison.report.verdict_tables import CHANCES, overview, settings_table
from experiments.comparison.verdict import answer
from experiments.comparison.words import counted
from experiments.errors.messages import UserError

OPEN = ("inconclusive", "withheld")
LEFT_OUT = ("parameters", "95 % interval", "p (", CHANCES)
"""Columns that are left to the report, with the intervals of differences."""


def print_answer(sweep_dir: Path, metric: str, more_seeds: str, console: Console) -> None:
    """Print what the runs of a sweep say, from their folders alone.

    Args:
        metric: what the sweep declares, for one that compares nothing.
        more_seeds: how `{n}` seeds are typed in its command.
    """
    try:
        reading = read_runs([sweep_dir])
    except UserError:
        print_line(console, "No comparison: no run has come to a result yet.")
        return
    try:
        verdict = answer(reading, Request())
    except UserError as error:
        print_line(console, of_one_setting(reading, metric) or f"No comparison: {error}")
        return
    print_line(console, metric_and_delta(verdict), "dim")
    if verdict["tasks"]:
        print_means(table_of(verdict, console), console)
    for sentence in verdict["headline"]:
        print_line(console, sentence, "bold")
    if remedy := what_would_decide(verdict, more_seeds):
        print_line(console, remedy, "yellow")


def print_means(table: Table, console: Console) -> None:
    console.print(rich_table(replace(table, rows=table.rows[:MOST_ROWS]), False))
    if len(table.rows) > MOST_ROWS:
        print_line(console, f"  and {len(table.rows) - MOST_ROWS} more rows, in the report")


def print_line(console: Console, sentence: str, style: str = "") -> None:
    """Print a sentence; elsewhere than on a terminal it is one line, to be searched in."""
    console.print(Text(sentence, style=style), soft_wrap=not console.is_terminal)


def table_of(verdict: Dict, console: Console) -> Table:
    """Return the means by setting, with what fits beside them into the width of a console."""
    several = len(verdict["tasks"]) > 1
    table = overview(verdict) if several else settings_table(verdict, verdict["tasks"][0])
    endless = console.options.update(max_width=10_000)
    for names in (LEFT_OUT, (*LEFT_OUT, "difference"), (*LEFT_OUT, "difference", "verdict")):
        shorter = without_columns(table, names)
        if console.measure(rich_table(shorter, False), options=endless).maximum <= console.width:
            break
    return shorter


def without_columns(table: Table, names: Sequence[str]) -> Table:
    """Return a table without the columns of some headings, nor further intervals."""
    kept = [
        index
        for index, column in enumerate(table.columns)
        if not column.heading.startswith(tuple(names)) and not column.heading.endswith("interval")
    ]
    columns = [replace(table.columns[i], heading=table.columns[i].label) for i in kept]
    return replace(table, columns=columns, rows=[[row[i] for i in kept] for row in table.rows])


def what_would_decide(verdict: Dict, more_seeds: str) -> str | None:
    """Return in one sentence what would decide all that is open; None where nothing is.

    Of a matrix these are the effects that its sentences are about, and what is withheld.
    """
    pairs = [pair for task in verdict["tasks"] for pair in task["pairs"]]
    matrix = verdict["matrix"]
    if matrix and matrix["sentences"]:
        pairs = [pair for pair in pairs if pair["verdict"] == "withheld"] + matrix["main"]
    left_open = [pair for pair in pairs if pair["verdict"] in OPEN]
    if not left_open:
        return None
    ways = list(dict.fromkeys(pair["remedy"] for pair in left_open if pair["remedy"]))
    undecided = [pair for pair in left_open if not pair["remedy"]]
    if undecided:
        ways.insert(0, by_seeds(undecided, verdict, more_seeds))
    return f"To decide: {'; '.join(ways)}."


def by_seeds(pairs: Sequence[Mapping[str, Any]], verdict: Dict, more_seeds: str) -> str:
    """Return how many seeds would decide some pairs, as far as seeds can."""
    fewest = max(task["fewest_seeds"] for task in verdict["tasks"])
    key = "seeds_to_settle" if "seeds_to_settle" in pairs[0] else "seeds_needed"
    n = min(pair["n"] for pair in pairs)
    needed = [pair[key] for pair in pairs]
    known = max([n + 1, *filter(None, needed)])
    if n < fewest:
        number = f"{fewest} seeds instead of {n}"
        number += f" (about {known} may be needed)" if known > fewest else ""
        return f"at least {number}, the same command with {more_seeds.format(n=fewest)}"
    if None in needed:
        delta = "" if verdict["design"]["delta"] else ", or sweep.delta=... for what would be equal"
        return f"more seeds than can be foretold from these {n}{delta}"
    return f"about {known} seeds instead of {n}, the same command with {more_seeds.format(n=known)}"


def of_one_setting(reading: Reading, metric: str) -> str | None:
    """Return the mean of a sweep of one setting, which has nothing to be compared with."""
    if len({run.record["setting"] for run in reading.runs}) != 1:
        return None
    scores = [score for run in reading.runs if (score := score_of(run, metric)) is not None]
    if not scores:
        return None
    unit = unit_of_metric(metric)
    spread = f" ± {unit.bare(stdev(scores))}" if len(scores) > 1 else ""
    size = f"{unit.bare(fmean(scores))}{spread}{' %' if unit.is_points else ''}"
    seeds = counted(len(scores), "run" if has_folds(reading.runs[0].config) else "seed")
    return f"One setting, {metric} {size} ({seeds}): there is nothing to compare it with."


def score_of(run: FoundRun, metric: str) -> float | None:
    value = run.record["metrics"].get(metric)
    return value if value is not None and math.isfinite(value) else None
