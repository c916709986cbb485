"""Runs that die amid their training, in the process of the test."""

from __future__ import annotations

import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from running import QUIET, plain, run_folders

from experiments.config.launch import Launch
from experiments.errors.messages import RunFailed
from experiments.training.run import train
from experiments.training.steps import UpdateRules
from experiments.training.whole_checkpoint import latest_whole


class Killed(RuntimeError):
    """The end of the process, as far as a test can have it in its own."""


def clock_of_steps(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Have the clock of some modules go on by a second with each optimizer step."""
    step, seconds = UpdateRules.step, [0.0]

    def slow_step(*arguments: Any) -> None:
        step(*arguments)
        seconds[0] += 1.0

    monkeypatch.setattr(UpdateRules, "step", slow_step)
    clock = types.SimpleNamespace(monotonic=lambda: seconds[0])
    for module in modules:
        monkeypatch.setattr(f"{module}.time", clock)


def killed_run(monkeypatch: pytest.MonkeyPatch, overrides: Sequence[str], dies_in: int) -> Path:
    """Train until the end of an optimizer step, and return the folder of what is left.

    Args:
        dies_in: how many steps this process does, which are fewer than those of a resumed run.
    """
    step, done = UpdateRules.step, []

    def fatal_step(*arguments: Any) -> None:
        step(*arguments)
        done.append(1)
        if len(done) == dies_in:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(UpdateRules, "step", fatal_step)
        with pytest.raises(RunFailed):
            train(plain(*QUIET, *overrides), Launch(list(overrides)))
    torch.manual_seed(dies_in)  # another process has another state
    return run_folders()[-1]


def killed_again(monkeypatch: pytest.MonkeyPatch, folder: Path, dies_at: int) -> None:
    """Go on with a run until the end of one of its optimizer steps, counted from its first."""
    checkpoint = latest_whole(folder)
    done = 0 if checkpoint is None else torch.load(checkpoint, weights_only=True)["global_step"]
    assert done < dies_at
    assert killed_run(monkeypatch, [f"resume={folder}"], dies_at - done) == folder
