"""Members of a population in a process that is stopped or killed, in a comparison, and over seeds."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from processes import wait_until
from running import QUIET, plain
from scipy import stats

from experiments import compare
from experiments.config.launch import Launch
from experiments.record.claim import Known, is_claimed
from experiments.record.history import read_history
from experiments.record.record import read_record
from experiments.training.population.train_members import train_members
from experiments.training.run import train

pytestmark = pytest.mark.slow

TYPED = ("data=digits", "model=mlp", "model.hidden=[16]", *QUIET)
DOUBLE = ("trainer.precision=64-true", "trainer.max_epochs=100")
NUM_SEEDS = 30
OF_THE_HOUR = {"seconds", "train_seconds"}


def launch_of(typed: Sequence[str], folder: Path) -> Launch:
    return Launch(list(typed), sweep_dir=folder, swept=list(typed), is_quiet=True)


def together(members: Sequence[Sequence[str]], folder: Path, *fixed: str) -> list[Known]:
    configs = [plain(*TYPED, *fixed, *typed) for typed in members]
    outcomes = train_members(configs, [launch_of(typed, folder) for typed in members])
    runs = [outcome for outcome in outcomes if isinstance(outcome, Known)]
    assert len(runs) == len(members), outcomes
    return runs


def alone(members: Sequence[Sequence[str]], folder: Path, *fixed: str) -> list[Known]:
    runs = [train(plain(*TYPED, *fixed, *typed), launch_of(typed, folder)) for typed in members]
    return [run for run in runs if run is not None]


def train_in_process(members: Sequence[Sequence[str]], folder: Path) -> None:
    """Be a process that trains members, as that of a sweep's job."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    configs = [plain(*TYPED, *DOUBLE, *typed) for typed in members]
    outcomes = train_members(configs, [launch_of(typed, folder) for typed in members])
    os._exit(3 if all(isinstance(o, SystemExit | KeyboardInterrupt) for o in outcomes) else 0)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_members_whose_process_is_ended_go_on_to_what_they_would_have_been(
    tmp_path: Path, how: signal.Signals
) -> None:
    members = [(f"optim.lr={lr}", f"seed={seed}") for lr in (0.001, 0.01) for seed in range(2)]
    folder = tmp_path / "outputs" / "sweeps" / "ended"
    context = multiprocessing.get_context("fork")
    process = context.Process(target=train_in_process, args=(members, folder))
    process.start()
    assert process.pid is not None
    wait_until(lambda: len(list(folder.glob("*/checkpoints/last.ckpt"))) == len(members))
    os.kill(process.pid, how)
    process.join()
    is_killed = how == signal.SIGKILL
    assert process.exitcode == (-how if is_killed else 3)
    records = [read_record(path) for path in folder.glob("*-*")]
    assert {r["status"] for r in records} == {"running" if is_killed else "interrupted"}
    assert not any(is_claimed(folder, record["identity"]) for record in records)
    assert all(record["population"]["members"] == len(members) for record in records)
    first = [len(read_history(path)) for path in folder.glob("*-*")]
    assert max(first) < 100
    runs = together(members, folder, *DOUBLE)
    assert len(list(folder.glob("*-*"))) == len(members)
    undisturbed = together(members, tmp_path / "undisturbed", *DOUBLE)
    for run, other in zip(runs, undisturbed, strict=True):
        assert run.record["identity"] == other.record["identity"]
        assert run.record["best_epoch"] == other.record["best_epoch"]
        assert run.record["metrics"] == pytest.approx(other.record["metrics"], rel=1e-6)
        rows = [read_history(each.folder) for each in (run, other)]
        assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]]
        for row, expected in zip(*rows, strict=True):
            assert row == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_comparison_of_members_and_runs_alone_knows_no_difference(tmp_path: Path) -> None:
    seeds = [f"seed={seed}" for seed in range(6)]
    fixed = ("trainer.max_epochs=3", *DOUBLE[:1])
    relu, tanh = ([(f"activation={phi}", seed) for seed in seeds] for phi in ("relu", "tanh"))
    together(relu, tmp_path / "mixed", *fixed)
    alone(tanh, tmp_path / "mixed", *fixed)
    alone([*relu, *tanh], tmp_path / "alone", *fixed)
    mixed, singles = (
        without_times(dict(compare(tmp_path / name, factor="activation", control="relu")))
        for name in ("mixed", "alone")
    )
    assert mixed["headline"] == singles["headline"]
    shares = mixed["notes"].pop(-1)  # of times, which are no part of the verdict
    assert shares.startswith("Times are shares, of runs that were trained alone or 6 together")
    assert "population" not in str(mixed)
    assert_alike(mixed["tasks"], singles["tasks"])


def without_times(value: Any) -> Any:
    """Return a verdict without what another hour would have otherwise."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in OF_THE_HOUR}
    return [without_times(part) for part in value] if isinstance(value, list) else value


def assert_alike(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_alike(ours[key], theirs[key])
    elif isinstance(ours, list):
        assert len(ours) == len(theirs)
        for parts in zip(ours, theirs, strict=True):
            assert_alike(*parts)
    else:
        assert ours == (pytest.approx(theirs, rel=1e-6) if isinstance(ours, float) else theirs)


def test_over_seeds_a_member_differs_from_a_run_alone_by_no_more_than_seeds_do(
    tmp_path: Path,
) -> None:
    members = [[f"seed={seed}"] for seed in range(NUM_SEEDS)]
    fixed = ("trainer.max_epochs=5",)
    pairs = list(
        zip(
            together(members, tmp_path / "together", *fixed),
            alone(members, tmp_path / "alone", *fixed),
            strict=True,
        )
    )
    for name in ("test/accuracy", "test/loss", "val/loss"):
        ours, theirs = (
            [float(run.record["metrics"][name] or 0) for run in side]
            for side in zip(*pairs, strict=True)
        )
        differences = [a - b for a, b in zip(ours, theirs, strict=True)]
        # What the mean of thirty seeds would be off by, were other seeds drawn.
        error = stdev(theirs) / math.sqrt(NUM_SEEDS)
        assert abs(fmean(differences)) < 0.01 * error, name
        assert stdev(differences) < 0.01 * stdev(theirs), name
        if any(differences):
            assert stats.wilcoxon(differences, zero_method="zsplit").pvalue > 0.01, name
