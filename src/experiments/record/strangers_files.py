"""Files of run folders, which may be anybody's: what is opened, and how much of it is read.

A pipe would be waited for without end, a link could lead to a file of the reader's own, which a
report or W&B would show to others, and a file of a hundred gigabytes takes a second to make.
"""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

MOST_BYTES = 64_000_000
"""Of a record, a config or a declaration, which take kilobytes."""


class Unreadable(ValueError):
    """A file that is not read: what is said is the reason."""


def check_file(path: Path | str, most: int | None = MOST_BYTES) -> None:
    """Raise Unreadable for what is no plain file, or a link that leads out of its folder.

    Args:
        most: bytes that it may have; None: any number.

    Raises:
        OSError: there is none.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("it is no plain file")
    if os.path.islink(path) and not is_within(path, os.path.dirname(path)):
        raise Unreadable("it is a link that leads out of its folder")
    if most is not None and status.st_size > most:
        raise Unreadable(f"it has {status.st_size:,} bytes, and at most {most:,} are read")


def is_within(path: Path | str, folder: Path | str) -> bool:
    """Return whether a path leads to a place below a folder, its links followed."""
    whole, above = os.path.realpath(path), os.path.realpath(folder)
    return whole == above or whole.startswith(above.rstrip(os.sep) + os.sep)


def text_of(path: Path | str) -> str:
    """Return the text of a small file of a run folder.

    Raises:
        OSError: there is none.
        ValueError: it is none that is read, or no UTF-8.
    """
    check_file(path)
    with open(path, encoding="utf-8") as file:
        return file.read()


def check_archive(path: Path | str) -> None:
    """Raise Unreadable for an archive that is not as numpy and torch write theirs: uncompressed.

    A compressed one of a megabyte may hold a gigabyte of zeros; no name in it may lead elsewhere.

    Raises:
        OSError, zipfile.BadZipFile: there is none, or it is no archive.
    """
    check_file(path, most=None)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise Unreadable("it is compressed, which no run's is")
    if sum(member.file_size for member in members) > os.path.getsize(path):
        raise Unreadable("it says to hold more than there is")
    for member in members:
        if member.filename.startswith(("/", "\\")) or ".." in Path(member.filename).parts:
            raise Unreadable("a name in it leads out of its folder")
