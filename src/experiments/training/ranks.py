"""Several processes for one run: the ranks beyond 0 on this machine.

Lightning starts them by running the script's command once more, which in a Hydra multirun would
start the whole sweep in each. Here rank 0 starts `python -m experiments.training.other_rank FOLDER`
for each of the others; they read the config of the run folder and take part. Processes that
torchrun or SLURM started are left as they are.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import torch.distributed

from experiments.config import door
from experiments.errors.redaction import redacted
from experiments.training.launched import started_by_others, without_agent

GRACE_SECONDS = 20.0
OF_GROUP = ("gloo", "nccl", "connection closed by peer", "connection reset by peer")
"""Words of the errors that a rank has where another one is gone."""
DIES_WITHIN = 2.0
"""Seconds from the first sign of a rank's death to its end."""


class RankDied(RuntimeError):
    """A rank that this one had started is gone, and the run with it."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def other_ranks(
    folder: Path, num_ranks: int, checkpoint: Path | None, on_death: Callable[[str], None]
) -> Iterator[None]:
    """Run ranks 1 to num_ranks - 1 beside this one for the length of the block.

    Args:
        folder: the run folder, whose config.yaml the ranks train.
        num_ranks: all ranks, this one among them.
        checkpoint: what the run is resumed from.
        on_death: called in a thread when a rank dies in the middle, before this process is killed;
            the strategy's own calls would wait for it for half an hour.
    """
    if num_ranks == 1:
        with without_agent():
            yield
        if torch.distributed.is_initialized():  # a strategy of several had it for this one
            torch.distributed.destroy_process_group()
        return
    if started_by_others():
        yield
        return
    with environment_of_rank_0(num_ranks):
        processes = [start_rank(rank, folder, checkpoint) for rank in range(1, num_ranks)]
        over = threading.Event()
        watcher = threading.Thread(
            target=watch, args=(processes, over, on_death, folder), daemon=True
        )
        watcher.start()
        try:
            yield
            wait_for(processes)
        except Exception as error:
            if is_of_group(error) and (reason := first_death(processes, folder)):
                raise RankDied(reason) from error
            raise
        finally:
            over.set()
            for rank, process in enumerate(processes, start=1):
                process.kill()
                log = log_of(folder, rank)
                # After a signal one that ends as it should may still be killed here.
                if process.wait() == 0 or (log.is_file() and not log.stat().st_size):
                    log.unlink(missing_ok=True)
            # Lightning leaves the group to the end of the process; the next run of a multirun would
            # talk to the ranks of this one.
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()


@contextlib.contextmanager
def environment_of_rank_0(num_ranks: int) -> Iterator[None]:
    """Set the variables by which the ranks find each other for the length of the block."""
    own = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "NODE_RANK": "0",
        "LOCAL_RANK": "0",
        "RANK": "0",  # Lightning believes it before LOCAL_RANK
        "WORLD_SIZE": str(num_ranks),
    }
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def log_of(folder: Path, rank: int) -> Path:
    return folder / f"rank-{rank}.log"


def start_rank(rank: int, folder: Path, checkpoint: Path | None) -> subprocess.Popen[bytes]:
    arguments = [str(folder), str(checkpoint or ""), str(os.getpid())]
    command = [sys.executable, "-m", "experiments.training.other_rank", *arguments]
    # Parts of one's own lie where the command was typed, and not where it may stand by now.
    places = os.pathsep.join(str(Path(place).absolute()) for place in sys.path if place)
    own = {"LOCAL_RANK": str(rank), "RANK": str(rank), "PYTHONPATH": places}
    with log_of(folder, rank).open("wb") as output:
        return subprocess.Popen(
            command,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def leave(code: int = 0) -> NoReturn:
    """End this rank's process, all of its work being done.

    Without the interpreter's own end: there gloo's threads, still waiting for news of other ranks,
    now and then abort a process that has nothing left to do, and its exit code is all that rank 0,
    torchrun or SLURM know of it.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def leave_script() -> None:
    """End a rank that torchrun or SLURM started, as `leave` does, with its command's exit code.

    The group of such ranks lives as long as the process, for the next run of a multirun.
    """
    if door.exit_code is not None and torch.distributed.is_initialized():
        leave(door.exit_code)


# With the module, before W&B and others register their own: the first registered is called last.
atexit.register(leave_script)


def watch(
    processes: list[subprocess.Popen[bytes]],
    over: threading.Event,
    on_death: Callable[[str], None],
    folder: Path,
) -> None:
    """Call `on_death` and end this process when a rank ends with an error amid the run."""
    while not over.wait(0.5):
        for rank, process in enumerate(processes, start=1):
            if process.poll():
                # Rank 0 hears of it by itself where it is in a collective call.
                if not over.wait(GRACE_SECONDS):
                    on_death(death(rank, process.returncode, folder))
                    # This process hangs in a collective call; only its end ends that.
                    signal.raise_signal(signal.SIGKILL)
                return


def wait_for(processes: list[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + GRACE_SECONDS
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, until - time.monotonic()))


def is_of_group(error: Exception) -> bool:
    """Return whether an error may be that of a message to a rank that is gone."""
    words = str(error).lower()
    return isinstance(error, torch.distributed.DistError) or any(w in words for w in OF_GROUP)


def first_death(processes: list[subprocess.Popen[bytes]], folder: Path) -> str:
    """Return which rank has ended with an error, and how; empty where none does in good time."""
    until = time.monotonic() + DIES_WITHIN
    while time.monotonic() < until:
        for rank, process in enumerate(processes, start=1):
            if code := process.poll():
                return death(rank, code, folder)
        time.sleep(0.01)
    return ""


def death(rank: int, code: int, folder: Path) -> str:
    """Return how a rank ended, with the last line of its log where it raised an error.

    >>> death(1, -9, Path("run"))
    'rank 1 was ended by SIGKILL, see run/rank-1.log'
    """
    log = log_of(folder, rank)
    if code < 0:
        return f"rank {rank} was ended by {signal.Signals(-code).name}, see {log}"
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    said = [line.strip() for line in text.splitlines() if line.strip()][-1:]
    last = f" ({redacted(said[0])[:300]})" if said else ""
    return f"rank {rank} ended with code {code}{last}, see {log}"
