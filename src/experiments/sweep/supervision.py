"""A job of a cluster, on the machine that was given it: started, watched, and recorded.

As on the launching machine, the job is a fresh process forked from a server that has imported
torch. Whoever started this process (a worker of Ray's, a job of SLURM's) watches the job, so that
the death of a job is told apart from the loss of a machine: what kills a job is known here, with
its signal and its last words, and is written down here, where its claim died with it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.claims import CLAIMS
from experiments.errors import RunFailed, UserError, user_error
from experiments.records import Status
from experiments.sweep.connection import Ended, ServerProcess
from experiments.sweep.job import Result, Task
from experiments.sweep.workers import reason_of, record_death

GRACE_SECONDS = 3.0
"""How long an interrupted job may take to write its record: less than its launcher waits."""
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Place:
    """How a job's machine knows the sweep's folder, and how long the job may take there.

    Attributes:
        marker: a file that the launcher has put into the sweep's folder.
        job_timeout: seconds after which a job is ended as failed; None for no limit.
    """

    marker: str
    job_timeout: float | None = None


@contextlib.contextmanager
def marked(sweep_dir: Path) -> Iterator[str]:
    """Put a file into a sweep's folder by which another machine knows that it is the same one."""
    place = sweep_dir.absolute() / CLAIMS
    place.mkdir(parents=True, exist_ok=True)
    marker = place / f"launcher-{secrets.token_hex(8)}"
    marker.touch()
    try:
        yield str(marker)
    finally:
        marker.unlink(missing_ok=True)


class Supervisor:
    """The jobs of one process, one after the other.

    The server is started with the first job, and lives as long as this process: the next job
    costs a fork and not an import.
    """

    def __init__(self) -> None:
        self.server: ServerProcess | None = None

    def carry_out(self, task: Task, place: Place) -> Result:
        """Carry out a job, and return what became of it.

        Raises:
            UserError: this machine does not see the folders of the launching one.
        """
        # Ray's processes come with it blocked, and so would the jobs.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if not Path(place.marker).is_file():
            raise not_shared(Path(place.marker).parents[1])
        try:
            os.chdir(task.cwd)  # where relative paths start
        except OSError as error:
            raise not_shared(task.cwd) from error
        try:
            return self._watched(task, place.job_timeout)
        except RunFailed as error:
            # The server is gone, and the job with it.
            self.server = None
            return record_death(Path(task.sweep_dir), task.identity, "failed", str(error), "")
        except KeyboardInterrupt:
            return Result("interrupted")  # before the job began

    def _watched(self, task: Task, job_timeout: float | None) -> Result:
        server = self.server = self.server or patient_server()
        assert server.ready  # waits for its imports, which are no part of the job's time
        server.run(task.number, task)
        reason: str | None = None
        status: Status = "failed"
        try:
            ended = wait_for(server, task.number, job_timeout)
            if ended is None:
                reason = f"took longer than hydra.launcher.job_timeout={job_timeout:g} seconds"
                ended = stopped(server, task.number, [signal.SIGKILL])
        except KeyboardInterrupt as error:
            reason, status = f"stopped by {error or 'its launcher'}", "interrupted"
            ended = stopped(server, task.number, [signal.SIGINT, signal.SIGKILL])
        if ended.result is not None:
            return ended.result
        sweep_dir = Path(task.sweep_dir)
        return record_death(
            sweep_dir, task.identity, status, reason or reason_of(ended), ended.output
        )


def patient_server() -> ServerProcess:
    """Start a server that SIGTERM does not end: scancel sends it to all processes of a job."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        return ServerProcess()
    finally:
        signal.signal(signal.SIGTERM, before)


def not_shared(path: Path | str) -> UserError:
    """Build the error for a folder that is another one, or none, on this machine."""
    return user_error("not_shared", host=socket.gethostname(), path=path)


def wait_for(server: ServerProcess, number: int, seconds: float | None) -> Ended | None:
    """Return the end of a job; None where it has not come after so many seconds."""
    until = None if seconds is None else time.monotonic() + seconds
    while until is None or time.monotonic() < until:
        for ended in server.ended(LOOK_SECONDS):
            if ended.number == number:
                return ended
    return None


def stopped(server: ServerProcess, number: int, signals: list[signal.Signals]) -> Ended:
    """End a job by one signal after the other, and return its end."""
    for how in signals:
        with contextlib.suppress(OSError, RunFailed):  # the server is gone, and the job with it
            server.stop(number, how)
            if (ended := wait_for(server, number, GRACE_SECONDS)) is not None:
                return ended
    return Ended(number, None, -signal.SIGKILL, "")


supervisor = Supervisor()


def carry_out_here(task: Task, place: Place) -> Result:
    """Carry out a job in this process's name; what clusters are asked to call."""
    return supervisor.carry_out(task, place)
