"""Disks that are full or read-only, that lack what others have; clocks that jump; two at once.

See injected.py. A full and a read-only disk are file systems in memory, mounted for the case. Where
this process may not mount any, calls of the forked process are refused instead (refused_calls.py),
as they are for a quota, and for each single write.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import functools
import math
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from injected_case import Case
from injected_files import OWN, of_own_data, whole_sweep, written_points
from injected_runs import (
    AT,
    BASIC,
    RUN,
    SWEEP,
    SWEPT,
    Before,
    Process,
    at_checkpoint,
    broken_off,
    command_folder,
    command_of,
    copied,
    done,
    refused,
    run_of,
    run_typed,
    runs_in,
    same_run,
    same_sweep,
    typed,
    undisturbed,
)
from refused_calls import lacking, refuse

from experiments.record.claim import CLAIMS, claim
from experiments.record.record import read_record

DISK = Path("disk")
AUTO = [*RUN, f"paths.output={DISK}", "resume=auto"]
RUN_DIR = DISK / "run"
TOGETHER = [*SWEEP, "hydra.launcher.workers=1", "hydra.launcher.population=off"]


def mount(*words: str) -> bool:
    """Mount a file system in memory at DISK, or change it; False where that is not allowed."""
    command = ["mount", *words, *(["none"] if "-t" in words else []), str(DISK)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def disk_of(kilobytes: int) -> Iterator[bool]:
    """Have a disk of some size at DISK for the length of the block; False where it is a folder."""
    DISK.mkdir(exist_ok=True)
    is_mounted = mount("-t", "tmpfs", "-o", f"size={kilobytes}k")
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(DISK)], check=True)


def kilobytes_of(folder: Path) -> int:
    """Return what the files of a folder take on a disk, in pages of 4 kB."""
    files = [path for path in folder.glob("**/*") if path.is_file()]
    return sum(4 * math.ceil(path.stat().st_size / 4096) for path in files)


def roomless(root: Path, rng: random.Random, is_mounted: bool) -> Before | None:
    """Return what a process does to have a full disk, where none is mounted."""
    if is_mounted:
        return None
    return refuse(root, errno.ENOSPC, rng.randrange(5, 40), math.inf)


def disk_full_in_a_run(rng: random.Random) -> None:
    """Have a run fill its disk, free some, and type the command again."""
    needed = kilobytes_of(undisturbed(*RUN))
    with disk_of(4 * rng.randrange(2, needed // 4)) as is_mounted:
        before = roomless(DISK, rng, is_mounted)
        refused(run_typed(*AUTO, run_dir=RUN_DIR, before=before), "is full")
        assert not list(runs_in(DISK)), "a run that did not end is said to be done"
        assert not is_mounted or mount("-o", "remount,size=16m")
        done(run_typed(*AUTO, run_dir=RUN_DIR))
        [run] = runs_in(DISK)
        same_run(run, undisturbed(*RUN))


def disk_full_in_a_sweep(rng: random.Random, launcher: list[str]) -> None:
    """Have a sweep fill its disk, free some, and type it again."""
    words = [*launcher, f"hydra.sweep.dir={DISK / SWEPT}"]
    needed = kilobytes_of(whole_sweep() / SWEPT)
    with disk_of(4 * rng.randrange(2, needed // 4)) as is_mounted:
        before = roomless(DISK, rng, is_mounted)
        ended = typed(*words, before=before)
        refused(ended)
        assert "No space left" in ended.said, ended.said[-2000:]
        assert not is_mounted or mount("-o", "remount,size=16m")
        done(typed(*words))
        same_sweep(DISK / SWEPT, whole_sweep() / SWEPT)


@functools.cache
def writes_of(*words: str, is_sweep: bool) -> int:
    """Return how many calls of a command change its disk, where nothing is refused."""
    counted = Path("count")
    counted.touch()
    before = refuse(DISK, 0, math.inf, math.inf, counted.absolute())
    DISK.mkdir(exist_ok=True)
    done(typed(*words, before=before) if is_sweep else run_typed(*words, before=before))
    number = counted.stat().st_size
    shutil.rmtree(DISK)
    return number


def one_write_fails(rng: random.Random, code: int, is_for_good: bool) -> None:
    """Have one write of a run fail, or all from it on, and type the command again."""
    words = AUTO
    first = rng.randrange(writes_of(*words, is_sweep=False))
    DISK.mkdir()
    before = refuse(DISK, code, first, math.inf if is_for_good else first)
    ended = run_typed(*words, before=before)
    if ended.code == 0:  # as the log's, which changes nothing of the run
        assert not is_for_good
        done(ended)
    else:
        refused(ended, os.strerror(code))
        assert not list(runs_in(DISK)), "a run that did not end is said to be done"
        done(run_typed(*words))
    [run] = runs_in(DISK)
    same_run(run, undisturbed(*RUN))


def one_write_of_a_sweep_fails(rng: random.Random, code: int, is_for_good: bool) -> None:
    words = [*SWEEP, BASIC, f"hydra.sweep.dir={DISK / SWEPT}"]
    first = rng.randrange(writes_of(*words, is_sweep=True))
    DISK.mkdir()
    ended = typed(*words, before=refuse(DISK, code, first, math.inf if is_for_good else first))
    if ended.code == 0:
        assert not is_for_good
        done(ended)
    else:
        refused(ended)
        assert os.strerror(code) in ended.said, ended.said[-2000:]
        done(typed(*words))
    same_sweep(DISK / SWEPT, whole_sweep() / SWEPT)


def read_only_folder(rng: random.Random) -> None:
    """Have a disk be read-only before a run or a sweep, or go on from where it became so."""
    is_sweep = rng.random() < 0.5
    words = [*SWEEP, BASIC, f"hydra.sweep.dir={DISK / SWEPT}"]
    with disk_of(16_000) as is_mounted:
        if is_begun := rng.random() < 0.5:
            shutil.copytree(broken_off(*RUN), RUN_DIR)
        before = None
        if not is_mounted or not mount("-o", "remount,ro"):
            before = refuse(DISK, errno.EROFS, 0, math.inf)
        if is_sweep and not is_begun:
            refused(typed(*words, before=before))
            assert not list(DISK.iterdir())
        else:
            refused(run_typed(*AUTO, run_dir=RUN_DIR, before=before), "Read-only file system")
        assert not is_mounted or mount("-o", "remount,rw")
        if is_sweep and not is_begun:
            done(typed(*words))
            same_sweep(DISK / SWEPT, whole_sweep() / SWEPT)
        else:
            done(run_typed(*AUTO, run_dir=RUN_DIR))
            same_run(RUN_DIR, undisturbed(*RUN))


def data_vanish(rng: random.Random) -> None:
    """Take a run's file of points away before it starts, or while it trains."""
    moment = rng.choice(["before", "amid", "between"])
    written_points()
    if moment == "before":
        Path("points.npz").rename("elsewhere")
        refused(run_typed(*OWN, run_dir=Path("run")), "points.npz")
        assert not Path("run").exists()
        Path("elsewhere").rename("points.npz")
    elif moment == "amid":

        def vanish() -> None:
            Path("points.npz").unlink()
            shutil.rmtree("data")

        ended = run_typed(*OWN, run_dir=Path("run"), before=at_checkpoint(1, vanish))
        done(ended)  # what it has of them it keeps
        same_run(Path("run"), of_own_data() / "run")
        return
    else:
        killed = at_checkpoint(2, lambda: os._exit(9))
        assert run_typed(*OWN, run_dir=Path("run"), before=killed).code == 9
        Path("points.npz").rename("elsewhere")
        refused(run_typed("resume=run", "progress=none"), "points.npz")
        Path("elsewhere").rename("points.npz")
        done(run_typed("resume=run", "progress=none"))
        same_run(Path("run"), of_own_data() / "run")
        return
    done(run_typed(*OWN, run_dir=Path("run")))
    same_run(Path("run"), of_own_data() / "run")


