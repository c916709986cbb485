"""Standard streams that are closed, whose reader leaves, or that cannot show every character.

What a command says is told to whoever listens; a run is not lost because nobody does. It has its
own log in its folder.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from typing import Any

STRICT = ("strict", "surrogateescape")
"""What streams do with a character that they cannot show, by default and in the locale C: fail."""
GONE = (errno.EPIPE, errno.EIO)
"""Errors of a pipe whose reader has left (`| head -1`), and of a terminal that was closed."""
STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def mend_streams() -> None:
    """Have the streams of this process take whatever is said, for its whole life."""
    open_closed()
    replace_unprintable()
    outlive_readers()


def open_closed() -> None:
    """Open what the process was started without (`>&-`), on the null device.

    Python has None in the place of such a stream; and the next file that is opened would get its
    number, such that whatever a child process prints would stand in that file.
    """
    for number, (name, mode) in enumerate(STREAMS):
        if getattr(sys, name) is None:
            if not is_open(number):
                hold(number)
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def hold(number: int) -> None:
    """Have a file descriptor lead to the null device."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == number:
        os.set_inheritable(number, True)
    else:
        os.dup2(nowhere, number)
        os.close(nowhere)


def replace_unprintable() -> None:
    """Have characters that a terminal or a file cannot show replaced, here and in child processes.

    A sweep whose output goes to a file in latin-1 must not die of the mark before its first line.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in STRICT:
            stream.reconfigure(errors="replace")
    encoding, colon, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    os.environ["PYTHONIOENCODING"] = f"{encoding}:{errors if colon else 'replace'}"


class Outlived(io.RawIOBase):
    """Writes to a reader until that has left, and from then on nowhere."""

    def __init__(self, number: int) -> None:
        self.number = number

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.number

    def isatty(self) -> bool:
        return os.isatty(self.number)

    def write(self, data: Any) -> int | None:
        try:
            return os.write(self.number, data)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in GONE:
                raise
            hold(self.number)
            return len(data)


def outlive_readers() -> None:
    """Have what is said go nowhere once the pipe or the terminal that it goes to is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and leads_to_reader(stream):
            stream.flush()
            raw: Any = Outlived(stream.fileno())
            heard = io.TextIOWrapper(
                io.BufferedWriter(raw),
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            setattr(sys, name, heard)


def leads_to_reader(stream: Any) -> bool:
    if not isinstance(stream, io.TextIOWrapper):
        return False
    mode = os.fstat(stream.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stream.isatty()
