"""What somebody's code changes in a process is put back after a run."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from experiments.training.process_state import as_it_was


@as_it_was(forgets_modules=False)
def change_everything() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    torch.set_float32_matmul_precision("medium")
    torch.use_deterministic_algorithms(True)
    torch.set_grad_enabled(False)
    nn.functional.relu = nn.Linear.forward = lambda *inputs: inputs[-1]  # type: ignore
    nn.functional.gelu = torch.tanh
    os.chdir("/")
    raise KeyError


def test_settings_and_functions_of_torch_are_put_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = torch.get_default_dtype(), torch.get_num_threads(), os.getcwd()
    relu, forward = nn.functional.relu, nn.Linear.forward
    gelu = nn.functional.gelu
    with caplog.at_level(logging.WARNING), contextlib.suppress(KeyError):
        change_everything()
    assert (torch.get_default_dtype(), torch.get_num_threads(), os.getcwd()) == before
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.is_grad_enabled()
    assert (nn.functional.relu, nn.functional.gelu, nn.Linear.forward) == (relu, gelu, forward)
    assert "has replaced" in caplog.text
    assert "Linear.forward" in caplog.text


@pytest.mark.parametrize("forgets", [True, False])
def test_modules_of_somebodys_files_are_imported_anew_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgets: bool
) -> None:
    (tmp_path / "counting.py").write_text("NUMBER = []\n")
    monkeypatch.syspath_prepend(tmp_path)
    with as_it_was(forgets_modules=forgets):
        import counting

        counting.NUMBER.append(1)
    assert ("counting" in sys.modules) is not forgets
    sys.modules.pop("counting", None)


def test_what_torch_wraps_itself_is_nobodys_replacement(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    step: Any = torch.optim.Rprop.step
    # Torch wraps it at the first instance; without a mark it is bare already, but for its no_grad.
    plain_step = step.__wrapped__ if getattr(step, "hooked", False) else step
    monkeypatch.setattr(torch.optim.Rprop, "step", plain_step)
    with as_it_was(forgets_modules=False):
        torch.optim.Rprop([torch.nn.Parameter(torch.zeros(1))])
        assert torch.optim.Rprop.step is not plain_step
    assert caplog.text == ""
