"""Faults of runs of two processes: one of them, or both, are ended at a drawn moment.

Then the run goes on, again of two processes, and must come to the bits of the one that was not
ended. The other rank is forked from rank 0, which has imported torch, and not started by a command:
that alone is otherwise than for a user (ranks.py), whose own way tests/slow/test_ranks.py tries.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults import ROOT, completed
from injected_case import Case, Ended, forked
from omegaconf import OmegaConf

from experiments.config.composer import composer_at
from experiments.config.launch import Launch
from experiments.record.claim import Known
from experiments.record.record import read_record

WHOLE, RUN, OTHER = Path("whole"), Path("run"), Path("rank-1.pid")
# 9 batches of 16 points and one of a single point in an epoch.
BASE = [
    *("logger=none", "progress=none", "data=moons", "data.num_samples=216", "data.num_train=145"),
    *("data.batch_size=16", "model=mlp", "model.hidden=[16]", "model.dropout=0.2"),
    *("trainer.threads=1", "trainer.max_epochs=15", "trainer=ddp_cpu", "trainer.devices=2"),
]
OPTIMIZERS = ("adam", "muon", "nesterov", "schedulefree_adamw", "adafactor")
MORE = [
    ["checkpoint.every_n_steps=4"],
    ["checkpoint.every_seconds=0.05", "log_full_loss=true"],
    ["checkpoint.every_n_steps=7", "trainer.accumulate_grad_batches=2"],
    ["checkpoint.every_n_steps=5", "trainer.val_check_interval=4", "data.augment.noise=0.3"],
    ["checkpoint.every_n_steps=3", "trainer.log_every_n_steps=2", "steps_per_execution=2"],
]
FEWEST_FAULTS = 1
OTHER_ENDS_WITHIN = 10.0
"""Seconds after the end of rank 0."""


class ForkedRank:
    """What ranks.py asks of a process that it has started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        until = time.monotonic() + (timeout or 3600.0)
        while self.poll() is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("rank", timeout or 0.0)
            time.sleep(0.005)
        return int(self.returncode or 0)

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def fork_rank(rank: int, folder: Path, checkpoint: Path | None) -> ForkedRank:
    """Fork another rank from this process, as `ranks.start_rank` starts one by a command."""
    parent = os.getpid()
    if child := os.fork():
        OTHER.write_text(str(child))
        return ForkedRank(child)
    try:
        from lightning.fabric.utilities.rank_zero import rank_zero_only

        from experiments.training.other_rank import take_part
        from experiments.training.ranks import log_of

        os.closerange(3, 256)  # among them the lock of the run, which rank 0 holds
        output = os.open(log_of(folder, rank), os.O_WRONLY | os.O_CREAT)
        for number in (1, 2):
            os.dup2(output, number)
        for how in (signal.SIGINT, signal.SIGTERM):
            signal.signal(how, signal.SIG_DFL)
        os.environ.update({"LOCAL_RANK": str(rank), "RANK": str(rank)})
        rank_zero_only.rank = rank  # type: ignore[attr-defined]
        take_part(folder, checkpoint, parent)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


def train_two(launch: Launch, hit: Callable[[int], object] | None = None) -> Ended:
    """Train in a process of its own, with another one, and return how the first has ended.

    Args:
        hit: called with the number of rank 0 while that trains.
    """
    OTHER.unlink(missing_ok=True)

    def work() -> None:
        from experiments.training import ranks
        from experiments.training.run import train

        os.setsid()
        if hit is not None:
            hit_beside(hit)
        ranks.start_rank = fork_rank  # type: ignore[assignment]
        train(config, launch)

    config: Any = OmegaConf.to_container(
        composer_at(ROOT / "conf", "config").task(launch.overrides), resolve=True
    )
    return forked(work)


def hit_beside(hit: Callable[[int], object]) -> None:
    """Fork a process that does something to this one."""
    target = os.getpid()
    if os.fork():
        return
    os.setsid()  # else what it does to the group would end it, too
    try:
        hit(target)
    except (ProcessLookupError, FileNotFoundError):
        pass  # the run was over before
    finally:
        os._exit(0)


