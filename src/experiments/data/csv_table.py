"""A table as its file has it: cells, the names of its columns, names of rows that are no column.

Every program that exports tables has its own habits: R leaves the header one cell short, pandas
leaves the first column without a name, older files begin with the data. What can be two things is
asked about.

A row is named by its line, from 1, as an editor shows it.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from experiments.data.cells import is_missing, is_number_like
from experiments.data.checks import wrong
from experiments.data.dialects import (
    DELIMITERS,
    best_delimiter,
    cells_of,
    check_columns,
    records,
    take_comments,
    take_later_comments,
    take_separator_line,
    usual_width,
)
from experiments.data.text_files import Text, read_text

NUM_LOOKED_AT = 200
"""Rows that say what a column is, where the first row is to be told from them."""


@dataclass(frozen=True)
class CsvTable:
    """The cells of a file, row by row, with the line that each row ends on.

    Attributes:
        notes: what was taken for something else than cells, for the user to see.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    delimiter: str
    has_header: bool = True
    first_line: int = 1
    notes: tuple[str, ...] = ()

    def locate(self, row: int, column: str) -> str:
        return f"row {self.lines[row]}, column {column}"

    def column(self, name: str) -> list[str]:
        position = self.header.index(name)
        return [cells[position] for cells in self.rows]

    def with_rows(self, kept: Sequence[int]) -> CsvTable:
        """Return the table of some of the rows alone."""
        rows, lines = [self.rows[row] for row in kept], [self.lines[row] for row in kept]
        return replace(self, rows=rows, lines=lines)

    def without(self, position: int, note: str) -> CsvTable:
        """Return the table without a column."""
        rows = [cells[:position] + cells[position + 1 :] for cells in self.rows]
        header = self.header[:position] + self.header[position + 1 :]
        return replace(self, header=header, rows=rows, notes=(*self.notes, note))


def read_csv(
    path: Path, delimiter: str | None = None, header: str = "auto", encoding: str = "auto"
) -> CsvTable:
    """Return the cells of a file.

    Args:
        path: of a text, perhaps compressed.
        delimiter: one character, a blank for any number of them; None: the one that fits best.
        header: whether the first row names the columns: `true`, `false` or `auto`.
        encoding: as Python names it, or `auto`.

    Raises:
        UserError: a file that is no table, or one that can be read in two ways.
    """
    text = read_text(path, encoding)
    lines = list(io.StringIO(text.content, newline=""))
    notes = notes_of(text)
    mark, commented = take_comments(lines)
    named = take_separator_line(lines)
    delimiter = delimiter or named or best_delimiter(lines)
    width = usual_width(lines, delimiter)
    if mark:
        later = take_later_comments(lines, mark, delimiter, width)
        number = counted(len(commented) + later, "comment line")
        notes.append(f"{number} ({mark}) left out")
    rows, numbers = cells_of(path, lines, delimiter)
    check_columns(path, rows, delimiter)
    if gives_sizes(rows):
        notes.append(f"the first row gives sizes and is left out: {', '.join(rows[0])[:60]}")
        rows, numbers = rows[1:], numbers[1:]
    table = CsvTable(path, rows[0], rows[1:], numbers[1:], delimiter, first_line=numbers[0])
    table = with_header(evened(table), header, numbers, commented)
    return without_row_names(replace(table, notes=(*notes, *table.notes)))


