"""What a process may take of its machine."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from experiments.record import host
from experiments.record.host import free_memory


def write_group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


@pytest.mark.parametrize(
    ("group", "files", "cores"),
    [
        ("", {"cpu__max": "150000 100000"}, 1.5),
        ("", {"cpu__max": "max 100000"}, math.inf),
        ("", {}, math.inf),
        ("user.slice/job", {"cpu__max": "400000 100000"}, 4.0),
        ("cpu", {"cpu__cfs_quota_us": "200000", "cpu__cfs_period_us": "100000"}, 2.0),
        ("cpu", {"cpu__cfs_quota_us": "-1", "cpu__cfs_period_us": "100000"}, math.inf),
        ("cpu,cpuacct/job", {"cpu__cfs_quota_us": "50000", "cpu__cfs_period_us": "100000"}, 0.5),
    ],
)
def test_the_quota_of_a_container(
    tmp_path: Path, group: str, files: dict[str, str], cores: float
) -> None:
    write_group(tmp_path / "fs" / group, **files)
    own = tmp_path / "own"
    name = group.removeprefix("cpu,cpuacct").removeprefix("cpu").strip("/")
    own.write_text(f"4:memory:/elsewhere\n0::/{name}\n")
    assert host.quota(tmp_path / "fs", own) == cores


def test_a_group_has_no_more_than_those_around_it(tmp_path: Path) -> None:
    write_group(tmp_path / "fs/a", cpu__max="300000 100000")
    write_group(tmp_path / "fs/a/b", cpu__max="800000 100000")
    (tmp_path / "own").write_text("0::/a/b\n")
    assert host.quota(tmp_path / "fs", tmp_path / "own") == 3.0


def test_no_part_of_a_core_and_at_least_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(host.SHARE, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    for quota, cores in ((0.5, 1), (3.9, 3), (64.0, 8), (math.inf, 8)):
        monkeypatch.setattr(host, "quota", lambda quota=quota: quota)
        assert host.num_cores() == cores
    monkeypatch.setenv(host.SHARE, "2")
    assert host.num_cores() == 2


@pytest.mark.parametrize(
    ("given", "threads"), [("3", 3), ("4,2", 4), (" 2 ", 2), ("", None), ("0", None), ("all", None)]
)
def test_openmp_says_how_many_threads(
    monkeypatch: pytest.MonkeyPatch, given: str, threads: int | None
) -> None:
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert host.wanted_threads() == threads
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    assert host.wanted_threads() == 1


@pytest.mark.parametrize(
    ("idle", "own", "free"),
    [
        (80.0, 10.0, 8),  # of 10 s on 8 cores: nobody else is there
        (0.0, 10.0, 1),  # seven others
        (30.0, 10.0, 4),
        (0.0, 2.0, 1),  # not even its own core
    ],
)
def test_what_others_leave(
    monkeypatch: pytest.MonkeyPatch, idle: float, own: float, free: int
) -> None:
    monkeypatch.setattr(host, "num_cores", lambda: 8)
    monkeypatch.setattr(host, "cpu_seconds", lambda: (110.0, 1000.0 + idle, 5.0 + own))
    assert host.num_free_cores((100.0, 1000.0, 5.0)) == free


def test_by_the_load_where_the_machine_tells_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "num_cores", lambda: 8)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(host, "cpu_seconds", lambda: (110.0, math.nan, 5.0))
    for load, free in ((0.3, 8), (1.0, 8), (4.0, 5), (30.0, 1)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, load, load))
        assert host.num_free_cores((100.0, math.nan, 5.0)) == free


def test_this_machine_tells_it() -> None:
    clock, idle, own = host.cpu_seconds()
    assert clock > 0
    assert own > 0
    assert idle >= 0 or math.isnan(idle)
    assert 1 <= host.num_free_cores() <= host.num_cores()


def write(**contents: str) -> None:
    for name, content in contents.items():
        path = Path(
            "machine", {"meminfo": "proc/meminfo"}.get(name, f"sys/fs/cgroup/memory.{name}")
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_free_memory_is_the_least_that_system_and_container_leave() -> None:
    machine = Path("machine")
    assert free_memory(machine) is None
    write(meminfo="MemTotal:  2000 kB\nMemFree: 10 kB\nMemAvailable:    1000 kB\nHugePages: 0\n")
    assert free_memory(machine) == 1_024_000
    write(max="max\n", current="5000\n", stat="anon 1\ninactive_file 3000\n")
    assert free_memory(machine) == 1_024_000
    write(max="500000\n")
    assert free_memory(machine) == 500_000 - 5_000 + 3_000
    write(max="100\n")
    assert free_memory(machine) == 0


def test_free_memory_of_the_older_groups_and_of_those_around_a_job() -> None:
    machine = Path("machine")
    write(meminfo="MemAvailable:    1000 kB\n")
    (machine / "proc/self").mkdir()
    own = "4:memory:/slurm/job_7\n3:cpu,cpuacct:/\n0::/\n"
    (machine / "proc/self/cgroup").write_text(own)
    unlimited = 9223372036854771712
    for group, limit in (("slurm", 900_000), ("slurm/job_7", unlimited), ("", unlimited)):
        folder = machine / "sys/fs/cgroup/memory" / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
        (folder / "memory.usage_in_bytes").write_text("200000\n")
        (folder / "memory.stat").write_text("inactive_file 7\ntotal_inactive_file 50000\n")
    assert free_memory(machine) == 900_000 - 200_000 + 50_000
    (machine / "proc/self/cgroup").write_text("0::/system.slice/job_8\n")
    assert free_memory(machine) == 1_024_000
    folder = machine / "sys/fs/cgroup/system.slice/job_8"
    folder.mkdir(parents=True)
    for name, content in (("max", "300000"), ("current", "100000"), ("stat", "inactive_file 1\n")):
        (folder / f"memory.{name}").write_text(content)
    assert free_memory(machine) == 300_000 - 100_000 + 1


def test_this_machine_has_some() -> None:
    free = free_memory()
    assert free is None or free > 10**6
