"""Searches with real processes: pruned on the way, killed and gone on with, and what they leave."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from running import ROOT, run_folders

from experiments import load_run

pytestmark = pytest.mark.slow

TRAIN = [sys.executable, str(ROOT / "train.py")]
SEARCH = ["-m", "hydra/sweeper=optuna5", "model=mlp", "model.hidden=[16]", "logger=none"]
SEARCH += ["hydra.launcher.workers=2", "hydra.sweep.dir=found"]
PRUNED = ["optim=sgd,adam", "trainer.max_epochs=60", "hydra.sweeper.n_trials=12"]
PRUNED += ["hydra.sweeper.pruner=median", "hydra.sweeper.prune_after_trials=3"]
PRUNED += ["hydra.sweeper.sampler=random"]
PLACE = Path("found")


def launched(*overrides: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TRAIN, *overrides], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finished(process: subprocess.Popen[str], code: int = 0) -> str:
    out, _ = process.communicate(timeout=400)
    assert process.returncode == code, out
    return out


def trials() -> list[dict[str, str]]:
    return list(csv.DictReader((PLACE / "trials.csv").read_text().splitlines()))


def records() -> list[Any]:
    return [load_run(folder).record for folder in run_folders(PLACE)]


def test_a_search_with_two_workers_prunes_is_killed_and_goes_on() -> None:
    first = launched(*SEARCH, *PRUNED)
    until = time.monotonic() + 120
    while len(run_folders(PLACE)) < 5 and time.monotonic() < until:
        time.sleep(0.2)
    first.kill()
    first.communicate(timeout=60)
    assert (PLACE / "study.log").is_file()
    assert not (PLACE / "trials.csv").exists()
    told = finished(launched(*SEARCH, *PRUNED, "sweep.dry_run=true"))
    assert "12 trials of 1 run" in told
    assert "running" in told

    finished(launched(*SEARCH, *PRUNED))
    each = trials()
    assert len(each) == 12
    assert {trial["state"] for trial in each} == {"complete", "pruned"}
    assert len({trial["optim.lr"] for trial in each}) == 12
    found = records()
    assert len(found) == len({record["identity"] for record in found}) == 12
    pruned = [record for record in found if record["status"] == "pruned"]
    assert len(pruned) == sum(trial["state"] == "pruned" for trial in each) > 0
    for record in pruned:
        assert record["epochs"] < 60
        assert "pruner" in (record["error"] or "")
        assert not any(name.startswith("test/") for name in record["metrics"])
    assert not list(PLACE.glob("*/.prune"))

    before = [record["ended_at"] for record in found]
    assert "0 to come" in finished(launched(*SEARCH, *PRUNED))
    assert [record["ended_at"] for record in records()] == before

    more = [o.replace("n_trials=12", "n_trials=14") for o in PRUNED]
    finished(launched(*SEARCH, *more))
    assert len(trials()) == 14
    the_best_trains(min(float(t["val/loss"]) for t in trials() if t["state"] == "complete"))


def the_best_trains(value: float) -> None:
    """Train best.yaml as its comment says, but with the search's own seed, and compare."""
    own = Path("mine/experiment")
    own.mkdir(parents=True)
    shutil.copy(PLACE / "best.yaml", own)
    done = subprocess.run(
        [*TRAIN, "--config-dir", "mine", "experiment=best", "logger=none", "hydra.run.dir=again"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    run = load_run("again")
    assert run.record["metrics"]["val/loss"] == pytest.approx(value, rel=1e-6)
    assert "test/accuracy" in run.record["metrics"]


def test_two_launchers_share_a_search() -> None:
    options = ["optim.lr=tag(log,interval(0.001,1))", "trainer.max_epochs=5", "sweep.seeds=2"]
    both = [launched(*SEARCH, *options, "hydra.sweeper.n_trials=8") for _ in range(2)]
    for process in both:
        finished(process)
    assert [trial["state"] for trial in trials()] == ["complete"] * 8
    found = records()
    assert len(found) == len({record["identity"] for record in found}) == 16


def test_ctrl_c_leaves_a_table_and_says_how_to_go_on() -> None:
    options = ["optim.lr=interval(0.01,0.1)", "trainer.max_epochs=30", "hydra.sweeper.n_trials=40"]
    process = launched(*SEARCH, *options)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if sum(record["status"] == "completed" for record in records()) >= 3:
            break
        time.sleep(0.2)
    started = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    out = finished(process, code=130)
    assert time.monotonic() - started < 8
    assert "To continue: python" in out
    states = [trial["state"] for trial in trials()]
    assert states.count("complete") >= 3
    assert states.count("running") == 2
    assert (PLACE / "best.yaml").is_file()
    assert (PLACE / "optimization_history.png").is_file()


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_hydras_own_launchers_carry_out_a_search(launcher: str) -> None:
    command = [o for o in SEARCH if "workers" not in o]
    command += [f"hydra/launcher={launcher}", "optim.lr=0.1,0.01,0.001", "trainer.max_epochs=2"]
    command += ["hydra.sweeper.sampler=grid", "sweep.seeds=2", "hydra.sweeper.pruner=median"]
    out = finished(launched(*command))
    assert "the space has 3 points" in out
    assert [trial["state"] for trial in trials()] == ["complete"] * 3
    assert len(records()) == 6
