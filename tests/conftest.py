"""What the tests share: the command line and a training run, both inside this process.

Importing torch and lightning takes seconds, so a fresh process is started only where the process
itself is what is tested (tests/slow).
"""

from __future__ import annotations

import gc
import os
import runpy
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from running import QUIET, ROOT, plain, run_folders

from experiments.config.launch import Launch
from experiments.sweep.jobs.server import ServerProcess
from experiments.training.load import Run, load_run

if TYPE_CHECKING:
    from tracking.wandb_server import Seen

# Whoever starts the tests in the background of a script has them ignore Ctrl-C, and all they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The networks of tests are small, and two processes of tests share two cores: threads of torch that
# wait for one another would cost more than all that they do.
torch.set_num_threads(1)
# And the same number whatever else the machine does, here and in child processes.
os.environ["OMP_NUM_THREADS"] = "1"
FROM_OUTSIDE = ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "HYDRA_FULL_ERROR")


def pytest_collection_finish() -> None:
    """Leave out of every later collection of garbage what imports and thousands of tests are."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _without_fsync() -> Iterator[None]:
    """Write as ever, but wait for no disk: it takes 7 ms a file, and nobody pulls the plug."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda file: None)
        yield


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Run in an empty folder, without W&B's key or server, from the same random state each."""
    for name in (*FROM_OUTSIDE, "WANDB_SERVICE"):  # the last leads to that of a test before
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)  # whatever was drawn before, where tests were collected too
    yield
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
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """A W&B server of our own, with a key for it in the environment."""
    # Most tests do without wandb, which takes a while to import.
    import wandb
    from tracking.wandb_server import CANARY, wandb_server

    wandb.teardown()  # it reads its environment once per process
    with wandb_server() as seen:
        monkeypatch.setenv("WANDB_BASE_URL", seen.url)
        monkeypatch.setenv("WANDB_API_KEY", CANARY)
        yield seen
        # While the server is there: W&B's service would wait for one that is gone.
        wandb.teardown()


@pytest.fixture(scope="session")
def job_server() -> Iterator[ServerProcess]:
    """The process that jobs of sweeps are forked from: it takes six seconds to import what it does.

    Its jobs can import the misbehaving callbacks of tests/sweep/jobs.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "tests" / "sweep" / "jobs"))
        with ServerProcess("fork") as server:
            assert server.ready["method"] == "fork"
            yield server


@pytest.fixture
def lent_server(job_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> ServerProcess:
    """Let the sweeps of a test have the server of all tests, where each would start its own."""

    class Lent:
        def __init__(self, start: str) -> None: ...

        def __enter__(self) -> ServerProcess:
            return job_server

        def __exit__(self, *unused: object) -> None: ...

    monkeypatch.setattr("experiments.sweep.jobs.server.ServerProcess", Lent)
    return job_server


@pytest.fixture
def train_run() -> Callable[..., Run]:
    """Return a function that trains with overrides, without Hydra's launcher, and reads the run."""
    from experiments.training.run import train

    def call(*overrides: str) -> Run:
        before = set(run_folders())
        train(plain(*QUIET, *overrides), Launch([]))
        [folder] = set(run_folders()) - before
        return load_run(folder)

    return call


@pytest.fixture
def at_the_door() -> Iterator[None]:
    """Have every command end where it would begin its work, in a folder of files to name."""
    # With all that trains, draws and compares, which most tests do without.
    from config.wrong import door

    door.make_folder()
    with door.nothing_begins():
        yield
