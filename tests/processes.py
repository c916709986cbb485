"""Commands in processes of their own, what has become of these, and what they started."""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from running import ROOT

SCRIPT = str(ROOT / "train.py")
COMPARE = str(ROOT / "compare.py")
TRAIN = [sys.executable, SCRIPT]
MISBEHAVING = str(ROOT / "tests" / "sweep" / "jobs")
"""The folder of `misbehaving`, for PYTHONPATH."""


class Forked:
    """A command forked from a process that has imported torch: see warm_process.py.

    It has as much of `subprocess.Popen` as tests use.

    Args:
        command: a script, or -m and a module, and what is typed after it.
        environment: changes to that of this process.
    """

    def __init__(self, *command: str, folder: Path | None = None, **environment: str) -> None:
        request = {
            "command": list(command),
            "folder": str(folder or Path.cwd()),
            "environment": {**os.environ, **environment},
        }
        (out, out_end), (err, err_end), (self.end, end_end) = (os.pipe() for _ in range(3))
        files = [out_end, err_end, end_end]
        asked = warm_process()[1]
        socket.send_fds(asked, [pickle.dumps(request)], files)
        for file in files:
            os.close(file)
        self.pid = int(asked.recv(64))
        self.stdout: IO[str] = os.fdopen(out)
        self.stderr: IO[str] = os.fdopen(err)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode if not self.has_ended(0) else self.wait()

    def has_ended(self, timeout: float | None) -> bool:
        return self.returncode is None and bool(select.select([self.end], [], [], timeout)[0])

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not self.has_ended(timeout):
                raise subprocess.TimeoutExpired("a forked command", timeout or 0.0)
            self.returncode = int(os.read(self.end, 64))
            os.close(self.end)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        said = ["", ""]

        def read(number: int, file: IO[str]) -> None:
            said[number] = file.read()

        until = time.monotonic() + (timeout or threading.TIMEOUT_MAX)
        readers = [
            threading.Thread(target=read, args=each, daemon=True)
            for each in enumerate((self.stdout, self.stderr))
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(max(0.0, until - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired("a forked command", timeout or 0.0)
        self.stdout.close()
        self.stderr.close()
        self.wait(max(1.0, until - time.monotonic()))
        return said[0], said[1]

    def send_signal(self, how: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, how)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = subprocess.Popen[str] | Forked
STARTED: list[Process] = []


@functools.cache
def warm_process() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start what commands are forked from, once; it ends with this process, which has its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "warm_process.py")],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    return process, ours


def forked(*command: str, folder: Path | None = None, **environment: str) -> Forked:
    """Start a script, or -m and a module, in a fork of a process that has imported torch."""
    process = Forked(*command, folder=folder, **environment)
    STARTED.append(process)
    return process


def finished(
    *command: str, folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Return how a forked script ended, and what it said."""
    process = forked(*command, folder=folder, **environment)
    out, err = process.communicate(timeout=400)
    return subprocess.CompletedProcess(command, process.wait(), out, err)


def started(*overrides: str, **environment: str) -> Forked:
    """Start `train.py` at the head of a session of its own, forked; its outputs are two pipes."""
    return forked(SCRIPT, *overrides, **environment)


def started_anew(*overrides: str, **environment: str) -> subprocess.Popen[str]:
    """Start `python train.py`, which imports all anew, at the head of a session of its own."""
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
    """Kill the processes that a test which failed has left, and close what it did not read of them."""
    while STARTED:
        process = STARTED.pop()
        if process.stdout and not process.stdout.closed:
            process.kill()
            process.communicate()


def ended(process: Process, code: int = 0, seconds: float = 400) -> str:
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
