"""Runs and sweeps typed in forked processes, and undisturbed ones to hold them against.

What is typed goes through the doors themselves, save for single runs where nothing depends on
Hydra's own files: they are given to `train`, and what it raises is told as the door tells it.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from subprocess import TimeoutExpired
from types import SimpleNamespace
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from injected_case import LONGEST, Ended, do_and_leave, forked, text_of
from omegaconf import OmegaConf

import experiments.comparison.compare  # noqa: F401  (numpy and scipy, else imported by each fork)
from experiments.__main__ import opened
from experiments.config.composer import Composer, composer_at
from experiments.config.launch import Launch
from experiments.config.mistakes import in_our_words
from experiments.errors.messages import RunFailed
from experiments.record.claim import FINISHED, Known
from experiments.record.record import read_record
from experiments.sweep.jobs import server
from experiments.training.repeat import differences
from experiments.training.resume import read_run
from experiments.training.run import train
from experiments.training.trainer import AtomicCheckpoints
from experiments.training.whole_checkpoint import LAST

ROOT = Path(__file__).resolve().parents[1]
Before = Callable[[], object]
"""What a process does before it does what was typed."""

# 5 batches of 16 points in an epoch.
QUIET = ["logger=none", "progress=none", "trainer.threads=1"]
SMALL = [*QUIET, "data.batch_size=16", "model=mlp", "model.hidden=[8]", "model.dropout=0.2"]
MOONS = ["data=moons", "data.num_samples=120"]
RUN = [*SMALL, *MOONS, "trainer.max_epochs=6"]
SWEEP = ["-m", *SMALL, *MOONS, "trainer.max_epochs=2", "activation=relu,tanh", "sweep.seeds=2"]
BASIC = "hydra/launcher=basic"
SWEPT = Path("sweep")
AT = f"hydra.sweep.dir={SWEPT}"


@functools.cache
def composer() -> Composer:
    return composer_at(ROOT / "conf", "config")


def run_typed(*overrides: str, run_dir: Path | None = None, before: Before | None = None) -> Ended:
    """Have a single run trained, and return how that ended."""
    return forked(run_of(overrides, run_dir, before))


def run_of(
    overrides: Sequence[str], run_dir: Path | None = None, before: Before | None = None
) -> Callable[[], None]:
    """Return what trains a single run, and tells as the door does what went wrong."""
    config: Any = OmegaConf.to_container(composer().task(overrides), resolve=True)

    def work() -> None:
        if before is not None:
            before()
        try:
            train(config, Launch(list(overrides), run_dir=run_dir))
        except Exception as error:
            told = in_our_words(error, typed=overrides)
            if told is None:
                raise
            print(told, file=sys.stderr)
            raise SystemExit(1 if isinstance(told, RunFailed) else 2) from error

    return work


def typed(*words: str, before: Before | None = None, door: str = "train") -> Ended:
    """Type a command, and return how that ended."""
    return forked(command_of(words, before, door))


def command_of(
    words: Sequence[str], before: Before | None = None, door: str = "train"
) -> Callable[[], None]:
    """Return what a command does in a process of its own.

    The jobs' server is forked from it, and imports nothing anew.
    """

    def work() -> None:
        forking: Any = SimpleNamespace(Popen=ForkedServer, TimeoutExpired=TimeoutExpired)
        server.subprocess = forking
        GlobalHydra.instance().clear()
        if before is not None:
            before()
        raise SystemExit(opened(door, f"python {door}.py", list(words)))

    return work


class ForkedServer:
    """Stands for the process of a jobs' server: a fork of this one, which has imported all."""

    def __init__(self, command: Sequence[str], stdin: int, start_new_session: bool) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid:
            return
        code = 1
        try:
            os.setsid()
            os.dup2(stdin, 0)
            os.closerange(3, 1024)  # above all the launcher's end of the connection
            server.main(command[-1])
            code = 0
        finally:
            os._exit(code)

    def wait(self, timeout: float | None = None) -> int:
        started = time.monotonic()
        while self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif timeout is not None and time.monotonic() - started > timeout:
                raise TimeoutExpired("server", timeout)
            else:
                time.sleep(0.005)
        return self.returncode

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


