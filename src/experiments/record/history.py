"""history.csv: what was measured, row by row."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from experiments.errors.messages import user_error
from experiments.record.folder import HISTORY, write_atomic
from experiments.record.strangers_files import check_file

COUNTS = ("epoch", "step")
MOST_STEPS = 2**63


class HistoryFile:
    """history.csv: rows of numbers that are appended; an empty cell is a value not measured.

    A row with columns not seen before makes the file be written anew with them, in one step.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / HISTORY
        self.rows = read_history(folder) if self.path.is_file() else []
        self.columns = list(self.rows[0]) if self.rows else []
        if self.path.is_file() and not self.path.read_bytes().endswith(b"\n"):
            self._rewrite()  # a killed run's half row would run into the next one

    def append(self, row: Mapping[str, float]) -> None:
        added = [name for name in row if name not in self.columns]
        self.rows.append({**dict.fromkeys(self.columns), **row})
        if added:
            self.columns += added
            self._rewrite()
        else:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(self._line(row))

    def keep(self, num_rows: int) -> None:
        """Forget the rows that come after the first `num_rows`, and the columns that they brought.

        The file is then the one that it was, with its columns in the order in which they came.
        """
        if num_rows < len(self.rows):
            kept, self.rows, self.columns = self.rows[:num_rows], [], []
            for row in kept:
                values = {name: value for name, value in row.items() if value is not None}
                self.columns += [name for name in values if name not in self.columns]
                self.rows.append({**values})
            self._rewrite()

    def _rewrite(self) -> None:
        lines = [self._line(row) for row in self.rows]
        write_atomic(self.path, ",".join(self.columns) + "\n" + "".join(lines))

    def _line(self, row: Mapping[str, float | None]) -> str:
        return ",".join(cell(row.get(name)) for name in self.columns) + "\n"


def cell(value: float | None) -> str:
    """Return a number as the shortest text that reads back as the same number."""
    return "" if value is None else repr(value)


def number(text: str) -> float | int:
    """Return the number that `cell` wrote."""
    return int(text) if text.lstrip("-").isdigit() else float(text)


def read_history(folder: Path) -> list[dict[str, float | None]]:
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
            lines = [line for line in file if line.endswith("\n")]
        rows = [
            {name: number(value) if value else None for name, value in row.items()}
            for row in csv.DictReader(lines)
        ]
        check_rows(rows)
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, csv.Error) as error:
        reason = " ".join(str(error).split())[:200]
        raise user_error("corrupt_history", path=path, reason=reason) from error
    return rows


def check_rows(rows: list[dict[str, float | None]]) -> None:
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
