"""Who holds a run: nobody trains one that another process is training.

The folder of a run is held by a lock in it. A run of a sweep is claimed before it has a folder: a
claim is a lock of the operating system (flock) on a file named by the run's identity; it dies
with its owner, however that ends. Across machines, whose locks need not know of each other, the
owner also lets its heart beat: it touches a file beside the lock, which nobody else may make, and
another machine takes the run over when that has stood still for `STALE_SECONDS`.

Torch-free.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.errors.messages import UserError, user_error
from experiments.record.folder import RECORD, remove_parts
from experiments.record.lock import Lock
from experiments.record.record import Record, read_record

LOCK = ".lock"
CLAIMS = ".claims"
BEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
DEAD_SECONDS = 25.0
"""After how long an owner counts as dead of whose death somebody has told: two beats missed."""
FINISHED = ("completed", "diverged", "pruned")


@dataclass(frozen=True)
class Known:
    """A run of a sweep that is on disk.

    Attributes:
        was_there: it was done before it was asked for: nothing of it was trained.
    """

    folder: Path
    record: Record
    was_there: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to do; a run that has diverged is a result."""
        return self.record["status"] in FINISHED


def runs_of(sweep_dir: Path) -> dict[str, list[Path]]:
    """Return the run folders of a sweep by the first eight digits of their identity."""
    folders: dict[str, list[Path]] = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(sweep_dir) as entries:
        for name in sorted(entry.name for entry in entries if not entry.name.startswith(".")):
            words = name.split("-")
            # A folder whose name was taken has a number at its end.
            is_numbered = len(words) > 1 and words[-1].isdigit() and len(words[-1]) < 8
            last = words[-2] if is_numbered else words[-1]
            if len(last) == 8:
                folders.setdefault(last, []).append(sweep_dir / name)
    return folders


def find_run(
    sweep_dir: Path, identity: str, folders: dict[str, list[Path]] | None = None
) -> Known | None:
    """Return the run of this identity in a sweep, one that is finished before all others."""
    short = identity[:8]
    candidates = (runs_of(sweep_dir) if folders is None else folders).get(short, [])
    best: Known | None = None
    for folder in candidates:
        try:
            record = read_record(folder)
        except UserError:
            continue  # claimed, and not yet written; or half-deleted
        known = Known(folder, record)
        if record["identity"] == identity and (best is None or known.is_finished):
            best = known
    return best


