"""The process that jobs are forked from: it has imported everything once.

    python -m experiments.sweep.server

A fresh process for every job keeps the jobs apart, and a fork of one that has torch and lightning
costs 25 ms instead of the six seconds of their import. The server speaks with the launcher through
a connection on its standard input; when that ends, however it ends, all jobs are killed with it.

Requests are tuples, and so are answers:

    ("check", config, overrides) -> ("answer", None) or ("refused", message)
    ("checksum", config)         -> ("answer", text) or ("refused", message)
    ("measures", config)         -> ("answer", names) or ("refused", message)
    ("run", number, task)        -> ("ended", number, result, exit code, the end of its output)
    ("stop", number, signal)     -> none; the job ends
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import IO, Any

from experiments.errors import UserError
from experiments.sweep.job import Result, Task, carry_out

TOLD = 4000
"""Characters of a job's output that are told where it has failed."""


@dataclass
class Child:
    """A job that is running.

    Attributes:
        number: by which the launcher knows it.
        pid: of its process, the leader of a group of its own.
        output: what it prints.
        result: where it says what became of it.
        process: where it was not forked.
    """

    number: int
    pid: int
    output: IO[bytes]
    result: IO[bytes]
    process: subprocess.Popen[bytes] | None = None


def is_fork_safe() -> bool:
    """Return whether a process that has imported torch can be forked here.

    On macOS the system's own libraries forbid it, Windows has no fork, and a CUDA context does
    not outlive one.
    """
    import torch

    return sys.platform.startswith("linux") and not torch.cuda.is_initialized()


def warm_up() -> dict[str, Any]:
    """Import everything that jobs need, and return what the launcher asks of this machine."""
    import torch

    from experiments import hardware, training  # noqa: F401

    # A pool of threads, once made, does not live on in a forked process, which waits for it.
    torch.set_num_threads(1)
    known = hardware.available()
    hardware.versions()
    hardware.processor()
    hardware.checkout()
    return {"devices": known, "is_fork_safe": is_fork_safe()}


def answer_of(word: str, *arguments: Any) -> tuple[str, Any]:
    """Return the answer to a question, or why there is none."""
    from experiments import building, preparation
    from experiments.running import measured_on

    questions: dict[str, Callable[..., Any]] = {
        "check": preparation.check_keys,
        "checksum": lambda config: building.load_data(config).checksum(),
        "measures": lambda config: list(measured_on(building.load_data(config).task)),
    }
    try:
        return "answer", questions[word](*arguments)
    except UserError as error:
        return "refused", str(error)


def start(number: int, task: Task, lifeline: int, forks: bool) -> Child:
    """Start a job."""
    output, result = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
    if not forks:
        process = spawn(task, output, result, lifeline)
        return Child(number, process.pid, output, result, process)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = work(task, result, lifeline, parent)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # Without the interpreter's own end, which would run what belongs to the server.
            os._exit(code)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return Child(number, pid, output, result)


def spawn(
    task: Task, output: IO[bytes], result: IO[bytes], lifeline: int
) -> subprocess.Popen[bytes]:
    """Start a job in a process that imports everything anew."""
    handed = tempfile.TemporaryFile()  # noqa: SIM115
    pickle.dump(task, handed)
    handed.seek(0)
    files = [result.fileno(), lifeline]
    with handed:
        return subprocess.Popen(
            [sys.executable, "-m", "experiments.sweep.server", "job", *map(str, files)],
            stdin=handed,
            stdout=output,
            stderr=output,
            pass_fds=files,
            process_group=0,
        )


def work(task: Task, file: IO[bytes], lifeline: int, server: int) -> int:
    """Carry out a job, write down what became of it, and return the exit code."""
    die_with(lifeline, server)
    result = carry_out(task)
    pickle.dump(result, file)
    file.flush()
    return 0


def die_with(lifeline: int, server: int) -> None:
    """End this process and its group as soon as the launcher or the server is gone.

    Args:
        lifeline: a pipe whose other end the launcher holds, and nobody else.
        server: the process that this one was started by.
    """

    def watch() -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(lifeline, selectors.EVENT_READ)
            while not selector.select(timeout=0.5) and os.getppid() == server:
                pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


class Server:
    """Serves one launcher.

    Args:
        connection: to the launcher.
        lifeline: a pipe that is at its end when the launcher is gone.
        forks: jobs are forked; else each process imports everything anew.
    """

    def __init__(self, connection: Connection, lifeline: int, forks: bool) -> None:
        self.connection = connection
        self.lifeline = lifeline
        self.forks = forks
        self.children: dict[int, Child] = {}

    def serve(self) -> None:
        """Answer until the launcher is gone, and take the jobs along."""
        woken, wakes = socket.socketpair()
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            try:
                while True:
                    ready = {key.fileobj for key, _ in selector.select()}
                    if woken in ready:
                        woken.recv(4096)
                        self.reap()
                    if self.connection in ready:
                        self.answer(self.connection.recv())
            except (EOFError, ConnectionError):
                pass
            finally:
                signal.set_wakeup_fd(-1)
                for child in self.children.values():
                    kill(child.pid, signal.SIGKILL)

    def answer(self, request: tuple[Any, ...]) -> None:
        """Answer a request of the launcher."""
        word, *rest = request
        if word in ("check", "checksum", "measures"):
            self.connection.send(answer_of(word, *rest))
        elif word == "run":
            number, task = rest
            child = start(number, task, self.lifeline, self.forks)
            self.children[child.pid] = child
        elif word == "stop":
            number, how = rest
            for child in self.children.values():
                if child.number == number:
                    kill(child.pid, how)

    def reap(self) -> None:
        """Tell the launcher of every job that has ended."""
        while self.children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            if child is not None:
                kill(pid, signal.SIGKILL)  # what is left of its group
                self.connection.send(ended(child, os.waitstatus_to_exitcode(status)))


def ended(child: Child, code: int) -> tuple[str, int, Result | None, int, str]:
    """Return what is told of a job that has ended."""
    with child.output, child.result:
        child.result.seek(0)
        written = child.result.read()
        child.output.seek(0, os.SEEK_END)
        child.output.seek(max(0, child.output.tell() - TOLD))
        output = child.output.read().decode(errors="replace")
    result = pickle.loads(written) if written and code == 0 else None
    return "ended", child.number, result, code, output


def kill(pid: int, how: int) -> None:
    """Send a signal to a job: a last one to all of its group, others to its leader."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if how == signal.SIGKILL:
            os.killpg(pid, how)
        else:
            os.kill(pid, how)


def main() -> None:
    """Serve the launcher that started this process; or be a job of one that cannot fork."""
    if sys.argv[1:2] == ["job"]:
        task = pickle.load(sys.stdin.buffer)
        with os.fdopen(int(sys.argv[2]), "wb") as file:
            sys.exit(work(task, file, int(sys.argv[3]), os.getppid()))
    lifeline, how = int(sys.argv[1]), sys.argv[2]
    # The terminal's Ctrl-C is the launcher's to pass on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(os.dup(0))
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    known = warm_up()
    forks = known["is_fork_safe"] if how == "auto" else how == "fork"
    # Objects that stay are never looked at again, so that their pages stay shared.
    gc.collect()
    gc.freeze()
    with contextlib.suppress(ConnectionError):  # a launcher that has left needs no word
        connection.send(("ready", {**known, "forks": forks}))
    Server(connection, lifeline, forks).serve()


if __name__ == "__main__":
    main()
