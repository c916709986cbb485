"""Each member's own train.log, though all members are trained in one process."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from experiments.training.console import log_file


class MemberLogs(logging.Handler):
    """Writes what is logged about a member into its log, and what is about all into all.

    Attributes:
        place: of the member that is spoken of; None for all of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[int, logging.Handler] = {}
        self.place: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        for place, file in self.files.items():
            if self.place in (None, place):
                file.handle(record)

    @contextlib.contextmanager
    def about(self, place: int) -> Iterator[None]:
        """Speak of a member for the length of the block."""
        before, self.place = self.place, place
        try:
            yield
        finally:
            self.place = before

    @contextlib.contextmanager
    def keeping(self, folder: Path) -> Iterator[None]:
        """Keep the log of the member that is spoken of at the start of the block."""
        place = self.place
        assert place is not None
        self.files[place] = log_file(folder)
        try:
            yield
        finally:
            self.files.pop(place).close()