def counted(number: int, thing: str) -> str:
    """Return how many there are of a thing.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {thing}{'s' * (number != 1)}"


def notes_of(text: Text) -> list[str]:
    """Return what is worth telling about how a text was read."""
    notes = [f"read as {text.encoding}"] if text.encoding != "utf-8" else []
    return notes + ([f"unpacked from {text.compression}"] if text.compression else [])


def gives_sizes(rows: list[list[str]]) -> bool:
    """Return whether a first row has the numbers of rows and features, as in scikit-learn's files.

    >>> gives_sizes([["2", "1", "cat", "dog"], ["0.5", "0"], ["1.5", "1"]])
    True
    """
    return len(rows) > 1 and rows[0][:2] == [str(len(rows) - 1), str(len(rows[1]) - 1)]


def evened(table: CsvTable) -> CsvTable:
    """Return the table with as many names as cells: delimiters at the ends of rows are no column.

    R's write.table gives row names and no name to their column.
    """
    header, rows = table.header, table.rows
    widths = {len(cells) for cells in rows}
    longest = max(widths, default=0)
    is_ended = bool(rows) and all(not cells[-1] for cells in rows if len(cells) == longest)
    if longest == len(header) + 1 and is_ended:
        return replace(table, rows=[cells[: len(header)] for cells in rows])
    is_ended = is_ended or longest < len(header)
    if len(header) > 2 and not header[-1] and longest <= len(header) and is_ended:
        rows = [cells[: len(header) - 1] for cells in rows]
        return replace(table, header=header[:-1], rows=rows)
    # 1,5,2 below a,b are no row names, but a decimal comma.
    are_names = table.delimiter != "," or not any(is_number_like(cells[0]) for cells in rows)
    has_words = not any(map(is_number_like, header))
    if widths == {len(header) + 1} and are_names and has_words:
        return replace(table, header=["", *header])
    return table


def check_widths(table: CsvTable) -> None:
    """Raise UserError at the first row that has not as many cells as the first one."""
    width, path = len(table.header), table.path
    usual, num = Counter(map(len, table.rows)).most_common(1)[0] if table.rows else (width, 0)
    if usual != width and 2 * num > len(table.rows):
        reason = f"{width} cells, where most rows have {usual}"
        instead = "Remove what stands above the table"
        if usual > width > 1:
            instead += "; where cells have decimal commas, save it with semicolons between them"
        raise wrong(path, f"row {table.first_line}", reason, instead)
    for cells, line in zip(table.rows, table.lines, strict=True):
        if len(cells) != width:
            first = "the header" if table.has_header else "the first row"
            reason = f"{len(cells)} cells, where {first} has {width}"
            instead = "Put cells that hold the delimiter between double quotes"
            raise wrong(path, f"row {line}", reason, instead)


def with_header(table: CsvTable, header: str, numbers: list[int], commented: list[str]) -> CsvTable:
    """Return the table with the names of its columns: those of the first row, or 1, 2, ..."""
    first = table.header
    has_names = first_row_names(table) if header == "auto" else header == "true"
    if has_names:
        check_widths(table)
        return table
    rows, lines = [first, *table.rows], numbers
    names = [str(number) for number in range(1, len(first) + 1)]
    note = f"no header: columns are 1 to {len(names)}"
    # numpy.savetxt writes its header as a comment.
    words = next(records(commented[-1:], table.delimiter, is_strict=False), (0, []))[1]
    if len(words) == len(names) and len(set(words)) == len(words) and all(words):
        names, note = words, "the header is the last comment line"
    table = replace(table, header=names, rows=rows, lines=lines, has_header=False, notes=(note,))
    check_widths(table)
    return table


def first_row_names(table: CsvTable) -> bool:
    """Return whether the first row names the columns, from what the cells below it are.

    Raises:
        UserError: it may be either.
    """
    first, below = table.header, table.rows[:NUM_LOOKED_AT]
    columns = [[c[i] for c in below if len(c) == len(first)] for i in range(len(first))]
    are_numbers = [mostly_numbers(cells) for cells in columns]
    above = [cell for cell, is_number in zip(first, are_numbers, strict=True) if is_number]
    num_data = sum(map(is_number_like, above))
    num_names = sum(not is_number_like(cell) and not is_missing(cell) for cell in above)
    num_names += sum(map(is_new_word, first, columns))
    if not below or not any(are_numbers):
        # Words below words: a name is none of them.
        return not below or not any(
            cell in cells for cell, cells in zip(first, columns, strict=True)
        )
    below_them = [c for c, is_number in zip(columns, are_numbers, strict=True) if is_number]
    if num_data and not num_names and may_be_years(above, below_them):
        num_names = 1
    if num_data and counts(first):
        has_decimals = any("." in cell for cells in columns for cell in cells)
        is_open = len(first) < 4 and not has_decimals
        num_names, num_data = (1, 1) if is_open else (1, 0)
    if bool(num_names) != bool(num_data):
        return bool(num_names)
    reason = f"{', '.join(first)[:60]} may be the names of the columns, or data"
    raise wrong(
        table.path,
        f"row {table.first_line}",
        reason,
        "Type data.header=true for names, =false for data",
    )


def mostly_numbers(cells: list[str]) -> bool:
    given = [cell for cell in cells if not is_missing(cell)]
    return bool(given) and sum(map(is_number_like, given)) > 0.8 * len(given)


def is_new_word(cell: str, below: list[str]) -> bool:
    """Return whether a cell is none of the few words that its column has below it."""
    given = [other for other in below if not is_missing(other)]
    are_few = len(given) >= 4 and 2 * len(set(given)) <= len(given)
    return are_few and not mostly_numbers(below) and not is_missing(cell) and cell not in given


def may_be_years(cells: list[str], columns: list[list[str]]) -> bool:
    """Return whether numbers of a first row may name columns: 1960, 1961, or 5, 10, 15.

    Years above years are data.
    """
    if not all(cell.isdecimal() for cell in cells):
        return False
    numbers = list(map(int, cells))
    steps = {after - before for before, after in pairwise(numbers)}
    are_even = len(numbers) > 2 and len(steps) == 1 and steps != {0}
    return are_even or (are_years(cells) and not any(map(are_years, columns)))


def are_years(cells: list[str]) -> bool:
    return all(cell.isdecimal() and 1800 <= int(cell) <= 2100 for cell in cells)


def counts(names: list[str]) -> bool:
    """Return whether names are 0, 1, 2, ..., as pandas gives them, perhaps beside an index."""
    names = names[1:] if not names[0] else names
    return len(names) > 1 and names in (
        [str(number) for number in range(len(names))],
        [str(number) for number in range(1, len(names) + 1)],
    )


def without_row_names(table: CsvTable) -> CsvTable:
    """Return the table without its first column, where that has no name and names the rows.

    Raises:
        UserError: two columns of one name, or one without that is not the first.
    """
    if not table.has_header:
        return table
    if table.header[0] in ("", "Unnamed: 0"):
        cells = [row[0] for row in table.rows]
        are_names = all(re.fullmatch(r"[0-9]+", c) or not is_number_like(c) for c in cells)
        if are_names and len(set(cells)) == len(cells):
            note = "the first column has no name and numbers or names the rows: it is left out"
            table = table.without(0, note)
    names = [name or f"unnamed_{place}" for place, name in enumerate(table.header, 1)]
    for name in names:
        if names.count(name) > 1:
            instead = "Give each column a name of its own"
            raise wrong(
                table.path, f"row {table.first_line}", f"the name {name} stands twice", instead
            )
    return replace(table, header=names)


def spelled_delimiter(delimiter: str) -> str:
    """Return the name of a delimiter, or the character itself.

    >>> spelled_delimiter(";"), spelled_delimiter("/")
    ('semicolon', '/')
    """
    return next((word for word, d in DELIMITERS.items() if d == delimiter), delimiter)
