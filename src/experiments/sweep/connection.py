"""The launcher's end of the server that jobs are forked from."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from experiments.errors import RunFailed, UserError, user_error
from experiments.sweep.job import Result, Task


@dataclass(frozen=True)
class Ended:
    """A job that has ended.

    Attributes:
        number: by which it was started.
        result: what it says became of it; None where its process died.
        code: the exit code of its process, negative for a signal.
        output: the end of what it has printed.
    """

    number: int
    result: Result | None
    code: int
    output: str


class ServerProcess:
    """A server of one launcher, started at once and imported while others do something else.

    Use as a context: at its end the server and all of its jobs are gone.

    Args:
        start: fork, spawn, or auto: fork where that is safe.
    """

    def __init__(self, start: str = "auto") -> None:
        ours, theirs = socket.socketpair()
        # Nobody else has the writing end, so that this process's death closes it.
        reading, self.lifeline = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "experiments.sweep.server", str(reading), start],
            stdin=theirs.fileno(),
            pass_fds=[reading],
            start_new_session=True,
        )
        theirs.close()
        os.close(reading)
        self.connection = Connection(ours.detach())
        self._ready: dict[str, Any] | None = None

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *unused: object) -> None:
        os.close(self.lifeline)
        self.connection.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def ready(self) -> dict[str, Any]:
        """What the server knows of the machine; waits until it has imported everything."""
        if self._ready is None:
            self._ready = self._receive()[1]
        return self._ready

    def check(self, config: dict[str, Any], overrides: Sequence[str]) -> None:
        """Raise UserError for keys of a config that are missing, or that nothing takes."""
        self._ask("check", config, list(overrides))

    def checksum(self, config: dict[str, Any]) -> str:
        """Return the checksum of the data of a config, or raise UserError."""
        return str(self._ask("checksum", config))

    def measures(self, config: dict[str, Any]) -> list[str]:
        """Return the names of what is measured on the data of a config, or raise UserError."""
        return list(self._ask("measures", config))

    def run(self, number: int, task: Task) -> None:
        """Start a job."""
        self.connection.send(("run", number, task))

    def stop(self, number: int, how: signal.Signals) -> None:
        """Send a signal to a job."""
        self.connection.send(("stop", number, how))

    def ended(self, timeout: float) -> list[Ended]:
        """Return the jobs that have ended, waiting for one at most `timeout` seconds."""
        found: list[Ended] = []
        while wait([self.connection], timeout if not found else 0):
            _, *rest = self._receive()
            found.append(Ended(*rest))
        return found

    def _ask(self, *question: Any) -> Any:
        assert self.ready
        self.connection.send(question)
        answer, said = self._receive()
        if answer == "refused":
            raise UserError(said)
        return said

    def _receive(self) -> Any:
        try:
            return self.connection.recv()
        except (EOFError, ConnectionError) as error:
            code = self.process.wait()
            raise RunFailed(str(user_error("server_died", code=code))) from error