class Process:
    """Work in a forked process that is not waited for yet."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.said = Path(tempfile.mkstemp(prefix="said-")[1])
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            do_and_leave(work, self.said)

    def end(self, seconds: float = LONGEST) -> Ended:
        """Wait for its end, and return it; one that does not end in time is killed."""
        started = time.monotonic()
        while (ended := os.waitpid(self.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() - started > seconds:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise AssertionError(f"hangs after {seconds:g} s: {text_of(self.said)[-2000:]}")
            time.sleep(0.005)
        return Ended(os.waitstatus_to_exitcode(ended[1]), text_of(self.said))


def at_checkpoint(number: int, do: Callable[[], object]) -> Before:
    """Return what has a process do something once it has written last.ckpt so many times."""

    def patch() -> None:
        save, written = AtomicCheckpoints.save_checkpoint, []

        def saved(self: Any, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
            save(self, checkpoint, path, storage_options)
            written.append(path) if Path(path).name == LAST else None
            if len(written) == number and written[-1] is path:
                do()

        AtomicCheckpoints.save_checkpoint = saved  # type: ignore[method-assign]

    return patch


def killed_at(number: int) -> Before:
    """Return what ends a process once it has written last.ckpt so many times."""
    return at_checkpoint(number, lambda: os.kill(os.getpid(), signal.SIGKILL))


def done(ended: Ended, *told: str) -> None:
    """Raise AssertionError where a command was not carried out, or did not tell of these."""
    assert ended.code == 0, f"code {ended.code}: {ended.said[-2000:]}"
    assert "Traceback" not in ended.said, ended.said[-2000:]
    for word in told:
        lines = [line for line in ended.said.splitlines() if word in line]
        assert lines, f"nothing is told of {word}: {ended.said[-2000:]}"


def refused(ended: Ended, *told: str) -> None:
    """Raise AssertionError unless a command ended with one message, which tells of these."""
    assert ended.code in (1, 2), f"code {ended.code}: {ended.said[-2000:]}"
    assert "Traceback" not in ended.said, ended.said[-4000:]
    [last] = ended.said.strip().splitlines()[-1:]
    for word in told:
        assert word in last, f"{word} is not told: {ended.said[-2000:]}"


def own_folder() -> Path:
    """Return a folder that lasts until the end of this process."""
    folder = Path(tempfile.mkdtemp(prefix="undisturbed-"))
    me = os.getpid()
    atexit.register(lambda: os.getpid() == me and shutil.rmtree(folder, ignore_errors=True))
    return folder


@functools.cache
def undisturbed(*overrides: str, run_dir: str = "run") -> Path:
    """Return the folder of a run that nothing has disturbed."""
    place = own_folder()
    at_place = functools.partial(os.chdir, place)
    done(run_typed(*overrides, run_dir=Path(run_dir), before=at_place))
    return place / run_dir


@functools.cache
def broken_off(*overrides: str, number: int = 4) -> Path:
    """Return the folder of a run that was killed once it had written last.ckpt so many times."""
    place = own_folder()

    def before() -> None:
        os.chdir(place)
        killed_at(number)()

    ended = run_typed(*overrides, run_dir=Path("run"), before=before)
    assert ended.code == -signal.SIGKILL, ended
    return place / "run"


@functools.cache
def command_folder(*words: str, kill: int | None = None) -> Path:
    """Return the folder in which a command was typed, which was killed where that is asked for."""
    place = own_folder()

    def before() -> None:
        os.chdir(place)
        if kill is not None:
            killed_at(kill)()

    ended = typed(*words, before=before)
    assert ended.code == (0 if kill is None else -signal.SIGKILL), ended
    return place


def copied(folder: Path, name: str = "run") -> Path:
    """Copy a folder into this one, and return the copy."""
    shutil.copytree(folder, name, symlinks=True, dirs_exist_ok=True)
    return Path(name)


def same_run(folder: Path, other: Path) -> None:
    """Raise AssertionError where two runs are not the same bit for bit."""
    found = differences(read_run(other), Known(folder, read_record(folder)))
    assert not found, "; ".join(found)


def runs_in(folder: Path) -> Iterator[Path]:
    """Yield the run folders below a folder that have come to their end."""
    for path in sorted(folder.glob("**/record.json")):
        try:
            is_finished = read_record(path.parent)["status"] in FINISHED
        except ValueError:
            continue  # damaged
        if is_finished:
            yield path.parent


def same_sweep(folder: Path, other: Path) -> None:
    """Raise AssertionError unless two sweeps have the same runs, each once."""
    here, there = (
        [(read_record(run)["identity"], run) for run in runs_in(place)] for place in (folder, other)
    )
    known = dict(there)
    assert sorted(i for i, _ in here) == sorted(known), f"{len(here)} runs, not {len(known)}"
    for identity, run in here:
        same_run(run, known[identity])
