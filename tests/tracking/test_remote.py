"""Runs on W&B's server, read back: the same records, configs and histories as in the folders."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from running import run_folders
from tracking import wandb_server as server_module
from tracking.sweep_folders import SWEEP, Job, mirror_once, whole
from tracking.wandb_server import Seen, wandb_server

from experiments.errors import UserError
from experiments.folders import read_config
from experiments.records import canonical, read_history, read_record
from experiments.tracking.remote import RemoteRun, histories, parse, read_runs
from experiments.tracking.remote_record import problem_of, rows_of
from experiments.tracking.summary import JOB_TYPE as VERDICT

CANARY = "c0ffee" * 6 + "cafe"
SOURCE = "wandb:me/experiments"


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


def text(value: Any) -> str:
    """Return a value such that equal ones are equal, nan with nan, and 1.0 with 1."""
    return json.dumps(canonical(value), sort_keys=True)


def without_empty(config: Any) -> Any:
    """Return a nested config without its empty parts, which W&B drops."""
    if not isinstance(config, dict):
        return config
    return {key: without_empty(value) for key, value in config.items() if value != {}}


def check_same(run: RemoteRun, folder: Path) -> None:
    """Check that a run of the server is the one of a folder."""
    assert run.problems is None
    assert text(run.record) == text(read_record(folder))
    assert run.record
    assert list(run.record) == list(read_record(folder))
    assert text(run.config) == text(without_empty(read_config(folder)))
    assert text(run.history()) == text(read_history(folder))
    assert run.name == folder.name


def pretend(server: Seen, number: int, **more: Any) -> None:
    """Put runs on the server as if they had been mirrored, without W&B's client."""
    run_id = f"{number:016x}"
    values = {
        "schema": 1, "identity": run_id, "setting": "5e" * 8, "seed": number, "overrides": [],
        "num_parameters": 10, "num_activation_parameters": 0, "data_checksum": "c0",
        "environment": {}, "started_at": "2026-11-27T00:00:00+00:00", "optim": {"lr": 0.1},
    }  # fmt: skip
    config = {name: {"value": value, "desc": None} for name, value in values.items()}
    server.runs[run_id] = {"config": json.dumps(config), "jobType": "activations", **more}


