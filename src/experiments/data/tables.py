"""A user's own table: a text file of numbers, with a header.

A row is named by its line, from 1, as an editor shows it.

Shape letters: N rows, F features.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from experiments.data import checks
from experiments.data.cache import cached, own_name
from experiments.data.sources import DataSet, Points, classification, regression
from experiments.errors import UserError, check_choice, listed, user_error

WHOLE = re.compile(r"[+-]?[0-9]+")
LARGEST = torch.finfo(torch.float32).max
DELIMITERS = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ","}


@dataclass(frozen=True)
class Table:
    """The cells of a file, row by row, with the line that each row ends on."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def place(self, row: int, column: str) -> str:
        """Return where a cell is."""
        return f"row {self.lines[row]}, column {column}"

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        position = self.header.index(name)
        return [cells[position] for cells in self.rows]


def table(
    path: str | None = None,
    target: str | None = None,
    task: str = "auto",
    delimiter: str = ",",
    drop: Sequence[str] = (),
    test_path: str | None = None,
    root: str = "data",
) -> DataSet:
    """A table of numbers with a header; one column is predicted from the others.

    Classes are the words or whole numbers of the target column, in their order.

    Args:
        path: the file, in UTF-8.
        target: the column that is predicted; None: the last one.
        task: `classification` or `regression`; `auto`: regression where the target has numbers
            that are not all whole.
        delimiter: what stands between cells: one character, or its name, which needs no quotes:
            comma, semicolon, tab, pipe.
        drop: columns that are left out, such as those with text.
        test_path: a second file, with the same columns, that is the test set; None: a fifth of the
            rows is, by class where there are classes.
        root: where the numbers are kept ready for the next start.

    Raises:
        UserError: no such file, no such column, a cell that is empty or no finite number, a class
            that only the test has, one class only.

    Shapes: inputs (N, F) of float32; targets (N,), or (N, 1) for regression.
    """
    checks.check_task(task)
    character = DELIMITERS.get(delimiter, str(delimiter))
    if len(character) != 1 or character in '"\n\r':
        allowed = f"one character, or {', '.join(DELIMITERS)}"
        raise user_error(
            "not_allowed", key="data.delimiter", given=delimiter, allowed=allowed, instead="tab"
        )
    files = [checks.existing("csv", path, "file", "FILE.csv")]
    if test_path is not None:
        files.append(checks.existing("csv", test_path, "file", "FILE.csv", "test_path"))
    dropped = [str(name) for name in ([drop] if isinstance(drop, str) else drop)]
    wanted = None if target is None else str(target)

    def decode() -> DataSet:
        tables = [read(file, character) for file in files]
        check_same_columns(tables)
        return assembled(tables, wanted, task, dropped)

    others = [file.absolute() for file in files[1:]]
    name = own_name("csv", files[0], others, wanted, task, character, dropped)
    return cached(name, Path(root), files, decode)


def read(path: Path, delimiter: str) -> Table:
    """Return the cells of a file; empty lines count for the numbering alone."""
    header: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        # Excel begins its UTF-8 files with a mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for cells in reader:
                if not header:
                    header = [cell.strip() for cell in cells]
                elif cells:
                    check_width(path, reader.line_num, len(cells), header)
                    rows.append([cell.strip() for cell in cells])
                    lines.append(reader.line_num)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        at = f"row {reader.line_num}: " if isinstance(error, csv.Error) else ""
        instead = "Save the table as CSV, in UTF-8"
        raise user_error(
            "unreadable_file", path=path, kind="a table", reason=f"{at}{error}", instead=instead
        ) from error
    check_header(path, header, delimiter)
    return Table(path, header, rows, lines)


def wrong(path: Path, place: str, reason: str, instead: str) -> UserError:
    """Return what is said of a mistake somewhere in a table."""
    return user_error("table", path=path, place=place, reason=reason, instead=instead)


def check_width(path: Path, line: int, num_cells: int, header: list[str]) -> None:
    """Raise UserError unless a row has a cell for each column."""
    if num_cells != len(header):
        reason = f"{num_cells} cells, where the header has {len(header)}"
        instead = "Put cells that hold the delimiter between double quotes"
        raise wrong(path, f"row {line}", reason, instead)


def check_header(path: Path, header: list[str], delimiter: str) -> None:
    """Raise UserError unless the first row names at least two columns."""
    if not header:
        checks.check_number(path, 0)
    place = "row 1"
    if len(header) == 1:
        others = (word for word, d in DELIMITERS.items() if d != delimiter and d in header[0])
        word = next(others, "...")
        reason = f"one column only, {header[0][:60]}"
        raise wrong(path, place, reason, f"Tell what is between cells: data.delimiter={word}")
    if all(is_number(name) for name in header):
        reason = "numbers, where the names of the columns are expected"
        raise wrong(path, place, reason, "Add a header")
    for name in header:
        if not name or header.count(name) > 1:
            reason = f"the name {name} stands twice" if name else "a column has no name"
            raise wrong(path, place, reason, "Give each column a name of its own")


