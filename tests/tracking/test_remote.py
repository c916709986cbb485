"""Runs on W&B's server, read back: the files of the run folders, byte by byte."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import wandb
from tracking import wandb_server as server_module
from tracking.offline_runs import offline_runs
from tracking.remote_runs import SOURCE, check_same, read_runs
from tracking.sweep_folders import SWEEP, Job, mirror_once, whole
from tracking.wandb_server import Seen

from experiments.errors.messages import UserError
from experiments.record.history import read_history
from experiments.record.record import read_record
from experiments.tracking import remote
from experiments.tracking.remote import download_runs, parse
from experiments.tracking.summary import JOB_TYPE as VERDICT
from experiments.tracking.wandb_run import FILES


def pretend(server: Seen, number: int, has_files: bool = True, **more: Any) -> str:
    """Put a run on the server as if it had been mirrored, without W&B's client."""
    run_id = f"{number:016x}"
    server.runs[run_id] = {"config": "{}", "jobType": "activations", **more}
    server.exit_codes[run_id] = 0
    if has_files:
        for name in ("run_record.json", "run_config.yaml"):
            server.files[f"{run_id}/{name}"] = f"{number}".encode()
    return run_id


def test_what_was_mirrored_comes_back_as_it_was(server: Seen) -> None:
    more: dict[str, Any] = {
        "overrides": ["optim.lr=0.001"], "best_epoch": 2, "steps": 30, "num_activation_parameters": 4,
        "duration_seconds": 1.25, "fit_seconds": 1.0, "train_seconds": 0.1, "samples_per_second": 7e22,
        "environment": {"versions": {"python": "3.11.7"}, "commit": None, "clean": True, "pid": 7},
        "started_at": "2026-11-27T00:00:00.000+00:00",
    }  # fmt: skip
    jobs = [whole(1, **more), whole(2, "logger.tags=[mine]", **more)]
    diverged = Job(3, **more, error="the loss became nan")
    diverged.train(1)
    diverged.history.append({"epoch": 2, "step": 20, "train/loss": math.nan, "lr": math.inf})
    diverged.record["metrics"] = {"test/loss": math.nan}
    diverged.end("diverged")
    diverged.record["metrics"] |= {"test/loss": math.nan, "val/loss": -math.inf}
    diverged.end("diverged")
    jobs.append(diverged)
    jobs += [Job(seed, **more) for seed in (4, 5, 6)]
    for job, status in zip(jobs[3:], ("pruned", "failed", "interrupted"), strict=True):
        job.train(1)
        job.end(status)
    mirror_once()
    runs = read_runs(f"{SOURCE}/{SWEEP.name}")
    assert [run.sweep for run in runs] == [SWEEP.name] * 6
    by_name = {run.name: run for run in runs}
    for job in jobs:
        check_same(by_name[job.name], job.folder)
        assert by_name[job.name].url == f"{server.url}/me/experiments/runs/{job.record['wandb_id']}"


def test_a_run_that_was_killed_has_no_end(server: Seen) -> None:
    job = Job(1, environment={"host": "a"})
    job.train(1, 2)
    mirror_once()
    [run] = read_runs(SOURCE)
    check_same(run, job.folder)
    assert read_record(run.folder)["status"] == "running"


def test_a_run_without_an_epoch_has_no_history(server: Seen) -> None:
    job = Job(1)
    job.end("failed")
    mirror_once()
    [run] = read_runs(SOURCE)
    check_same(run, job.folder)
    assert read_history(run.folder) == []


def test_a_run_that_is_tried_again_is_under_way(server: Seen) -> None:
    whole(1)
    mirror_once()
    del server.exit_codes["01" * 8]  # its files are those of the earlier attempt still
    [run] = read_runs(SOURCE)
    assert run.problem == "it is under way"
    assert list(run.folder.iterdir()) == []


def test_a_run_that_went_on_has_the_files_of_its_last_end(server: Seen) -> None:
    job = Job(1)
    job.train(1)
    mirror_once()
    check_same(*read_runs(SOURCE), job.folder)
    job = Job(1)
    job.train(2, 3)
    job.end()
    mirror_once()
    [run] = read_runs(SOURCE)
    check_same(run, job.folder)
    assert len(read_history(run.folder)) == 3


