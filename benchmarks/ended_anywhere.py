"""Commands that are killed at any point of their lives: before or after any change of the disk.

A point is a change (a file opened to be written, a folder made, a file moved or removed), counted
from the beginning of the command, and some time after it. So points lie as thick in planning, in
the making of a folder and in the writing of a record as they lie in training, which takes most of
the time. See injected_launchers.py.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from injected_case import LONGEST, Ended, forked

# What commands import on their way, here once for all forks.
import experiments.comparison.looks
import experiments.comparison.report.answer
import experiments.sweep.search.search
import experiments.sweep.until_settled  # noqa: F401
from experiments.__main__ import opened

CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.utime")
"""Events of Python's audit of a process, beside `open`."""
FOR_WRITING = os.O_WRONLY | os.O_RDWR
LONGEST_DELAY = 0.02


@dataclass
class Point:
    """A point of a process's life.

    Attributes:
        number: of the change of the disk; 0 for none, which lets the process live.
        seconds: after it; 0 for right before it.
    """

    number: int = 0
    seconds: float = 0.0


def command(*words: str) -> Callable[[], None]:
    """Return what does in a forked process as `python train.py` does."""

    def call() -> None:
        sys.exit(opened("train", "python train.py", words))

    return call


def ended_at(point: Point, words: tuple[str, ...], seconds: float = LONGEST) -> Ended:
    """Type a command in a process that is killed at a point, and return how it ended."""
    return forked(lambda: with_hook(point, words), seconds)


def with_hook(point: Point, words: tuple[str, ...]) -> None:
    watch_disk(Path.cwd(), lambda number, change: die_at(point, number))
    command(*words)()


def die_at(point: Point, number: int) -> None:
    """End this process where its point has come."""
    if number != point.number:
        return
    if point.seconds == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Thread(target=die_after, args=(point.seconds,), daemon=True).start()


def die_after(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def watch_disk(folder: Path, hear: Callable[[int, str], object]) -> None:
    """Tell of every change below a folder that this process makes, before it is made: its number,
    and in words what it is.
    """
    root, number = os.path.realpath(folder) + os.sep, 0

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal number
        is_write = event == "open" and arguments[2] & FOR_WRITING
        if not (is_write or event in CHANGES) or not isinstance(arguments[0], str | bytes | Path):
            return
        if os.path.abspath(os.fsdecode(arguments[0])).startswith(root):
            number += 1
            target = arguments[1] if event == "os.rename" else arguments[0]
            hear(number, f"{event} {os.path.basename(os.fsdecode(target))}")

    sys.addaudithook(audit)


@dataclass(frozen=True)
class Whole:
    """A command that nothing has happened to.

    Attributes:
        folder: that it was typed in.
        changes: of the disk, in its life.
    """

    folder: Path
    changes: list[str]


@functools.cache
def undisturbed(words: tuple[str, ...]) -> Whole:
    """Type a command in a folder of its own, and return what came of it."""
    folder, here = Path(tempfile.mkdtemp(prefix="whole-")), Path.cwd()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    counted = folder / "changes"

    def count() -> None:
        changes: list[str] = []
        watch_disk(folder / "typed", lambda number, change: changes.append(change))
        try:
            command(*words)()
        finally:
            counted.write_text(json.dumps(changes))

    (folder / "typed").mkdir()
    os.chdir(folder / "typed")
    try:
        ended = forked(count)
    finally:
        os.chdir(here)
    assert ended.code == 0, ended.said[-3000:]
    return Whole(folder / "typed", json.loads(counted.read_text()))


def killed_until_done(words: tuple[str, ...], rng: random.Random, most: int) -> Ended:
    """Type a command that is killed at drawn points of its life, up to `most` times, and then once
    more; return how that ended.
    """
    whole = undisturbed(words)
    for _ in range(rng.randint(1, most)):
        delay = rng.choice([0.0, rng.uniform(0, LONGEST_DELAY)])
        ended = ended_at(Point(rng.randint(1, len(whole.changes)), delay), words)
        if ended.code == 0:
            break  # less is left to do than the whole has
        assert ended.code == -signal.SIGKILL, f"code {ended.code}: {ended.said[-3000:]}"
    ended = ended_at(Point(), words)
    assert ended.code == 0, f"code {ended.code}: {ended.said[-3000:]}"
    return ended
