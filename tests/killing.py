"""A run that dies amid its training, in the process of the test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from running import QUIET, composed, run_folders

from experiments.errors import RunFailed
from experiments.training import train
from experiments.updates import UpdateRules


class Killed(RuntimeError):
    """The end of the process, as far as a test can have it in its own."""


def killed_run(monkeypatch: pytest.MonkeyPatch, overrides: Sequence[str], dies_in: int) -> Path:
    """Train until the end of an optimizer step, and return the folder of what is left."""
    step, done = UpdateRules.step, []

    def fatal_step(*arguments: Any) -> None:
        step(*arguments)
        done.append(1)
        if len(done) == dies_in:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(UpdateRules, "step", fatal_step)
        with pytest.raises(RunFailed):
            train(composed(*QUIET, *overrides))
    torch.manual_seed(dies_in)  # another process has another state
    return run_folders()[-1]
