"""The mirror with a server: rows as they come, runs that go on, and a server that goes away."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import wandb
from tracking.offline_runs import offline_runs
from tracking.sweep_folders import SWEEP, Job, epochs, look, mirror_once, wait_until, whole
from tracking.wandb_server import CANARY, Seen, wandb_server

from experiments.tracking import mirrored
from experiments.tracking.mirror import Mirror


def sent_epochs(server: Seen, run_id: str) -> list[int]:
    """Return the epochs of the rows that the server has so far."""
    return epochs(server.history(run_id)) if run_id in server.stream else []


def test_online_and_live(
    server: Seen, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.tracking.mirror.NOTICE_SECONDS", 60)  # a busy machine's
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
    assert sent["displayName"] == "digits mlp relu adam seed=1"
    assert (sent["groupName"], sent["jobType"]) == ("digits mlp relu adam (5e5e5e)", "activations")
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
    monkeypatch.setattr("experiments.tracking.mirror.NOTICE_SECONDS", 60)
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
    assert list(offline_runs()) == ["digits mlp relu adam seed=2"]
    said = capfd.readouterr()
    assert said.out == "W&B: online.\nW&B: offline, because 127.0.0.1 does not answer.\n"
    assert said.err.startswith("W&B: the server takes nothing more. To go on later: python -m")
    # The next launch tells all.
    mirror_once()
    assert set(offline_runs()) == {"digits mlp relu adam seed=1", "digits mlp relu adam seed=2"}
    wandb.teardown()


def test_what_lost_its_server_is_sent_by_hand_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wandb.teardown()
    whole(3)
    mirror_once()  # offline for want of a key, and left there
    whole(1), whole(2)
    with wandb_server() as gone:
        monkeypatch.setenv("WANDB_BASE_URL", gone.url)
        monkeypatch.setenv("WANDB_API_KEY", CANARY)
        mirror = Mirror(SWEEP)
        mirror.sink.mode("auto", Path("outputs/wandb"))
    mirror.sink.check_server()
    mirror.look()
    assert mirror.finish() == 0
    assert len(offline_runs()) == 3
    with wandb_server() as seen:
        monkeypatch.setenv("WANDB_BASE_URL", seen.url)
        monkeypatch.setenv("WANDB_API_KEY", CANARY)
        mirror_once()  # the launcher's own, with another launch of the sweep
        assert (seen.runs, len(offline_runs())) == ({}, 3)
        counts = []
        for _ in range(2):
            mirror = Mirror(SWEEP, sends_offline=True)
            mirror.look()
            assert mirror.finish() == 0
            counts.append(seen.operations.count("UpsertBucket"))
        assert counts[0] == counts[1]
        assert {run_id: epochs(seen.history(run_id)) for run_id in seen.runs} == {
            "01" * 8: [1, 2, 3],
            "02" * 8: [1, 2, 3],
        }
        # Else a later sync would send them once more.
        assert list(offline_runs()) == ["digits mlp relu adam seed=3"]
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
    assert mirror.finish() == 2  # of which none is done yet
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
    assert set(offline_runs()) == {"digits mlp relu adam seed=1"}
    assert epochs(server.history("02" * 8)) == [1, 2, 3]
    line = "W&B: offline, because the server refused the run (deleted once).\n"
    assert sorted(capfd.readouterr().out.splitlines(keepends=True)) == [line, "W&B: online.\n"]
    mirror_once()
    assert set(offline_runs()) == {"digits mlp relu adam seed=1"}
