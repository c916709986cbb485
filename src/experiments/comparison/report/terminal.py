"""The verdict on the terminal: headline first, then the table, and what is withheld or missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from experiments.comparison.formats import MINUS, NOTHING
from experiments.comparison.lookups import MARKS
from experiments.comparison.report.assumptions import what_is_assumed
from experiments.comparison.report.point_tables import beyond_these_points
from experiments.comparison.report.sentences import (
    CONFOUNDS,
    gaps,
    how_compared,
    metric_and_delta,
    of_the_test_set,
)
from experiments.comparison.report.table import Table
from experiments.comparison.report.verdict_tables import CHANCES, LOOK, task_tables
from experiments.comparison.tuning_price import price_sentences
from experiments.errors.wording import and_more

STYLES = {
    "better": "bold green",
    "worse": "bold red",
    "equivalent": "cyan",
    "inconclusive": "yellow",
    "withheld": "magenta",
    "control": "dim",
}
WIDE = 120
"""Columns of a terminal from which on the whole table is printed."""
LONGEST_NAME = 24
"""Columns that a setting's name has before it is folded."""
PLAIN_SIGNS = {MINUS: "-", NOTHING: "-", "±": "+-", **dict.fromkeys(MARKS.values(), " ")}
"""What stands for a sign where the output has none; a mark stands beside its word."""
MOST_ROWS = 40
"""How many rows of a table are printed; the report has them all."""
MOST_LINES = 12
"""How many sentences of a kind are printed; the report has them all."""


def print_verdict(verdict: Mapping[str, Any], console: Console) -> None:
    """Print a verdict; markup in names and messages means nothing."""
    console.print(Text(metric_and_delta(verdict), style="dim"))
    for key, title in CONFOUNDS.items():
        style = "bold magenta" if key == "withholding" else "yellow"
        print_titled(console, title, verdict["confounds"][key], style)
    console.print()
    for sentence in verdict["headline"]:
        console.print(Text(sentence, style="bold"))
    for task in verdict["tasks"]:
        tables = task_tables(verdict, task)
        console.print()
        for table in tables:
            print_table(table, console, has_title=len(verdict["tasks"]) + len(tables) > 2)
        print_sentences(console, what_is_assumed(verdict, task), "dim")
        print_sentences(console, of_the_test_set(task), "dim")
        print_sentences(console, beyond_these_points(verdict, task), "dim")
    console.print(Text(how_compared(verdict), style="dim"))
    left_open = gaps(verdict)
    print_titled(console, "Withheld", left_open["Withheld"], "magenta")
    print_titled(console, "Notes", verdict["notes"])
    prices = price_sentences(verdict.get("tuning_price"))
    print_titled(console, "Price of tuning", prices)
    print_titled(console, "Training health", (verdict.get("health") or {}).get("in words", []))
    print_titled(console, "Missing", left_open["Missing"], "yellow")
    if verdict["missing_command"]:
        console.print(Padding(Text(verdict["missing_command"], overflow="fold"), (0, 0, 0, 2)))
    print_titled(console, "Could not be read", left_open["Could not be read"], "red")
    print_titled(console, "Left out", left_open["Left out"], "yellow")


@contextlib.contextmanager
def in_plain_signs(console: Console) -> Iterator[None]:
    """Print what a block prints in signs that the output has: in latin-1, a minus is a hyphen.

    What a stream cannot encode is replaced by ?, which would make -0.3 to 0.3 of a difference.
    """
    with console.capture() as captured:
        yield
    text = captured.get()
    for sign, plain in PLAIN_SIGNS.items():
        if not is_encodable(sign, console.encoding):
            text = text.replace(sign, plain)
    console.file.write(text)
    console.file.flush()


def is_encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def print_titled(
    console: Console, title: str, sentences: Sequence[str], title_style: str = ""
) -> None:
    if sentences:
        console.print()
        console.print(Text(f"{title}:", style=title_style))
        print_sentences(console, sentences)


def print_sentences(console: Console, sentences: Sequence[str], style: str = "") -> None:
    """Print the first sentences of some, and how many more there are."""
    for sentence in sentences[:MOST_LINES]:
        console.print(Padding(Text(sentence, style=style), (0, 0, 0, 2)))
    if more := and_more(len(sentences) - MOST_LINES):
        console.print(f" {more}, in the report")


def print_table(table: Table, console: Console, has_title: bool) -> None:
    first = replace(table, rows=table.rows[:MOST_ROWS])
    console.print(rich_table(compact(first, console), has_title))
    if more := and_more(len(table.rows) - MOST_ROWS, "rows"):
        console.print(f" {more}, in the report")


def rich_table(table: Table, has_title: bool) -> RichTable:
    """Return a table for the terminal, in which a name is folded before it is cut."""
    title = Text(table.title, style="bold") if has_title else None
    drawn = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    longest = max((len(str(row[0])) for row in table.rows), default=0)
    for index, column in enumerate(table.columns):
        drawn.add_column(
            Text("n" if column.heading in ("seeds", "folds") else column.heading),
            justify="right" if column.is_number else "left",
            overflow="fold",
            no_wrap=index > 0,
            min_width=min(LONGEST_NAME, longest) if index == 0 else None,
        )
    for index, row in enumerate(table.rows):
        name, *cells = [
            Text(f"{MARKS.get(str(cell), '')} {cell}".strip(), style=STYLES.get(str(cell), ""))
            if column.kind == "verdict"
            else Text(str(cell))
            for column, cell in zip(table.columns, row, strict=True)
        ]
        if index in table.best:
            name.stylize("bold")
        drawn.add_row(name, *cells)
    return drawn


def compact(table: Table, console: Console) -> Table:
    """Return a table with difference and interval in one column, to fit into a line.

    On a narrow terminal the intervals of the means are left to the report, which has them beside
    the standard deviations; then the parameters, the chances, p, and the intervals of the
    differences. Names
    and verdicts are what a line is about: they are never cut.
    """
    headings = [column.heading for column in table.columns]
    if "verdict" not in headings:
        return table
    width, endless = console.width, console.options.update(max_width=10_000)
    at = next(i for i, heading in enumerate(headings) if heading.startswith("difference"))
    left_out = ["95 % interval"] if width < WIDE else []
    short = [*left_out, "parameters", CHANCES]
    shorter_still = [*short, *(name for name in headings if name.startswith("p ("))]
    shortest = [*shorter_still, LOOK]
    ways = [
        (left_out, True),
        ([*left_out, "parameters"], True),
        (short, True),
        (shorter_still, True),
        (shorter_still, False),
        (shortest, False),
    ]
    for names, has_interval in ways:
        kept = [i for i, name in enumerate(headings) if i != at + 1 and name not in names]
        shorter = merged(table, kept, at if has_interval else None)
        if console.measure(rich_table(shorter, False), options=endless).maximum <= width:
            break
    return shorter


def merged(table: Table, kept: Sequence[int], at: int | None) -> Table:
    """Return some columns of a table, the one after column `at` joined to it."""
    columns = [table.columns[i] for i in kept]
    rows = [[row[i] for i in kept] for row in table.rows]
    if at is not None:
        here, after = kept.index(at), table.columns[at + 1]
        heading = f"{columns[here].heading}\n{after.heading}"
        columns[here] = replace(columns[here], heading=heading)
        for short, row in zip(rows, table.rows, strict=True):
            short[here] = f"{row[at]} {row[at + 1]}".strip()
    return replace(table, columns=columns, rows=rows)
