"""The tables of a verdict as files: Markdown, LaTeX (package booktabs), raw numbers as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.comparison.report.assumptions import what_is_assumed
from experiments.comparison.report.point_tables import point_tables
from experiments.comparison.report.sentences import (
    BOLD,
    CONFOUNDS,
    how_compared,
    metric_and_delta,
    what_withheld,
)
from experiments.comparison.report.table import Cell, Table
from experiments.comparison.report.verdict_tables import raw_numbers, tables_of


def markdown_of(verdict: Mapping[str, Any]) -> str:
    """Return the verdict: confounds, sentences, tables, and what is missing."""
    parts = [f"# {markdown_escaped(verdict['name'])}", markdown_escaped(metric_and_delta(verdict))]
    for key, title in CONFOUNDS.items():
        parts += bullets(title, verdict["confounds"][key])
    parts += bullets("", verdict["headline"])
    tables = tables_of(verdict)
    for table in tables:
        if len(tables) > 1:
            parts.append(f"## {markdown_escaped(table.title)}")
        parts.append(markdown_table(table))
    for task in verdict["tasks"]:
        for table in point_tables(verdict, task):
            parts += [f"## {markdown_escaped(titled(verdict, task, table))}", markdown_table(table)]
    for task in verdict["tasks"]:
        parts += map(markdown_escaped, what_is_assumed(verdict, task))
    is_marked = any(table.best for table in tables)
    parts.append(markdown_escaped(how_compared(verdict)) + f" {BOLD}" * is_marked)
    parts += bullets("Withheld", what_withheld(verdict))
    parts += bullets("Notes", verdict["notes"])
    parts += bullets("Missing", verdict["missing"])
    if command := verdict["missing_command"]:
        # The fence is longer than any within the command.
        fence = "`" * (1 + max([2, *map(len, re.findall("`+", command))]))
        parts.append(f"{fence}\n{command}\n{fence}")
    return "\n\n".join(parts) + "\n"


def titled(verdict: Mapping[str, Any], task: Mapping[str, Any], table: Table) -> str:
    return f"{task['name']}: {table.title}" if len(verdict["tasks"]) > 1 else table.title


def bullets(title: str, sentences: Sequence[str]) -> list[str]:
    """Return sentences as a list under a title, nothing where there is none."""
    if not sentences:
        return []
    lines = "\n".join(f"- {markdown_escaped(sentence)}" for sentence in sentences)
    return [f"{title}:\n\n{lines}" if title else lines]


def markdown_table(table: Table) -> str:
    """Return a table, numbers aligned to the right."""
    lines = [[markdown_escaped(column.label) for column in table.columns]]
    lines.append(["--:" if column.is_number else ":--" for column in table.columns])
    for index, row in enumerate(table.rows):
        name, *cells = map(markdown_escaped, row)
        lines.append([f"**{name}**" if index in table.best else name, *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def markdown_escaped(text: object) -> str:
    r"""Return text that Markdown, and a cell of its tables, shows as it is.

    Brackets stand as they are unless they would be a link.

    >>> markdown_escaped("leaky_relu|*<b>"), markdown_escaped("_x_ [a](b) [1, 2]")
    ('leaky_relu\\|\\*&lt;b>', '\\_x\\_ [a\\](b) [1, 2]')
    """
    line = " ".join(str(text).split())
    plain = re.sub(r"([\\`*|#~])", r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;"))
    plain = re.sub(r"\](?=[(\[:])", r"\\]", plain)
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", plain)


def latex_of(verdict: Mapping[str, Any]) -> str:
    """Return a `table` for each table to publish."""
    caption = f"{metric_and_delta(verdict)} {how_compared(verdict)}"
    parts = [
        latex_table(table, f"{table.title}: {caption}" + f" {BOLD}" * bool(table.best))
        for table in tables_of(verdict)
    ]
    return "% \\usepackage{booktabs,graphicx}\n" + "\n".join(parts)


def latex_table(table: Table, caption: str) -> str:
    """Return one table; one wider than the page is made as wide as it."""
    align = "".join("r" if column.is_number else "l" for column in table.columns)
    lines = ["\\begin{table}", "\\centering", f"\\caption{{{latex_escaped(caption)}}}"]
    lines += ["\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%"]
    lines += [f"\\begin{{tabular}}{{{align}}}", "\\toprule", *group_lines(table.groups)]
    lines += [latex_row(latex_escaped(column.heading) for column in table.columns), "\\midrule"]
    for index, row in enumerate(table.rows):
        name, *cells = map(latex_escaped, row)
        lines.append(latex_row([f"\\textbf{{{name}}}" if index in table.best else name, *cells]))
    lines += ["\\bottomrule", "\\end{tabular}%", "}", "\\end{table}", ""]
    return "\n".join(lines)


def group_lines(groups: Sequence[tuple[str, int]]) -> list[str]:
    """Return the headings over groups of columns, and a rule under each."""
    if not groups:
        return []
    cells, rules, column = [], [], 1
    for title, width in groups:
        cells.append(f"\\multicolumn{{{width}}}{{c}}{{{latex_escaped(title)}}}" if title else "")
        if title:
            rules.append(f"\\cmidrule(lr){{{column}-{column + width - 1}}}")
        column += width
    return [latex_row(cells), " ".join(rules)]


def latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + " \\\\"


LATEX = {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "±": "$\\pm$",
    "−": "$-$",
    "–": "--",
    '"': "''",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


def latex_escaped(text: object) -> str:
    r"""Return text that LaTeX sets as it is.

    >>> latex_escaped("leaky_relu 50 % ± −1")
    'leaky\\_relu 50 \\% $\\pm$ $-$1'
    """
    line = " ".join(str(text).split())
    plain = "".join(LATEX.get(char, char) for char in line)
    # A bracket that begins a line of a tabular would be read as the argument of \\.
    return f"{{{plain[0]}}}{plain[1:]}" if plain.startswith(("[", "*")) else plain


def csv_of(verdict: Mapping[str, Any]) -> str:
    """Return every number of a verdict, as `raw_numbers` lays them out."""
    table = raw_numbers(verdict)
    lines = [[column.label for column in table.columns], *table.rows]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(csv_cell, line) for line in lines)
    return text.getvalue()


def csv_cell(value: Cell) -> str | float:
    """Return a cell; text that a spreadsheet would run as a formula is quoted by an apostrophe.

    >>> csv_cell("=1+1"), csv_cell(-0.5), csv_cell(True), csv_cell(None)
    ("'=1+1", -0.5, 'true', '')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return value
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