def is_alive(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def to_all(how: signal.Signals) -> Callable[[int], object]:
    return lambda target: os.killpg(target, how)


def to_first(how: signal.Signals) -> Callable[[int], object]:
    return lambda target: os.kill(target, how)


def to_other(how: signal.Signals) -> Callable[[int], object]:
    return lambda target: os.kill(int(OTHER.read_text()), how)


def attempt_of(
    send: Callable[[int], object], of_end: Callable[[Ended, Path], None], by_folder: bool = False
) -> Callable[[random.Random], None]:
    """Return what tries a fault.

    Args:
        send: ends what it ends, given the number of rank 0.
        of_end: holds what the run was recorded as, when it was hit amid its training.
        by_folder: it goes on by `resume=FOLDER`; else by the same command with `resume=auto`.
    """

    def attempt(rng: random.Random) -> None:
        overrides = [*BASE, f"optim={rng.choice(OPTIMIZERS)}", *rng.choice(MORE)]
        overrides.append(f"seed={rng.randrange(1000)}")
        started = time.perf_counter()
        ended = train_two(Launch(overrides, run_dir=WHOLE))
        assert ended.code == 0, ended.said[-2000:]
        seconds = time.perf_counter() - started
        again = first = Launch([*overrides, "resume=auto"], run_dir=RUN)
        num_faults = 0
        while num_faults < FEWEST_FAULTS and completed() is None:
            moment = rng.uniform(0.2, 0.9) * seconds

            def hit(target: int, moment: float = moment) -> None:
                time.sleep(moment)
                send(target)

            ended = train_two(again, hit)
            num_faults += ended.code != 0
            assert_other_is_gone()
            if ended.code and (folders := sorted(Path().glob("run*/record.json"))):
                of_end(ended, folders[-1].parent)
                again = Launch([f"resume={folders[-1].parent}"]) if by_folder else first
        if completed() is None:
            ended = train_two(again)
            assert ended.code == 0, ended.said[-2000:]
        found = differing(completed())
        assert not found, f"{' '.join(overrides[12:])}: {'; '.join(found)}"

    return attempt


def assert_other_is_gone() -> None:
    """Raise AssertionError where the other rank outlives rank 0."""
    if not OTHER.exists():
        return
    pid, until = int(OTHER.read_text()), time.monotonic() + OTHER_ENDS_WITHIN
    while is_alive(pid):
        assert time.monotonic() < until, "the other rank lives on"
        time.sleep(0.02)


def differing(folder: Path | None) -> list[str]:
    """Return in what a run differs from the one without a fault."""
    from experiments.training.repeat import differences
    from experiments.training.resume import read_run

    assert folder is not None, "the run has not come to its end"
    return differences(read_run(WHOLE), Known(folder, read_record(folder)))


def is_as_it_was(ended: Ended, folder: Path) -> None:
    """Hold nothing of a run whose rank 0 was killed: it could not write how it ended."""


def names_the_rank(ended: Ended, folder: Path) -> None:
    """Hold that a run says which of its processes was killed."""
    record = read_record(folder)
    assert record["status"] == "failed", f"{record['status']}: {ended.said[-1500:]}"
    assert re.search("rank 1 was ended by SIGKILL", str(record["error"])), record["error"]


def is_interrupted(ended: Ended, folder: Path) -> None:
    """Hold that a run has ended by the signal."""
    record = read_record(folder)
    found = ended.code, record["status"], record["error"]
    assert found == (143, "interrupted", "stopped by SIGTERM"), f"{found}: {ended.said[-1500:]}"


EQUAL = "it goes on to the bits of the run that was not ended"
CASES = [
    Case(
        "both processes of a run of two are killed, the same command with `resume=auto`",
        EQUAL, 5, attempt_of(to_all(signal.SIGKILL), is_as_it_was),
    ),
    Case(
        "rank 0 of two is killed, the same command with `resume=auto`",
        f"the other process ends by itself; {EQUAL}",
        5, attempt_of(to_first(signal.SIGKILL), is_as_it_was),
    ),
    Case(
        "rank 1 of two is killed, `resume=FOLDER`",
        f"the run has failed, and says which process was killed by what; {EQUAL}",
        5, attempt_of(to_other(signal.SIGKILL), names_the_rank, by_folder=True),
    ),
    Case(
        "both processes of a run of two are told to end (SIGTERM), `resume=FOLDER`",
        f"they end after the same step, and keep it; {EQUAL}",
        5, attempt_of(to_all(signal.SIGTERM), is_interrupted, by_folder=True),
    ),
    Case(
        "one process of a run of two is told to end, the same command with `resume=auto`",
        f"both end after the same step, and keep it; {EQUAL}",
        5, attempt_of(to_first(signal.SIGTERM), is_interrupted),
    ),
]  # fmt: skip