def test_an_offline_run_has_the_files_of_its_end(
    server: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    job = whole(1)
    before = {saved: (job.folder / name).read_bytes() for saved, name in FILES.items()}
    mirror_once()
    job.train(4)
    offline_runs()
    saved = Path("outputs/wandb").glob("offline-run-*/files/run_*")
    assert {path.name: path.read_bytes() for path in saved} == before


def test_more_runs_than_a_page(
    server: Seen, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(remote, "NUM_PER_PAGE", 4)
    for number in range(10):
        pretend(server, number)
    runs = read_runs(SOURCE)
    assert server.operations.count("Runs") == 3
    numbers = [int((run.folder / "record.json").read_text()) for run in runs]
    assert numbers == list(range(10))
    assert capfd.readouterr() == ("", "")


def test_runs_without_files_are_named(server: Seen) -> None:
    pretend(server, 1)
    pretend(server, 2, has_files=False, displayName="fox")
    del server.files[f"{pretend(server, 3)}/run_config.yaml"]
    pretend(server, 4, jobType=VERDICT)
    good, foreign, half = read_runs(SOURCE)
    assert (good.problem, foreign.name) == (None, "fox")
    assert foreign.problem == (
        "it has no record.json and config.yaml there, as runs of an older version have not"
    )
    assert str(half.problem).startswith("it has no config.yaml there")


@pytest.mark.parametrize(
    "given", ["wandb:", "wandb:me", "wandb:me/", "wandb:/x", "me/x", "wandb:me/x/"]
)
def test_sources_that_are_misspelt(given: str) -> None:
    with pytest.raises(UserError, match="write wandb:ENTITY/PROJECT for all runs"):
        parse(given)


def test_a_sweep_that_is_not_there(server: Seen) -> None:
    pretend(server, 1), pretend(server, 2, jobType="optimizers"), pretend(server, 3, jobType=None)
    pretend(server, 4, jobType=VERDICT)
    with pytest.raises(UserError) as raised:
        read_runs(f"{SOURCE}/activation")
    assert str(raised.value) == (
        "source=wandb:me/experiments/activation: the project has no runs of such a sweep. It has "
        "those of: activations, optimizers. Did you mean source=wandb:me/experiments/activations?"
    )
    assert [run.sweep for run in read_runs(f"{SOURCE}/optimizers")] == ["optimizers"]
    assert [run.sweep for run in read_runs(SOURCE)] == ["activations", "optimizers", None]


def test_a_project_that_is_not_there(server: Seen) -> None:
    with pytest.raises(UserError, match="source=wandb:me/else: this server of W&B has no such pr"):
        read_runs("wandb:me/else")


def test_an_empty_project_has_no_runs(server: Seen) -> None:
    assert read_runs(SOURCE) == []


def test_without_a_key_nobody_is_asked_for_one(
    server: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    wandb.teardown()
    with pytest.raises(
        UserError, match=r"^127.0.0.1: there is no key for this server of W&B. Type w"
    ):
        read_runs(SOURCE)
    assert server.operations == []


def test_a_server_that_does_not_answer(server: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    wandb.teardown()
    with pytest.raises(UserError, match="^127.0.0.1: this server of W&B does not answer"):
        read_runs(SOURCE)


@pytest.mark.parametrize("operation", ["Viewer", "Runs", "RunFiles"])
def test_what_the_server_refuses(
    server: Seen, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    answer = server_module.answer

    def refusing(asked: str, *arguments: Any) -> Any:
        return None if asked == operation else answer(asked, *arguments)

    whole(1)
    mirror_once()
    monkeypatch.setattr(server_module, "answer", refusing)
    with pytest.raises(UserError, match="^127.0.0.1: this server of W&B says no: .*not here"):
        read_runs(SOURCE)


def test_no_litter(server: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(Path("scratch").absolute()))
    monkeypatch.setattr(tempfile, "tempdir", None)
    Path("scratch").mkdir()
    before = dict(os.environ)
    pretend(server, 1)
    [run] = download_runs(SOURCE, Path("target"))
    brought = set(run.folder.iterdir())
    # But for the place where W&B's service says on which port it listens, and its own log.
    assert [path.name[:6] for path in Path("scratch").iterdir()] == ["wandb-"]
    files = {path for path in Path().rglob("*") if path.is_file()} - brought
    assert [path for path in files if "core-debug" not in path.name] == []
    assert {**os.environ, "WANDB_SERVICE": ""} == {**before, "WANDB_SERVICE": ""}
    assert not Path("wandb").exists()
