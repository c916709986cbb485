"""Kills at any point of a command's life, and launchers that share a sweep: faults of injected.py.

A sweep's jobs are carried out in the launcher's own process here (`hydra/launcher=basic`), so that
planning, training, judging and choosing are one life, which may end anywhere.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
from ended_anywhere import Point, command, ended_at, killed_until_done, undisturbed
from injected_case import Case
from killed_launchers import enter, left_over, tried
from killed_launchers import undisturbed as undisturbed_sweep

from experiments.record.claim import Known
from experiments.record.history import read_history
from experiments.record.record import read_record
from experiments.training.repeat import differences
from experiments.training.resume import read_run

SMALL = ("logger=none", "progress=none", "data=moons", "data.num_samples=200")
SMALL += ("data.batch_size=16", "model=mlp", "model.hidden=[8]", "trainer.threads=1")
IN_PROCESS = ("-m", "hydra/launcher=basic", "hydra.sweep.dir=swept")

ONE = (*SMALL, "trainer.max_epochs=4", "checkpoint.every_n_steps=5", "hydra.run.dir=run")
ONE += ("resume=auto", "model.dropout=0.1")
GRID = (*IN_PROCESS, *SMALL, "trainer.max_epochs=2", "activation=relu,tanh", "seed=0,1")
TUNED = (*IN_PROCESS, *SMALL, "trainer.max_epochs=1", "activation=relu,tanh", "protocol=tuned")
TUNED += ("sweep.tuning.space={optim.lr: [0.001,0.1]}", "sweep.tuning.seeds=[100]", "seed=0")
TUNED += ("sweep.tuning.trials=3",)
LOOKS = (*IN_PROCESS, *SMALL, "trainer.max_epochs=1", "activation=relu,tanh")
LOOKS += ("sweep.control=relu", "sweep.until=settled", "sweep.looks=[2,3]", "sweep.delta=0.001")
NUM_TRIALS = 4
SEARCH = (*IN_PROCESS, *SMALL, "trainer.max_epochs=1", "hydra/sweeper=optuna5")
SEARCH += ("optim.lr=tag(log,interval(0.001,0.1))", f"hydra.sweeper.n_trials={NUM_TRIALS}")
SEARCH += ("seed=0",)
AT_WANDB = (*SMALL, "logger=wandb", "logger.mode=offline", "trainer.max_epochs=2")
AT_WANDB += ("hydra.run.dir=run", "resume=auto")


def check_run(whole: Path, folder: Path) -> None:
    """Hold a run against the undisturbed one, and see that nothing half-written is left."""
    found = differences(read_run(whole), Known(folder, read_record(folder)))
    assert not found, "; ".join(found)
    parts = [*folder.glob("**/.*.part")]
    assert not parts, f"left: {parts}"


def kill_a_run(rng: random.Random) -> None:
    killed_until_done(ONE, rng, most=4)
    check_run(undisturbed(ONE).folder / "run", Path("run"))
    others = [*Path().glob("run-*"), *Path().glob("outputs/runs/**/record.json")]
    assert not others, f"beside run: {others}"


def results_of(sweep_dir: Path) -> dict[str, Any]:
    """Return what each run of a sweep came to, by the path of its folder."""
    return {
        str(path.parent.relative_to(sweep_dir)): {
            "history": read_history(path.parent),
            **{
                key: value
                for key, value in read_record(path.parent).items()
                if key in ("identity", "status", "metrics", "epochs", "steps", "best_epoch")
            },
        }
        for path in sorted(sweep_dir.glob("**/record.json"))
    }


def check_sweep(words: tuple[str, ...]) -> None:
    """Hold a sweep against the undisturbed one."""
    swept, whole = Path("swept"), undisturbed(words).folder / "swept"
    if "protocol=tuned" in words:
        [swept], [whole] = swept.parent.glob("swept*"), whole.parent.glob("swept*")
    ours, theirs = results_of(swept), results_of(whole)
    assert ours == theirs, f"{ours} instead of {theirs}"
    for name in ("selection.json",):
        texts = [path.read_text() for path in (swept / name, whole / name) if path.exists()]
        assert len(set(texts)) <= 1, f"{name} is another one: {texts}"
        assert (swept / name).exists() == (whole / name).exists()
    left = left_over(Path.cwd(), swept)
    assert not left, f"left: {left}"


def kill_a_sweep(words: tuple[str, ...]) -> Callable[[random.Random], None]:
    def attempt(rng: random.Random) -> None:
        killed_until_done(words, rng, most=3)
        check_sweep(words)

    return attempt


def kill_a_search(rng: random.Random) -> None:
    killed_until_done(SEARCH, rng, most=3)
    [sweep_dir] = Path().glob("swept*")
    backend = optuna.storages.journal.JournalFileBackend(str(sweep_dir / "study.log"))
    [study] = optuna.get_all_study_summaries(optuna.storages.JournalStorage(backend))
    assert study.n_trials == NUM_TRIALS, f"{study.n_trials} trials"
    results = results_of(sweep_dir)
    assert len(results) == NUM_TRIALS, f"{len(results)} runs"
    assert {result["status"] for result in results.values()} == {"completed"}
    assert len({result["identity"] for result in results.values()}) == NUM_TRIALS
    left = left_over(Path.cwd(), sweep_dir)
    assert not left, f"left: {left}"


def kill_while_wandb_is_told(rng: random.Random) -> None:
    """Kill a run after its record has said that it is done."""
    whole = undisturbed(AT_WANDB)
    done = max(n for n, change in enumerate(whole.changes, 1) if change == "os.rename record.json")
    ended = ended_at(Point(done + 1, rng.uniform(0, 0.5)), AT_WANDB)
    assert ended.code in (0, -signal.SIGKILL), f"code {ended.code}: {ended.said[-3000:]}"
    before = (Path("run") / "record.json").read_bytes()
    again = ended_at(Point(), AT_WANDB)
    assert again.code == 0, again.said[-3000:]
    assert "nothing is left to do" in again.said, again.said[-3000:]
    assert (Path("run") / "record.json").read_bytes() == before
    check_run(whole.folder / "run", Path("run"))


SHARED = ("-m", *SMALL, "trainer.max_epochs=25", "trainer.precision=64-true", "activation=tanh")
SHARED += ("optim=sgd,nesterov", "optim.lr=0.01,0.02", "seed=range(0,6)")
KILL_SECONDS, MOST_KILLS = 3.0, 6


class ForkedServer:
    """A server of jobs that is forked from its launcher, where a launcher starts an interpreter:
    this one has imported all that it would. Of subprocess.Popen it has what launchers use.
    """

    def __init__(self, command: list[str], stdin: int, start_new_session: bool) -> None:
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setsid()
                os.dup2(stdin, 0)
                os.closerange(3, 1024)  # the launcher's end of the connection, above all
                from experiments.sweep.jobs import server

                server.main(command[-1])
            finally:
                os._exit(1)

    def wait(self, timeout: float | None = None) -> int:
        until = None if timeout is None else time.monotonic() + timeout
        while (ended := os.waitpid(self.pid, os.WNOHANG))[0] == 0:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("server", timeout or 0.0)
            time.sleep(0.01)
        return os.waitstatus_to_exitcode(ended[1])

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


FORKING = SimpleNamespace(Popen=ForkedServer, TimeoutExpired=subprocess.TimeoutExpired)
"""In the place of the module `subprocess`, for the server alone."""


def typed_in_fork(words: list[str], folder: Path, said: Path) -> int:
    """Start a launcher that is forked from this process, as its server is from it."""
    child = os.fork()
    if not child:
        try:
            enter(folder, said)
            from experiments.sweep.jobs import server

            server.subprocess = FORKING  # type: ignore[assignment]
            command(*words)()
        except SystemExit as leaving:
            sys.stdout.flush()
            os._exit(int(leaving.code or 0))
        finally:
            os._exit(1)
    return child


def kill_launchers(population: str) -> Callable[[random.Random], None]:
    def attempt(rng: random.Random) -> None:
        words = list(SHARED)
        with tempfile.TemporaryDirectory() as folder:
            whole = undisturbed_sweep(typed_in_fork, words, Path(folder))
            counts = tried(typed_in_fork, words, KILL_SECONDS, population, whole, rng, MOST_KILLS)
        assert counts.is_well, str(counts)
        assert counts.kills, "no launcher was killed"

    return attempt


SAME = (
    "the same command goes on to the same bits; nothing half-written, no lock and no second folder"
)
SAME_SWEEP = "typed again it comes to the same runs, each once and to the same bits"
CASES = [
    Case("a run killed before or after any change that it makes to the disk", SAME, 20, kill_a_run),
    Case(
        "a sweep killed anywhere: planning, training, recording", SAME_SWEEP, 6, kill_a_sweep(GRID)
    ),
    Case(
        "`protocol=tuned` killed anywhere: in either stage, or while it chooses",
        f"{SAME_SWEEP}, with the same choice",
        5,
        kill_a_sweep(TUNED),
    ),
    Case(
        "`sweep.until=settled` killed anywhere: in a look, or between two",
        SAME_SWEEP,
        5,
        kill_a_sweep(LOOKS),
    ),
    Case(
        "a search killed anywhere: in a trial, or between two",
        "typed again it comes to as many trials, each with one run",
        5,
        kill_a_search,
    ),
    Case(
        "a run killed while W&B is told of its end",
        "it is completed, and stays as it is",
        5,
        kill_while_wandb_is_told,
    ),
    Case(
        "two launchers on 24 runs, one killed every 3 s",
        "each run once, as undisturbed; nothing is left over",
        1,
        kill_launchers("off"),
    ),
    Case(
        "the same with populations",
        "each run once, as undisturbed; nothing is left over",
        1,
        kill_launchers("auto"),
    ),
]
