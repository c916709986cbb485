"""history.csv as it grows: the rows that are new since it was read last."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from experiments.record.folder import HISTORY
from experiments.record.history import number
from experiments.record.strangers_files import check_file

Row = dict[str, float]
Signature = tuple[int, int, int]


def signature(path: Path) -> Signature | None:
    """Return what changes when a file does; None where it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class GrowingHistory:
    """Reads history.csv on from where it was read last, and anew where it was written anew.

    It grows by lines; a new column makes it be written anew with the same rows; and a run that
    goes on from its checkpoint takes rows back. A last line without its end is left for later.

    Attributes:
        num_rows: how many rows were read.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / HISTORY
        self.num_rows = 0
        self._seen: Signature | None = None
        self._header = self._last_line = b""
        self._offset = 0
        self._digest = hashlib.blake2b()  # of all rows that were read

    def has_changed(self) -> bool:
        return signature(self.path) != self._seen

    def new_rows(self) -> tuple[int, list[Row]]:
        """Return the number of the first new row, from 0, and the rows from there on.

        The number is less than that of the rows read before where those were replaced.
        Cells that are empty are left out.

        Raises:
            ValueError: a cell is no number.
        """
        self._seen = signature(self.path)  # before reading: what comes meanwhile is news
        if self._seen is None:
            return self.num_rows, []
        before = self.num_rows, self._digest.digest()
        rows: list[Row] = []
        check_file(self.path, most=None)
        with self.path.open("rb") as file:
            if not self._goes_on(file):
                self._begin(file)
            start = self.num_rows
            for row in self._rest(file):
                rows.append(row)
                if (self.num_rows, self._digest.digest()) == before:
                    start, rows = self.num_rows, []  # the same rows as before, written anew
        return start, rows

    def _goes_on(self, file: IO[bytes]) -> bool:
        """Return whether a file goes on from where it was read, and go there."""
        if self._offset == 0 or file.readline() != self._header:
            return False
        # What has the same row at the same place, under the same names, is the same up to there.
        file.seek(self._offset - len(self._last_line))
        return file.read(len(self._last_line)) == self._last_line

    def _begin(self, file: IO[bytes]) -> None:
        """Read a file from its beginning."""
        file.seek(0)
        self._header = self._last_line = file.readline()
        self._offset = len(self._header)
        self.num_rows = 0
        self._digest = hashlib.blake2b()

    def _rest(self, file: IO[bytes]) -> Iterator[Row]:
        """Read rows to the last line that has its end."""
        columns = self._header.decode().rstrip("\n").split(",")
        for line in file:
            if not line.endswith(b"\n"):
                break
            values = line.decode().rstrip("\n").split(",")
            row = {name: cell for name, cell in zip(columns, values, strict=False) if cell}
            self._digest.update(repr(sorted(row.items())).encode())
            self._last_line = line
            self._offset += len(line)
            self.num_rows += 1
            yield {name: number(cell) for name, cell in row.items()}
