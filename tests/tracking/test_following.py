"""The mirror as a process beside a sweep: it follows, is killed, and is started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tracking.offline_runs import offline_runs
from tracking.sweep_folders import SWEEP, Job, epochs, wait_until, whole

from experiments.tracking.mirror import following, start_mirror

OFFLINE = "W&B: offline, because no key is configured (wandb login sets one)."
MODULES = """
import atexit, os, runpy, sys
sys.argv = ["mirror", sys.argv[1]]
try:
    runpy.run_module("experiments.tracking.mirror", run_name="__main__")
except SystemExit as leaving:
    names = ["torch", "lightning", "hydra", "omegaconf", "wandb"]
    print(leaving.code, [name for name in names if name in sys.modules])
"""


def state_of(job: Job) -> dict:
    path = job.folder / ".mirror.json"
    return json.loads(path.read_text()) if path.exists() else {}


def rows_of(job: Job) -> list[int]:
    runs = offline_runs(is_over=False)
    return epochs(runs[job.name].rows) if job.name in runs else []


def test_a_sweep_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # As if W&B's agent had started the sweep as a run of one of its own.
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    monkeypatch.setenv("WANDB_RUN_ID", "def")
    said: list[str] = []
    with following(SWEEP, said.append) as process:
        job = Job(1)
        job.train(1, 2)
        wait_until(lambda: rows_of(job) == [1, 2])  # live
        process.send_signal(signal.SIGINT)
        other = whole(2)
        job.train(3)
        job.end()
    assert process.returncode == 0
    assert rows_of(job) == rows_of(other) == [1, 2, 3]
    assert {run.id for run in offline_runs().values()} == {"01" * 8, "02" * 8}
    assert [line for line in said if line.startswith("W&B: offline")] == [OFFLINE]


def test_a_sweep_that_writes_nothing_costs_no_wandb() -> None:
    started = time.monotonic()
    with following(SWEEP) as process:
        pass
    assert process.returncode == 0
    assert time.monotonic() - started < 5
    assert not Path("outputs").exists()


def test_killed_in_the_middle_and_started_again() -> None:
    jobs = [whole(seed, num_epochs=20) for seed in range(40)]
    running = Job(40)
    running.train(1)
    with start_mirror(SWEEP) as process:
        wait_until(lambda: sum(state_of(job).get("finished", False) for job in jobs) > 5)
        wait_until(lambda: state_of(running).get("wandb_folder"))
        process.kill()
    running.train(2)
    running.end()
    done = subprocess.run(
        [sys.executable, "-m", "experiments.tracking.mirror", str(SWEEP)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    runs = offline_runs()  # each of them once
    assert set(runs) == {job.name for job in [*jobs, running]}
    for job in jobs:
        assert epochs(runs[job.name].rows) == list(range(1, 21))
        assert runs[job.name].exit_code == 0
    assert rows_of(running) == [1, 2]


def test_the_mirror_ends_with_its_launcher() -> None:
    job = Job(1)
    job.train(1)
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from experiments.tracking.mirror import start_mirror\n"
        "print(start_mirror(Path(sys.argv[1])).pid, flush=True)\n"
        "sys.stdin.read(1); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, SWEEP], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as launcher:
        assert launcher.stdout
        mirror = int(launcher.stdout.readline())
        wait_until(lambda: rows_of(job))
    wait_until(lambda: not is_alive(mirror))
    [run] = offline_runs().values()
    assert run.exit_code == 1
    assert state_of(job)["finished"]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_two_mirrors_of_one_sweep() -> None:
    job = Job(1)
    said: list[str] = []
    with following(SWEEP, said.append) as first:
        wait_until(lambda: state_of(job).get("wandb_folder"))
        with following(SWEEP, said.append) as second:
            job.train(1)
            job.end()
            wait_until(lambda: state_of(job)["finished"])
            assert second.poll() is None
            assert first.stdin
            first.stdin.close()
            wait_until(lambda: first.poll() is not None)
            other = whole(2)  # which the second takes over
    assert (first.returncode, second.returncode) == (0, 0)
    assert rows_of(job) == [1]
    assert rows_of(other) == [1, 2, 3]
    # A busy machine may also be told how much there is still to write.
    assert [line for line in said if line.startswith("W&B: offline")] == [OFFLINE, OFFLINE]


def test_the_process_knows_no_torch_and_no_wandb_where_there_is_nothing_to_do() -> None:
    def modules() -> str:
        command = [sys.executable, "-c", MODULES, str(SWEEP)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    whole(1)
    assert modules().splitlines()[-1] == "0 ['wandb']"
    assert modules() == "0 []\n"


def test_a_folder_that_is_not_there() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "experiments.tracking.mirror", "outputs/sweeps/no"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "outputs/sweeps/no is not there." in done.stderr
