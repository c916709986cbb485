"""What a fault that is injected is made of, and a process of its own to inject it into.

See injected.py, which tries the cases.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LONGEST = 120.0
"""Seconds after which an attempt's process is held to hang."""


@dataclass(frozen=True)
class Case:
    """A fault.

    Attributes:
        fault: what happens, as the page says it.
        outcome: what must come of it.
        tries: how often it is tried.
        attempt: injects it, in the current and empty folder; raises AssertionError where anything
            else came of it.
    """

    fault: str
    outcome: str
    tries: int
    attempt: Callable[[random.Random], None]


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it wrote."""

    code: int
    said: str


def forked(work: Callable[[], object], seconds: float = LONGEST) -> Ended:
    """Do something in a forked process, and return how that ended.

    Raises:
        AssertionError: it did not end in time; it is killed then.
    """
    said = Path(tempfile.mkstemp(prefix="said-")[1])
    sys.stdout.flush()
    if not (child := os.fork()):
        do_and_leave(work, said)
    started = time.monotonic()
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() - started > seconds:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"hangs after {seconds:g} s: {text_of(said)[-2000:]}")
        time.sleep(0.005)
    return Ended(os.waitstatus_to_exitcode(ended[1]), text_of(said))


def do_and_leave(work: Callable[[], object], said: Path) -> None:
    """Do something, with all that it prints in a file, and end the process with its code."""
    code = 1
    try:
        with said.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        work()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else bool(leaving.code)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def text_of(said: Path) -> str:
    """Return what a process wrote, and remove the file."""
    text = said.read_text(encoding="utf-8", errors="replace")
    said.unlink()
    return text
