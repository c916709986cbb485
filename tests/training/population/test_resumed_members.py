"""Members that were broken off at any step go on to what they would have been, together or alone."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from member_runs import (
    Typed,
    assert_equal,
    assert_same_results,
    known,
    launch_of,
    read_checkpoint,
    trained_alone,
    trained_together,
)
from running import QUIET, plain

from experiments.config.launch import Launch
from experiments.record.claim import Known
from experiments.record.record import read_record
from experiments.training.population.stacked import Stack
from experiments.training.run import train

# 9 batches of 16 points in an epoch.
MOONS = (*QUIET, "data=moons", "data.num_samples=200", "data.batch_size=16", "optim.lr=0.01")
MOONS += ("model=mlp", "model.hidden=[8]", "trainer.precision=64-true", "trainer.max_epochs=3")


def of_seeds(*typed: str) -> list[Typed]:
    return [(*MOONS, *typed, f"seed={seed}") for seed in range(2)]


def at_update(number: int, do: Callable[[], object]) -> pytest.MonkeyPatch:
    """Have something done in the n-th update of a stack, until what is returned is undone."""
    update, done = Stack.update, []

    def counted(stack: Stack) -> None:
        update(stack)
        done.append(1)
        if len(done) == number:
            do()

    patched = pytest.MonkeyPatch()
    patched.setattr(Stack, "update", counted)
    return patched


def killed_at(number: int, *members: Typed) -> None:
    """Train members in a process that is killed in their n-th step."""
    child = os.fork()
    if not child:
        at_update(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
        try:
            trained_together(*members)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert [status for status, _ in states("together")] == ["running"] * len(members)


def states(folder: str) -> list[tuple[str, int]]:
    """Return status of each member, and the step that it would go on from."""
    return [
        (read_record(path)["status"], read_checkpoint(path, "last.ckpt")["global_step"])
        for path in sorted(Path(folder).glob("*-*"))
    ]


KILLED = {
    # After the last validation of the epoch, which a plateau is shown at its end.
    "plateau": (18, 17, "scheduler=plateau scheduler.patience=0 scheduler.threshold=0.5 "
        "checkpoint.every_n_steps=17 trainer.val_check_interval=4"),
    "by steps": (12, 10, "checkpoint.every_n_steps=5 scheduler=cosine scheduler.interval=step"),
    "schedule-free": (16, 15, "optim=schedulefree_adamw checkpoint.every_n_steps=3 "
        "steps_per_execution=1"),
    "accumulated": (13, 12, "trainer.accumulate_grad_batches=2 checkpoint.every_n_steps=4 "
        "model.norm=batch trainer.gradient_clip_val=0.1 data.augment.noise=0.3 "
        "steps_per_execution=3"),
    "stopped early": (23, 22, "callbacks=early_stopping callbacks.early_stopping.patience=1 "
        "callbacks.early_stopping.min_delta=0.03 checkpoint.every_n_steps=11 optim=muon "
        "trainer.max_epochs=6"),
}  # fmt: skip
"""In which step the process is killed, which step it has kept by then, and what is typed."""


@pytest.mark.parametrize(("killed", "kept", "more"), KILLED.values(), ids=KILLED)
def test_members_that_were_killed_go_on(killed: int, kept: int, more: str) -> None:
    members = of_seeds(*more.split())
    killed_at(killed, *members)
    assert states("together") == [("running", kept)] * 2
    shutil.copytree("together", "apart")
    together = known(trained_together(*members))
    assert all(run.record["population"] for run in together)
    apart = [train(plain(*typed), launch_of(typed, "apart")) for typed in members]
    undisturbed = trained_alone(*members)
    for one, other, whole in zip(together, apart, undisturbed, strict=True):
        assert_equal((one, whole), 1e-9)
        assert other is not None
        assert other.record["population"] is None
        assert_equal((other, whole), 1e-9)


@pytest.mark.parametrize(
    ("how", "at", "more"),
    [
        (signal.SIGTERM, 12, []),
        (signal.SIGINT, 18, []),  # the last of its epoch
        (signal.SIGTERM, 8, ["trainer.val_check_interval=4"]),
    ],
    ids=["amid an epoch", "at its end", "before a validation"],
)
def test_a_signal_loses_no_step_of_any_member(
    how: signal.Signals, at: int, more: list[str]
) -> None:
    members = of_seeds(*more)
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    patched = at_update(at, lambda: os.kill(os.getpid(), how))
    try:
        outcomes = trained_together(*members)
    finally:
        patched.undo()
    kind = KeyboardInterrupt if how == signal.SIGINT else SystemExit
    assert [type(outcome) for outcome in outcomes] == [kind] * 2
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == handlers
    assert states("together") == [("interrupted", at)] * 2
    for folder in Path("together").glob("*-*"):
        assert read_record(folder)["error"] == f"stopped by {how.name}"
    # Each goes on alone.
    runs = [train(plain(*typed), launch_of(typed, "together")) for typed in members]
    for run, whole in zip(runs, trained_alone(*members), strict=True):
        assert run is not None
        assert_equal((run, whole), 1e-9)


@pytest.mark.parametrize(
    ("first", "then"), [("max_steps=14", "max_steps=25"), ("max_epochs=1", "max_epochs=2")]
)
def test_a_member_goes_on_with_a_larger_budget(first: str, then: str) -> None:
    """As if it had been given that at once, also where the first one ended it amid an epoch."""
    runs = known(trained_together(*of_seeds(f"trainer.{first}")))
    for seed, member in enumerate(runs):
        assert member.record["population"] is not None
        typed = [f"resume={member.folder}", f"trainer.{then}"]
        longer = train(plain(*QUIET, *typed), Launch(typed, run_dir=Path(f"longer{seed}")))
        whole = [*MOONS, f"seed={seed}", f"trainer.{then}"]
        reference = train(plain(*whole), Launch(whole, run_dir=Path(f"whole{seed}")))
        assert isinstance(longer, Known)
        assert isinstance(reference, Known)
        assert_same_results((longer, reference), 1e-9)
