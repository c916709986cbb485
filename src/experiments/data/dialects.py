"""How a text is cut into rows and cells: what stands between cells, and which lines are comments.

csv.Sniffer guesses from the first kilobyte and takes letters for delimiters; here each delimiter
is tried on many rows.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from experiments.data import checks
from experiments.data.cells import is_number_like
from experiments.data.text_files import unreadable

DELIMITERS = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ",", "blanks": " "}
COMMENT_MARKS = ("#", "%")
SEPARATOR_LINE = re.compile(r'"?sep=(.|\\t)"?\s*')
"""The first line of some files, by which Excel knows the delimiter."""
NUMBER_AND_MORE = re.compile(r"[-+.,0-9$€£¥%]+ .*")
NUM_TRIED = 200
"""Rows on which delimiters are tried."""


def take_separator_line(lines: list[str]) -> str | None:
    """Empty a first line such as `sep=;`, and return the delimiter that it names."""
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    match = SEPARATOR_LINE.fullmatch(lines[first]) if lines else None
    if match is None:
        return None
    lines[first] = "\n"
    return match[1].replace("\\t", "\t")


def take_comments(lines: list[str]) -> tuple[str | None, list[str]]:
    """Empty the comment lines that a file begins with; return their mark, and what they say.

    Emptied, not removed, so that the other lines keep their numbers. A mark that most lines begin
    with is none: colours are written as #ff0000.
    """
    filled = [line.lstrip() for line in lines if line.strip()]
    for mark in COMMENT_MARKS:
        marked = sum(line.startswith(mark) for line in filled)
        if not marked or 2 * marked > len(filled):
            continue
        taken = []
        for number, line in enumerate(lines):
            if line.strip() and not line.lstrip().startswith(mark):
                break
            if line.strip():
                taken.append(line.strip().lstrip(mark).strip())
                lines[number] = "\n"
        return mark, taken
    return None, []


def take_later_comments(lines: list[str], mark: str, delimiter: str, width: int) -> int:
    """Empty the comment lines amid the data, which have not as many cells as rows have."""
    num_taken = 0
    for number, line in enumerate(lines):
        if line.lstrip().startswith(mark):
            num_cells = len(line.split()) if delimiter == " " else line.count(delimiter) + 1
            if num_cells != width:
                lines[number] = "\n"
                num_taken += 1
    return num_taken


def records(
    lines: Iterable[str], delimiter: str, is_strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row that is not empty, with the number of the line it ends on."""
    if delimiter == " ":
        # A tab is a blank too; what blanks stand at the ends is no cell.
        lines = (line.replace("\t", " ").strip() + "\n" for line in lines)
    lines, first = itertools.tee(lines)
    quote = quote_of(next((line for line in first if line.strip()), ""))
    del first
    reader = csv.reader(
        lines, delimiter=delimiter, quotechar=quote, strict=is_strict, skipinitialspace=True
    )
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise csv.Error(f"row {reader.line_num}: {error}") from error


def quote_of(line: str) -> str:
    """Return the sign around cells, by the first line: \' where that begins and ends with it.

    >>> quote_of("'a' 'b'"), quote_of("''tis, a")
    ("'", '"')
    """
    line = line.strip()
    is_single = len(line) > 1 and line.startswith("'") and line.endswith("'")
    return "'" if is_single and '"' not in line else '"'


def cells_of(path: Path, lines: list[str], delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Return the rows of a text and the line of each."""
    rows, numbers = [], []
    try:
        for number, cells in records(lines, delimiter):
            # A line of delimiters alone is how spreadsheets write an empty row.
            if any(cells):
                rows.append(cells)
                numbers.append(number)
    except csv.Error as error:
        raise unreadable(path, str(error), "Save the table as CSV, in UTF-8") from error
    return rows, numbers


def tried_rows(lines: list[str], delimiter: str) -> list[list[str]]:
    """Return the first rows of a text as a delimiter would cut them."""
    filled = [line for line in lines[: 4 * NUM_TRIED] if line.strip()][:NUM_TRIED]
    try:
        return [cells for _, cells in records(filled, delimiter, is_strict=False)]
    except csv.Error:
        return []


def usual_width(lines: list[str], delimiter: str) -> int:
    widths = Counter(map(len, tried_rows(lines, delimiter)))
    return widths.most_common(1)[0][0] if widths else 0


def best_delimiter(lines: list[str]) -> str:
    """Return the delimiter that cuts most rows into as many cells, each of them a whole one.

    >>> best_delimiter(["a;b", "1,5;2,5"]), best_delimiter(["3  4 5", "1 2   3"])
    (';', ' ')
    """
    scores = {delimiter: fitness(lines, delimiter) for delimiter in DELIMITERS.values()}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] else ","


def fitness(lines: list[str], delimiter: str) -> float:
    """Return how well a delimiter fits, 0 to 1: rows of usual width by cells without another one.

    A comma cuts 1,5;2,5 evenly too, but leaves 5;2 between.
    """
    rows = tried_rows(lines, delimiter)
    width = usual_width(lines, delimiter)
    if width < 2:
        return 0.0
    even = [cells for cells in rows if len(cells) == width]
    # R's header is one cell short, and 0,5 1 below a header without commas only looks like it.
    num_even = len(even) + 0.5 * (len(rows[0]) == width - 1)
    cells = [cell for row in even for cell in row]
    return num_even / len(rows) * sum(is_whole(c, delimiter) for c in cells) / len(cells)


def is_whole(cell: str, delimiter: str) -> bool:
    """Return whether a cell looks like one cell, not like several with another delimiter."""
    if is_number_like(cell):
        return True
    others = (d for d in DELIMITERS.values() if d not in (delimiter, " "))
    return not any(d in cell for d in others) and not NUMBER_AND_MORE.fullmatch(cell)


def check_columns(path: Path, rows: list[list[str]], delimiter: str) -> None:
    """Raise UserError for a table without two columns."""
    widest = max(map(len, rows[:NUM_TRIED]), default=0)
    if not rows:
        checks.check_number(path, 0)
    if widest < 2:
        others = (word for word, d in DELIMITERS.items() if d != delimiter and d in rows[0][0])
        word = next(others, "...")
        reason = f"one column only, {rows[0][0][:60]}"
        instead = f"Tell what is between cells: data.delimiter={word}"
        raise checks.wrong(path, "row 1", reason, instead)
