"""The process of a job, or of a population of them, as the server that forks it sees it, and from
within.
"""

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
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from experiments.errors.redaction import redacted
from experiments.sweep.jobs.job import Assignment, Result, train_jobs

OUTPUT = "output"
LAST_CHARACTERS = 4000
"""Of a job's output, told where it has failed."""
LOOK_SECONDS = 0.5
"""How often a job looks for its server, and the server for jobs whose own children outlive them."""


@dataclass
class JobProcess:
    """The process of jobs, in the server.

    Attributes:
        process: the leader of a group of its own.
        folder: of what it prints, and of what it says became of its jobs.
        numbers: of its jobs of which nothing has been told.
    """

    process: BaseProcess
    folder: Path
    numbers: list[int] = field(default_factory=list)

    def signal(self, how: int) -> None:
        """Send a signal: a last one to the whole group, others to its leader."""
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send = os.killpg if how == signal.SIGKILL else os.kill
            send(self.process.pid, how)

    def results(self) -> list[tuple[int, Result]]:
        """Return what it has said of jobs while others go on: the last one ends with it."""
        if len(self.numbers) < 2:
            return []
        said = [(n, result) for n in self.numbers if (result := self.said_of(n)) is not None]
        said = said[: len(self.numbers) - 1]
        for number, _ in said:
            self.numbers.remove(number)
        return said

    def said_of(self, number: int) -> Result | None:
        path = self.folder / str(number)
        result: Result | None = pickle.loads(path.read_bytes()) if path.exists() else None
        return result

    def collect(self) -> tuple[list[tuple[int, Result | None]], int, str]:
        """Return what is told of the rest now that it has ended, and leave nothing of it."""
        code = self.process.exitcode
        assert code is not None
        self.signal(signal.SIGKILL)  # what is left of its group
        results = [(number, self.said_of(number)) for number in self.numbers]
        output = (self.folder / OUTPUT).read_bytes() if (self.folder / OUTPUT).exists() else b""
        shutil.rmtree(self.folder)
        return results, code, output[-LAST_CHARACTERS:].decode(errors="replace")


def work(assignments: Sequence[Assignment], folder: Path, server: int) -> None:
    """Be the process of jobs: train them, and write down what became of each."""
    code = 1

    def tell(number: int, result: Result) -> None:
        part = folder / f"{number}.part"
        part.write_bytes(pickle.dumps(result))
        part.rename(folder / str(number))  # whole, or not there

    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        with (folder / OUTPUT).open("wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=die_with, args=(server,), daemon=True).start()
        train_jobs(assignments, tell)
        code = 0
    except BaseException:
        print(redacted(traceback.format_exc()), file=sys.stderr)
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
