"""A user's own table: a text file with numbers in its columns, however it was exported.

Shape letters: N rows, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from experiments.data import checks
from experiments.data.cache import cached, own_name
from experiments.data.cells import WORDS, Numbers
from experiments.data.columns import Columns, without_missing
from experiments.data.csv_table import CsvTable, counted, read_csv, spelled_delimiter
from experiments.data.dialects import DELIMITERS
from experiments.data.precision import in_fewest_bits
from experiments.data.sources import DataSet, Points, data_set_of
from experiments.data.target import Classes, are_few, check_given, frequencies, is_regression
from experiments.errors.messages import check_choice, refuse_unless
from experiments.errors.wording import listed

HEADERS = ("auto", "true", "false")
MISSING_VALUES = ("refuse", "drop", "class")
DECIMALS = ("auto", *WORDS)
MOST_COMPARED = 5_000_000
"""Cells of a table whose rows are still compared with each other."""


@dataclass(frozen=True)
class TableOptions:
    """What was asked of a table beside its place: its own words for the keys of `data`."""

    target: str | None
    task: str
    delimiter: str | None
    drop: list[str]
    header: str
    decimal: str
    encoding: str
    missing: str


def table(
    path: str | None = None,
    target: str | None = None,
    task: str = "auto",
    delimiter: str = "auto",
    drop: Sequence[str] = (),
    test_path: str | None = None,
    root: str = "data",
    header: bool | str = "auto",
    decimal: str = "auto",
    encoding: str = "auto",
    missing: str = "refuse",
) -> DataSet:
    """A table of numbers; one column is predicted from the others.

    Delimiter, header, encoding and the way of writing numbers are found out; what can be read in
    two ways is asked about. Columns of a file without a header are called 1, 2, and so on.

    Args:
        path: the file, perhaps compressed (gzip, bzip2, xz).
        target: the column that is predicted; None: the last one.
        task: `classification` or `regression`; `numbers`: regression where the target has numbers;
            `auto`: that with a loss of numbers (mse, mae, huber), else classes where the target
            has words, or few different whole numbers.
        delimiter: what stands between cells: one character, or its name, which needs no quotes:
            comma, semicolon, tab, pipe, blanks; `auto`: what fits best.
        drop: columns that are left out, such as those with text.
        test_path: a second file, with the same columns, that is the test set; None: a fifth of the
            rows is, by class where there are classes.
        root: where the numbers are kept ready for the next start.
        header: whether the first row names the columns; `auto`: where numbers follow below words.
        decimal: the decimal sign, `point` or `comma`; `auto`: the one that the cells prove.
        encoding: as Python names it; `auto`: UTF-8 or UTF-16, else cp1252.
        missing: what is done with rows in which a value is missing: `refuse` the table, or `drop`
            them; `class`: a word such as NA in the target is a class.

    Raises:
        UserError: no such file, no such column, a cell that is empty or no finite number, a class
            that only the test has, one class only, what can be read in two ways.

    Shapes: inputs (N, F) of float32, or float64 where they need it; targets (N,), or (N, 1) for
    regression.
    """
    words = header_word(header)
    for key, given, choices in (
        ("task", task, checks.TASKS),
        ("header", words, HEADERS),
        ("decimal", decimal, DECIMALS),
        ("missing", missing, MISSING_VALUES),
    ):
        check_choice(f"data.{key}", given, choices)
    dropped = [str(name) for name in ([drop] if isinstance(drop, str) else drop)]
    wanted = None if target is None else str(target)
    character = delimiter_of(delimiter)
    options = TableOptions(wanted, task, character, dropped, words, decimal, encoding, missing)
    files = [checks.existing("csv", path, "file", "FILE.csv")]
    if test_path is not None:
        files.append(checks.existing("csv", test_path, "file", "FILE.csv", "test_path"))

    def decode() -> DataSet:
        tables = [read_csv(file, character, words, encoding) for file in files]
        check_same_columns(tables)
        return assembled(tables, options)

    others = [file.absolute() for file in files[1:]]
    name = own_name("csv", files[0], others, *vars(options).values())
    return cached(name, Path(root), files, decode)


def header_word(header: bool | str) -> str:
    return str(header).lower() if isinstance(header, bool) else header


def delimiter_of(given: str) -> str | None:
    """Return the character that is typed or named; None where it is to be found out."""
    if given == "auto":
        return None
    character = DELIMITERS.get(given, str(given))
    fits = len(character) == 1 and character not in '"\n\r'
    allowed = f"auto, one character, or {', '.join(DELIMITERS)}"
    refuse_unless(fits, "data.delimiter", given, allowed, "tab")
    return character


def check_same_columns(tables: list[CsvTable]) -> None:
    """Raise UserError unless both files have the same columns, in any order."""
    first, *others = tables
    for other in others:
        missing = [name for name in first.header if name not in other.header]
        more = [name for name in other.header if name not in first.header]
        if missing or more:
            reason = f"columns that {first.path} has not, or has alone: {listed(missing + more)}"
            raise checks.wrong(other.path, "row 1", reason, "Give both files the same columns")


def used_columns(table: CsvTable, options: TableOptions) -> tuple[list[str], str]:
    """Return (features, target), or raise UserError for names that the table has not."""
    for name in options.drop:
        check_choice("data.drop", name, table.header)
    kept = [name for name in table.header if name not in options.drop]
    if options.target is not None:
        check_choice("data.target", options.target, kept)
    target = options.target or (kept[-1] if kept else "")
    features = [name for name in kept if name != target]
    if not features:
        reason = "no column is left to predict from"
        raise checks.wrong(table.path, "row 1", reason, "Drop fewer columns")
    for name in kept:
        if name.startswith("unnamed_") and table.has_header:
            instead = f"Give it one, or leave it out: 'data.drop=[{name}]'"
            reason = f"column {table.header.index(name) + 1} has no name"
            raise checks.wrong(table.path, "row 1", reason, instead)
    return features, target


def assembled(tables: list[CsvTable], options: TableOptions) -> DataSet:
    """Return the data set of one table, of which a fifth is held out, or of two."""
    features, target = used_columns(tables[0], options)
    notes = [note for part in tables for note in part.notes]
    if options.missing == "drop":
        cut = [without_missing(part, features, target) for part in tables]
        tables = [part for part, _ in cut]
        notes += [f"{counted(num, 'row')} with missing values left out" for _, num in cut if num]
    for part in tables:
        least = checks.LEAST_POINTS if len(tables) == 1 else 1
        checks.check_number(part.path, len(part.rows), least)
    columns = Columns(tables, [*features, target], options.decimal)
    targets, names, what, more_notes = targets_of(columns, target, options)
    inputs = tensors_of(tables, columns.matrix(features))
    data = data_set_of(
        list(map(Points, inputs, targets)),
        names,
        feature_names=tuple(features),
        target_names=() if names else (target,),
    )
    notes += more_notes + columns.notes(features) + repeated_rows(tables)
    data.facts.values["understood"] = {
        "table": f"{counted(sum(len(part.rows) for part in tables), 'row')}, "
        f"{counted(len(features), 'feature')}, "
        f"delimiter {spelled_delimiter(tables[0].delimiter)}, "
        + ("header" if tables[0].has_header else "no header"),
        "target": f"{target}, {what}",
        "notes": list(dict.fromkeys(notes)),
    }
    return data


def targets_of(
    columns: Columns, target: str, options: TableOptions
) -> tuple[list[Tensor], tuple[str, ...], str, list[str]]:
    """Return the targets of each table, the classes' names, what they are in words, and notes."""
    if options.missing != "class" and options.task != "regression":
        check_given(columns, target)
    if is_regression(columns, target, options.task):
        values = columns.numbers(target)
        what = f"numbers from {values.min():.10g} to {values.max():.10g}"
        y = tensors_of(columns.tables, values[:, None])
        return y, (), what, columns.notes([target]) + predicted_notes(columns, target, options)
    classes = Classes(columns, target)
    what = f"{len(classes.names)} classes: {frequencies(classes.words)}"
    labels = list(classes.labels().split([len(part.rows) for part in columns.tables]))
    return labels, classes.names, what, classes.notes(options.task)


def predicted_notes(columns: Columns, target: str, options: TableOptions) -> list[str]:
    """Return what is told of few whole numbers that would be classes but for the loss."""
    values = columns.numbers(target)
    if options.task != "numbers" or not are_few(values):
        return []
    num = len(np.unique(values))
    what = f"the loss is one of numbers, so the {num} different ones of {target} are predicted"
    return [f"{what}; type data.task=classification if each is a class"]


def tensors_of(tables: Sequence[CsvTable], values: Numbers) -> list[Tensor]:
    """Return the rows of each table, in 64 bits where these are needed."""
    ends = np.cumsum([len(part.rows) for part in tables])[:-1]
    return list(map(torch.from_numpy, in_fewest_bits(np.split(values, ends))))


def repeated_rows(tables: list[CsvTable]) -> list[str]:
    """Return what is told of rows that stand twice: a copy may train and test the same point."""
    rows = [row for part in tables for row in part.rows]
    if len(rows) * len(rows[0]) > MOST_COMPARED:
        return []
    num = len(rows) - len(set(map(tuple, rows)))
    note = f"{counted(num, 'row')} copied from others, which may be in training and test alike"
    return [note] if num else []
