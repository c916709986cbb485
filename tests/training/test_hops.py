"""How far it is from the door to the optimizer's step: six calls, over three files of training."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import torch
from running import QUIET, ROOT

HOPS = [
    ("training/run.py", "train"),
    ("training/run.py", "fit_and_test"),
    ("training/module.py", "training_step"),
    ("training/steps.py", "take"),
    ("training/steps.py", "step"),
]
"""The functions of the package between `train_one`, which Hydra calls, and the optimizer's step, which is
the sixth call: what goes on in torch, Lightning and Hydra is left out."""


def test_six_calls_from_train_py_to_the_optimizers_step(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks: list[list[tuple[str, str]]] = []
    package = ROOT / "src" / "experiments"

    class Observed(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:
            frames = traceback.extract_stack(sys._getframe())
            mine = [f for f in frames if f.filename.startswith(str(package))]
            stacks.append([(f.filename.removeprefix(f"{package}/"), f.name) for f in mine])
            super().step()

    monkeypatch.setattr(torch.optim, "SGD", Observed)
    answer = command(*QUIET, "model=linear", "optim=sgd", "data=moons", "debug=fast_dev")
    assert answer.code == 0, answer.err
    last = stacks[-1]  # the first ones are trials on a tiny network
    door = last.index(("__main__.py", "train_one"))
    assert last[door + 1 :] == HOPS
