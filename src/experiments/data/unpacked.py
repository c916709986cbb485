"""How much a compressed file may unpack to: a file of a megabyte may hold a terabyte of zeros.

A stream is unpacked piece by piece, and left where it goes beyond what is allowed; of an archive
the sizes are read before anything is unpacked, and Python's zipfile gives no more than those.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO

from experiments.record.host import free_memory

OPENERS: dict[bytes, tuple[str, Callable[[BinaryIO], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda file: gzip.GzipFile(fileobj=file)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
}
"""By how a compressed file begins."""
PART_OF_FREE = 8
"""A part of the free memory: what is unpacked is read into numbers beside it."""
RATIO = 250
"""Times that a text may grow. Tables of numbers grow 2 to 20 times, one of zeros alone 1,000
times by gzip and 10,000 times by xz."""
ALWAYS = 32_000_000
"""Bytes that any file may unpack to."""
PIECE = 2**20
PER_ROW, PER_BYTE = 137, 2
"""Bytes that a row takes at least as a line and a list of cells in Python, and a character as a
part of each."""


class TooMuch(ValueError):
    """A file that unpacks to more than is allowed; its text is the reason."""


def unpacked(path: Path) -> tuple[bytes, str | None]:
    """Return the bytes of a file, unpacked where it is compressed, and by what it was.

    Raises:
        OSError, EOFError, zlib.error, lzma.LZMAError: it cannot be read.
        TooMuch: it grows beyond all tables, or into more than a part of the free memory.
    """
    with path.open("rb") as file:
        start = file.read(max(map(len, OPENERS)))
        file.seek(0)
        for begin, (name, open_) in OPENERS.items():
            if start.startswith(begin):
                most = most_bytes(path.stat().st_size, RATIO)
                with open_(file) as stream:
                    return read_at_most(stream, most), name
        return file.read(), None


def read_at_most(stream: IO[bytes], most: int) -> bytes:
    """Return all bytes of a stream.

    >>> read_at_most(io.BytesIO(b"abc"), 3)
    b'abc'
    >>> read_at_most(io.BytesIO(b"abc"), 2)
    Traceback (most recent call last):
    experiments.data.unpacked.TooMuch: it unpacks to more than 2 B

    Raises:
        TooMuch: there are more than `most`.
    """
    content = io.BytesIO()
    while piece := stream.read(min(PIECE, most + 1 - content.tell())):
        content.write(piece)
        if content.tell() > most:
            raise TooMuch(f"it unpacks to more than {in_units(most)}")
    return content.getvalue()


def check_rows_fit(text: bytes) -> None:
    """Raise TooMuch for a table whose rows alone take more memory than is free."""
    free, num_rows = free_memory(), text.count(b"\n")
    need = PER_ROW * num_rows + PER_BYTE * len(text)
    if free is not None and need > max(ALWAYS, free):
        reason = f"{num_rows:,} rows take at least {in_units(need)} of memory"
        raise TooMuch(f"{reason}, and {in_units(free)} are free")


def check_members(file: BinaryIO) -> None:
    """Raise TooMuch for a zip archive of arrays that says to hold more than fits in memory.

    Raises:
        zipfile.BadZipFile: it is none.
    """
    with zipfile.ZipFile(file) as archive:
        size = sum(member.file_size for member in archive.infolist())
    free = free_memory()
    if free is not None and size > max(ALWAYS, free // 2):
        raise TooMuch(f"it unpacks to {in_units(size)}, and {in_units(free)} of memory are free")


def most_bytes(packed: int, ratio: int) -> int:
    """Return how many bytes a compressed file may unpack to.

    Args:
        packed: bytes that it has.
        ratio: how much it may grow, above `ALWAYS`.
    """
    free = free_memory()
    most = max(ALWAYS, ratio * packed)
    return most if free is None else min(most, max(ALWAYS, free // PART_OF_FREE))


def in_units(num_bytes: int) -> str:
    """Return bytes in the largest unit of which there is one.

    >>> in_units(1350), in_units(2_500_000), in_units(999)
    ('1.4 kB', '2.5 MB', '999 B')
    """
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if num_bytes >= 1000**power:
            return f"{num_bytes / 1000**power:.1f} {unit}"
    return f"{num_bytes} B"
