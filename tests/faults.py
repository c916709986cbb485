"""Disks that refuse: every write of a command fails in turn, as on a full or a read-only disk."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Disk:
    """The calls that change a disk below a folder; from number `fails_from` on they fail.

    Attributes:
        code: the errno; None lets all calls through.
        calls: what was asked for, in order, to be counted.
    """

    root: Path
    code: int | None = None
    fails_from: int = 0
    calls: list[str] = field(default_factory=list)

    def ask(self, name: str, path: Any) -> None:
        """Count a call, and refuse it where it is time."""
        if isinstance(path, int) or not self.has(path):
            return
        self.calls.append(f"{name} {os.path.basename(os.fspath(path))}")
        if self.code is not None and len(self.calls) > self.fails_from:
            raise OSError(self.code, os.strerror(self.code), os.fspath(path))

    def has(self, path: Any) -> bool:
        return Path(os.path.abspath(os.fsdecode(path))).is_relative_to(self.root)


@contextlib.contextmanager
def disk_of(root: Path, code: int | None = None, fails_from: int = 0) -> Iterator[Disk]:
    """Watch what is written below `root`, and refuse it from one call on.

    Args:
        code: the errno that each refused call has; None: none is refused.
        fails_from: how many calls succeed before.
    """
    disk = Disk(root.absolute(), code, fails_from)
    with pytest.MonkeyPatch.context() as patch:
        opened = io.open

        def open_file(file: Any, mode: str = "r", *arguments: Any, **values: Any) -> Any:
            if set(mode) & set("wxa+"):
                disk.ask("open", file)
            return opened(file, mode, *arguments, **values)

        patch.setattr(io, "open", open_file)
        patch.setattr(builtins, "open", open_file)
        for name in ("mkdir", "replace", "rename", "truncate", "utime", "symlink", "link"):
            patch.setattr(os, name, asking(disk, name, getattr(os, name)))
        os_open = os.open

        def open_descriptor(path: Any, flags: int, *arguments: Any, **values: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                disk.ask("os.open", path)
            return os_open(path, flags, *arguments, **values)

        patch.setattr(os, "open", open_descriptor)
        yield disk


def asking(disk: Disk, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any, *arguments: Any, **values: Any) -> Any:
        disk.ask(name, path)
        return function(path, *arguments, **values)

    return call
