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

import pytest
from processes import (
    MISBEHAVING,
    Process,
    command_of,
    descendants,
    ended,
    is_alive,
    lineage,
    parents,
    started,
    wait_until,
)
from running import run_folders

from experiments.record.history import read_history
from experiments.record.record import Record, read_record
from experiments.training.load import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks processes up in /proc"),
]

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
QUICK = ["model=mlp", "logger=none", "progress=none"]


def sweep(*overrides: str) -> Process:
    return started("-m", "hydra/launcher=ray", *QUICK, *overrides)


def at_work() -> list[tuple[Path, int]]:
    """Return the runs that have a checkpoint behind them and are not done, and their processes."""
    running = []
    for folder in run_folders():
        record = read_record(folder)
        if record["status"] == "running" and (folder / "checkpoints" / "last.ckpt").is_file():
            running.append((folder, record["environment"]["pid"]))
    return [(folder, pid) for folder, pid in running if is_alive(pid)]


def at_work_below(pid: int) -> list[tuple[Path, int]]:
    parent_of = parents()
    return [(folder, job) for folder, job in at_work() if pid in lineage(job, parent_of)]


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
    return [
        child for child in descendants(pid) if command_of(child).split(" ")[0].endswith("raylet")
    ]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_node_dies_and_nothing_is_lost_nor_done_twice(
    monkeypatch: pytest.MonkeyPatch, train_run: Callable[..., Run]
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    long = ["trainer.max_epochs=25"]
    host, port = socket.gethostbyname(socket.gethostname()), free_port()
    with (
        node("--head", f"--port={port}", "--include-dashboard=false"),
        node(f"--address={host}:{port}") as raylet,
    ):
        address = f"hydra.launcher.address={host}:{port}"
        process = sweep(address, "activation=relu,tanh", "seed=range(0,4)", *long)
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
    assert len(records) == len({record["identity"] for record in records}) == 8
    assert {record["status"] for record in records} == {"completed"}
    lines = re.findall(r"completed  (activation=\w+,seed=\d)", out)
    assert len(lines) == len(set(lines)) == 8
    changed = read_record(hit)["overrides"]
    changed = [o for o in changed if o.startswith(("activation", "seed"))]
    check_against_an_undisturbed_run(hit, train_run(*QUICK, *long, *changed))


def check_against_an_undisturbed_run(hit: Path, undisturbed: Run) -> None:
    """Hold a run that went on elsewhere to one that was never broken off."""
    record, whole = read_record(hit), undisturbed.record
    assert record["metrics"] == whole["metrics"]
    assert (record["epochs"], record["steps"]) == (whole["epochs"], whole["steps"])
    own, other = read_history(hit), undisturbed.history
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
    monkeypatch.setenv("PYTHONPATH", MISBEHAVING)
    how = "_target_:misbehaving.AtEpoch,how:hang,unless:'mended'"
    hanging = [f"+callbacks.bad{seed}={{{how},seed:{seed}}}" for seed in (0, 1)]
    command = ["seed=range(0,2)", "trainer.max_epochs=3", *hanging]
    process = sweep(*command)
    try:
        wait_until(lambda: len(at_work()) == 2)
        below = descendants(process.pid)
        pressed = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
        seconds = time.monotonic() - pressed
    finally:
        process.kill()
    assert process.returncode == 130
    assert seconds < 10
    assert "To continue: " in err
    assert "Traceback" not in out + err
    statuses = [read_record(folder)["status"] for folder in run_folders()]
    assert statuses == ["interrupted"] * 2, err
    wait_until(lambda: not any(map(is_alive, below)), seconds=5)
    steps = {folder: read_record(folder)["steps"] for folder in run_folders()}
    Path("mended").touch()
    # On this machine alone, for the runs are the same under each launcher.
    assert "2 interrupted; 2 to do" in ended(started("-m", *QUICK, *command))
    assert [read_record(folder)["status"] for folder in run_folders()] == ["completed"] * 2
    assert all(read_record(folder)["steps"] > before for folder, before in steps.items())