def test_what_was_mirrored_comes_back_as_it_was(server: Seen) -> None:
    more: dict[str, Any] = {
        "overrides": ["optim.lr=0.1"], "best_epoch": 2, "steps": 30, "num_activation_parameters": 4,
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
    assert [len(rows) for rows in histories(runs)] == [
        len(read_history(SWEEP / n)) for n in by_name
    ]


def test_a_single_run_comes_back_as_it_was(command: Callable, server: Seen) -> None:
    fast = ["progress=none", "model=mlp", "trainer.max_epochs=2", "log_full_loss=true"]
    assert command(*fast, "trainer.log_every_n_steps=7", "hydra.mode=RUN").code == 0
    [folder] = run_folders()
    [run] = read_runs(SOURCE)
    check_same(run, folder)
    assert run.sweep is None
    for path in Path().glob("**/*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def test_a_run_that_was_killed_has_no_end(server: Seen) -> None:
    job = Job(1, environment={"host": "a"})
    job.train(1, 2)
    mirror_once()
    [run] = read_runs(SOURCE)
    assert run.record
    assert (run.record["status"], run.record["epochs"], run.record["metrics"]) == ("running", 0, {})
    assert run.record["environment"] == {"host": "a"}
    assert text(run.history()) == text(read_history(job.folder))


def test_a_run_that_is_tried_again_is_under_way(server: Seen) -> None:
    whole(1)
    mirror_once()
    del server.exit_codes["01" * 8]  # its summary is that of the earlier attempt still
    [run] = read_runs(SOURCE)
    assert run.record
    assert (run.record["status"], run.record["metrics"]) == ("running", {})


def test_more_runs_than_a_page(server: Seen, capfd: pytest.CaptureFixture[str]) -> None:
    for number in range(250):
        pretend(server, number)
    runs = read_runs(SOURCE)
    assert server.operations.count("Runs") == 3
    assert [run.record and run.record["seed"] for run in runs] == list(range(250))
    assert {run.config["optim"]["lr"] for run in runs} == {0.1}
    assert capfd.readouterr() == ("", "")


def test_a_history_longer_than_a_page(server: Seen) -> None:
    pretend(server, 1)
    rows = [
        {"_step": i, "_timestamp": 0.5, "epoch": 1, "trainer/global_step": i + 1, "train/loss_step": 1 / (i + 1)}
        for i in range(2500)
    ]  # fmt: skip
    server.stream[f"{1:016x}"] = {"wandb-history.jsonl": [json.dumps(row) for row in rows]}
    [run] = read_runs(SOURCE)
    found = run.history()
    assert server.operations.count("HistoryPage") == 3
    assert [row["step"] for row in found] == list(range(1, 2501))
    assert [row["train/loss_step"] for row in found] == [1 / (i + 1) for i in range(2500)]
    assert set(found[0]) == {"epoch", "step", "train/loss_step"}


def test_a_history_is_not_that_of_an_earlier_look(server: Seen) -> None:
    job = Job(1)
    job.train(1)
    mirror_once()
    [run] = read_runs(SOURCE)
    assert len(run.history()) == 1
    job = Job(1)
    job.train(2, 3)
    job.end()
    mirror_once()
    assert len(run.history()) == 3


def test_foreign_runs_are_named(server: Seen) -> None:
    pretend(server, 1)
    server.runs["foreign"] = {"config": json.dumps({"lr": {"value": 1}}), "displayName": "fox"}
    server.runs["empty"] = {}
    pretend(server, 2, jobType=VERDICT)
    good, foreign, empty = read_runs(SOURCE)
    assert (good.problems, foreign.name, foreign.record) == (None, "fox", None)
    problem = "it is no run of experiments: its config has no identity, setting, seed"
    assert foreign.problems == empty.problems == problem
    assert foreign.config == {"lr": 1}


def test_runs_of_other_versions_are_named() -> None:
    config = {"identity": "a", "setting": "b", "seed": 0}
    assert "older version, without schema, overrides" in str(problem_of(config, {}, "finished"))
    config |= dict.fromkeys(["overrides", "num_parameters", "num_activation_parameters"])
    config |= dict.fromkeys(["data_checksum", "environment", "started_at"])
    assert problem_of(config | {"schema": 1}, {}, "finished") is None
    told = str(
        problem_of(config | {"schema": 1}, {"status": "completed", "error": None}, "finished")
    )
    assert "without epochs, steps, duration_seconds" in told
    assert "newer version (schema 2;" in str(problem_of(config | {"schema": 2}, {}, "finished"))


def test_parameters_of_a_wandb_sweep_are_no_part_of_the_config(server: Seen) -> None:
    pretend(server, 1)
    sent = json.loads(server.runs[f"{1:016x}"]["config"])
    sent["optim.lr"] = sent["activation.name"] = {"value": 1}
    server.runs[f"{1:016x}"] = {"config": json.dumps(sent), "sweep": "a1b2c3"}
    pretend(server, 2)
    [run] = read_runs(f"{SOURCE}/a1b2c3")
    assert run.sweep == "a1b2c3"
    assert run.config == {"seed": 1, "optim": {"lr": 0.1}}


def test_rows_behind_a_checkpoint_count_as_they_were_told_last() -> None:
    def logged(epoch: int, step: int, **values: Any) -> dict[str, Any]:
        return {"_step": 9, "epoch": epoch, "trainer/global_step": step, **values}

    rows = rows_of(
        [
            logged(1, 5, loss_step=1.0), logged(1, 10, loss_step=0.9), logged(1, 10, loss=0.95),
            logged(2, 15, loss_step=0.8), logged(2, 20, loss_step=0.7),
            # It was killed here, and went on from the end of its first epoch.
            logged(2, 15, loss_step=0.8), logged(2, 20, loss_step=0.6), logged(2, 20, loss=0.7),
            {"trainer/global_step": 20, "confusion_matrix_table": {"_type": "table-file"}},
        ]
    )  # fmt: skip
    assert [(row["step"], row["loss_step"], row["loss"]) for row in rows] == [
        (5, 1.0, None), (10, 0.9, None), (10, None, 0.95),
        (15, 0.8, None), (20, 0.6, None), (20, None, 0.7),
    ]  # fmt: skip
    assert rows_of([logged(1, 5, loss=1.0), logged(1, 5, loss=0.5)]) == [
        {"epoch": 1, "step": 5, "loss": 0.5}
    ]
    assert rows_of([]) == []


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


@pytest.mark.parametrize("operation", ["Viewer", "Runs", "HistoryPage"])
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
        read_runs(SOURCE)[0].history()


def test_no_litter(server: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(Path("scratch").absolute()))
    monkeypatch.setattr(tempfile, "tempdir", None)
    Path("scratch").mkdir()
    before = dict(os.environ)
    pretend(server, 1)
    [run] = read_runs(SOURCE)
    run.history()
    # But for the place where W&B's service says on which port it listens, and its own log.
    assert [path.name[:6] for path in Path("scratch").iterdir()] == ["wandb-"]
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert [path for path in files if "core-debug" not in path.name] == []
    assert {**os.environ, "WANDB_SERVICE": ""} == {**before, "WANDB_SERVICE": ""}
    assert not Path("wandb").exists()
