"""Comparisons and W&B in processes of their own: a real sweep read back, a verdict synced later."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from running import ROOT, run_folders
from tracking.test_remote import check_same
from tracking.test_summary import ID, small, written
from tracking.wandb_server import Seen, wandb_server

from experiments.tracking.remote import read_runs

pytestmark = pytest.mark.slow

CANARY = "c0ffee" * 6 + "cafe"
WANDB = Path(sys.executable).with_name("wandb")


@pytest.fixture
def server() -> Iterator[Seen]:
    """A W&B server of our own; its key and address are in no environment yet."""
    wandb.teardown()
    with wandb_server() as seen:
        yield seen
        # While the server is there: W&B's service would wait for one that is gone.
        wandb.teardown()


def with_key(server: Seen) -> dict[str, str]:
    """Return an environment with the address of the server and a key for it."""
    return {**os.environ, "WANDB_BASE_URL": server.url, "WANDB_API_KEY": CANARY}


def called(server: Seen, *command: str | Path) -> str:
    """Return what a command says, which must succeed."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=with_key(server)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_real_sweep_is_read_back(server: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = ["model=mlp", "trainer.max_epochs=2", "logger.media=true"]
    swept = ["activation=relu,tanh", "seed=0,1", "hydra.sweep.dir=outputs/sweeps/mine"]
    said = called(server, sys.executable, ROOT / "train.py", "-m", *fast, *swept)
    for name in ("WANDB_BASE_URL", "WANDB_API_KEY"):
        monkeypatch.setenv(name, with_key(server)[name])
    folders = {folder.name: folder for folder in run_folders()}
    runs = read_runs("wandb:me/experiments/mine")
    assert {run.name for run in runs} == set(folders)
    assert len(runs) == 4
    for run in runs:
        check_same(run, folders[run.name])
    assert CANARY not in said
    for path in Path().glob("**/*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def test_a_verdict_that_was_offline_is_synced_and_synced_again(server: Seen) -> None:
    for num_seeds in (10, 3):
        assert written(small(num_seeds)).startswith("W&B: offline")
        [folder] = Path("outputs/wandb").glob("offline-run-*")
        called(server, WANDB, "sync", folder)
        assert list(server.runs) == [ID]
        pair = small(num_seeds)["tasks"][0]["pairs"][0]
        assert server.summary(ID)["difference/elu-relu"] == pair["difference"]
        assert [row["_step"] for row in server.history(ID)] == [0]
        assert server.exit_codes[ID] == 0
