"""W&B in a single run: offline, online against a server of our own, crashes, and secrets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import wandb
from lightning.pytorch.callbacks import Callback
from running import run_folders
from tracking.remote_runs import SOURCE, check_same, read_runs
from tracking.wandb_server import CANARY, Seen

from experiments import load_run
from experiments.tracking.reachable import choose_mode, has_key

WANDB = Path(sys.executable).with_name("wandb")
FAST = ["progress=none", "model=mlp", "trainer.max_epochs=2"]


@pytest.fixture
def _afresh() -> Iterator[None]:
    """W&B reads its environment once per process: begin and end with one that has read nothing."""
    wandb.teardown()
    yield
    wandb.teardown()


def leet(*arguments: str | Path) -> str:
    """Return what W&B's own reader prints."""
    command = [WANDB, "leet", "inspect", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def inspect(folder: Path) -> dict:
    """Return config, summary and state of an offline run."""
    return json.loads(leet("--summary", "--json", folder))


def offline_runs() -> list[Path]:
    return sorted(Path("outputs/wandb").glob("offline-run-*"))


def test_without_a_key_a_run_is_offline_and_says_so(command: Callable) -> None:
    answer = command(*FAST, "logger.tags=[mine]", "logger.notes=why", "seed=4")
    assert answer.code == 0
    assert "W&B: offline, because no key is configured" in answer.out
    assert "wandb:" not in answer.out + answer.err
    [folder], [run_folder] = offline_runs(), run_folders()
    run, seen = load_run(run_folder), inspect(folder)
    record = run.record
    assert record["wandb_id"] in folder.name
    assert re.fullmatch(r"4-mlp-\S*digits-relu-adam\S*-[0-9a-f]{8}", record["wandb_id"])
    assert seen["summary"]["test/accuracy"] == pytest.approx(record["metrics"]["test/accuracy"])
    # The best of each metric, and apart from it the metrics of the selected weights.
    best = min(row["val/loss"] for row in run.history)
    assert seen["summary"]["val/loss"]["min"] == pytest.approx(best)
    best = max(row["val/accuracy"] for row in run.history)
    assert seen["summary"]["val/accuracy"]["max"] == pytest.approx(best)
    assert seen["summary"]["selected/val/loss"] == pytest.approx(record["metrics"]["val/loss"])
    assert seen["config"]["activation"]["name"] == "relu"
    assert seen["config"]["optim"]["lr"] == run.config["optim"]["lr"]
    assert seen["config"]["setting"] == record["setting"]
    assert not [key for key in seen["config"] if "." in key or "/" in key]
    assert set(seen["tags"]) == {"mlp", "relu", "adam", "digits", "mine"}
    assert seen["notes"] == "why"
    assert (seen["state"], seen["exit_code"]) == ("finished", 0)
    rows = leet("--json", folder)
    for row in run.history:
        assert json.dumps(row["train/loss"])[:12] in rows
    # The confusion matrix and the mistakes, with their images.
    files = {path.name.partition("_")[0] for path in (folder / "files" / "media").glob("**/*.*")}
    assert {"confusion", "worst"} <= files
    staged = [p.read_bytes() for p in Path("outputs/wandb/artifacts").glob("**/*") if p.is_file()]
    mistakes = json.loads(next((folder / "files" / "media").glob("**/worst*.json")).read_text())
    assert mistakes["columns"] == ["input", "target", "predicted", "score", "index"]
    assert 0 < len(mistakes["data"]) <= 32
    images = [content for content in staged if content.startswith(b"\x89PNG")]
    assert len(images) >= len(mistakes["data"])


def test_without_media_and_with_the_best_checkpoint_on_request(command: Callable) -> None:
    command(*FAST, "logger.log_model=true", "logger.media=false")
    [folder], [run_folder] = offline_runs(), run_folders()
    assert not (folder / "files" / "media").exists()
    staged = [p.read_bytes() for p in Path("outputs/wandb").glob("artifacts/**/*") if p.is_file()]
    assert (run_folder / "checkpoints" / "best.ckpt").read_bytes() in staged


class Broken(Callback):
    """An error amid training."""

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        raise RuntimeError("as asked for")


def test_a_crash_reaches_wandb_as_failed(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.training.build.build_callbacks", lambda config: [Broken()])
    answer = command(*FAST)
    assert answer.code == 1
    [folder] = offline_runs()
    assert inspect(folder)["exit_code"] == 1
    assert inspect(folder)["state"] == "failed"


def test_what_goes_wrong_in_wandb_spoils_no_run(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise OSError("no connection")

    monkeypatch.setattr("experiments.tracking.wandb_run.summary_of", broken)
    answer = command(*FAST, "logger.media=false")
    assert answer.code == 0
    assert "W&B: the run could not be finished there (no connection)." in answer.out
    [folder] = run_folders()
    assert load_run(folder).record["status"] == "completed"
    wandb.teardown()


def test_wandb_disabled(command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert "W&B: disabled" in command(*FAST).out
    assert not Path("outputs/wandb").exists()
    [folder] = run_folders()
    assert load_run(folder).record["wandb_id"] is None


def test_online_where_a_key_is_set_and_the_server_answers(command: Callable, server: Seen) -> None:
    further = ["log_full_loss=true", "trainer.log_every_n_steps=7", "logger.media=false"]
    answer = command(*FAST, *further, "hydra.mode=RUN")
    assert answer.code == 0
    assert "W&B: online." in answer.out
    [folder] = run_folders()
    run = load_run(folder)
    run_id = run.record["wandb_id"]
    assert run_id
    upserted = server.runs[run_id]
    assert upserted["displayName"] == "digits mlp relu adam trainer.max_epochs=2 seed=0"
    words, digest = "digits mlp relu adam trainer.max_epochs=2", run.record["setting"][:6]
    assert upserted["groupName"] == f"{words} ({digest})"
    assert json.loads(upserted["config"])["model"]["value"]["name"] == "mlp"
    rows = [row for row in server.history(run_id) if "val/loss" in row]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert [row["train/loss"] for row in rows] == pytest.approx(
        [row["train/loss"] for row in run.history if row["val/loss"] is not None]
    )
    assert server.summary(run_id)["test/accuracy"] == pytest.approx(
        run.record["metrics"]["test/accuracy"]
    )
    assert server.exit_codes[run_id] == 0
    [brought] = read_runs(SOURCE)
    check_same(brought, folder)
    assert brought.sweep is None
    # The server did get the key; no file did.
    assert any(CANARY in header for header in server.headers)
    for path in Path().glob("**/*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
    assert CANARY not in answer.out + answer.err


@pytest.mark.usefixtures("lent_server")
def test_a_run_of_a_sweep_has_an_id_of_its_own_and_the_sweep_as_job_type(
    command: Callable, server: Seen
) -> None:
    assert command("-m", *FAST, "logger.media=false", "seed=0,1").code == 0
    runs = [load_run(folder) for folder in run_folders()]
    assert set(server.runs) == {run.record["wandb_id"] for run in runs}
    for run in runs:
        upserted = server.runs[str(run.record["wandb_id"])]
        assert upserted["jobType"] == run.folder.parent.name
        assert upserted["groupName"].endswith(f"({run.record['setting'][:6]})")
        assert json.loads(upserted["config"])["identity"]["value"] == run.record["identity"]


class Interrupted(Callback):
    """Ctrl-C in the second epoch."""

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt


def test_a_resumed_run_goes_on_in_the_same_run_of_wandb(
    command: Callable, server: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("experiments.training.build.build_callbacks", lambda config: [Interrupted()])
        assert command(*FAST, "logger.media=false").code == 130
    [folder] = run_folders()
    run_id = load_run(folder).record["wandb_id"]
    assert run_id
    assert server.exit_codes[run_id] == 1
    assert command(f"resume={folder}", "logger.media=false").code == 0
    assert list(server.runs) == [run_id]
    rows = [row for row in server.history(run_id) if "val/loss" in row]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert server.exit_codes[run_id] == 0


@pytest.mark.usefixtures("_afresh")
def test_offline_where_the_server_does_not_answer(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", CANARY)
    answer = command(*FAST, "logger.media=false")
    assert answer.code == 0
    assert "W&B: offline, because 127.0.0.1 does not answer." in answer.out
    assert len(offline_runs()) == 1


def test_offline_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", CANARY)
    assert choose_mode("offline")[0] == "offline"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert choose_mode("auto") == ("offline", "W&B: offline, as asked for.")


def test_a_key_in_netrc_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_key("https://wandb.example")
    Path("netrc").write_text(f"machine wandb.example login user password {CANARY}\n")
    Path("netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", "netrc")
    assert has_key("https://wandb.example")
    assert not has_key("https://elsewhere.example")
