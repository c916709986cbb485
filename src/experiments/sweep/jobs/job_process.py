"""The process of a job, as it is seen from the server that forks it, and from within."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from experiments.sweep.jobs.job import Assignment, Result, train_job

OUTPUT, RESULT = "output", "result"
LAST_CHARACTERS = 4000
"""Of a job's output, told where it has failed."""
LOOK_SECONDS = 0.5
"""How often a job looks for its server, and the server for jobs whose own children outlive them."""


@dataclass(frozen=True)
class JobProcess:
    """The process of a job, in the server.

    Attributes:
        process: the leader of a group of its own.
        folder: of what it prints, and of what it says became of the job.
    """

    process: BaseProcess
    folder: Path

    def signal(self, how: int) -> None:
        """Send a signal: a last one to the whole group, others to its leader."""
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send = os.killpg if how == signal.SIGKILL else os.kill
            send(self.process.pid, how)

    def collect(self) -> tuple[Result | None, int, str]:
        """Return what is told of it now that it has ended, and leave nothing of it."""
        code = self.process.exitcode
        assert code is not None
        self.signal(signal.SIGKILL)  # what is left of its group
        result = None if code else pickle.loads((self.folder / RESULT).read_bytes())
        output = (self.folder / OUTPUT).read_bytes() if (self.folder / OUTPUT).exists() else b""
        shutil.rmtree(self.folder)
        return result, code, output[-LAST_CHARACTERS:].decode(errors="replace")


def work(assignment: Assignment, folder: Path, server: int) -> None:
    """Be the process of a job: train it, and write down what became of it."""
    code = 1
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        with (folder / OUTPUT).open("wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=die_with, args=(server,), daemon=True).start()
        result = train_job(assignment)
        (folder / RESULT).write_bytes(pickle.dumps(result))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Without the interpreter's own end, which would wait for whatever the job has left.
        os._exit(code)


def die_with(server: int) -> None:
    """End this process and its group as soon as the process that started it is gone."""
    while os.getppid() == server:
        time.sleep(LOOK_SECONDS)
    os.killpg(0, signal.SIGKILL)
