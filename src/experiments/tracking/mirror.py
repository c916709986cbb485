"""Writes the W&B runs of a sweep by following its run folders as they grow.

    python -m experiments.tracking.mirror outputs/sweeps/activations

A `wandb.init` takes 600 ms in a fresh process and 10 ms in one that has made another, so the jobs
of a sweep leave W&B alone, and this process, which needs no torch, mirrors their files. It can be
killed at any moment and started again, also long after the sweep: a run that was told is not told
twice, and one that was told in part is completed. By hand it also sends the runs that are offline
since their server went away, where one answers by then.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from experiments.record.folder import RECORD
from experiments.record.lock import Lock
from experiments.record.strangers_files import is_within
from experiments.tracking import agent
from experiments.tracking.mirrored import MirroredRun, Sink

LOCK = ".mirror.lock"
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 5.0
"""At the end of a sweep: how long to wait while no run gets finished, before the rest is left."""
PATIENCE_BY_HAND_SECONDS = 90.0
"""The same where the sweep is mirrored by hand, and nobody waits for anything else."""
NOTICE_SECONDS = 2.0
"""At the end: after how long it is told that there is more to do."""
LONGEST_SECONDS = 600.0
"""How long the launcher waits at the end for a mirror that still gets on."""
NUM_AT_ONCE = 8
"""Runs that wait for the server at the same time; a run takes several of its answers."""


def start_mirror(sweep: Path) -> subprocess.Popen[str]:
    """Start the mirror of a sweep's folder; it follows until its standard input is closed.

    Its lines come by its standard output. Ctrl-C of the terminal does not reach it.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.tracking.mirror", str(sweep), "--follow"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