def check_same_columns(tables: list[Table]) -> None:
    """Raise UserError unless both files have the same columns, in any order."""
    first, *others = tables
    for other in others:
        missing = [name for name in first.header if name not in other.header]
        more = [name for name in other.header if name not in first.header]
        if missing or more:
            reason = f"columns that {first.path} has not, or has alone: {listed(missing + more)}"
            raise wrong(other.path, "row 1", reason, "Give both files the same columns")


def is_number(cell: str) -> bool:
    """Return whether a cell is written as a number (1_000 is none, though Python reads it)."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def number(table: Table, row: int, column: str, cell: str) -> float:
    """Return the number in a cell, or raise UserError."""
    if is_number(cell):
        value = float(cell)
        # False for NaN too.
        if abs(value) <= LARGEST:
            return value
        place = table.place(row, column)
        raise user_error("not_finite", path=table.path, place=place, given=cell)
    place = table.place(row, column)
    if not cell:
        raise wrong(table.path, place, "the cell is empty", "Fill it, or leave the row out")
    reason = f"{cell[:60]} is no number"
    instead = f"Write text as numbers, or leave the column out: 'data.drop=[{column}]'"
    raise wrong(table.path, place, reason, instead)


def numbers(table: Table, columns: list[str]) -> Tensor:
    """Return columns of numbers as (N, F)."""
    values = [
        [number(table, row, name, cell) for row, cell in enumerate(table.column(name))]
        for name in columns
    ]
    return torch.tensor(values, dtype=torch.float32).T.contiguous()


def assembled(tables: list[Table], target: str | None, task: str, drop: list[str]) -> DataSet:
    """Return the data set of one table, of which a fifth is held out, or of two."""
    first = tables[0]
    for name in drop:
        check_choice("data.drop", name, first.header)
    kept = [name for name in first.header if name not in drop]
    if target is not None:
        check_choice("data.target", target, kept)
    target = target or (kept[-1] if kept else "")
    features = [name for name in kept if name != target]
    if not features:
        reason = "no column is left to predict from"
        raise wrong(first.path, "row 1", reason, "Drop fewer columns")
    for part in tables:
        checks.check_number(
            part.path, len(part.rows), checks.LEAST_POINTS if len(tables) == 1 else 1
        )
    is_regression = task == "regression" or (task == "auto" and has_values(first, target))
    names = () if is_regression else class_names(first, target)
    targets = [
        numbers(part, [target]) if is_regression else labels(part, target, names) for part in tables
    ]
    points = [Points(numbers(part, features), y) for part, y in zip(tables, targets, strict=True)]
    if len(points) == 2:
        word = "regression" if is_regression else "classification"
        return DataSet(points[0], points[1], word, names)
    whole = points[0]
    if is_regression:
        return regression(whole.inputs, whole.targets)
    return classification(whole.inputs, whole.targets, names)


def has_values(table: Table, target: str) -> bool:
    """Return whether a column has numbers that are not all whole."""
    cells = [cell for cell in table.column(target) if cell]
    return all(map(is_number, cells)) and not all(map(WHOLE.fullmatch, cells))


def class_names(table: Table, target: str) -> tuple[str, ...]:
    """Return the classes of a column, in the order of numbers or of words."""
    cells = table.column(target)
    for row, cell in enumerate(cells):
        if not cell:
            place = table.place(row, target)
            raise wrong(table.path, place, "the cell is empty", "Fill it, or leave the row out")
    are_whole = all(map(WHOLE.fullmatch, cells))
    words = sorted(set(map(class_of, cells)), key=int if are_whole else str)
    instead = "Numbers to predict, instead of classes, are data.task=regression"
    checks.check_several_classes(table.path, words, instead)
    return tuple(words)


def class_of(cell: str) -> str:
    """Return the class that a cell names: 01 and +1 are the class 1."""
    return str(int(cell)) if WHOLE.fullmatch(cell) else cell


def labels(table: Table, target: str, names: tuple[str, ...]) -> Tensor:
    """Return the class numbers (N,) of a column."""
    numbers_of = {name: number for number, name in enumerate(names)}
    cells = [class_of(cell) for cell in table.column(target)]
    for row, cell in enumerate(cells):
        if cell not in numbers_of:
            raise user_error(
                "label_range",
                path=table.path,
                place=table.place(row, target),
                given=cell or "an empty cell",
                allowed=listed(names),
                instead="Classes are those that the training file has",
            )
    return torch.tensor([numbers_of[cell] for cell in cells])
