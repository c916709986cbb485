"""Sweeps on a real Ray: a cluster of two nodes, of which one dies, and one on this machine alone."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import ROOT, run_folders

from experiments import load_run
from experiments.records import Record, read_history, read_record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks processes up in /proc"),
]

TRAIN = [sys.executable, str(ROOT / "train.py")]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
QUICK = ["model=mlp", "logger=none", "progress=none"]


def sweep(*overrides: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TRAIN, "-m", "hydra/launcher=ray", *QUICK, *overrides],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def parents() -> dict[int, int]:
    """Return the parent of every process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = path.read_text()
            found[int(path.parent.name)] = int(text.rpartition(")")[2].split()[1])
    return found


def descendants(pid: int) -> list[int]:
    """Return the processes below one."""
    above = parents()
    return [one for one in above if pid in lineage(one, above)]


def lineage(pid: int, above: dict[int, int]) -> list[int]:
    """Return the parent of a process, its parent, and so on."""
    found = []
    while (pid := above.get(pid, 0)) > 1:
        found.append(pid)
    return found


def words_of(pid: int) -> str:
    """Return the command of a process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def is_alive(pid: int) -> bool:
    """Return whether a process is there, and no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_until(condition: Callable[[], Any], seconds: float = 90) -> Any:
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return found


def at_work() -> list[tuple[Path, int]]:
    """Return the runs that have a checkpoint behind them and are not done, and their processes."""
    found = []
    for folder in run_folders():
        record = read_record(folder)
        if record["status"] == "running" and (folder / "checkpoints" / "last.ckpt").is_file():
            found.append((folder, record["environment"]["pid"]))
    return [(folder, pid) for folder, pid in found if is_alive(pid)]


def at_work_below(pid: int) -> list[tuple[Path, int]]:
    above = parents()
    return [one for one in at_work() if pid in lineage(one[1], above)]


@contextlib.contextmanager
def node(*words: str) -> Iterator[int]:
    """Start a node of one core, as docs/cluster.md says; yield the process of its raylet."""
    process = subprocess.Popen(
        [*RAY, "start", "--num-cpus=1", "--disable-usage-stats", "--block", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
    )
    try:
        yield wait_until(lambda: raylets(process.pid))[0]
    finally:
        below = descendants(process.pid)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        for pid in [process.pid, *below]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def raylets(pid: int) -> list[int]:
    return [one for one in descendants(pid) if words_of(one).split(" ")[0].endswith("raylet")]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_node_dies_and_nothing_is_lost_nor_done_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    long = ["trainer.max_epochs=25"]
    host, port = socket.gethostbyname(socket.gethostname()), free_port()
    with (
        node("--head", f"--port={port}", "--include-dashboard=false"),
        node(f"--address={host}:{port}") as raylet,
    ):
        address = f"hydra.launcher.address={host}:{port}"
        process = sweep(address, "activation=relu,tanh", "seed=range(0,6)", *long)
        try:
            [(hit, job)] = wait_until(lambda: at_work_below(raylet))
            workers = [pid for pid, parent in parents().items() if parent == raylet]
            # Neither the job nor what it was forked from, which have to die by themselves.
            assert job not in workers
            for pid in [raylet, *workers]:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not is_alive(job), seconds=3)
            assert read_record(hit)["status"] == "running"
            out, err = process.communicate(timeout=150)
        finally:
            process.kill()
    assert process.returncode == 0, out + err
    assert out.count("its machine is gone") == 1
    assert "raylet" not in out + err
    records = [read_record(folder) for folder in run_folders()]
    assert len(records) == len({record["identity"] for record in records}) == 12
    assert {record["status"] for record in records} == {"completed"}
    told = re.findall(r"completed  (activation=\w+,seed=\d)", out)
    assert len(told) == len(set(told)) == 12
    check_against_an_undisturbed_run(hit, *long)


def check_against_an_undisturbed_run(hit: Path, *overrides: str) -> None:
    """Hold a run that went on elsewhere to one that was never broken off."""
    record = read_record(hit)
    changed = [o for o in record["overrides"] if o.startswith(("activation", "seed"))]
    subprocess.run(
        [*TRAIN, *QUICK, *overrides, *changed, "hydra.run.dir=whole"],
        check=True,
        capture_output=True,
        timeout=100,
    )
    whole = load_run("whole").record
    assert record["metrics"] == whole["metrics"]
    assert (record["epochs"], record["steps"]) == (whole["epochs"], whole["steps"])
    own, other = read_history(hit), read_history(Path("whole"))
    same = [name for name in other[0] if "second" not in name]
    assert [[row[n] for n in same] for row in own] == [[row[n] for n in same] for row in other]
    # It went on, and did not begin anew: its last process has trained on a part of the data.
    assert samples(record) < 0.99 * samples(whole)


def samples(record: Record) -> float:
    """Return how many points a run's last process has trained on."""
    return (record["samples_per_second"] or 0) * record["train_seconds"]


def read_log(folder: Path) -> str:
    return (folder / "train.log").read_text()


def test_on_one_machine_a_killed_job_fails_and_the_others_finish() -> None:
    process = sweep("seed=range(0,4)", "trainer.max_epochs=40")
    try:
        [(hit, pid), *_] = wait_until(at_work)
        os.kill(pid, signal.SIGKILL)
        below = descendants(process.pid)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 1, out + err
    assert read_record(hit)["status"] == "failed"
    assert "its process was killed by SIGKILL" in str(read_record(hit)["error"])
    assert "killed by SIGKILL" in read_log(hit)
    assert "killed by SIGKILL" in err
    others = [read_record(folder)["status"] for folder in run_folders() if folder != hit]
    assert others == ["completed"] * 3
    wait_until(lambda: not any(map(is_alive, below)), seconds=5)


def test_ctrl_c_leaves_no_process_and_the_same_command_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "sweep"))
    how = "_target_:misbehaving.AtEpoch,how:hang,unless:'mended'"
    hanging = [f"+callbacks.bad{seed}={{{how},seed:{seed}}}" for seed in (0, 1)]
    command = ["seed=range(0,2)", "trainer.max_epochs=3", *hanging]
    process = sweep(*command)
    try:
        wait_until(lambda: len(at_work()) == 2)
        below = descendants(process.pid)
        started = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
        seconds = time.monotonic() - started
    finally:
        process.kill()
    assert process.returncode == 130
    assert seconds < 10
    assert "To continue: python" in err
    assert "Traceback" not in out + err
    statuses = [read_record(folder)["status"] for folder in run_folders()]
    assert statuses == ["interrupted"] * 2, err
    wait_until(lambda: not any(map(is_alive, below)), seconds=5)
    steps = {folder: read_record(folder)["steps"] for folder in run_folders()}
    Path("mended").touch()
    # On this machine alone, for the runs are the same under each launcher.
    again = [*TRAIN, "-m", *QUICK, *command]
    done = subprocess.run(again, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 interrupted; 2 to do" in done.stdout
    assert [read_record(folder)["status"] for folder in run_folders()] == ["completed"] * 2
    assert all(read_record(folder)["steps"] > before for folder, before in steps.items())