@contextlib.contextmanager
def following(sweep: Path, say: Callable[[str], object] = print) -> Iterator[subprocess.Popen[str]]:
    """Mirror a sweep for the length of the block, and wait at its end until all is told.

    Its folder need not be there yet; `say` is called with every line of the mirror, in a thread.
    """
    process = start_mirror(sweep)
    assert process.stdin is not None
    assert process.stdout is not None
    lines = process.stdout

    def pass_on() -> None:
        for line in lines:
            say(line.rstrip("\n"))

    speaker = threading.Thread(target=pass_on, daemon=True)
    speaker.start()
    try:
        yield process
    finally:
        with contextlib.suppress(OSError, ValueError):  # it is gone, or closed, already
            # A job that was forked from this very process would hold the pipe open.
            process.stdin.write("\n")
            process.stdin.close()
        try:
            process.wait(LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            say(f"W&B: the mirror of {sweep} does not end; it was stopped.")
        finally:
            process.kill()
            process.wait()
            speaker.join(timeout=1)
            if not speaker.is_alive():
                lines.close()


class Mirror:
    """The runs of a sweep's folder, found and mirrored.

    At the end it waits for `patience_seconds` while no run gets finished.

    Args:
        asked: what is asked for in the place of the runs' own configs: project, entity or mode.
        sends_offline: runs that lost their server are told anew where one answers by now.
    """

    def __init__(
        self,
        sweep: Path,
        patience_seconds: float = PATIENCE_BY_HAND_SECONDS,
        asked: Mapping[str, str] | None = None,
        sends_offline: bool = False,
    ) -> None:
        self.sweep = sweep
        self.patience_seconds = patience_seconds
        self.sink = Sink(sweep, asked, sends_offline)
        self.runs: dict[str, MirroredRun] = {}
        self.tasks: dict[str, Future[None]] = {}
        self.pool = ThreadPoolExecutor(NUM_AT_ONCE, "mirror")

    def look(self, is_last: bool = False) -> None:
        """Find run folders that are new, and go on with those that have changed."""
        self._find(str(self.sweep), self.sweep.name, depth=2)
        self.tasks = {path: task for path, task in self.tasks.items() if not task.done()}
        for path, run in self.runs.items():
            if path not in self.tasks and (run.has_news() or (is_last and run.is_open)):
                self.tasks[path] = self.pool.submit(run.advance, is_last)

    def _find(self, folder: str, job_type: str, depth: int) -> None:
        try:
            with os.scandir(folder) as entries:
                new = [e for e in entries if e.path not in self.runs and is_visible(e)]
        except OSError as error:
            self.sink.complain(f"W&B: {folder} cannot be read ({error.strerror}).")
            return
        for entry in new:
            if entry.is_symlink() and not is_within(entry.path, self.sweep):
                line = f"W&B: {entry.path} is a link that leads out of the sweep; it is left out."
                self.sink.complain(line)
            elif os.path.exists(f"{entry.path}/{RECORD}"):
                self.runs[entry.path] = MirroredRun(Path(entry.path), job_type, self.sink)
            elif depth > 1:
                self._find(entry.path, f"{job_type}/{entry.name}", depth - 1)

    def finish(self) -> int:
        """Tell the rest, and return how many runs were left because nothing got on any more."""
        if self._wait():
            self.look(is_last=True)
            self._wait()
        self.pool.shutdown(wait=False)
        return sum(not task.done() for task in self.tasks.values())

    def _wait(self) -> bool:
        """Wait for all that is under way, as long as it gets on; return whether it is done."""
        pending = wait(self.tasks.values(), NOTICE_SECONDS).not_done
        if pending:
            self.sink.say(f"W&B: runs still to write: {len(pending)}. {self.sink.later}")
        while pending:
            before, pending = pending, wait(pending, self.patience_seconds).not_done
            if len(pending) == len(before):
                return False
        return True


def is_visible(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir()


def has_ended(seconds: float) -> bool:
    """Wait, and return whether standard input has ended meanwhile, or said a line."""
    ready, _, _ = select.select([0], [], [], seconds)
    return bool(ready)


def acquire(lock: Lock, seconds: float = 0.0) -> bool:
    """Return whether this process is the one that mirrors the sweep; only one can be."""
    return lock.path.parent.is_dir() and lock.acquire(seconds)


def follow(mirror: Mirror, lock: Lock) -> None:
    """Look again and again, until standard input ends or the launcher does.

    W&B, which takes most of a second to import, is there by the time that the first run is.
    """
    launcher = os.getppid()
    threading.Thread(target=__import__, args=("wandb",), daemon=True).start()
    while True:
        if lock.is_locked or acquire(lock):
            mirror.look()
        if has_ended(LOOK_SECONDS) or os.getppid() != launcher:
            return


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.tracking.mirror",
        description="Write the W&B runs of a sweep from its run folders.",
    )
    parser.add_argument("sweep", help="the folder of a sweep, such as outputs/sweeps/activations")
    parser.add_argument(
        "--follow", action="store_true", help="go on until standard input is closed"
    )
    for name, meaning in (("project", "of W&B"), ("entity", "an account or a team of W&B")):
        parser.add_argument(f"--{name}", help=f"{meaning}, in the place of the runs' own")
    parser.add_argument(
        "--mode", choices=("auto", "online", "offline"), help="in the place of the runs' own"
    )
    return parser


def main() -> int:
    """Mirror the sweep that the command line names."""
    parser = command_line()
    arguments = parser.parse_args()
    for name in agent.OF_ONE_RUN:
        os.environ.pop(name, None)
    sweep = Path(os.path.abspath(arguments.sweep))
    patience = PATIENCE_SECONDS if arguments.follow else PATIENCE_BY_HAND_SECONDS
    given = {name: getattr(arguments, name) for name in ("project", "entity", "mode")}
    asked = {name: value for name, value in given.items() if value}
    mirror = Mirror(sweep, patience, asked, sends_offline=not arguments.follow)
    lock = Lock(sweep / LOCK)
    if arguments.follow:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # which is for the launcher
        follow(mirror, lock)
    elif not sweep.is_dir():
        parser.error(f"{sweep} is not there. Give the folder of a sweep.")
    if not sweep.is_dir():
        return 0
    if not lock.is_locked and not acquire(lock, PATIENCE_SECONDS):
        mirror.sink.complain(f"W&B: another process mirrors {sweep}.")
        return 1
    mirror.look()
    return exit_code(mirror, num_left=mirror.finish())


def exit_code(mirror: Mirror, num_left: int) -> int:
    """Say which runs are not mirrored, and return 1 where there are any; see that all ends."""
    if num_left:
        mirror.sink.complain(
            f"W&B: {num_left} runs wait for the server in vain. {mirror.sink.later}"
        )
        os._exit(1)  # the usual end would wait with them
    if mirror.sink.has_lost_server:
        mirror.sink.say(f"W&B: the runs since then are offline. {mirror.sink.later}")
    num_failed = sum(run.has_failed for run in mirror.runs.values())
    if num_failed > 1:
        mirror.sink.complain(f"W&B: {num_failed} runs are not mirrored.")
    ending = threading.Timer(PATIENCE_SECONDS, os._exit, [1])
    ending.daemon = True
    ending.start()
    return 1 if num_failed else 0


if __name__ == "__main__":
    sys.exit(main())
