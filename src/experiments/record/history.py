"""history.csv: what was measured, row by row."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from experiments.errors.messages import user_error
from experiments.record.folder import HISTORY, write_atomic
from experiments.record.strangers_files import check_file

COUNTS = ("epoch", "step")
MOST_STEPS = 2**63
MOST_KEPT = 2**20
"""Characters of a history that checkpoints keep a copy of: some 10,000 rows."""

OF_HISTORIES = (OSError, ValueError, TypeError, AttributeError, OverflowError, csv.Error)
"""What reading a history that is none may raise."""

Rows = list[dict[str, float | None]]


class HistoryFile:
    """history.csv: rows of numbers that are appended; an empty cell is a value not measured.

    A row with columns not seen before makes the file be written anew with them, in one step.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / HISTORY
        self.rows = read_history(folder) if self.path.is_file() else []
        self.columns = list(self.rows[0]) if self.rows else []
        self._lines = "".join(map(self._line, self.rows))
        if self.path.is_file() and not self.path.read_bytes().endswith(b"\n"):
            self._rewrite()  # a killed run's half row would run into the next one

    @property
    def text(self) -> str:
        """The content of the file, for those who keep a copy; empty where it is too long."""
        return "" if len(self._lines) > MOST_KEPT else ",".join(self.columns) + "\n" + self._lines

    def append(self, row: Mapping[str, float]) -> None:
        added = [name for name in row if name not in self.columns]
        self.rows.append({**dict.fromkeys(self.columns), **row})
        if added:
            self.columns += added
            self._rewrite()
        else:
            line = self._line(row)
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(line)
            if len(self._lines) <= MOST_KEPT:
                self._lines += line

    def keep(self, num_rows: int) -> None:
        """Forget the rows that come after the first `num_rows`, and the columns that they brought.

        The file is then the one that it was, with its columns in the order in which they came.
        """
        if num_rows < len(self.rows):
            kept, self.rows, self.columns = self.rows[:num_rows], [], []
            for row in kept:
                values = measured_in(row)
                self.columns += [name for name in values if name not in self.columns]
                self.rows.append({**values})
            self._rewrite()

    def _rewrite(self) -> None:
        self._lines = "".join(map(self._line, self.rows))
        write_atomic(self.path, ",".join(self.columns) + "\n" + self._lines)

    def _line(self, row: Mapping[str, float | None]) -> str:
        return ",".join(cell(row.get(name)) for name in self.columns) + "\n"


def cell(value: float | None) -> str:
    """Return a number as the shortest text that reads back as the same number."""
    return "" if value is None else repr(value)


def number(text: str) -> float | int:
    """Return the number that `cell` wrote."""
    return int(text) if text.lstrip("-").isdigit() else float(text)


def measured_in(row: Mapping[str, float | None]) -> dict[str, float]:
    """Return a row without the columns that it has no value of."""
    return {name: value for name, value in row.items() if value is not None}


def read_history(folder: Path) -> Rows:
    """Read history.csv: one dictionary per row, None for a value not measured.

    A last line without its end is the half-written row of a run that was killed; it is left out.

    Raises:
        UserError: the file cannot be read.
    """
    path = folder / HISTORY
    if not path.is_file():
        return []
    try:
        check_file(path, most=None)
        with path.open(encoding="utf-8", newline="") as file:
            return rows_in(file)
    except OF_HISTORIES as error:
        reason = " ".join(str(error).split())[:200]
        raise user_error("corrupt_history", path=path, reason=reason) from error


def rows_in(lines: Iterable[str]) -> Rows:
    """Return the rows of a history's lines; of a last one that has no end, none.

    >>> rows_in(["epoch,step,lr\\n", "1,9,0.1\\n", "2,18,\\n", "3,2"])
    [{'epoch': 1, 'step': 9, 'lr': 0.1}, {'epoch': 2, 'step': 18, 'lr': None}]

    Raises:
        one of OF_HISTORIES: they are none.
    """
    rows = [
        {name: number(value) if value else None for name, value in row.items()}
        for row in csv.DictReader([line for line in lines if line.endswith("\n")])
    ]
    check_rows(rows)
    return rows


def check_rows(rows: Rows) -> None:
    """Raise ValueError where rows do not tell epochs and steps by whole numbers."""
    for place, row in enumerate(rows, start=2):
        if None in row:
            raise ValueError(f"line {place} has more cells than there are columns")
        for value in row.values():
            float(value or 0)  # a whole number that no float can hold is none
        for name in COUNTS:
            value = row.get(name, math.nan)
            if value is not None and not (0 <= value < MOST_STEPS and value == int(value)):
                raise ValueError(f"line {place} has no {name}")


def lacks_rows(rows: Sequence[Mapping[str, float | None]], steps: int) -> bool:
    """Return whether a history ends before the step that the run's record knows of: it was cut.

    >>> lacks_rows([{"step": 9}, {"step": 18}], 18), lacks_rows([{"step": 9}], 18)
    (False, True)
    """
    return max((int(row.get("step") or 0) for row in rows), default=0) < steps


def is_begun_by(rows: Rows, first: Rows) -> bool:
    """Return whether a history begins with these rows; columns that came later do not count.

    >>> is_begun_by([{"step": 9, "lr": None}, {"step": 18, "lr": 0.1}], [{"step": 9}])
    True
    """
    then = [measured_in(row) for row in rows[: len(first)]]
    return repr(then) == repr([measured_in(row) for row in first])  # nan is itself
