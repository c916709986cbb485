"""Calls to the system that are refused in a process: each that changes a folder's disk, or some.

An error comes where the system has it: a full disk at the write or the flush of an open file, and
not at its name; a half of what was to be written may be there by then.
"""

from __future__ import annotations

import builtins
import fcntl
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMED = ("mkdir", "replace", "rename", "truncate", "symlink", "link")
"""Calls whose first argument is a path, and that a disk may refuse."""


@dataclass
class Refusals:
    """Which of a process's calls below a folder fail: those from number `first` to `last`.

    Attributes:
        code: the errno that they have.
        count: of the calls so far.
        tell: a file whose length is kept at the count; None for none.
    """

    root: Path
    code: int
    first: float
    last: float
    tell: Path | None = None
    count: int = 0

    def ask(self, path: Any, name: str | None = None) -> None:
        """Count a call, and fail where it is time.

        Args:
            name: that the error gives; None for an open file, of which it gives none.
        """
        if isinstance(path, int) or not self.has(path):
            return
        number, self.count = self.count, self.count + 1
        if self.tell is not None:
            os.truncate(self.tell, self.count)
        if self.first <= number <= self.last:
            named = [] if name is None else [name]
            raise OSError(self.code, os.strerror(self.code), *named)

    def has(self, path: Any) -> bool:
        return Path(os.path.abspath(os.fsdecode(path))).is_relative_to(self.root)


def refuse(
    root: Path, code: int, first: float, last: float, tell: Path | None = None
) -> Callable[[], None]:
    """Return what has calls below `root` fail in the process that does it, for good."""

    def patch() -> None:
        calls = Refusals(root.absolute(), code, first, last, tell)
        patch_files(calls)
        for name in NAMED:
            setattr(os, name, asking(calls, getattr(os, name)))
        os_open = os.open

        def open_descriptor(path: Any, flags: int, *arguments: Any, **values: Any) -> int:
            if flags & os.O_CREAT and not os.path.exists(path):
                calls.ask(path, os.fspath(path))
            return os_open(path, flags, *arguments, **values)

        os.open = open_descriptor
        fsync, sendfile = os.fsync, os.sendfile

        def sync(descriptor: int) -> None:
            calls.ask(os.readlink(f"/proc/self/fd/{descriptor}"))
            fsync(descriptor)

        def send(out: int, *arguments: Any) -> int:
            calls.ask(os.readlink(f"/proc/self/fd/{out}"))
            return sendfile(out, *arguments)

        os.fsync, os.sendfile = sync, send

    return patch


def asking(calls: Refusals, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any, *arguments: Any, **values: Any) -> Any:
        if not isinstance(path, int):
            calls.ask(path, os.fspath(path))
        return function(path, *arguments, **values)

    return call


def patch_files(calls: Refusals) -> None:
    """Have the files that are opened for writing ask before they are made, and at each write."""
    opened = io.open

    class AskingFile(io.FileIO):
        refused: OSError | None = None

        def write(self, content: Any) -> int:
            if self.refused is not None:  # what there was room for has been written
                error, self.refused = self.refused, None
                raise error
            try:
                calls.ask(self.name)
            except OSError as error:
                if len(content) < 2:
                    raise
                self.refused = error
                return super().write(bytes(content)[: len(content) // 2])
            return super().write(content)

    def open_file(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *more: Any,
        **values: Any,
    ) -> Any:
        is_writing = bool(set(mode) & set("wxa+"))
        if isinstance(file, int) or not is_writing or not calls.has(file):
            return opened(file, mode, buffering, encoding, errors, newline, *more, **values)
        if "r" not in mode and not os.path.exists(file):
            calls.ask(file, os.fspath(file))
        raw = AskingFile(file, mode.replace("b", "").replace("t", ""))
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding, errors, newline)

    io.open = builtins.open = open_file  # type: ignore[assignment]


def lacking(names: list[str]) -> Callable[[], None]:
    """Return what has a process live on a file system that lacks some of what others have.

    Args:
        names: of flock, rights, links, sync.
    """
    lacks = {
        "flock": [(fcntl, "flock", "ENOLCK")],
        "rights": [(os, name, "EPERM") for name in ("chmod", "fchmod", "chown", "fchown")],
        "links": [(os, name, "EPERM") for name in ("link", "symlink")],
        "sync": [(os, "fsync", "EINVAL")],
    }

    def patch() -> None:
        import errno

        for name in names:
            for module, function, code in lacks[name]:
                setattr(module, function, failing(getattr(errno, code)))

    return patch


def failing(code: int) -> Callable[..., Any]:
    def fail(*arguments: object, **values: object) -> Any:
        raise OSError(code, os.strerror(code))

    return fail
