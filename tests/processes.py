"""Commands in processes of their own, what has become of these, and what they started."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from running import ROOT

TRAIN = [sys.executable, str(ROOT / "train.py")]
MISBEHAVING = str(ROOT / "tests" / "sweep" / "jobs")
"""The folder of `misbehaving`, for PYTHONPATH."""
STARTED: list[subprocess.Popen[str]] = []


def started(*overrides: str, **environment: str) -> subprocess.Popen[str]:
    """Start `python train.py` at the head of a group of its own; its outputs are two pipes."""
    process = subprocess.Popen(
        [*TRAIN, *overrides],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **environment},
    )
    STARTED.append(process)
    return process


def kill_what_is_left() -> None:
    """Kill the processes that a test which failed has left running."""
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str], code: int = 0, seconds: float = 400) -> str:
    """Wait for the end of a process, which must have this exit code, and return all it said."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == code, out + err
    return out + err


def wait_until(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """Wait until something is true, and return it."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return value


def parents() -> dict[int, int]:
    """Return the parent of every process."""
    parent_of = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent_of[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    return parent_of


def lineage(pid: int, parent_of: dict[int, int]) -> list[int]:
    """Return the parent of a process, its parent, and so on."""
    above = []
    while (pid := parent_of.get(pid, 0)) > 1:
        above.append(pid)
    return above


def descendants(pid: int) -> list[int]:
    """Return all processes that a process has started, and those that these have."""
    parent_of = parents()
    return [child for child in parent_of if pid in lineage(child, parent_of)]


def is_alive(pid: int) -> bool:
    """Return whether a process is there, and no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def command_of(pid: int) -> str:
    """Return the command line of a process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
