"""Comparisons and W&B in processes of their own: a real sweep read back, a verdict synced later."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from processes import ended, started
from running import run_folders
from tracking.remote_runs import check_same, check_same_files, read_runs
from tracking.sweep_folders import mirror_once, whole
from tracking.test_summary import kept_id, small, written
from tracking.wandb_server import CANARY, Seen, wandb_server

from experiments.record.folder import read_config
from experiments.record.record import read_record

pytestmark = pytest.mark.slow

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
    for name in ("WANDB_BASE_URL", "WANDB_API_KEY"):
        monkeypatch.setenv(name, with_key(server)[name])
    said = ended(started("-m", *fast, *swept))
    folders = {read_record(folder)["wandb_id"]: folder for folder in run_folders()}
    runs = read_runs("wandb:me/experiments/mine")
    by_id = {run.url.rpartition("/")[2]: run for run in runs}
    assert set(by_id) == set(folders)
    assert len(runs) == 4
    for run_id, folder in folders.items():
        assert run_id is not None
        words = read_config(folder)["activation"]["name"], "mlp", "digits"
        assert all(word in by_id[run_id].name for word in words)
        check_same_files(by_id[run_id], folder)
    assert CANARY not in said
    for path in Path().glob("**/*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def test_a_run_that_was_offline_is_synced_and_read_back(
    server: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = whole(1)
    mirror_once()
    [folder] = Path("outputs/wandb").glob("offline-run-*")
    called(server, WANDB, "sync", folder)
    for name in ("WANDB_BASE_URL", "WANDB_API_KEY"):
        monkeypatch.setenv(name, with_key(server)[name])
    wandb.teardown()
    [run] = read_runs("wandb:me/experiments/activations")
    check_same(run, job.folder)


def test_a_verdict_that_was_offline_is_synced_and_synced_again(server: Seen) -> None:
    for num_seeds in (10, 3):
        assert written(small(num_seeds)).startswith("W&B: offline")
        [folder] = Path("outputs/wandb").glob("offline-run-*")
        called(server, WANDB, "sync", folder)
        run_id = kept_id()
        assert list(server.runs) == [run_id]
        pair = small(num_seeds)["tasks"][0]["pairs"][0]
        assert server.summary(run_id)["difference/elu-relu"] == pair["difference"]
        assert server.exit_codes[run_id] == 0
