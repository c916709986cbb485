"""The verdict on the terminal: headline first, then the table, and what is withheld or missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from experiments.comparison.contents import MARKS, how_compared, of_the_test_set, what_withheld
from experiments.comparison.table_rows import Table as Rows
from experiments.comparison.table_rows import metric_and_delta, pairs_table, settings_table

STYLES = {
    "better": "bold green",
    "worse": "bold red",
    "equivalent": "cyan",
    "inconclusive": "yellow",
    "withheld": "magenta",
    "control": "dim",
}
NARROW = 96
"""Columns below which p, of which the verdict speaks, is left to the report too."""
WIDE = 120
"""Columns of a terminal from which on the whole table is printed."""
LONGEST_NAME = 24
"""Columns that a setting's name has before it is folded."""
MOST_ROWS = 40
"""How many rows of a table are printed; the report has them all."""
MOST_LINES = 12
"""How many sentences of a kind are printed; the report has them all."""


def show(verdict: Mapping[str, Any], console: Console) -> None:
    """Print a verdict.

    Names and messages are printed as they are: markup in them means nothing.

    Args:
        verdict: the plain dict of verdict.json.
        console: where to print.
    """
    confounds = verdict["confounds"]
    console.print(Text(metric_and_delta(verdict), style="dim"))
    tell(console, "Withholds the verdict:", confounds["withholding"], "bold magenta")
    tell(console, "Differs, but alike in all settings:", confounds["listed"], "yellow")
    tell(console, "Allowed to differ by name:", confounds["allowed"], "yellow")
    console.print()
    for sentence in verdict["headline"]:
        console.print(Text(sentence, style="bold"))
    for task in verdict["tasks"]:
        console.print()
        tables = [settings_table(verdict, task)]
        if task["pairs"] and "verdict" not in tables[0].headings:
            tables.append(pairs_table(verdict, task))
        for rows in tables:
            has_title = len(verdict["tasks"]) + len(tables) > 2
            shown = replace(rows, rows=rows.rows[:MOST_ROWS])
            console.print(drawn(compact(shown, console.width), has_title))
            if len(rows.rows) > MOST_ROWS:
                console.print(f"  and {len(rows.rows) - MOST_ROWS} more rows, in the report")
        tell(console, "", of_the_test_set(task), "dim")
    console.print(Text(how_compared(verdict), style="dim"))
    tell(console, "Withheld:", what_withheld(verdict), "magenta")
    tell(console, "Notes:", verdict["notes"], "")
    tell(console, "Training health:", (verdict.get("health") or {}).get("in words", []), "")
    tell(console, "Missing:", verdict["missing"], "yellow")
    if verdict["missing_command"]:
        console.print(Padding(Text(verdict["missing_command"], overflow="fold"), (0, 0, 0, 2)))
    unread = [f"{one['folder']}: {one['reason']}" for one in verdict["unread"]]
    excluded = [f"{one['folder']}: {one['reason']}" for one in verdict["excluded"]]
    tell(console, "Could not be read:", unread, "red")
    tell(console, "Left out:", excluded, "yellow")


def tell(console: Console, title: str, sentences: Sequence[str], style: str) -> None:
    """Print sentences under a title, nothing where there is none."""
    if not sentences:
        return
    if title:
        console.print()
        console.print(Text(title, style=style))
    for sentence in sentences[:MOST_LINES]:
        console.print(Padding(Text(sentence, style="" if title else style), (0, 0, 0, 2)))
    if len(sentences) > MOST_LINES:
        console.print(f"  and {len(sentences) - MOST_LINES} more, in the report")


def drawn(rows: Rows, has_title: bool) -> Table:
    """Return the table of a task for the terminal."""
    title = Text(rows.title, style="bold") if has_title else None
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    longest = max((len(row[0]) for row in rows.rows), default=0)
    for index, heading in enumerate(rows.headings):
        is_text = index == 0 or heading == "verdict"
        table.add_column(
            Text("n" if heading == "seeds" else heading),
            justify="left" if is_text else "right",
            overflow="fold",
            no_wrap=index > 0,
            min_width=min(LONGEST_NAME, longest) if index == 0 else None,
        )
    for index, row in enumerate(rows.rows):
        cells = [Text(cell) for cell in row]
        if index in rows.bold:
            cells[0].stylize("bold")
        if rows.headings[-1] == "verdict":
            cells[-1] = verdict_text(row[-1])
        table.add_row(*cells)
    return table


def verdict_text(word: str) -> Text:
    """Return a verdict's word with its mark, in its colour."""
    mark = MARKS.get(word)
    return Text(f"{mark} {word}" if mark else word, style=STYLES.get(word, ""))


def compact(rows: Rows, width: int) -> Rows:
    """Return a table with difference and interval in one column, to fit into a line.

    On a narrow terminal the intervals of the means are left to the report, which has them beside
    the standard deviations; then p, the parameters, and the intervals of the differences. Names
    and verdicts are what a line is about: they are never cut.
    """
    headings = rows.headings
    if "verdict" not in headings:
        return rows
    at = next(i for i, heading in enumerate(headings) if heading.startswith("difference"))
    left_out = ["95 % interval"] if width < WIDE else []
    left_out += ["p (Holm)"] if width < NARROW else []
    ways = [(left_out, True), ([*left_out, "parameters"], True), ([*left_out, "parameters"], False)]
    for names, has_interval in ways:
        kept = [i for i, name in enumerate(headings) if i != at + 1 and name not in names]
        found = joined(rows, kept, at if has_interval else None)
        if width_of(found) <= width:
            break
    return found


def joined(rows: Rows, kept: Sequence[int], at: int | None) -> Rows:
    """Return some columns of a table, the one after column `at` joined to it."""

    def merged(row: list[str], by: str) -> list[str]:
        return [f"{row[i]}{by}{row[i + 1]}".strip() if i == at else row[i] for i in kept]

    cells = [merged(row, " ") for row in rows.rows]
    return replace(rows, headings=merged(rows.headings, "\n"), rows=cells)


def width_of(rows: Rows) -> int:
    """Return the columns of a terminal that a table takes where nothing in it is broken."""
    columns = zip(rows.headings, *rows.rows, strict=True)
    widths = [
        max(len(line) for cell in one for line in cell.splitlines() or [""]) for one in columns
    ]
    # Between columns and at both ends: rich's padding, and the room of a line that is not drawn.
    return sum(widths) + len("▲ ") + 2 * len(widths) + 1
