"""Searches with real processes: pruned on the way, killed and gone on with, and what they leave."""

from __future__ import annotations

import csv
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import ended, started, wait_until
from running import run_folders

from experiments import load_run
from experiments.record.record import Record, read_record

pytestmark = pytest.mark.slow

FOLDER = Path("searched")
SEARCH = ["-m", "hydra/sweeper=optuna5", "model=mlp", "model.hidden=[16]", "logger=none"]
SEARCH += [f"hydra.sweep.dir={FOLDER}"]
PRUNED = [*SEARCH, "hydra.launcher.workers=2", "optim=sgd,adam", "trainer.max_epochs=40"]
PRUNED += ["hydra.sweeper.pruner=median", "hydra.sweeper.prune_after_trials=3"]
PRUNED += ["hydra.sweeper.sampler=random"]
Command = Callable[..., Any]


def trials() -> list[dict[str, str]]:
    return list(csv.DictReader((FOLDER / "trials.csv").read_text().splitlines()))


def records() -> list[Record]:
    return [read_record(folder) for folder in run_folders(FOLDER)]


def test_a_search_with_two_workers_prunes_is_killed_and_goes_on(command: Command) -> None:
    first = started(*PRUNED, "hydra.sweeper.n_trials=10")
    wait_until(lambda: len(run_folders(FOLDER)) >= 5)
    first.kill()
    first.communicate(timeout=60)
    assert (FOLDER / "study.log").is_file()
    assert not (FOLDER / "trials.csv").exists()
    told = command(*PRUNED, "hydra.sweeper.n_trials=10", "sweep.dry_run=true").out
    assert "10 trials of 1 run" in told
    assert "running" in told

    more = [*PRUNED, "hydra.sweeper.n_trials=12"]
    ended(started(*more))
    each = trials()
    assert len(each) == 12
    assert {trial["state"] for trial in each} == {"complete", "pruned"}
    assert len({trial["optim.lr"] for trial in each}) == 12
    after = records()
    assert len(after) == len({record["identity"] for record in after}) == 12
    pruned = [record for record in after if record["status"] == "pruned"]
    assert len(pruned) == sum(trial["state"] == "pruned" for trial in each) > 0
    for record in pruned:
        assert record["epochs"] < 40
        assert "pruner" in (record["error"] or "")
        assert not any(name.startswith("test/") for name in record["metrics"])
    assert not list(FOLDER.glob("*/.prune"))

    assert "0 to come" in command(*more).out
    assert records() == after
    best_value = min(float(t["val/loss"]) for t in each if t["state"] == "complete")
    check_best_experiment(command, best_value)


def check_best_experiment(command: Command, value: float) -> None:
    """Train best.yaml as its comment says, but with the search's own seed, and compare."""
    own = Path("mine/experiment")
    own.mkdir(parents=True)
    shutil.copy(FOLDER / "best.yaml", own)
    typed = ["--config-dir", "mine", "experiment=best", "logger=none", "hydra.run.dir=again"]
    assert command(*typed).code == 0
    run = load_run("again")
    assert run.record["metrics"]["val/loss"] == pytest.approx(value, rel=1e-6)
    assert "test/accuracy" in run.record["metrics"]


def test_two_launchers_share_a_search() -> None:
    options = ["optim.lr=tag(log,interval(0.001,1))", "trainer.max_epochs=3", "sweep.seeds=2"]
    options += ["hydra.launcher.workers=2", "hydra.sweeper.n_trials=8"]
    both = [started(*SEARCH, *options) for _ in range(2)]
    for process in both:
        ended(process)
    assert [trial["state"] for trial in trials()] == ["complete"] * 8
    after = records()
    assert len(after) == len({record["identity"] for record in after}) == 16


def test_ctrl_c_leaves_a_table_and_says_how_to_go_on() -> None:
    options = ["optim.lr=interval(0.01,0.1)", "trainer.max_epochs=30", "hydra.sweeper.n_trials=40"]
    options += ["hydra.launcher.workers=2", "hydra.launcher.population=off"]
    process = started(*SEARCH, *options)
    # Of two workers the fifth run begins when three trials are done, and the search has been told.
    wait_until(lambda: len(records()) >= 5)
    os.kill(process.pid, signal.SIGINT)
    assert "To continue: " in ended(process, code=130)
    # Two trials were under way, of which it has waited for none: see below.
    assert {record["status"] for record in records()} <= {"completed", "interrupted"}
    states = [trial["state"] for trial in trials()]
    assert states.count("complete") >= 3
    assert states.count("running") == 2
    assert (FOLDER / "best.yaml").is_file()
    assert (FOLDER / "optimization_history.png").is_file()


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_hydras_own_launchers_carry_out_a_search(command: Command, launcher: str) -> None:
    typed = [*SEARCH, f"hydra/launcher={launcher}", "optim.lr=0.1,0.01,0.001"]
    typed += ["trainer.max_epochs=2", "hydra.sweeper.sampler=grid", "sweep.seeds=2"]
    answer = command(*typed, "hydra.sweeper.pruner=median")
    assert answer.code == 0, answer.out + answer.err
    assert "the space has 3 points" in answer.out + answer.err
    assert [trial["state"] for trial in trials()] == ["complete"] * 3
    assert len(records()) == 6


def test_wilcoxon_spares_seeds_under_two_workers_also_when_it_is_killed(command: Command) -> None:
    typed = [*SEARCH, "optim.lr=0.1,1e-6,1e-7,1e-8", "trainer.max_epochs=2", "sweep.seeds=8"]
    typed += ["hydra.launcher.workers=2", "hydra.sweeper.sampler=grid"]
    typed += ["hydra.sweeper.pruner=wilcoxon"]
    first = started(*typed)
    wait_until(lambda: len(run_folders(FOLDER)) >= 13)
    first.kill()
    first.communicate(timeout=60)
    out = ended(started(*typed))
    each, after = trials(), records()
    states = [trial["state"] for trial in each]
    assert len(each) == 4
    # The good value is the first or not; what comes after it is stopped, and wins nothing.
    best = next(trial for trial in each if trial["optim.lr"] == "0.1")
    assert best["state"] == "complete"
    place = each.index(best)
    assert set(states[place + 1 :]) <= {"pruned"}
    assert "optim.lr=0.1" in next(line for line in out.splitlines() if line.startswith("Train:"))
    assert len(after) == len({record["identity"] for record in after})
    whole = sum(record["status"] == "completed" for record in after)
    assert f"{32 - whole} of 32 runs were not trained to their end" in out
    assert whole <= 8 * (place + 1) + 6 * (3 - place)
    assert not list(FOLDER.glob("*/.prune"))
    assert "0 to come" in command(*typed).out
    assert records() == after