def full_disk_of_data(rng: random.Random) -> None:
    """Have no room for the cache of data: they are decoded at each start, and that is all."""
    written_points()
    with disk_of(4) as is_mounted:
        (DISK / "filled").write_bytes(b"\0" * 4096 if is_mounted else b"")
        before = None if is_mounted else refuse(DISK, errno.ENOSPC, 0, math.inf)
        words = [*OWN, f"data.root={DISK}"]
        done(run_typed(*words, run_dir=Path("run"), before=before))
        same_run(Path("run"), of_own_data() / "run")


def jumping_clock(seed: float) -> Before:
    """Return what has the clock of a process jump, up to a month back or forth, at each look."""
    rng = random.Random(seed)

    def jump() -> float:
        return rng.uniform(-1, 1) * 30 * 86400

    class Jumping(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            moment = super().now(tz) + datetime.timedelta(seconds=jump())
            return datetime.datetime.fromtimestamp(moment.timestamp(), tz)

    def patch() -> None:
        from experiments.config import launch
        from experiments.record import record

        launch.datetime = record.datetime = Jumping  # type: ignore[misc]
        clock = time.time
        time.time = lambda: clock() + jump()

    return patch


def clock_jumps(rng: random.Random) -> None:
    """Have clocks jump in runs and in a sweep that is killed: times, folders and claims hold."""
    started = time.monotonic()
    runs = [Process(run_of(RUN, None, jumping_clock(rng.random()))) for _ in range(2)]
    for run in runs:
        done(run.end())
    took = time.monotonic() - started
    folders = list(runs_in(Path("outputs")))
    assert len(folders) == 2, folders
    for folder in folders:
        record = read_record(folder)
        assert 0 < record["train_seconds"] <= record["fit_seconds"] <= took
        assert record["fit_seconds"] <= record["duration_seconds"] <= took
        same_run(folder, undisturbed(*RUN))
    copied(command_folder(*SWEEP, BASIC, AT, kill=5), ".")
    done(typed(*SWEEP, BASIC, AT, before=jumping_clock(rng.random())))
    same_sweep(SWEPT, whole_sweep() / SWEPT)


def claims_hold(rng: random.Random) -> None:
    """Look by a clock that jumps for a run that another process, or another machine, has."""
    identity = f"{rng.getrandbits(64):016x}"
    patch = jumping_clock(rng.random())
    (SWEPT / CLAIMS).mkdir(parents=True)

    def steal() -> None:
        patch()
        for _ in range(20):
            with claim(SWEPT, identity) as is_ours:
                assert not is_ours

    def ask() -> None:
        thief = Process(steal).end()
        assert thief.code == 0, thief.said

    if rng.random() < 0.5:
        with claim(SWEPT, identity) as is_ours:
            assert is_ours
            ask()
    else:
        (SWEPT / CLAIMS / f"{identity}.lock").touch()
        (SWEPT / CLAIMS / f"{identity}.1").write_text('{"host": "another", "pid": 1}')
        ask()


def poor_file_system(rng: random.Random) -> None:
    """Have a file system lack some of what others have, in a run, a killed one, and a sweep."""
    every = ["flock", "rights", "links", "sync"]
    before = lacking(rng.sample(every, rng.randint(1, 4)))
    kind = rng.choice(["run", "killed", "amid", "sweep"])
    if kind == "run":
        done(run_typed(*RUN, run_dir=Path("run"), before=before))
        same_run(Path("run"), undisturbed(*RUN))
    elif kind == "killed":
        run = copied(broken_off(*RUN))
        done(run_typed(f"resume={run}", "progress=none", before=before))
        same_run(run, undisturbed(*RUN))
    elif kind == "amid":
        short, long = ([*RUN, f"trainer.max_steps={n}"] for n in (13, 24))
        done(run_typed(*short, run_dir=Path("run"), before=before))
        more = ["resume=run", "trainer.max_steps=24", "progress=none"]
        done(run_typed(*more, run_dir=Path("longer"), before=before))
        same_run(Path("longer"), undisturbed(*long))
    else:
        done(typed(*SWEEP, BASIC, AT, before=before))
        same_sweep(SWEPT, whole_sweep() / SWEPT)


def another_device(rng: random.Random) -> None:
    """Have the output folder be a link, lie on another disk than all else, or both."""
    with disk_of(16_000):
        (DISK / "inner").mkdir()
        output = rng.choice([DISK / "inner", Path("link")])
        Path("link").symlink_to((DISK / "inner").absolute())
        words = [*RUN, f"paths.output={output}", "resume=auto"]
        killed = at_checkpoint(rng.randint(1, 5), lambda: os._exit(9))
        run_dir = rng.choice([None, output / "run", Path("run")])
        assert run_typed(*words, run_dir=run_dir, before=killed).code == 9
        done(run_typed(*words, run_dir=run_dir))
        [run] = [*runs_in(output), *runs_in(Path("run"))]
        same_run(run, undisturbed(*RUN))
        # Its checkpoints go on in a folder on the other disk.
        if run_dir == Path("run"):
            return
        more = [f"resume={run}", "trainer.max_epochs=8", "progress=none"]
        done(run_typed(*more, run_dir=Path("longer")))
        longer = [*(word for word in RUN if "max_epochs" not in word), "trainer.max_epochs=8"]
        same_run(Path("longer"), undisturbed(*longer))


def two_on_one_run(rng: random.Random) -> None:
    """Go on with a run while another process does."""
    patch = lacking(["flock"] if rng.random() < 0.5 else [])
    run = copied(broken_off(*RUN, number=2))
    asked, free = Path("asked").absolute(), Path("free").absolute()

    def wait() -> None:
        asked.touch()
        while not free.exists():
            time.sleep(0.01)

    def first() -> None:
        patch()
        at_checkpoint(rng.randint(1, 3), wait)()

    process = Process(run_of([f"resume={run}", "progress=none"], None, first))
    try:
        until = time.monotonic() + 60
        while not asked.exists():
            assert time.monotonic() < until, "it does not begin"
            time.sleep(0.01)
        second = run_typed(f"resume={run}", "progress=none", before=patch)
        refused(second, "another process is training that run")
        same = run_typed(*RUN, "resume=auto", run_dir=run, before=patch)
        refused(same, "another process is training that run")
    finally:
        free.touch()
        ended = process.end()
    done(ended)
    same_run(run, undisturbed(*RUN))


def two_launchers(rng: random.Random) -> None:
    """Type a sweep twice at once, on a file system without locks or with them."""
    patch = lacking(["flock"] if rng.random() < 0.7 else [])
    work = command_of([*SWEEP, BASIC, AT], patch)
    launchers = [Process(work) for _ in range(2)]
    for launcher in launchers:
        done(launcher.end())
    same_sweep(SWEPT, whole_sweep() / SWEPT)


def failing_write(
    attempt: Callable[[random.Random, int, bool], None], code: int, is_for_good: bool
) -> Callable[[random.Random], None]:
    return lambda rng: attempt(rng, code, is_for_good)


TOLD = "one message; what was whole stays whole; the same command again ends with the same bits"
EACH = "one of its writes fails, each as likely as any"
CASES = [
    Case("the disk is full, at a drawn size; a run", TOLD, 10, disk_full_in_a_run),
    Case(
        "the disk is full, at a drawn size; a sweep in one process",
        TOLD,
        4,
        lambda rng: disk_full_in_a_sweep(rng, [*SWEEP, BASIC]),
    ),
    Case(
        "the disk is full, at a drawn size; a sweep's workers",
        TOLD,
        4,
        lambda rng: disk_full_in_a_sweep(rng, TOGETHER),
    ),
    *(
        Case(
            f"{word}: {EACH}{', and all after it' if for_good else ''}; a {name}",
            TOLD,
            tries,
            failing_write(attempt, code, for_good),
        )
        for code, word in ((errno.ENOSPC, "no space"), (errno.EDQUOT, "a quota"))
        for for_good in (False, True)
        for name, attempt, tries in (
            ("run", one_write_fails, 8),
            ("sweep", one_write_of_a_sweep_fails, 3),
        )
    ),
    Case("a read-only folder; a run, a killed run, a sweep", TOLD, 6, read_only_folder),
    Case(
        "the data vanish before the start, amid, or before it goes on",
        "one message that names them, or the end of the run; once they are back, the same bits",
        6,
        data_vanish,
    ),
    Case("no room for the cache of data", "decoded at each start", 5, full_disk_of_data),
    Case(
        "the clock jumps by up to a month at each look; two runs, a killed sweep",
        "times as they were, folders of their own, the same bits",
        3,
        clock_jumps,
    ),
    Case(
        "a clock that jumps looks at a run that another process or machine has",
        "it is left to that one",
        5,
        claims_hold,
    ),
    Case(
        "no locks (ENOLCK), rights (EPERM), links (EPERM) or sync (EINVAL), some or all",
        "the same bits",
        10,
        poor_file_system,
    ),
    Case(
        "the output folder is a link, or on another device; a killed run",
        "the same bits",
        6,
        another_device,
    ),
    Case(
        "a second process goes on with a run, with and without locks",
        "refused in one message; the first one comes to the same bits",
        5,
        two_on_one_run,
    ),
    Case(
        "two launchers of one sweep at once, with and without locks",
        "each run once, the same bits",
        4,
        two_launchers,
    ),
]
