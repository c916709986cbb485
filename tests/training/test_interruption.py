"""Signals that end a run lose nothing of it, and SLURM gets it back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from running import QUIET, plain, run_folders
from same_runs import assert_same_runs

from experiments import load_run
from experiments.config.launch import Launch
from experiments.errors.messages import UserError
from experiments.record.claim import holding
from experiments.record.record import read_record
from experiments.training.run import train
from experiments.training.steps import UpdateRules

# 18 batches of 16 points in an epoch.
SMALL = ["data=moons", "data.num_samples=400", "data.batch_size=16", "trainer.max_epochs=2"]
SMALL += ["model=mlp", "model.hidden=[8]", "model.dropout=0.2"]
CODES = {signal.SIGTERM: 143, signal.SIGUSR1: 138}


@pytest.fixture
def signalled(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """Return a function that has this process get a signal in its n-th optimizer step."""
    handlers = {how: signal.getsignal(how) for how in (signal.SIGINT, *CODES)}

    def send(how: signal.Signals, at: int, times: int = 1) -> Any:
        step, done = UpdateRules.step, []

        def step_with_signal(*arguments: Any) -> None:
            done.append(1)
            if len(done) == at:
                for _ in range(times):
                    signal.raise_signal(how)
            step(*arguments)

        patched = pytest.MonkeyPatch()
        patched.setattr(UpdateRules, "step", step_with_signal)
        return patched

    yield send
    assert {how: signal.getsignal(how) for how in handlers} == handlers


def interrupted(signalled: Callable, how: signal.Signals, at: int, overrides: list[str]) -> Path:
    """Train until a signal ends the run in its n-th step, and return its folder."""
    patched = signalled(how, at)
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)) as ended:
            train(plain(*QUIET, *overrides), Launch(list(overrides)))
    finally:
        patched.undo()
    if isinstance(ended.value, SystemExit):
        assert ended.value.code == CODES[how]
    folder = run_folders()[-1]
    record = read_record(folder)
    assert (record["status"], record["error"]) == ("interrupted", f"stopped by {how.name}")
    return folder


def steps_kept(folder: Path) -> int:
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return int(saved["global_step"])


@pytest.mark.parametrize(
    ("how", "at", "more"),
    [
        (signal.SIGINT, 7, []),
        (signal.SIGTERM, 7, ["trainer.accumulate_grad_batches=2", "trainer.ema_decay=0.9"]),
        (signal.SIGTERM, 18, []),
        (signal.SIGTERM, 8, ["trainer.val_check_interval=4", "optim=schedulefree_adamw"]),
        (signal.SIGINT, 36, ["steps_per_execution=64"]),
        (signal.SIGTERM, 7, ["trainer.precision=64-true", "trainer.ema_decay=0.9"]),
    ],
    ids=[
        *("amid an epoch", "accumulated", "at its end", "before a validation", "the last step"),
        "in 64 bits",
    ],
)
def test_a_signal_loses_no_step(
    how: signal.Signals, at: int, more: list[str], train_run: Callable, signalled: Callable
) -> None:
    reference = train_run(*SMALL, *more)
    folder = interrupted(signalled, how, at, [*SMALL, *more])
    assert steps_kept(folder) == at
    typed = [f"resume={folder}"]
    train(plain(*QUIET, *typed), Launch(typed))
    assert_same_runs(reference, load_run(folder))


def test_ctrl_c_twice_does_not_wait(signalled: Callable, capfd: pytest.CaptureFixture) -> None:
    patched = signalled(signal.SIGINT, 20, times=2)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(plain(*QUIET, *SMALL), Launch([]))
    finally:
        patched.undo()
    assert "Ctrl-C once more stops at once" in capfd.readouterr().err
    [folder] = run_folders()
    assert steps_kept(folder) == 18  # that of the epoch before
    assert read_record(folder)["status"] == "interrupted"


def test_what_a_launcher_passes_on_is_no_second_signal(
    signalled: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SLURM's signals reach a sweep's job and its launcher, which ends its jobs by SIGINT."""
    step, done = UpdateRules.step, []

    def step_with_signals(*arguments: Any) -> None:
        done.append(1)
        if len(done) == 7:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
        step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(UpdateRules, "step", step_with_signals)
        with pytest.raises(SystemExit) as ended:
            train(plain(*QUIET, *SMALL), Launch([], sweep_dir=Path("swept"), is_quiet=True))
    assert ended.value.code == 143
    [folder] = run_folders(Path("swept"))
    assert steps_kept(folder) == 7


