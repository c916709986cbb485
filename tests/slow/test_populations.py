"""Sweeps of populations whose processes are killed, and that two launchers share."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from processes import Process, descendants, ended, is_alive, parents, started, wait_until
from running import run_folders

from experiments import load_run
from experiments.record.record import read_record

pytestmark = pytest.mark.slow

# In float64: who goes on alone after it was a member computes the same sums in another order. Adam at
# a larger rate than these makes of that more than a billionth in 300 steps.
SWEEP = ["-m", "logger=none", "model=mlp", "model.hidden=[16]", "trainer.precision=64-true"]
SWEEP += ["data=moons", "data.num_samples=400", "optim=sgd,adam", "optim.lr=0.001,0.002"]
SWEEP += ["trainer.max_epochs=60", "seed=range(0,15)", "hydra.launcher.population=8"]
NUM_RUNS = 60
NUM_KILLS = 20


def jobs_of(process: Process) -> list[int]:
    """Return the processes that a launcher's server has forked."""
    parent_of = parents()
    servers = [pid for pid, parent in parent_of.items() if parent == process.pid]
    return sorted(pid for pid, parent in parent_of.items() if parent in servers)


def kill_amid_training(process: Process, rng: random.Random) -> bool:
    """Kill a job of a launcher, or now and then that; False where it has ended by itself."""
    wait_until(lambda: jobs_of(process) or process.poll() is not None)
    time.sleep(rng.uniform(0.0, 0.4))
    victims = jobs_of(process)
    if not victims:
        return False
    victim = process.pid if rng.random() < 0.15 else rng.choice(victims)
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    return True


def count_of(status: str, folder: Path) -> int:
    """Return how many runs are in this state."""
    return sum(read_record(path)["status"] == status for path in run_folders(folder))


def test_twenty_kills_lose_nothing_and_change_nothing() -> None:
    rng = random.Random(0)
    swept = [*SWEEP, "sweep.retry_failed=true", "hydra.sweep.dir=swept"]
    process, kills = started(*swept), 0
    while kills < NUM_KILLS:
        if process.poll() is not None:
            process.communicate()
            process = started(*swept)
        kill_amid_training(process, rng)
        kills += 1
        finished = [
            f for f in run_folders(Path("swept")) if read_record(f)["status"] == "completed"
        ]
        if len(finished) == NUM_RUNS:
            break
    process.communicate()
    ended(started(*swept))
    ended(started(*SWEEP, "hydra.sweep.dir=undisturbed"))
    runs = [load_run(folder) for folder in run_folders(Path("swept"))]
    wholes = [load_run(folder) for folder in run_folders(Path("undisturbed"))]
    assert Counter(run.record["status"] for run in runs) == {"completed": NUM_RUNS}
    by_identity = {run.record["identity"]: run for run in runs}
    assert by_identity.keys() == {whole.record["identity"] for whole in wholes}
    assert len(by_identity) == len(wholes) == NUM_RUNS
    assert any(whole.record["population"] for whole in wholes)
    for whole in wholes:
        run = by_identity[whole.record["identity"]]
        assert run.record["metrics"] == pytest.approx(whole.record["metrics"], rel=1e-9, abs=1e-12)
        assert len(run.history) == len(whole.history)
        for row, other in zip(run.history, whole.history, strict=True):
            assert row == pytest.approx(other, rel=1e-9, abs=1e-12, nan_ok=True)


def test_two_launchers_share_a_sweep_of_populations() -> None:
    both = [started(*SWEEP, f"hydra.launcher.population={size}") for size in (4, 3)]
    for process in both:
        ended(process)
    [folder] = Path("outputs/sweeps").iterdir()
    assert count_of("completed", folder) == len(run_folders(folder)) == NUM_RUNS
    # None was trained twice.
    logs = [(run / "train.log").read_text() for run in run_folders(folder)]
    assert [log.count(": epoch ") for log in logs] == [60] * NUM_RUNS


def test_ctrl_c_interrupts_every_member() -> None:
    words = [word for word in SWEEP if not word.startswith(("trainer.max", "seed"))]
    process = started(*words, "seed=0,1", "trainer.max_epochs=100000")
    wait_until(lambda: len(list(Path("outputs").glob("sweeps/*/*/history.csv"))) == 8)
    children = descendants(process.pid)
    pressed = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    said = ended(process, code=130)
    assert time.monotonic() - pressed < 5
    assert "To continue: " in said
    assert not [pid for pid in children if is_alive(pid)]
    [folder] = Path("outputs/sweeps").iterdir()
    assert count_of("interrupted", folder) == len(run_folders(folder)) == 8
