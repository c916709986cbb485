"""Several processes for one run, for real (gloo on the CPU)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from running import run_folders

from experiments import load_run
from experiments.config import door
from experiments.training import other_rank, ranks
from experiments.training.random_streams import take_streams
from experiments.training.rank_states import OF_RANKS, own_state

FAST = ["progress=none", "model=mlp", "model.hidden=[32]", "trainer.max_epochs=3"]


def without_diagnostics(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the training itself says in a row of a history."""
    return {name: value for name, value in row.items() if not name.startswith("diagnostics/")}


# Every optimizer, data that do not divide, multiruns, signals: tests/slow/test_ranks.py.
def test_two_processes_are_one_run_with_the_result_of_one(command: Callable) -> None:
    measured = ["log_full_loss=true", "callbacks=diagnostics", "data.sampler=balanced"]
    one = command(*FAST, *measured, "logger=none")
    two = command(
        *FAST, *measured, "trainer=ddp_cpu", "trainer.devices=2", "logger.media=false"
    )  # fmt: skip
    assert (one.code, two.code) == (0, 0)
    assert two.out.count("result") == 1
    alone, shared = (load_run(folder) for folder in run_folders())
    assert len(list(Path("outputs/wandb").glob("offline-run-*"))) == 1
    assert shared.record["status"] == "completed"
    assert shared.record["environment"]["num_devices"] == 2
    assert shared.record["steps"] == alone.record["steps"]
    assert [log.read_text() for log in shared.folder.glob("rank-*.log")] == []
    # The same batches, shared out: equal but for the order in which numbers are added.
    for row, reference in zip(shared.history, alone.history, strict=True):
        assert without_diagnostics(row) == pytest.approx(without_diagnostics(reference), rel=1e-3)
    # What is measured beside the training, of the same weights but for rounding.
    row, reference = shared.history[0], alone.history[0]
    assert row["train/full_loss"] == pytest.approx(reference["train/full_loss"], rel=1e-4)
    assert row.keys() == reference.keys()
    names = [name for name in row if name.startswith("diagnostics/")]
    assert {name.split("/")[1] for name in names} == {"layers.0", "head", "network"}
    for name in names:
        assert row[name] == pytest.approx(reference[name], rel=1e-3), name
    metrics, reference = shared.record["metrics"], alone.record["metrics"]
    assert metrics["test/accuracy"] == pytest.approx(reference["test/accuracy"], abs=0.003)
    assert metrics["test/loss"] == pytest.approx(reference["test/loss"], rel=1e-3)
    for name, value in alone.module().state_dict().items():
        torch.testing.assert_close(shared.module().state_dict()[name], value, atol=1e-4, rtol=1e-3)


@pytest.mark.slow
def test_accumulation_averaging_and_checkpoints_amid_an_epoch_in_two_processes(
    command: Callable,
) -> None:
    more = ["logger=none", "data=moons", "data.num_samples=400", "data.batch_size=16"]
    more += ["trainer.accumulate_grad_batches=2", "trainer.ema_decay=0.5", "scheduler=cosine"]
    more += ["checkpoint.every_n_steps=4", "trainer.val_check_interval=3", "init=xavier"]
    assert command(*FAST, *more).code == 0
    assert command(*FAST, *more, "trainer=ddp_cpu").code == 0
    alone, shared = (load_run(folder) for folder in run_folders())
    assert shared.record["steps"] == alone.record["steps"] == 3 * 9
    for row, reference in zip(shared.history, alone.history, strict=True):
        measured = {name: value for name, value in reference.items() if value is not None}
        assert {name: row[name] for name in measured} == pytest.approx(measured, rel=1e-3)
    for name, value in alone.module().state_dict().items():
        torch.testing.assert_close(shared.module().state_dict()[name], value, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("code", [0, 1, 130])
def test_a_rank_of_a_launcher_ends_at_once_with_its_commands_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int
) -> None:
    # The interpreter's own end would now and then be an abort in gloo's threads (exit code -6).
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    monkeypatch.setattr(door, "exit_code", code)
    ranks.leave_script()
    assert left == []  # no group: an ordinary process, with an ordinary end
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    ranks.leave_script()
    assert left == [code]
    assert not torch.distributed.is_initialized()


GONE = "[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:4711"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError(GONE), "rank 1 was ended by SIGKILL, see .*rank-1.log"),
        (ValueError("a mistake of rank 0"), "a mistake of rank 0"),
    ],
    ids=["of the group", "its own"],
)
def test_a_run_says_which_rank_was_killed(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def start(*_: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sh", "-c", "kill -9 $$"])

    monkeypatch.setattr(ranks, "start_rank", start)
    (tmp_path / "rank-1.log").write_text("its last words")
    before = dict(os.environ)
    with (
        pytest.raises((ranks.RankDied, ValueError), match=said) as raised,
        ranks.other_ranks(tmp_path, 2, None, lambda reason: None),
    ):
        raise error
    assert isinstance(raised.value, ranks.RankDied) == (str(error) == GONE)
    assert (tmp_path / "rank-1.log").read_text() == "its last words"
    assert dict(os.environ) == before


def test_a_log_in_which_nothing_stands_is_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ranks, "start_rank", lambda *_: subprocess.Popen(["sleep", "60"]))
    (tmp_path / "rank-1.log").touch()
    with pytest.raises(SystemExit), ranks.other_ranks(tmp_path, 2, None, lambda reason: None):
        raise SystemExit(143)
    assert not list(tmp_path.iterdir())


def test_a_rank_ends_with_the_one_that_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    parents = iter([7, 7, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    waits: list[float] = []
    monkeypatch.setattr(other_rank.time, "sleep", waits.append)
    other_rank.leave_after(7)
    assert (left, waits) == ([1], [other_rank.LOOKS_EVERY] * 2)


def test_a_checkpoint_gives_each_rank_its_own_and_none_to_another_number() -> None:
    with torch.random.fork_rng(devices=[]):
        streams = [torch.manual_seed(seed).get_state() for seed in (0, 1)]
        drawn = torch.rand(3)
    states = {
        "sums": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        "torch_rng_state": torch.stack(streams),
    }
    rank_1: Any = SimpleNamespace(global_rank=1, world_size=2)
    own = own_state({OF_RANKS: states}, rank_1)
    assert own is not None
    assert own["sums"].tolist() == [3.0, 4.0]
    with torch.random.fork_rng(devices=[]):
        take_streams(own)
        assert torch.equal(torch.rand(3), drawn)
    three: Any = SimpleNamespace(global_rank=1, world_size=3)
    assert own_state({OF_RANKS: states}, three) is None
    assert own_state({}, rank_1) is None


def test_another_rank_goes_on_from_what_rank_0_has_found(
    train_run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It read `resume=auto` in the folder, and refused to look for a run itself.
    run = train_run(*FAST, "trainer.max_epochs=1", "resume=auto", "data=moons")
    given: list[dict[str, Any]] = []

    def build(config: dict[str, Any]) -> None:
        given.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(other_rank, "build_run", build)
    with pytest.raises(KeyboardInterrupt):
        other_rank.take_part(run.folder, None, os.getppid())
    [config] = given
    assert config["resume"] is None
    assert config["model"]["hidden"] == [32]


def test_a_run_says_what_a_rank_said_that_raised(tmp_path: Path) -> None:
    (tmp_path / "rank-1.log").write_text("Traceback\n  File\nValueError: a mistake of rank 1\n\n")
    said = ranks.death(1, 1, tmp_path)
    assert said.startswith("rank 1 ended with code 1 (ValueError: a mistake of rank 1), see ")