def lost_records(folders: Iterable[Path]) -> Iterator[str]:
    """Yield of each folder whose record is there and cannot be read what is wrong with it."""
    for folder in folders:
        try:
            if (folder / RECORD).is_file():
                read_record(folder)
        except UserError as error:
            yield str(error)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Lock a file for the length of the block; False where another process has it locked."""
    lock = Lock(path)
    if not lock.acquire(timeout=0):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextlib.contextmanager
def writing_in(sweep_dir: Path) -> Iterator[None]:
    """Be the only one, for the length of the block, who writes the files of a sweep itself.

    Two launchers of one sweep declare one after the other, and neither leaves out what the other
    has declared. What one that was killed amid a write has left is removed.
    """
    (sweep_dir / CLAIMS).mkdir(parents=True, exist_ok=True)
    with Lock(sweep_dir / CLAIMS / "files.lock"):
        remove_parts(sweep_dir)
        yield


@contextlib.contextmanager
def claim(sweep_dir: Path, identity: str) -> Iterator[bool]:
    """Claim a run for the length of the block; False where another process has it."""
    claims = sweep_dir / CLAIMS
    claims.mkdir(parents=True, exist_ok=True)
    path = claims / f"{identity}.lock"
    is_first = not path.exists()
    with locked(path) as is_free:
        if not is_free:
            yield False
            return
        # A folder of 10,000 claims is not searched for owners of a run that never had one.
        before = None if is_first else last_owner(claims, identity)
        with heartbeat(claims, identity, before) as is_ours:
            yield is_ours


def is_claimed(sweep_dir: Path, identity: str, is_said_dead: bool = False) -> bool:
    """Return whether a living process has claimed a run.

    Where a cluster has told that the owner is dead (`is_said_dead`) it may err, as where a network
    is cut, so that the heart is asked too, but less long; an owner who is not claimed here is one
    that no machine waits for any more.
    """
    lock = sweep_dir / CLAIMS / f"{identity}.lock"
    if not lock.is_file():
        return False
    with locked(lock) as is_free:
        if not is_free:
            return True
        owner = last_owner(lock.parent, identity)
        within = DEAD_SECONDS if is_said_dead else STALE_SECONDS
        is_alive = owner is not None and is_beating(owner, within)
        if owner is not None and is_said_dead and not is_alive:
            with contextlib.suppress(FileNotFoundError):
                os.utime(owner, (0, 0))
        return is_alive


@contextlib.contextmanager
def heartbeat(claims: Path, identity: str, before: Path | None) -> Iterator[bool]:
    """Own a run before all machines for the length of the block; False where another one does.

    Each owner makes a file of the next number, which only one can make; the last number counts.
    """
    if before is not None and is_beating(before):
        yield False
        return
    number = 1 + (int(before.suffix[1:]) if before else 0)
    mine = claims / f"{identity}.{number}"
    try:
        with mine.open("x") as file:
            json.dump({"host": socket.gethostname(), "pid": os.getpid()}, file)
    except FileExistsError:
        yield False
        return
    except OSError:
        mine.unlink(missing_ok=True)  # an empty one would be held to beat for a minute
        raise
    over = threading.Event()
    beating = threading.Thread(target=beat, args=(mine, over), daemon=True)
    beating.start()
    try:
        yield True
    finally:
        over.set()
        beating.join()
        # Gone before the lock is: who comes next begins anew. Those before were killed, each before
        # it could remove the one before it.
        earlier = number - 1
        while (path := claims / f"{identity}.{earlier}").exists():
            path.unlink(missing_ok=True)
            earlier -= 1
        mine.unlink(missing_ok=True)


def beat(path: Path, over: threading.Event) -> None:
    """Touch a file until it is over.

    An owner who was taken for dead, as one that was suspended or cut off, and has a successor by
    now, ends at once: two processes must not write into one folder.
    """
    successor = path.with_suffix(f".{int(path.suffix[1:]) + 1}")
    while not over.wait(BEAT_SECONDS):
        with contextlib.suppress(OSError):
            if successor.exists():
                signal.raise_signal(signal.SIGKILL)
            os.utime(path)


def last_owner(claims: Path, identity: str) -> Path | None:
    files = [p for p in claims.glob(f"{identity}.*") if p.suffix[1:].isdigit()]
    return max(files, key=lambda path: int(path.suffix[1:]), default=None)


def forget_dead_owners(sweep_dir: Path) -> None:
    """Remove what owners have left who were killed after their run was done: nobody claims it any
    more, and so nobody else would.
    """
    claims = sweep_dir / CLAIMS
    names = [path for path in claims.glob("*.*") if path.suffix[1:].isdigit()]
    for owner in names:
        with locked(owner.with_suffix(".lock")) as is_free:
            if is_free and not is_beating(owner):
                owner.unlink(missing_ok=True)


def is_beating(owner: Path, within: float = STALE_SECONDS) -> bool:
    """Return whether the owner of a run lives, as far as can be known here.

    One of this machine would hold the lock, which whoever asks has already; of another machine
    only the heartbeat tells, by the clock of the disk that all machines share.
    """
    try:
        content: Any = json.loads(owner.read_text() or "{}")
        host, last = dict(content).get("host"), owner.stat().st_mtime
    except (OSError, ValueError, TypeError):
        return False
    if host == socket.gethostname():
        return False
    return clock_of(owner.parent) - last < within


def clock_of(folder: Path) -> float:
    """Return the present time by the clock of a folder's disk."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            return os.stat(probe.name).st_mtime
    except OSError:
        return time.time()


@contextlib.contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder, or raise UserError where another process does."""
    with locked(folder / LOCK) as is_free:
        if not is_free:
            raise user_error("run_is_alive", path=folder)
        yield


def is_held(folder: Path) -> bool:
    """Return whether some process is training the run of this folder."""
    with locked(folder / LOCK) as is_free:
        return not is_free
