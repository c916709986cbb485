"""The process that jobs are forked from, and the launcher's hold on it.

    python -m experiments.sweep.jobs.server

A fresh process for every job keeps the jobs apart, and a fork of one that has torch and lightning
takes 30 ms instead of the five seconds of their import. The server speaks with the launcher
through a connection on its standard input; when that ends, however it ends, all jobs are killed.

The standard library's fork server would do, at the same speed (a job that returns at once took
1.07 to 1.24 times as long; 60 by turns, Xeon, 2 cores). But its imports are fixed before any config
is known, while this one answers the launcher's questions about each config's classes and data, and
its forks have what was imported for them: of scikit-learn's sets 0.45 s a job, of a user's own
modules whatever they take. Nor can it be kept out of reach of a terminal's or a cluster's signals.

Requests are tuples, and so are answers:

    ("check", config, overrides) -> ("answer", None) or ("refused", message)
    ("checksum", config)         -> ("answer", text) or ("refused", message)
    ("code", config)             -> ("answer", texts by module) or ("refused", message)
    ("num_points", config)       -> ("answer", number) or ("refused", message)
    ("measures", config)         -> ("answer", names) or ("refused", message)
    ("member_costs", config, ...) -> ("answer", MemberCosts) or ("refused", message)
    ("start", assignments)       -> ("ended", number, result, exit code, the end of the output), for
                                    each of the jobs, which share a process
    ("stop", number, signal)     -> none; the process whose first job this is ends
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from experiments.config.foreign_code import foreign_words, targets_in
from experiments.errors.error_table import TABLE
from experiments.errors.messages import RunFailed, UserError, user_error
from experiments.sweep.examiner import TorchExaminer
from experiments.sweep.jobs.job import Assignment, Result
from experiments.sweep.jobs.job_process import LOOK_SECONDS, JobProcess, work
from experiments.training.population.member_costs import MemberCosts

PATIENCE_SECONDS = 30.0
"""After which a user hears which config is being looked at: a constructor may never return."""


@dataclass(frozen=True)
class EndedJob:
    """A job that has ended.

    Attributes:
        result: what it says became of it; None where its process died.
        code: the exit code of its process, negative for a signal; 0 while others of it go on.
        output: the end of what it has printed.
    """

    number: int
    result: Result | None
    code: int
    output: str


class ServerProcess:
    """The server of one launcher, started at once and importing while others do something else.

    Use as a context: at its end the server and all of its jobs are gone.

    Args:
        start: fork, spawn, or auto: fork where that is safe.
    """

    def __init__(self, start: str = "auto") -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "experiments.sweep.jobs.server", start],
                stdin=theirs.fileno(),
                start_new_session=True,
            )
        self.connection = Connection(ours.detach())
        self._ready: dict[str, Any] | None = None
        self._heard: list[EndedJob] = []  # while an answer was waited for

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *unused: object) -> None:
        if self._ready is None and not self.connection.poll():
            self.process.kill()  # amid its imports, where it would hear of nothing for seconds
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
        self._ask("check", config, list(overrides))

    def check_values(self, config: dict[str, Any]) -> None:
        self._ask("check_values", config)

    def checksum(self, config: dict[str, Any]) -> str:
        return str(self._ask("checksum", config))

    def code(self, config: dict[str, Any]) -> dict[str, str]:
        return dict(self._ask("code", config))

    def num_points(self, config: dict[str, Any]) -> int:
        return int(self._ask("num_points", config))

    def measures(self, config: dict[str, Any]) -> list[str]:
        return list(self._ask("measures", config))

    def member_costs(self, config: dict[str, Any], cores: int, differ: bool) -> MemberCosts:
        # What is measured is kept there, and the server may stand elsewhere.
        folder = Path(config["data"].get("root", "data")).absolute()
        costs: MemberCosts = self._ask("member_costs", config, cores, differ, folder)
        return costs

    def start_job(self, *assignments: Assignment) -> None:
        """Have a job trained, or several as a population, in a process of their own."""
        self.connection.send(("start", assignments))

    def stop_job(self, number: int, how: signal.Signals) -> None:
        """Send a signal to a process, which is known by the number of its first job."""
        self.connection.send(("stop", number, how))

    def ended_jobs(self, timeout: float) -> list[EndedJob]:
        """Return the jobs that have ended, waiting for one at most `timeout` seconds."""
        ended, self._heard = self._heard, []
        while wait([self.connection], timeout if not ended else 0):
            _, *rest = self._receive()
            ended.append(EndedJob(*rest))
        return ended

    def _ask(self, *question: Any) -> Any:
        assert self.ready
        self.connection.send(question)
        if not wait([self.connection], PATIENCE_SECONDS):
            tell_delay(question[1])
        word, *rest = self._receive()
        while word == "ended":
            self._heard.append(EndedJob(*rest))
            word, *rest = self._receive()
        [answer] = rest
        if word == "refused":
            raise UserError(answer)
        return answer

    def _receive(self) -> Any:
        try:
            return self.connection.recv()
        except (EOFError, ConnectionError) as error:
            code = self.process.wait()
            raise RunFailed(str(user_error("server_died", code=code))) from error


@dataclass
class JobServer:
    """Serves one launcher.

    Attributes:
        method: how jobs are started: fork, or spawn, where each imports everything anew.
        folder: where the jobs write what they say.
    """

    connection: Connection
    method: str
    folder: Path
    jobs: dict[int, JobProcess] = field(default_factory=dict, init=False)
    examiner: TorchExaminer = field(default_factory=TorchExaminer, init=False)

    def serve(self) -> None:
        """Answer until the launcher is gone, and take the jobs along."""
        try:
            while True:
                sentinels = [job.process.sentinel for job in self.jobs.values()]
                # Children of a job that outlive it keep its sentinel from telling of its end.
                ready = wait([self.connection, *sentinels], LOOK_SECONDS if self.jobs else None)
                self.tell_of_ended()
                if self.connection in ready:
                    self.answer(*self.connection.recv())
        except (EOFError, ConnectionError):
            pass
        finally:
            for job in self.jobs.values():
                job.signal(signal.SIGKILL)

    def answer(self, word: str, *arguments: Any) -> None:
        if word == "start":
            self.start_jobs(*arguments)
        elif word == "stop":
            number, how = arguments
            if number in self.jobs:
                self.jobs[number].signal(how)
        else:
            self.connection.send(self.examined(word, *arguments))

    def examined(self, word: str, *arguments: Any) -> tuple[str, Any]:
        """Return the answer to a question about a config.

        One of somebody else's code is answered in a process of its own: what that code changes,
        keeps or prints would be in every job that is forked afterwards. So is one that computes,
        after which a process with a GPU could not be forked.
        """
        named = [key for key, path in targets_in(arguments[0], "") if is_of_others(path)]
        if not (named or word == "member_costs") or self.method != "fork":
            return answer_of(self.examiner, word, arguments)
        if word == "check_values" and not {"data", "loss"} & set(named):
            answer_of(self.examiner, "spec_of", arguments[:1])  # read once for all
        ours, theirs = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("fork")
        process = context.Process(
            target=examine_apart, args=(theirs, self.examiner, word, arguments)
        )
        process.start()
        theirs.close()
        if ours not in wait([ours, self.connection]):
            # Nothing is sent while an answer is waited for: the launcher has left.
            process.kill()
            raise EOFError
        try:
            answer: tuple[str, Any] = ours.recv()
        except EOFError:
            process.join()
            key = named[0] if named else "hydra.launcher.population"
            message = str(user_error("examined", key=key, code=process.exitcode))
            answer = "refused", message
        process.join()
        return answer

    def start_jobs(self, assignments: Sequence[Assignment]) -> None:
        numbers = [assignment.job.number for assignment in assignments]
        number = numbers[0]
        folder = self.folder / str(number)
        folder.mkdir()
        context: Any = multiprocessing.get_context(self.method)
        process = context.Process(target=work, args=(assignments, folder, os.getpid()))
        process.start()
        with contextlib.suppress(OSError):  # else a signal to the group might come too early
            os.setpgid(process.pid, process.pid)
        self.jobs[number] = JobProcess(process, folder, numbers)

    def tell_of_ended(self) -> None:
        for first, job in list(self.jobs.items()):
            if job.process.exitcode is None:
                for number, result in job.results():
                    self.connection.send(("ended", number, result, 0, ""))
                continue
            del self.jobs[first]
            results, code, output = job.collect()
            for number, told in results:
                self.connection.send(("ended", number, told, code, output))


def tell_delay(config: dict[str, Any]) -> None:
    """Say which config keeps a question waiting: a constructor may take its time, or for ever."""
    what = foreign_words(config) or f"data={config['data']['name']}"
    print(TABLE["delay"].format(seconds=f"{PATIENCE_SECONDS:g}", what=what), flush=True)


def is_of_others(path: str) -> bool:
    return path.partition(".")[0] not in ("experiments", "torch", "lightning", "torchmetrics")


def answer_of(examiner: TorchExaminer, word: str, arguments: Sequence[Any]) -> tuple[str, Any]:
    try:
        return "answer", getattr(examiner, word)(*arguments)
    except UserError as error:
        return "refused", str(error)


def examine_apart(
    connection: Connection, examiner: TorchExaminer, word: str, arguments: Sequence[Any]
) -> None:
    """Be the process that answers one question, and says nothing else."""
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    try:
        connection.send(answer_of(examiner, word, arguments))
    finally:
        os._exit(1)


def warm_up() -> dict[str, Any]:
    """Import what all jobs need, and return what the launcher asks of this machine."""
    import torch

    import experiments.training.run  # noqa: F401  # in the job itself it would take 0.15 s of each
    from experiments.record import host
    from experiments.training import devices

    # A pool of threads, once made, does not live on in a forked process, which waits for it.
    torch.set_num_threads(1)
    known = devices.available()
    host.versions()
    host.processor()
    host.checkout()
    # On macOS the system's own libraries forbid to fork a process that has torch, Windows has no
    # fork, and a CUDA context does not outlive one.
    can_fork = sys.platform.startswith("linux") and not torch.cuda.is_initialized()
    return {"devices": known, "method": "fork" if can_fork else "spawn"}


def main(start: str) -> None:
    """Serve the launcher that started this process."""
    # A terminal's Ctrl-C is the launcher's to pass on, and so is what SLURM sends to all processes.
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(how, signal.SIG_IGN)
    connection = Connection(os.dup(0))
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    known = warm_up()
    if start != "auto":
        known["method"] = start
    # Objects that stay are never looked at again, so that their pages stay shared.
    gc.collect()
    gc.freeze()
    with contextlib.suppress(ConnectionError):  # a launcher that has left needs no word
        connection.send(("ready", known))
    with tempfile.TemporaryDirectory() as folder:
        JobServer(connection, known["method"], Path(folder)).serve()
    # Taking torch down would keep the launcher waiting: 5 s on a busy machine, and this 0.3.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
