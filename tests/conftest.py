"""What the tests share: the command line and a training run, both inside this process.

Importing torch and lightning takes seconds, so a fresh process is started only where the process
itself is what is tested (tests/slow).
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from running import QUIET, ROOT, composed, run_folders

from experiments.runs import Run, load_run


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Run in an empty folder, without W&B's key or server, and restore the random state."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "HYDRA_FULL_ERROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None  # else the next test would be a job of this one's command


@dataclass
class Said:
    """What a command said: its exit code and both outputs."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Said]:
    """Return a function that calls `python train.py ARGUMENTS` in this process."""
    return caller("train.py", capfd, monkeypatch)


@pytest.fixture
def compare(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Said]:
    """Return a function that calls `python compare.py ARGUMENTS` in this process."""
    return caller("compare.py", capfd, monkeypatch)


@pytest.fixture
def draw(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Return a function that calls `python figures.py ARGUMENTS` in this process."""
    return caller("figures.py", capfd, monkeypatch)


def caller(
    name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Said]:
    """Return a function that calls a script in this process."""

    def call(*arguments: str) -> Said:
        script = str(ROOT / name)
        monkeypatch.setattr("sys.argv", [script, *arguments])
        GlobalHydra.instance().clear()
        capfd.readouterr()
        code = 0
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        captured = capfd.readouterr()
        return Said(code, captured.out, captured.err)

    return call


@pytest.fixture
def train_run() -> Callable[..., Run]:
    """Return a function that trains with overrides, without Hydra's launcher, and reads the run."""
    from experiments.training import train

    def call(*overrides: str) -> Run:
        before = set(run_folders())
        train(composed(*QUIET, *overrides))
        [folder] = set(run_folders()) - before
        return load_run(folder)

    return call
