"""A process that has imported what a command needs, from which tests fork commands of theirs.

    python tests/warm_process.py    (its standard input is a socket: see `Forked` in processes.py)

A command in a process of its own takes five seconds to import torch and lightning, and the server of
a sweep as many again; a fork takes 30 ms. What is forked leads a session of its own, with a folder,
an environment and outputs of its own, gets signals, is killed and ends as what was started: only its
imports are not its own. Those who test these start python (`started_anew`, test_installed.py).

A request is a message with three files: stdout, stderr, and where the exit code goes at the end.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

NUM_FILES = 3
LONGEST_REQUEST = 1 << 18


class ForkedServer:
    """The server of a sweep's jobs, forked from its launcher; what `Popen` is to `ServerProcess`."""

    def __init__(self, command: list[str], stdin: int, start_new_session: bool) -> None:
        assert command[1:3] == ["-m", "experiments.sweep.jobs.server"]
        assert start_new_session
        self.pid = os.fork()
        if not self.pid:
            serve_jobs(stdin, command[3])
        self.end = os.pidfd_open(self.pid)
        self.code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.code is None:
            if not select.select([self.end], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("the server", timeout or 0.0)
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code

    def kill(self) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)


def serve_jobs(connection: int, start: str) -> None:
    """Be the server: with none of the launcher's files, whose locks would outlive it, nor its signals."""
    try:
        from hydra.core.global_hydra import GlobalHydra
        from hydra.core.hydra_config import HydraConfig

        from experiments.sweep.jobs import server

        os.setsid()
        os.dup2(connection, 0)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None
        server.main(start)
    finally:
        os._exit(1)


def have_servers_forked() -> None:
    """Have a launcher fork its server, where it would start python."""
    from experiments.sweep.jobs import server

    forking: Any = types.SimpleNamespace(**vars(subprocess))
    forking.Popen = ForkedServer
    server.subprocess = forking  # type: ignore[attr-defined]


def become(request: dict[str, Any], files: list[int]) -> None:
    """Be the command that was asked for, from its beginning to just before the interpreter's end."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out, err, end = files
    os.dup2(out, 1)
    os.dup2(err, 2)
    for file in (out, err, end):
        os.close(file)
    # Those of before knew another kind of file.
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w")
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, errors="backslashreplace")
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    have_servers_forked()
    first, *words = request["command"]
    is_module = first == "-m"
    sys.argv = words if is_module else [first, *words]
    added = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    place = request["folder"] if is_module else str(Path(first).resolve().parent)
    sys.path[:1] = [place, *filter(None, added)]
    if is_module:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(first, run_name="__main__")


def serve() -> tuple[dict[str, Any], list[int]] | None:
    """Fork what is asked for until nobody asks any more; in each fork, return what it was."""
    asked = socket.socket(fileno=os.dup(0))
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    alive: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not asked:
                    child, end = key.data
                    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                    with contextlib.suppress(BrokenPipeError):
                        os.write(end, str(code).encode())
                    selector.unregister(key.fd)
                    os.close(alive.pop(child))
                    os.close(end)
                    continue
                message, files, *_ = socket.recv_fds(asked, LONGEST_REQUEST, NUM_FILES)
                if not message:
                    for child in alive:
                        os.kill(child, signal.SIGKILL)
                    return None
                if not (child := os.fork()):
                    # What tells of the ends of others is not this one's to hold.
                    for other in [o for o in selector.get_map().values() if o.data]:
                        os.close(other.fd)
                        os.close(other.data[1])
                    asked.close()
                    return pickle.loads(message), files
                asked.send(str(child).encode())
                out, err, end = files
                os.close(out)
                os.close(err)
                alive[child] = os.pidfd_open(child)
                selector.register(alive[child], selectors.EVENT_READ, (child, end))


def main() -> None:
    from experiments.sweep.jobs.server import warm_up

    warm_up()
    num_threads = len(os.listdir("/proc/self/task"))
    assert num_threads == 1, f"{num_threads} threads, of which a fork has one"
    gc.collect()
    gc.freeze()
    if request := serve():
        become(*request)


if __name__ == "__main__":
    main()
