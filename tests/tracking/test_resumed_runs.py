"""A run that breaks off and goes on, online or offline, is one whole run at W&B."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lightning.pytorch.callbacks import Callback
from running import run_folders
from tracking.offline_runs import OfflineRun, offline_runs
from tracking.wandb_server import Seen

from experiments import load_run

FAST = ["progress=none", "model=mlp", "logger.media=false", "trainer.max_epochs=4"]
OFFLINE, ONLINE = "logger.mode=offline", "logger.mode=auto"


class Interrupted(Callback):
    """Ctrl-C in an epoch, after rows that come after the last checkpoint have been logged."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, trainer, pl_module, *arguments) -> None:
        if trainer.current_epoch + 1 == self.epoch and trainer.global_step % 20 == 10:
            raise KeyboardInterrupt


@pytest.fixture
def broken_off(command: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that trains until Ctrl-C in an epoch, and returns the run's folder."""

    def call(epoch: int, *overrides: str) -> Path:
        with monkeypatch.context() as patch:
            patch.setattr(
                "experiments.training.build.build_callbacks", lambda config: [Interrupted(epoch)]
            )
            answer = command(*overrides)
        assert answer.code == 130, answer.err
        return run_folders()[-1]

    return call


def offline() -> list[OfflineRun]:
    return list(offline_runs().values())


def sent(rows: list[dict]) -> list[tuple]:
    return [(row["epoch"], row["trainer/global_step"], row.get("train/loss")) for row in rows]


def on_disk(folder: Path) -> list[tuple]:
    """Return what history.csv has of the same."""
    return [(row["epoch"], row["step"], row["train/loss"]) for row in load_run(folder).history]


def test_offline_and_offline(command: Callable, broken_off: Callable) -> None:
    folder = broken_off(3, *FAST, OFFLINE, "trainer.log_every_n_steps=5")
    run_id = load_run(folder).record["wandb_id"]
    [before] = offline()
    assert len(before.rows) > 2
    assert command(f"resume={folder}", OFFLINE).code == 0
    # One folder, all rows once: synced, it is the run, whatever was synced before.
    [run] = offline()
    assert run.id == run_id == load_run(folder).record["wandb_id"]
    assert sent(run.rows) == on_disk(folder)
    assert {row["epoch"] for row in run.rows} == {1, 2, 3, 4}
    assert (run.exit_code, run.summary["status"]) == (0, "completed")


def test_online_then_offline_then_online(
    command: Callable, broken_off: Callable, server: Seen
) -> None:
    folder = broken_off(2, *FAST)
    run_id = str(load_run(folder).record["wandb_id"])
    assert sent(server.history(run_id)) == on_disk(folder)[:1]
    broken_off(3, f"resume={folder}", OFFLINE)
    [part] = offline()
    assert (part.id, [row["epoch"] for row in part.rows]) == (run_id, [1, 2])
    assert command(f"resume={folder}", ONLINE).code == 0
    assert list(server.runs) == [run_id]
    assert sent(server.history(run_id)) == on_disk(folder)
    assert [row["epoch"] for row in server.history(run_id)] == [1, 2, 3, 4]
    assert offline() == []  # synced later it would take the whole one's place
    assert server.exit_codes[run_id] == 0


def test_rows_after_the_last_checkpoint_are_at_wandb_once(
    command: Callable, broken_off: Callable, server: Seen
) -> None:
    folder = broken_off(3, *FAST, "trainer.log_every_n_steps=5")
    run_id = str(load_run(folder).record["wandb_id"])
    assert command(f"resume={folder}").code == 0
    assert sent(server.history(run_id)) == on_disk(folder)
    assert server.summary(run_id)["status"] == "completed"


@pytest.mark.parametrize("mode", ["auto", pytest.param("offline", marks=pytest.mark.slow)])
def test_a_larger_budget_is_another_run_and_whole(
    mode: str, command: Callable, server: Seen
) -> None:
    assert command(*FAST, f"logger.mode={mode}").code == 0
    [first] = run_folders()
    assert command(f"resume={first}", "trainer.max_epochs=6", f"logger.mode={mode}").code == 0
    [second] = set(run_folders()) - {first}
    ids = [str(load_run(folder).record["wandb_id"]) for folder in (first, second)]
    assert ids[0] != ids[1]
    runs = {run.id: run.rows for run in offline()} if mode == "offline" else None
    for run_id, folder in zip(ids, (first, second), strict=True):
        rows = runs[run_id] if runs else server.history(run_id)
        assert sent(rows) == on_disk(folder)
    assert [row["epoch"] for row in load_run(second).history] == [1, 2, 3, 4, 5, 6]


def test_it_goes_on_where_it_was_told(
    command: Callable, broken_off: Callable, server: Seen
) -> None:
    """Project, tags and media are those of its beginning, unless they are typed anew."""
    folder = broken_off(2, *FAST, "logger.project=lab", "logger.tags=[mine]", OFFLINE)
    assert command(f"resume={folder}", ONLINE).code == 0
    assert load_run(folder).config["logger"]["project"] == "lab"
    [upserted] = server.runs.values()
    assert "mine" in upserted["tags"]
