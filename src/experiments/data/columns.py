"""Columns of numbers from one table or two, read alike; what cannot be read is named with its row.

Shape letters: N rows (of all tables together), F columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from experiments.data.cells import (
    OPEN,
    WORDS,
    BadCell,
    Numbers,
    Style,
    comma_numbers,
    is_missing,
    is_number_like,
    numbers_of,
    plain_numbers,
    signs_of,
    style_of,
)
from experiments.data.checks import wrong
from experiments.data.csv_table import CsvTable
from experiments.data.precision import LARGEST
from experiments.errors.messages import UserError, user_error

LARGEST_EXACT = 2.0**53
"""Float64 holds every whole number up to here."""
WHOLE = re.compile(r"[+-]?[0-9]+")


class Columns:
    """The columns of tables that belong together, by name.

    Args:
        tables: the file, and perhaps that of the test set.
        names: of the columns that are used, the target last: what these prove of decimal commas
            holds for all.
        decimal: `auto`, `point` or `comma`.
    """

    def __init__(self, tables: Sequence[CsvTable], names: Sequence[str], decimal: str) -> None:
        self.tables = tables
        self.names = names
        self.decimal = WORDS.get(decimal)
        self.cells = {name: [c for t in tables for c in t.column(name)] for name in names}
        self.values: dict[str, Numbers] = {}
        self.words: dict[str, list[str]] = {}
        self.plain = {name: plain_numbers(cells) for name, cells in self.cells.items()}
        self.style = Style()
        self.commas: dict[str, Numbers] = {}
        for name, cells in self.cells.items():
            if self.plain[name] is None and (values := comma_numbers(cells)) is not None:
                self.commas[name] = values
                self.style |= Style(decimals=frozenset(","))
            elif self.plain[name] is None and self.is_mostly_numbers(name):
                self.style |= style_of([cell for cell in cells if not is_missing(cell)])
        # Where commas are decimal cells have semicolons between them, and prices are in euros:
        # 1.234 may be a thousand and more there.
        is_european = tables[0].delimiter == ";" or any(map(self.is_in_euros, names))
        is_doubted = bool(self.style.decimals | self.style.groups) or is_european
        has_points = is_doubted and any(map(self.proves_a_point, names))
        self.style |= Style(decimals=frozenset("." if has_points else ""))
        self.is_point_doubted = is_doubted and self.style != Style(frozenset("."))
        if self.is_point_doubted and self.style == Style():
            self.style = OPEN

    def is_in_euros(self, name: str) -> bool:
        return self.plain[name] is None and any("€" in cell for cell in self.cells[name][:9])

    def is_mostly_numbers(self, name: str) -> bool:
        """Return whether at least half of a column's cells that say something are numbers."""
        if self.plain[name] is not None or name in self.commas:
            return True
        given = [cell for cell in self.cells[name] if not is_missing(cell)]
        return 2 * sum(map(is_number_like, given)) >= len(given) > 0

    def proves_a_point(self, name: str) -> bool:
        """Return whether a column has numbers such as 0.5, whose point stands for decimals."""
        if self.plain[name] is None:
            return False
        return any("." in c and "," not in signs_of(c) for c in self.cells[name])

    def is_open(self, name: str) -> bool:
        """Return whether all points of a column may stand between thousands, as in 1.234."""
        return "." in "".join(self.cells[name]) and not self.proves_a_point(name)

    def numbers(self, name: str) -> Numbers:
        """Return the numbers of a column as (N,), or raise UserError at a cell that is none."""
        if name not in self.values:
            self.values[name], self.words[name] = self.read(name)
        return self.values[name]

    def read(self, name: str) -> tuple[Numbers, list[str]]:
        """Return the numbers of a column, and in words how they were read."""
        cells, plain, words = self.cells[name], self.plain[name], list[str]()
        if name in self.commas and self.decimal != ".":
            values = self.commas[name]
            words = [f", is the decimal sign, as in {next(c for c in cells if ',' in c)}"]
        elif plain is None or self.is_doubtful(name):
            try:
                values, words = numbers_of(cells, self.decimal, self.style)
            except BadCell as bad:
                raise self.told(name, bad) from bad
        else:
            values = plain
            self.check_exact(name, values)
        # False for NaN too.
        is_finite = np.abs(values) <= LARGEST
        if not is_finite.all():
            row = int(is_finite.argmin())
            table, location = self.locate(name, row)
            raise user_error("not_finite", path=table.path, place=location, given=cells[row])
        return values, words

    def check_exact(self, name: str, values: Numbers) -> None:
        """Raise UserError at a whole number that 64 bits would round: two ids would be one."""
        for row in np.flatnonzero(np.abs(values) > LARGEST_EXACT):
            cell = self.cells[name][row]
            if WHOLE.fullmatch(cell) and int(cell) != int(values[row]):
                reason = f"{cell[:60]} has more digits than a 64-bit number holds"
                raise self.told(name, BadCell(int(row), reason))

    def is_doubtful(self, name: str) -> bool:
        """Return whether 1.234 in a column that Python could read may be a thousand and more."""
        if self.decimal == ".":
            return False
        if self.decimal == "," or self.is_point_doubted:
            return any("." in cell for cell in self.cells[name])
        return self.style == Style() and self.is_open(name)

    def matrix(self, names: Sequence[str]) -> Numbers:
        """Return columns of numbers as (N, F)."""
        return np.stack([self.numbers(name) for name in names], axis=1)

    def notes(self, names: Sequence[str]) -> list[str]:
        """Return what is worth telling of columns that were read: how, and that one counts rows."""
        notes = [f"column {name}: {word}" for name in names for word in self.words[name]]
        counting = [name for name in names if counts_rows(self.values[name])]
        return notes + [
            f"column {n} counts the rows; {dropping([n])} leaves it out" for n in counting
        ]

    def locate(self, name: str, row: int) -> tuple[CsvTable, str]:
        """Return the table that a row of all tables lies in, and what names its cell."""
        for table in self.tables:
            if row < len(table.rows):
                return table, table.locate(row, name)
            row -= len(table.rows)
        raise IndexError(row)

    def told(self, name: str, bad: BadCell) -> UserError:
        """Return what is said of a cell that is no number."""
        *features, target = self.names
        row, reason, instead = bad.row, bad.reason, bad.instead
        if not self.is_mostly_numbers(name):
            words = [n for n in features if not self.is_mostly_numbers(n)]
            given = (i for i, cell in enumerate(self.cells[name]) if not is_missing(cell))
            row = next(given, row)
            if row != bad.row:
                reason = f"{self.cells[name][row][:60]} is no number"
            instead = f"Write text as numbers, or leave columns out: {dropping(words)}"
        elif not instead or bad.is_missing:
            before = f"{instead}, or" if instead else "Mend the cell, or"
            instead = f"{before} leave the column out: {dropping([name])}"
        if name == target:
            instead = bad.instead or "Mend the cell, or predict another column: data.target=NAME"
        table, location = self.locate(name, row)
        return wrong(table.path, location, reason, instead)


