"""What a run was done on: cores, versions, processor and checkout. Torch-free."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import platform
import subprocess
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

SHARE = "EXPERIMENTS_CORES"
"""The variable that tells a process how many of the cores are its own."""
VERSIONS = ("torch", "torchvision", "lightning", "hydra-core", "wandb", "torchmetrics", "numpy")


def num_cores() -> int:
    """Return how many CPU cores this process may use: its share, where several share them."""
    share = os.environ.get(SHARE)
    return min(cores_of_machine(), int(share)) if share else cores_of_machine()


def cores_of_machine() -> int:
    """Return how many CPU cores all processes of a sweep may use together.

    The least of what the machine has, what this process is bound to (taskset, SLURM), and the
    quota of its container, of which a part of a core does not count.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, int(min(cores or 1, quota())))


def quota(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float:
    """Return how many cores the container (cgroup, of either version) may use; inf for no limit.

    A group has no more than those around it. Inside of a container its own group is the root.
    """
    folders = groups_around(root, own, ("", "cpu", "cpu,cpuacct"))
    return min(map(quota_of, folders), default=math.inf)


def groups_around(root: Path, own: Path, mounts: Iterable[str]) -> set[Path]:
    """Return the folders in which the limits of this process's groups may stand.

    Args:
        mounts: folders of the root that groups of one kind lie in (version 1), "" for the root.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    groups = {Path(line.split(":", 2)[2].strip("/")) for line in lines if line.count(":") >= 2}
    around = {parent for group in groups for parent in (group, *group.parents)} | {Path()}
    return {root / mount / group for mount in mounts for group in around}


def quota_of(group: Path) -> float:
    """Return the quota of one cgroup in cores: microseconds of CPU time in a period."""
    try:
        if (group / "cpu.max").is_file():
            limit, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        else:
            limit = (group / "cpu.cfs_quota_us").read_text(encoding="utf-8")
            period = (group / "cpu.cfs_period_us").read_text(encoding="utf-8")
        return int(limit) / int(period) if int(limit) > 0 else math.inf
    except (OSError, ValueError):  # no such group, or "max"
        return math.inf


THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""What torch asks for its number of threads."""


def wanted_threads() -> int | None:
    """Return the least of the variables that say how many threads; of a list (nested levels) the
    first counts. None where none of them says so.
    """
    firsts = [os.environ.get(name, "").partition(",")[0].strip() for name in THREADS]
    numbers = [int(first) for first in firsts if first.isdigit() and int(first)]
    return min(numbers, default=None)


def cpu_seconds() -> tuple[float, float, float]:
    """Return the time by a steady clock, the idle time of all cores, and this process's own."""
    times = os.times()
    try:
        words = Path("/proc/stat").read_text(encoding="utf-8").split(maxsplit=6)
        ticks = int(words[4]) + int(words[5])  # idle, and idle but for a disk
        idle = ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        idle = math.nan
    return time.monotonic(), idle, times.user + times.system


AT_START = cpu_seconds()


def num_free_cores(since: tuple[float, float, float] = AT_START) -> int:
    """Return how many of this process's cores are left by others, itself not counted.

    Looked at since this module was imported, which is while torch is: some seconds, of the last
    minute. Where the machine does not tell (/proc/stat), by its load average.
    """
    now, idle, own = (b - a for a, b in zip(since, cpu_seconds(), strict=True))
    if math.isnan(idle) or not 0.5 <= now <= 60:
        if not hasattr(os, "getloadavg"):
            return num_cores()
        free = (os.cpu_count() or 1) - max(0.0, os.getloadavg()[0] - 1)
    else:
        free = (idle + own) / now
    return max(1, min(num_cores(), round(free)))


def free_memory(system: Path = Path("/")) -> int | None:
    """Return how many bytes this process can still take, or None where nobody says.

    That is what the system has available, files that it may forget included, or what is left of a
    container's or job's share (cgroup, of either version), and of those around it.

    Args:
        system: the folder that proc and sys lie in.
    """
    known = []
    with contextlib.suppress(OSError, ValueError, KeyError):
        known.append(1024 * int(table(system / "proc/meminfo")["MemAvailable:"]))
    root, own = system / "sys/fs/cgroup", system / "proc/self/cgroup"
    for group in groups_around(root, own, ("", "memory")):
        with contextlib.suppress(OSError, ValueError, KeyError):
            known.append(left_in(group))
    return max(0, min(known)) if known else None


def left_in(group: Path) -> int:
    """Return how many bytes a cgroup may still take, files that it may forget included.

    Raises:
        OSError, ValueError, KeyError: it has no limit, or is no group.
    """
    is_second = (group / "memory.max").is_file()
    names = ("max", "current") if is_second else ("limit_in_bytes", "usage_in_bytes")
    limit, used = (int((group / f"memory.{name}").read_text()) for name in names)  # or `max`
    forgettable = "inactive_file" if is_second else "total_inactive_file"
    return limit - used + int(table(group / "memory.stat")[forgettable])


def table(path: Path) -> dict[str, str]:
    """Return the first two words of each line."""
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return {words[0]: words[1] for words in lines if len(words) > 1}


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a result depends on."""
    return {"python": platform.python_version()} | {p: version(p) for p in VERSIONS}


@functools.cache
def processor() -> str:
    """Return the name of the CPU."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@functools.cache
def checkout() -> dict[str, Any]:
    """Return the commit that this package lies in, and whether nothing in it was changed.

    An installed package has none: the checkout around it would be somebody else's.
    """
    is_installed = not {"site-packages", "dist-packages"}.isdisjoint(Path(__file__).parts)
    status = None if is_installed else git("status", "--porcelain=v2", "--branch")
    lines = status.splitlines() if status else []
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid")]
    if not commits or commits[0] == "(initial)":
        return {"commit": None, "clean": None}
    return {"commit": commits[0], "clean": all(line.startswith("#") for line in lines)}


def git(*arguments: str) -> str | None:
    """Return what git says of the checkout that this package lies in, or None without one."""
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
