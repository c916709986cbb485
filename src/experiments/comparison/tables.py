"""The verdict as tables to publish: Markdown, CSV and LaTeX.

One row a setting. Bold marks a setting only where the verdict says that it beats each of the
others; the largest mean alone is marked nowhere.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.contents import (
    against_control,
    best,
    how_compared,
    what_withheld,
)
from experiments.comparison.table_rows import Table, metric_and_delta, tables_of

Dict = Mapping[str, Any]

BOLD = "Bold: beats each of the others by the verdict."


def to_markdown(verdict: Dict) -> str:
    """Return the verdict in Markdown: confounds, sentences, tables, and what is missing."""
    parts = [f"# {markdown_escape(verdict['name'])}", markdown_escape(metric_and_delta(verdict))]
    confounds = verdict["confounds"]
    parts += bullets("Withholds the verdict", confounds["withholding"])
    parts += bullets("Differs, but alike in all settings", confounds["listed"])
    parts += bullets("Allowed to differ by name", confounds["allowed"])
    parts += bullets("", verdict["headline"])
    tables = tables_of(verdict)
    for table in tables:
        if len(tables) > 1:
            parts.append(f"## {markdown_escape(table.title)}")
        parts.append(markdown_table(table))
    marked = any(table.bold for table in tables)
    parts.append(markdown_escape(how_compared(verdict)) + (f" {BOLD}" if marked else ""))
    parts += bullets("Withheld", what_withheld(verdict))
    parts += bullets("Notes", verdict["notes"])
    parts += bullets("Missing", verdict["missing"])
    if verdict["missing_command"]:
        parts.append(fenced(verdict["missing_command"]))
    return "\n\n".join(parts) + "\n"


def bullets(title: str, sentences: Sequence[str]) -> list[str]:
    """Return sentences as a list under a title, nothing where there is none."""
    if not sentences:
        return []
    lines = "\n".join(f"- {markdown_escape(sentence)}" for sentence in sentences)
    return [f"{title}:\n\n{lines}" if title else lines]


def fenced(text: str) -> str:
    """Return a command as a block of code, inside a fence longer than any in it."""
    longest = max((len(found) for found in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def markdown_table(table: Table) -> str:
    """Return a table in Markdown, numbers aligned to the right."""
    headings = table.headings
    if table.groups:  # Markdown has no groups: each heading says whose it is
        groups = [title for title, width in table.groups for _ in range(width)]
        headings = [f"{g}: {h}" if g else h for g, h in zip(groups, headings, strict=True)]
    rule = [":--" if i == 0 or h.endswith("verdict") else "--:" for i, h in enumerate(headings)]
    lines = [map(markdown_escape, headings), rule]
    for index, row in enumerate(table.rows):
        name, *cells = map(markdown_escape, row)
        lines.append([f"**{name}**" if index in table.bold else name, *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def markdown_escape(text: object) -> str:
    r"""Return text that Markdown, and a cell of its tables, shows as it is.

    Brackets stand as they are unless they would be a link.

    >>> markdown_escape("leaky_relu|*<b>"), markdown_escape("_x_ [a](b) [1, 2]")
    ('leaky_relu\\|\\*&lt;b>', '\\_x\\_ [a\\](b) [1, 2]')
    """
    line = " ".join(str(text).split())
    escaped = re.sub(r"([\\`*|#~])", r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;"))
    escaped = re.sub(r"\](?=[(\[:])", r"\\]", escaped)
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)


def to_csv(verdict: Dict) -> str:
    """Return the verdict as CSV of raw numbers: a row for each setting, a group of columns a task.

    Columns of a task are called `TASK/mean` and so on. Where there is no control, each pair has a
    row too; the column `kind` tells them apart.
    """
    settings = [s for task in verdict["tasks"] for s in task["settings"]]
    keys = list(dict.fromkeys(key for s in settings for key in s["levels"]))
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for task in verdict["tasks"]:
        pairs, marked = against_control(task), best(task)
        for s in task["settings"]:
            row = rows.setdefault(("setting", s["name"]), dict(s["levels"]))
            cells = {**of_setting(s), **of_pair(pairs.get(s["id"])), "best": s["id"] == marked}
            row |= {f"{task['name']}/{key}": value for key, value in cells.items()}
        for pair in task["pairs"] if not pairs else []:
            row = rows.setdefault(("pair", pair["name"]), {})
            row |= {f"{task['name']}/{key}": value for key, value in of_pair(pair).items()}
            row[f"{task['name']}/n"] = pair["n"]
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    columns = keys + [column for column in columns if column not in keys]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(csv_cell, ["kind", "setting", *columns]))
    for (kind, name), row in rows.items():
        writer.writerow(map(csv_cell, [kind, name, *(row.get(column) for column in columns)]))
    return out.getvalue()


def of_setting(setting: Dict) -> dict[str, Any]:
    """Return the numbers of a setting, flat."""
    low, high = setting["interval"] or (None, None)
    keys = ("n", "mean", "sd", "median", "low", "high", "num_parameters", "failure_rate")
    values = {key: setting.get(key) for key in keys}
    return {**values, "interval_low": low, "interval_high": high}


def of_pair(pair: Dict | None) -> dict[str, Any]:
    """Return the numbers of a comparison, flat; nothing for the control itself."""
    if pair is None:
        return {}
    low, high = pair["interval"] or (None, None)
    keys = ("difference", "level", "p", "p_holm", "superiority", "correlation", "seeds_needed")
    values = {key: pair.get(key) for key in (*keys, "verdict", "reason")}
    return {**values, "difference_low": low, "difference_high": high}


def csv_cell(value: Any) -> Any:
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


def to_latex(verdict: Dict) -> str:
    """Return the verdict as LaTeX tables, for the package booktabs."""
    head = "% \\usepackage{booktabs,graphicx}\n"
    caption = f"{metric_and_delta(verdict)} {how_compared(verdict)}"
    parts = []
    for table in tables_of(verdict):
        text = f"{table.title}: {caption}" + (f" {BOLD}" if table.bold else "")
        parts.append(latex_table(table, text))
    return head + "\n".join(parts)


def latex_table(table: Table, caption: str) -> str:
    """Return one table; one wider than the page is made as wide as it."""
    align = ["l" if h in ("setting", "pair", "verdict") else "r" for h in table.headings]
    lines = ["\\begin{table}", "\\centering", f"\\caption{{{latex_escape(caption)}}}"]
    lines += ["\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%"]
    lines += [f"\\begin{{tabular}}{{{''.join(align)}}}", "\\toprule"]
    if table.groups:
        lines += group_lines(table.groups)
    lines += [latex_row(table.headings), "\\midrule"]
    for index, row in enumerate(table.rows):
        name, *cells = row
        first = latex_escape(name)
        first = f"\\textbf{{{first}}}" if index in table.bold else first
        lines.append(" & ".join([first, *map(latex_escape, cells)]) + " \\\\")
    lines += ["\\bottomrule", "\\end{tabular}%", "}", "\\end{table}", ""]
    return "\n".join(lines)


def group_lines(groups: Sequence[tuple[str, int]]) -> list[str]:
    """Return the headings over groups of columns, and a rule under each."""
    cells, rules, column = [], [], 1
    for title, width in groups:
        cells.append(f"\\multicolumn{{{width}}}{{c}}{{{latex_escape(title)}}}" if title else "")
        if title:
            rules.append(f"\\cmidrule(lr){{{column}-{column + width - 1}}}")
        column += width
    return [" & ".join(cells) + " \\\\", " ".join(rules)]


def latex_row(cells: Sequence[str]) -> str:
    """Return a line of a tabular."""
    return " & ".join(map(latex_escape, cells)) + " \\\\"


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


def latex_escape(text: object) -> str:
    r"""Return text that LaTeX sets as it is.

    >>> latex_escape("leaky_relu 50 % ± −1")
    'leaky\\_relu 50 \\% $\\pm$ $-$1'
    """
    line = " ".join(str(text).split())
    escaped = "".join(LATEX.get(char, char) for char in line)
    # A bracket that begins a line of a tabular would be read as the argument of \\.
    return f"{{{escaped[0]}}}{escaped[1:]}" if escaped.startswith(("[", "*")) else escaped
