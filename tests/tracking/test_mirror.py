"""The mirror: W&B's runs of a sweep are what its run folders hold, however they came about."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from running import run_folders
from tracking.offline_runs import offline_runs
from tracking.sweep_folders import SWEEP, Job, epochs, look, mirror_once, whole

from experiments.record.folder import read_config
from experiments.record.history import read_history
from experiments.record.record import Record
from experiments.tracking import mirrored
from experiments.tracking.media import MEDIA, media_of, read_media, write_media
from experiments.tracking.mirror import Mirror


def all_files() -> dict[Path, int]:
    """Return all files but logs, and when they were changed, after W&B has written the last."""
    offline_runs()
    files = (path for path in Path("outputs").glob("**/*") if path.is_file())
    return {path: path.stat().st_mtime_ns for path in files if path.suffix != ".log"}


def test_what_a_single_run_tells_is_what_the_mirror_tells(command: Callable) -> None:
    answer = command(
        "progress=none", "model=mlp", "trainer.max_epochs=3", "logger.media=false",
        "trainer.log_every_n_steps=7", "log_full_loss=true", "trainer.val_check_interval=0.5",
    )  # fmt: skip
    assert answer.code == 0
    [[single]], [folder] = [list(offline_runs().values())], run_folders()
    shutil.rmtree("outputs/wandb")
    shutil.move(folder, SWEEP / folder.name)
    mirror_once()
    [run] = offline_runs().values()
    # Rows of a step and of an epoch share their step.
    steps = [row["trainer/global_step"] for row in run.rows]
    assert len(steps) > len(set(steps)) > 10
    assert run.rows == single.rows
    assert [row["trainer/global_step"] for row in run.rows] == [
        row["step"] for row in read_history(SWEEP / folder.name)
    ]
    for name in ("id", "name", "group", "config", "summary", "metrics", "exit_code"):
        assert getattr(run, name) == getattr(single, name), name
    assert run.job_type == SWEEP.name
    assert set(run.tags) == {*single.tags, SWEEP.name}


def test_who_a_run_is(capfd: pytest.CaptureFixture[str]) -> None:
    job = whole(1, "logger.tags=[mine]", environment={"host": "a"}, overrides=["seed=1"])
    tuned = whole(2, parent=SWEEP / "tuning")
    for parent in (SWEEP / ".hidden", SWEEP / "a" / "too" / "deep"):
        whole(3, parent=parent)
    whole(4, wandb_id=None)
    mirror_once()
    runs = offline_runs()
    assert set(runs) == {job.name, tuned.name}
    run = runs[job.name]
    assert (run.id, run.job_type) == ("01" * 8, "activations")
    assert run.group == "digits mlp relu adam (5e5e5e)"
    assert set(run.tags) == {"mlp", "relu", "adam", "digits", "mine", "activations"}
    of_record = {
        "identity": "01" * 8, "setting": "5e" * 8, "num_parameters": 10, "data_checksum": "c0",
        "environment": {"host": "a"}, "overrides": ["seed=1"], "schema": 1,
    }  # fmt: skip
    config = {**read_config(job.folder), **of_record}
    assert {name: run.config[name] for name in config} == config
    rest = set(run.config) - set(config)
    assert rest == set(Record.__annotations__) - set(config) - {
        "wandb_id", "metrics", "status", "error", "best_epoch", "epochs", "steps", "ended_at",
        "duration_seconds", "fit_seconds", "train_seconds", "samples_per_second", "health",
    }  # fmt: skip
    assert runs[tuned.name].job_type == "activations/tuning"
    assert "activations" in runs[tuned.name].tags
    said = capfd.readouterr()
    assert said.out == "W&B: offline, because no key is configured (wandb login sets one).\n"
    assert said.err == ""


@pytest.mark.parametrize("status", ["completed", "diverged", "pruned", "failed", "interrupted"])
def test_how_a_run_ended(status: str) -> None:
    job = Job(1)
    job.train(1)
    job.end(status)
    mirror_once()
    [run] = offline_runs().values()
    assert run.exit_code == (0 if status in ("completed", "pruned") else 1)
    assert run.summary["status"] == status
    assert run.summary["ended_at"] == job.record["ended_at"]
    assert run.summary["test/accuracy"] == 0.5
    assert run.summary["selected/val/accuracy"] == 0.25
    assert run.summary["val/accuracy"] == {"max": pytest.approx(1 / 7)}


def test_a_run_that_was_killed_and_goes_on_later() -> None:
    job = Job(1)
    job.train(1, 2)
    mirror_once()
    [run] = offline_runs().values()
    assert (run.exit_code, epochs(run.rows)) == (1, [1, 2])
    assert "status" not in run.summary
    before = all_files()
    mirror_once()  # it is dead still
    assert all_files() == before
    job = Job(1)
    job.train(3)
    job.end()
    mirror_once()
    [run] = offline_runs().values()
    assert (run.exit_code, epochs(run.rows)) == (0, [1, 2, 3])


def test_a_run_that_was_told_is_not_told_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [whole(seed) for seed in range(3)]
    mirror_once()
    before = all_files()
    with monkeypatch.context() as patch:
        patch.setattr(mirrored, "read_record", None)  # nor is it read once more
        mirror = mirror_once()
        assert not any(run.has_failed for run in mirror.runs.values())
    assert all_files() == before
    os.utime(jobs[0].folder / "record.json")  # a copy of the folder, say
    mirror_once()
    assert all_files().keys() == before.keys()
    assert len(offline_runs()) == 3


def test_a_failed_run_that_is_tried_again_is_told_anew() -> None:
    mirror = Mirror(SWEEP)
    job = Job(1)
    job.train(1, 2)
    job.end("failed")
    look(mirror)
    [run] = offline_runs().values()
    assert run.exit_code == 1
    job = Job(1)
    job.history.keep(0)
    job.train(1)
    look(mirror)
    job.train(2, 3)
    job.end()
    look(mirror)
    [run] = offline_runs().values()
    assert (run.exit_code, epochs(run.rows)) == (0, [1, 2, 3])
    assert mirror.finish() == 0


def test_runs_that_grow_side_by_side() -> None:
    mirror = Mirror(SWEEP)
    look(mirror)  # there is no such folder yet
    one, other = Job(1), Job(2)
    look(mirror)
    one.train(1)
    look(mirror)
    other.train(1, 2)
    one.history.append({"epoch": 2, "step": 20, "val/r2": 1.0})
    look(mirror)
    one.history.keep(1)  # it went on from its checkpoint
    look(mirror)
    one.train(2, 3)
    one.end()
    look(mirror)
    other.train(3)
    other.end()
    assert mirror.finish() == 0
    runs = offline_runs()
    assert epochs(runs[one.name].rows) == epochs(runs[other.name].rows) == [1, 2, 3]
    assert "val/r2" not in json.dumps(runs[one.name].rows)
    assert [row["_step"] for row in runs[one.name].rows] == [0, 1, 2]


def test_one_that_cannot_be_mirrored_stops_no_other(capfd: pytest.CaptureFixture[str]) -> None:
    for seed, name in ((1, "record.json"), (2, "config.yaml"), (3, "history.csv")):
        (whole(seed).folder / name).write_text("{")
    (whole(4).folder / "history.csv").write_text("epoch,step\n1,x\n")
    whole(5)
    mirror = mirror_once()
    said = capfd.readouterr().err
    look(mirror)
    assert offline_runs()["digits mlp relu adam seed=5"].exit_code == 0
    assert said.count("\n") == said.count("is not mirrored") == 3
    assert "seed=1-01010101 is not mirrored (UserError" in said
    assert capfd.readouterr().err == ""


def test_media_and_the_best_checkpoint() -> None:
    job = Job(1, "logger.log_model=true")
    rng = np.random.default_rng(0)
    scores, targets = rng.random((50, 3)), rng.integers(0, 3, 50)
    inputs = rng.random((50, 1, 8, 8))
    media = media_of(["a", "b", "c"], inputs, targets, scores)
    write_media(job.folder, media)
    read = read_media(job.folder)
    assert read is not None
    assert read.class_names == ["a", "b", "c"]
    np.testing.assert_array_equal(read.worst_inputs, inputs[read.worst_indices])
    wrong = [i for i in range(50) if scores[i].argmax() != targets[i]]
    surest = sorted(wrong, key=lambda i: -scores[i].max())
    assert read.worst_indices.tolist() == surest[:32]
    (job.folder / "checkpoints").mkdir()
    (job.folder / "checkpoints" / "best.ckpt").write_bytes(b"weights")
    job.train(1)
    job.end()
    mirror_once()
    [folder] = Path("outputs/wandb").glob("offline-run-*")
    [table] = folder.glob("files/media/**/worst*.json")
    rows = json.loads(table.read_text())["data"]
    assert [row[4] for row in rows] == surest[:32]
    staged = [p.read_bytes() for p in Path("outputs/wandb/artifacts").glob("**/*") if p.is_file()]
    assert b"weights" in staged
    [run] = offline_runs().values()
    # In the history W&B would draw curves of one point: of a table's number of columns.
    assert epochs(run.rows) == [1]
    for name in ("confusion_matrix_table", "worst_mistakes"):
        assert run.summary[name]["_type"] == "table-file"


def test_media_that_cannot_be_read_spoil_no_run(capfd: pytest.CaptureFixture[str]) -> None:
    (whole(1).folder / MEDIA).write_text("no arrays")
    mirror_once()
    [run] = offline_runs().values()
    assert run.exit_code == 0
    assert "its media.npz was not logged" in capfd.readouterr().err


def test_disabled(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    job = whole(1, "logger.mode=disabled")
    mirror_once()
    assert not Path("outputs/wandb").exists()
    assert not (job.folder / ".mirror.json").exists()
    assert capfd.readouterr().out == "W&B: disabled, as asked for.\n"


def test_only_the_runs_own_folder_is_removed() -> None:
    """A run that is told anew leaves alone what the mirror has not made for it."""
    job = whole(1)
    mirror_once()
    [own] = Path("outputs/wandb").glob("offline-run-*")
    state = json.loads((job.folder / ".mirror.json").read_text())
    others = [
        own.with_name(f"offline-run-20000101_000000-{'01' * 8}"),
        own.with_name(f"run-20990101_000000-{'01' * 8}"),
        own.with_name("offline-run-20990101_000000-0101"),
        own.with_name(f"offline-run-20990101_000000-{'01' * 8}a"),
    ]
    for name in (None, *(other.name for other in others[1:]), "..", ""):
        for other in others:
            other.mkdir(exist_ok=True)
        state |= {"finished": False, "wandb_folder": name}
        (job.folder / ".mirror.json").write_text(json.dumps(state))
        mirror_once()
        assert all(other.is_dir() for other in others)
        for other in others:
            other.rmdir()
        if name is None:  # the mirror was killed amid the making of it
            assert len(offline_runs()) == 1
