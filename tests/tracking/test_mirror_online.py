"""The mirror with a server: rows as they come, runs that go on, and a server that goes away."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from tracking.offline_runs import offline_runs
from tracking.sweep_folders import SWEEP, Job, epochs, look, mirror_once, wait_until, whole
from tracking.wandb_server import Seen, wandb_server

from experiments.tracking import mirrored
from experiments.tracking.mirror import Mirror

CANARY = "c0ffee" * 6 + "cafe"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """A W&B server of our own, with a key for it in the environment."""
    wandb.teardown()
    with wandb_server() as seen:
        monkeypatch.setenv("WANDB_BASE_URL", seen.url)
        monkeypatch.setenv("WANDB_API_KEY", CANARY)
        yield seen
        # While the server is there: W&B's service would wait for one that is gone.
        wandb.teardown()


def sent_epochs(server: Seen, run_id: str) -> list[int]:
    """Return the epochs of the rows that the server has so far."""
    return epochs(server.history(run_id)) if run_id in server.stream else []


def test_online_and_live(server: Seen, capfd: pytest.CaptureFixture[str]) -> None:
    job = Job(1)
    job.train(1)
    mirror = Mirror(SWEEP)
    look(mirror)
    wait_until(lambda: sent_epochs(server, "01" * 8) == [1])
    job.train(2, 3)
    look(mirror)
    wait_until(lambda: sent_epochs(server, "01" * 8) == [1, 2, 3])
    job.end("interrupted")
    look(mirror)
    assert server.exit_codes["01" * 8] == 1
    # It goes on: from its checkpoint, after the second epoch.
    job = Job(1)
    job.history.keep(2)
    job.train(3, 4)
    job.end()
    assert mirror.finish() == 0
    sent = server.runs["01" * 8]
    assert (sent["groupName"], sent["jobType"]) == ("5e" * 8, "activations")
    assert json.loads(sent["config"])["model"]["value"]["name"] == "mlp"
    assert epochs(server.history("01" * 8)) == [1, 2, 3, 4]
    assert [row["_step"] for row in server.history("01" * 8)] == [0, 1, 2, 3]
    assert server.summary("01" * 8)["status"] == "completed"
    assert server.exit_codes["01" * 8] == 0
    assert capfd.readouterr() == ("W&B: online.\n", "")
    # The server did get the key; no file did.
    assert any(CANARY in header for header in server.headers)
    for path in Path().glob("**/*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def test_a_run_that_is_told_by_two_mirrors_online(server: Seen) -> None:
    job = Job(1)
    job.train(1, 2)
    first = Mirror(SWEEP)
    look(first)
    [open_run] = first.runs.values()
    open_run.run.finish()  # as W&B's service does for a client that was killed
    job.train(3)
    job.end()
    mirror_once()
    assert epochs(server.history("01" * 8)) == [1, 2, 3]
    assert server.exit_codes["01" * 8] == 0
    first.pool.shutdown()


def test_a_server_that_goes_away(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(mirrored.CHEAP, "init_timeout", 1)
    monkeypatch.setitem(mirrored.CHEAP, "finish_timeout", 1)
    wandb.teardown()
    mirror = Mirror(SWEEP)
    job = Job(1)
    with wandb_server() as seen:
        monkeypatch.setenv("WANDB_BASE_URL", seen.url)
        monkeypatch.setenv("WANDB_API_KEY", CANARY)
        look(mirror)
    job.train(1)
    job.end()
    look(mirror)
    whole(2)
    assert mirror.finish() == 0
    assert list(offline_runs()) == ["seed=2-02020202"]
    said = capfd.readouterr()
    assert said.out == "W&B: online.\nW&B: offline, because 127.0.0.1 does not answer.\n"
    assert said.err.startswith("W&B: the server takes nothing more. To go on later: python -m")
    # The next launch tells all.
    mirror_once()
    assert set(offline_runs()) == {"seed=1-01010101", "seed=2-02020202"}
    wandb.teardown()


def test_what_hangs_is_left(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    release = threading.Event()
    monkeypatch.setattr("experiments.tracking.mirror.NOTICE_SECONDS", 0.1)
    monkeypatch.setattr(mirrored.MirroredRun, "advance", lambda *arguments: release.wait(20))
    whole(1), whole(2)
    mirror = Mirror(SWEEP, patience_seconds=0.1)
    mirror.look()
    started = time.monotonic()
    assert mirror.finish() == 2
    assert time.monotonic() - started < 5
    assert capfd.readouterr().out.startswith("W&B: runs still to write: 2. To go on later: python")
    release.set()


def test_a_run_that_the_server_refuses(
    monkeypatch: pytest.MonkeyPatch, server: Seen, capfd: pytest.CaptureFixture[str]
) -> None:
    init = wandb.init

    def refusing(*, mode: str, **arguments: Any) -> Any:
        if mode == "online" and arguments["id"] == "01" * 8:
            raise wandb.errors.CommError("deleted once")
        return init(mode=mode, **arguments)

    monkeypatch.setattr(wandb, "init", refusing)
    whole(1), whole(2)
    mirror_once()
    assert set(offline_runs()) == {"seed=1-01010101"}
    assert epochs(server.history("02" * 8)) == [1, 2, 3]
    line = "W&B: offline, because the server refused the run (deleted once).\n"
    assert sorted(capfd.readouterr().out.splitlines(keepends=True)) == [line, "W&B: online.\n"]
    mirror_once()
    assert set(offline_runs()) == {"seed=1-01010101"}