def counts_rows(values: Numbers) -> bool:
    """Return whether a column numbers the rows from about 1, of which some may be left out."""
    if len(values) < 3 or not 0 <= values[0] <= 9 or (values != np.round(values)).any():
        return False
    return bool((np.diff(values) >= 1).all() and values[-1] - values[0] < 2 * len(values))


def dropping(names: Sequence[str]) -> str:
    """Return what is typed to leave columns out, quoted for the shell and for Hydra.

    >>> print(dropping(["a", "b c", "d > 1"]))
    'data.drop=[a,b c,"d > 1"]'
    """
    spelled = (n if re.fullmatch(r"\w[\w .-]*", n) else f'"{n}"' for n in names)
    return f"'data.drop=[{','.join(spelled)}]'"


def has_signs(cells: Sequence[str]) -> bool:
    """Return whether + is a word of a column, so that - is one too."""
    return "+" in cells


def without_missing(table: CsvTable, features: Sequence[str], target: str) -> tuple[CsvTable, int]:
    """Return the table of the rows with a value in each of these columns, and how many have not."""
    places = [table.header.index(name) for name in features]
    targets = table.column(target)
    given = ("-",) if has_signs(targets) else ()
    kept = [
        row
        for row, cells in enumerate(table.rows)
        if not any(is_missing(cells[place]) for place in places)
        and (targets[row] in given or not is_missing(targets[row]))
    ]
    return table.with_rows(kept), len(table.rows) - len(kept)
