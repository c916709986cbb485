"""Launchers that are killed, or that meet: real processes, nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from running import ROOT, run_folders

from experiments import load_run
from experiments.claims import FINISHED

pytestmark = pytest.mark.slow

TRAIN = [sys.executable, str(ROOT / "train.py")]
SWEEP = ["-m", "logger=none", "model=mlp", "model.hidden=[16]"]
SWEEP += ["activation=relu,tanh,elu", "optim=sgd,adam", "seed=range(0,4)"]
NUM_RUNS = 24
EPOCHS = 250
NUM_KILLS = 20


def launcher(*overrides: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TRAIN, *overrides],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        start_new_session=True,
    )


def alive(word: str) -> list[str]:
    """Return the command lines of living processes that hold a word."""
    done = subprocess.run(
        ["ps", "-eo", "pid,stat,args"], capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if word in line and " ps -eo" not in line]
    return [line for line in lines if line.split()[1][0] != "Z"]


def descendants(pid: int) -> list[int]:
    """Return all processes that a process has started, and those that these have."""
    done = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    parents = dict(map(int, line.split()) for line in done.stdout.splitlines())
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def completions(folder: Path) -> int:
    """Return how often the run of a folder has been run to its end: each logs its last epoch."""
    last = load_run(folder).config["trainer"]["max_epochs"]
    return len(re.findall(f": epoch {last}/{last} ", (folder / "train.log").read_text()))


def finished_records() -> dict[Path, bytes]:
    """Return the records of the runs that are done, as they stand on disk."""
    done = [f for f in run_folders() if load_run(f).record["status"] in FINISHED]
    return {folder: (folder / "record.json").read_bytes() for folder in done}


def test_a_killed_launcher_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    command = [*SWEEP, f"trainer.max_epochs={EPOCHS}"]
    moments = random.Random(0)
    done: dict[Path, bytes] = {}
    for _ in range(NUM_KILLS):
        process = launcher(*command)
        assert process.stdout
        # Its first line comes when all is imported and the first jobs are about to start.
        assert "to do" in process.stdout.readline()
        time.sleep(moments.uniform(0, 2.5))
        assert process.poll() is None  # nor was it done already
        process.kill()
        process.communicate()
        # Who is run again writes a record anew, with its times: a run that is done never is. (One
        # that was killed after its last epoch and before its record was not done.)
        after = finished_records()
        assert {folder: after.get(folder) for folder in done} == done
        done = after
    assert 0 < len(done) < NUM_RUNS
    process = launcher(*command)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    after = finished_records()
    assert {folder: after.get(folder) for folder in done} == done
    runs = [load_run(folder) for folder in run_folders()]
    assert Counter(run.record["status"] for run in runs) == {"completed": NUM_RUNS}
    assert len({run.record["identity"] for run in runs}) == NUM_RUNS
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    launcher(*command, cwd=undisturbed).communicate(timeout=300)
    whole = {load_run(f).record["identity"]: load_run(f) for f in run_folders(undisturbed)}
    assert len(whole) == NUM_RUNS
    for run in runs:
        reference = whole[run.record["identity"]]
        assert run.history == reference.history
        assert run.record["metrics"] == reference.record["metrics"]


def test_two_launchers_share_a_sweep() -> None:
    short = "trainer.max_epochs=40"
    both = [launcher(*SWEEP, short), launcher(short, *reversed(SWEEP[1:]), "-m")]
    outs = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    runs = [load_run(folder) for folder in run_folders()]
    assert Counter(run.record["status"] for run in runs) == {"completed": NUM_RUNS}
    assert len({run.record["identity"] for run in runs}) == NUM_RUNS
    assert [completions(run.folder) for run in runs] == [1] * NUM_RUNS
    # Both have worked, and neither went before all was done.
    done = [len(re.findall(r"\] ✓ completed", out)) for out in outs]
    assert sum(done) >= NUM_RUNS
    assert min(done) > 0


LONG = ["-m", "logger=none", "model=mlp", "trainer.max_epochs=100000", "seed=0,1,2"]


def wait_for_history(number: int) -> None:
    """Wait until so many runs have done an epoch."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if len(list(Path("outputs").glob("sweeps/*/*/history.csv"))) >= number:
            return
        time.sleep(0.1)
    raise AssertionError("no run has begun")


@pytest.mark.parametrize("victim", ["launcher", "server"])
def test_workers_die_with_a_killed_launcher_or_server_within_a_second(victim: str) -> None:
    process = launcher(*LONG)
    wait_for_history(2)
    children = descendants(process.pid)
    assert len(children) >= 3  # the server and two jobs
    [server] = [pid for pid in children if os.getpgid(pid) == pid and pid == min(children)]
    os.kill(process.pid if victim == "launcher" else server, signal.SIGKILL)
    time.sleep(1.0)
    left = [pid for pid in children if is_alive(pid)]
    process.kill()
    out, _ = process.communicate(timeout=60)
    assert left == []
    if victim == "server":
        assert "The process that jobs are started from ended with code -9" in out


def test_ctrl_c_ends_all_within_five_seconds() -> None:
    process = launcher(*LONG, "logger=wandb")
    wait_for_history(2)
    children = descendants(process.pid)
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - started < 5
    assert process.returncode == 130
    assert "To continue: python" in out
    assert "Traceback" not in out
    assert not [pid for pid in children if is_alive(pid)]
    statuses = Counter(load_run(folder).record["status"] for folder in run_folders())
    assert statuses == {"interrupted": 2}


def private_megabytes(pid: int) -> float:
    """Return what a process shares with no other, in MB (2^20 bytes)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = sum(int(n) for n in re.findall(r"Private_(?:Clean|Dirty): +(\d+)", text))
    return kilobytes / 1024


def test_workers_share_the_pages_of_the_data(tmp_path: Path) -> None:
    process = launcher(
        "-m", "logger=none", "data=fashion_mnist", f"data.root={tmp_path / 'data'}", "model=mlp",
        "model.hidden=[64,128,64]", "trainer.max_epochs=1000", "seed=range(0,8)",
        "hydra.launcher.workers=8",
    )  # fmt: skip
    try:
        wait_for_history(8)
        children = descendants(process.pid)
        jobs = [pid for pid in children if pid != min(children)]
        assert len(jobs) == 8
        assert max(private_megabytes(pid) for pid in jobs) < 120
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)


def test_a_live_table_on_a_terminal() -> None:
    script = " ".join([*TRAIN, *SWEEP[:-3], "seed=0,1,2", "trainer.max_epochs=300"])
    done = subprocess.run(
        ["script", "-qec", script, "/dev/null"], capture_output=True, text=True, check=True
    )
    for word in ("2 running", "waiting", "epoch ", "best test/accuracy", " left"):
        assert word in done.stdout
