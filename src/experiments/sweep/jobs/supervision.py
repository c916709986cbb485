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
from pathlib import Path

from experiments.errors.messages import RunFailed, UserError, user_error
from experiments.record.claim import CLAIMS
from experiments.record.record import Status
from experiments.sweep.jobs.deaths import cause_of_death, record_death
from experiments.sweep.jobs.job import Assignment, Result
from experiments.sweep.jobs.server import EndedJob, ServerProcess

GRACE_SECONDS = 3.0
"""How long an interrupted job may take to write its record: less than its launcher waits."""
LOOK_SECONDS = 0.5


class Markers:
    """Files in sweeps' folders by which other machines know that theirs is the same; a context."""

    def __init__(self) -> None:
        self.files: dict[Path, Path] = {}

    def __enter__(self) -> Markers:
        return self

    def __exit__(self, *unused: object) -> None:
        # Entered again, as with the jobs of a sweep's next look, it makes others.
        while self.files:
            self.files.popitem()[1].unlink(missing_ok=True)

    def of(self, sweep_dir: Path) -> str:
        """Return the marker of a sweep's folder, made where there is none."""
        if sweep_dir not in self.files:
            folder = sweep_dir.absolute() / CLAIMS
            folder.mkdir(parents=True, exist_ok=True)
            self.files[sweep_dir] = folder / f"launcher-{secrets.token_hex(8)}"
            self.files[sweep_dir].touch()
        return str(self.files[sweep_dir])


class Supervisor:
    """The jobs of one process, one after the other.

    The server is started with the first job, and lives as long as this process: the next job
    costs a fork and not an import.
    """

    def __init__(self) -> None:
        self.server: ServerProcess | None = None

    def supervise(self, assignment: Assignment) -> Result:
        """Have a job trained, and return what became of it.

        Raises:
            UserError: this machine does not see the folders of the launching one.
        """
        # Ray's processes come with it blocked, and so would the jobs.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        marker = Path(assignment.marker)
        if not marker.is_file():
            raise not_shared(marker.parents[1])
        try:
            os.chdir(assignment.cwd)  # where relative paths start
        except OSError as error:
            raise not_shared(assignment.cwd) from error
        try:
            return self._watched(assignment)
        except RunFailed as error:
            # The server is gone, and the job with it.
            self.server = None
            return record_death(assignment.job, "failed", str(error))
        except KeyboardInterrupt:
            return Result("interrupted")  # before the job began

    def _watched(self, assignment: Assignment) -> Result:
        server = self.server = self.server or patient_server()
        assert server.ready  # waits for its imports, which are no part of the job's time
        server.start_job(assignment)
        number, limit = assignment.job.number, assignment.job_timeout
        reason: str | None = None
        status: Status = "failed"
        try:
            ended = end_of(server, number, limit)
            if ended is None:
                reason = f"took longer than hydra.launcher.job_timeout={limit:g} seconds"
                ended = stopped(server, number, [signal.SIGKILL])
        except KeyboardInterrupt as error:
            reason, status = f"stopped by {error or 'its launcher'}", "interrupted"
            ended = stopped(server, number, [signal.SIGINT, signal.SIGKILL])
        if ended.result is not None:
            return ended.result
        return record_death(assignment.job, status, reason or cause_of_death(ended), ended.output)


def patient_server() -> ServerProcess:
    """Start a server that SIGTERM does not end: scancel sends it to all processes of a job."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        return ServerProcess()
    finally:
        signal.signal(signal.SIGTERM, before)


def not_shared(path: Path | str) -> UserError:
    return user_error("not_shared", host=socket.gethostname(), path=path)


def end_of(server: ServerProcess, number: int, seconds: float | None) -> EndedJob | None:
    """Return the end of a job; None where it has not come after so many seconds."""
    until = None if seconds is None else time.monotonic() + seconds
    while until is None or time.monotonic() < until:
        for ended in server.ended_jobs(LOOK_SECONDS):
            if ended.number == number:
                return ended
    return None


def stopped(server: ServerProcess, number: int, signals: list[signal.Signals]) -> EndedJob:
    """End a job by one signal after the other, and return its end."""
    for how in signals:
        with contextlib.suppress(OSError, RunFailed):  # the server is gone, and the job with it
            server.stop_job(number, how)
            if (ended := end_of(server, number, GRACE_SECONDS)) is not None:
                return ended
    return EndedJob(number, None, -signal.SIGKILL, "")


supervisor = Supervisor()
"""Of this process."""