def test_slurm_gets_the_job_back_and_the_same_command_goes_on(
    signalled: Callable, train_run: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reference = train_run(*SMALL)
    program = tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for name, value in {"JOB_ID": "73", "ARRAY_JOB_ID": "70", "ARRAY_TASK_ID": "3"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    folder = interrupted(signalled, signal.SIGUSR1, 7, SMALL)
    assert (tmp_path / "asked").read_text() == "requeue 70_3\n"
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    train(plain(*QUIET, *SMALL), Launch(SMALL))
    assert_same_runs(reference, load_run(folder))
    assert len(run_folders()) == 2
    # Of several tasks each may be a run of its own.
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "0")
    interrupted(signalled, signal.SIGUSR1, 7, [*SMALL, "seed=1"])
    assert (tmp_path / "asked").read_text() == "requeue 70_3\n"


def test_a_signal_outside_of_training_ends_the_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning.Trainer.test", lambda *_, **__: os.kill(os.getpid(), 15))
    with pytest.raises(SystemExit) as ended:
        train(plain(*QUIET, *SMALL), Launch([]))
    assert ended.value.code == 143
    [folder] = run_folders()
    assert read_record(folder)["error"] == "stopped by SIGTERM"


def test_the_same_command_finds_the_folder_that_it_names(command: Callable) -> None:
    typed = [*QUIET, *SMALL, "hydra.run.dir=here", "resume=auto"]
    assert command(*typed).code == 0
    before = read_record(Path("here"))
    said = command(*typed)
    assert said.code == 0
    assert "here: this run is completed; nothing is left to do" in said.out + said.err
    assert read_record(Path("here")) == before
    assert run_folders(Path()) == [Path("here")]
    with holding(Path("here")):
        said = command(*typed)
    assert (said.code, run_folders(Path())) == (2, [Path("here")])
    assert "another process is training that run" in said.err


def test_a_run_that_goes_on_has_the_threads_that_it_began_with(
    train_run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.record.host.cores_of_machine", lambda: 2)
    monkeypatch.setattr("experiments.training.devices.choose_threads", lambda *_: 2)
    first = train_run(*SMALL, "trainer.max_epochs=1")
    assert first.record["environment"]["threads"] == 2
    monkeypatch.setattr("experiments.training.devices.choose_threads", lambda *_: 1)
    for more, threads in (([], 2), (["trainer.threads=1"], 1)):
        typed = [f"resume={first.folder}", "trainer.max_epochs=2", *more]
        before = set(run_folders())
        train(plain(*QUIET, *typed), Launch(typed))
        [folder] = set(run_folders()) - before
        assert read_record(folder)["environment"]["threads"] == threads


def test_a_smaller_budget_than_was_used_is_refused(train_run: Callable) -> None:
    run = train_run(*SMALL, "trainer.max_steps=30")
    for given, instead in (("max_steps=29", "max_steps=60"), ("max_epochs=1", "max_epochs=4")):
        typed = [f"resume={run.folder}", f"trainer.{given}"]
        with pytest.raises(UserError, match=f"2 epochs, 30 steps, .*trainer.{instead}"):
            train(plain(*QUIET, *typed), Launch(typed))
    assert run_folders() == [run.folder]
