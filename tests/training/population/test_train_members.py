"""Members of a population leave what runs alone leave: files, numbers, and how they end."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from member_runs import (
    DOUBLE,
    SMALL,
    Typed,
    assert_alike,
    assert_equal,
    known,
    launch_of,
    of_result,
    pairs,
    read_checkpoint,
    seeds,
    trained_alone,
    trained_together,
)
from running import plain

from experiments.config.launch import Launch
from experiments.errors.messages import UserError
from experiments.record.claim import Known, claim
from experiments.record.disk import DiskRefused
from experiments.record.history import HistoryFile, read_history
from experiments.record.record import read_record
from experiments.training.population import member_life
from experiments.training.population import train_members as page
from experiments.training.population.population_module import PopulationModule
from experiments.training.population.train_members import train_members


def test_members_leave_what_runs_alone_leave_in_float64() -> None:
    for pair in pairs(*seeds(*DOUBLE, number=2)):
        assert_equal(pair, 1e-9)


def test_members_leave_what_runs_alone_leave_up_to_the_rounding_of_float32() -> None:
    for pair in pairs(*seeds(*SMALL, "trainer.max_epochs=1", number=2)):
        assert_equal(pair, 1e-5)


def test_members_may_have_numbers_of_their_own() -> None:
    members = [
        (*DOUBLE, "optim=nesterov", "optim.lr=0.1", "loss.label_smoothing=0.1"),
        (*DOUBLE, "optim=nesterov", "optim.lr=0.02", "optim.weight_decay=0.01", "seed=1"),
        (*DOUBLE, "optim=nesterov", "optim.lr=0.1", "optim.momentum=0.5"),
    ]
    extra = ("scheduler=cosine", "trainer.gradient_clip_val=0.5", "checkpoint.monitor=val/accuracy")
    for pair in pairs(*[(*member, *extra) for member in members]):
        assert_equal(pair, 1e-9)


def test_rows_checkpoints_and_validations_amid_epochs_are_those_of_runs_alone() -> None:
    amid = (
        "trainer.val_check_interval=5", "checkpoint.every_n_steps=4", "trainer.max_steps=37",
        "trainer.log_every_n_steps=3",
    )  # fmt: skip
    for pair in pairs(*seeds(*DOUBLE, *amid, number=2)):
        assert_equal(pair, 1e-9)
        assert pair[0].record["steps"] == 37


def test_members_of_a_regression_and_their_added_metrics() -> None:
    regression = ("data=diabetes", "loss=mse", "optim=sgd", "metrics=rmse", "optim.lr=0.05")
    for pair in pairs(*seeds(*SMALL, *regression, "trainer.precision=64-true", number=2)):
        assert_equal(pair, 1e-9)
        assert "test/rmse" in pair[0].record["metrics"]


def test_augmented_accumulated_and_looked_at_as_alone() -> None:
    typed = (
        "data.augment={noise: 1.0}", "trainer.accumulate_grad_batches=2", "log_full_loss=true",
        "trainer.max_epochs=2",
    )  # fmt: skip
    for pair in pairs(*seeds(*DOUBLE, *typed, number=2)):
        assert_equal(pair, 1e-9)
        assert "train/full_loss" in read_history(pair[0].folder)[0]


def test_tables_and_weights_of_classes_are_each_members_own() -> None:
    typed = ("metrics=[confusion,mcc]", "loss.weight=balanced", "trainer.max_epochs=2")
    for pair in pairs(*seeds(*DOUBLE, *typed, number=2)):
        assert_equal(pair, 1e-9)
        tables = [(run.folder / "confusion.csv").read_text() for run in pair]
        assert tables[0] == tables[1]


def test_a_member_that_diverges_is_told_as_it_is_alone_and_the_others_go_on() -> None:
    typed = (*SMALL, "data=diabetes", "loss=mse", "optim=sgd", "trainer.precision=64-true")
    members = [(*typed, "optim.lr=0.01"), (*typed, "optim.lr=1e8"), (*typed, "optim.lr=0.02")]
    runs = pairs(*members)
    assert [pair[0].record["status"] for pair in runs] == ["completed", "diverged", "completed"]
    assert "at step" in str(runs[1][0].record["error"])
    assert runs[1][0].record["error"] == runs[1][1].record["error"]
    for number in (0, 2):
        assert_equal(runs[number], 1e-9)
    member, alone = (of_result(run.record) for run in runs[1])
    assert_alike(member, alone, 1e-6)
    rows = [read_history(run.folder) for run in runs[1]]
    assert [[*row] for row in rows[0]] == [[*row] for row in rows[1]]
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]]


@pytest.mark.parametrize("interval", ["1.0", "5"])
def test_a_member_that_stops_early_leaves_the_others(interval: str) -> None:
    typed = (
        *DOUBLE, "callbacks=early_stopping", "callbacks.early_stopping.patience=1",
        "callbacks.early_stopping.min_delta=0.01",
        "trainer.max_epochs=4", f"trainer.val_check_interval={interval}",
    )  # fmt: skip
    runs = pairs((*typed, "optim.lr=1e-9"), (*typed, "optim.lr=0.005"), (*typed, "optim.lr=0.5"))
    assert len({pair[0].record["steps"] for pair in runs}) > 1
    for member, alone in runs:
        assert_alike(of_result(member.record), of_result(alone.record), 1e-9)
        assert_alike(read_history(member.folder), read_history(alone.folder), 1e-9)
        best = [read_checkpoint(run.folder, "best.ckpt") for run in (member, alone)]
        assert_alike(best[0]["state_dict"], best[1]["state_dict"], 1e-9)


def test_each_members_log_is_its_own() -> None:
    for number, outcome in enumerate(
        known(trained_together(*seeds(*SMALL, "progress=lines", number=2)))
    ):
        text = (outcome.folder / "train.log").read_text()
        assert text.count("epoch 3/3") == 1
        last = read_history(outcome.folder)[-1]
        assert f"val/loss {last['val/loss']:.4f}" in text, number


def test_a_run_that_is_there_or_taken_leaves_the_group() -> None:
    members = seeds(*SMALL, "trainer.max_epochs=1", number=4)
    first = known(trained_together(*members[:2]))
    again = trained_together(*members[:3])
    assert [run.record for run in known(again)[:2]] == [run.record for run in first]
    other = first[0].record["identity"]
    config, launch = plain(*members[3]), launch_of(members[3], "elsewhere")
    with claim(Path("elsewhere"), identity_of_run(members[3])):
        outcomes = train_members(
            [config, plain(*members[0])], [launch, launch_of(members[0], "elsewhere")]
        )
    assert outcomes[0] is None
    assert known(outcomes[1:])[0].record["identity"] == other


def identity_of_run(typed: Typed) -> str:
    [run] = trained_alone(typed)
    return run.record["identity"]


def test_a_mistake_in_one_config_is_that_members_alone() -> None:
    members = seeds(*SMALL, "trainer.max_epochs=1")
    configs = [plain(*typed) for typed in members]
    configs[1]["optim"]["lr"] = -1.0
    outcomes = train_members(configs, [launch_of(typed, "together") for typed in members])
    assert [type(outcome) for outcome in outcomes] == [Known, UserError, Known]


@pytest.mark.parametrize("folder", ["outputs/sweeps/full", "elsewhere"])
def test_what_fails_in_one_members_folder_fails_that_member_alone(
    monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    append = HistoryFile.append

    def full(file: HistoryFile, row: Any) -> None:
        if "seed-1" in str(file.path) and row["epoch"] == 2:
            raise OSError(28, "No space left on device", str(file.path))
        append(file, row)

    monkeypatch.setattr(HistoryFile, "append", full)
    members = [("trainer.max_epochs=2", f"seed={seed}") for seed in range(3)]
    outcomes = train_members(
        [plain(*SMALL, *typed) for typed in members],
        [launch_of(typed[1:], folder) for typed in members],
    )
    assert [type(outcome) for outcome in outcomes] == [Known, DiskRefused, Known]
    assert "No space left" in str(outcomes[1])
    [failed] = Path(folder).glob("seed-1-*")
    assert read_record(failed)["status"] == "interrupted"


@pytest.mark.parametrize("together", [True, False])
def test_members_that_are_stopped_go_on_to_what_they_would_have_been(
    monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    typed = (*DOUBLE, "scheduler=cosine", "optim=nesterov", "optim.lr=0.05")
    members = [(*typed, "seed=0"), (*typed, "seed=1"), (*typed, "optim.lr=0.2")]
    with monkeypatch.context() as patch:
        stop = functools.partialmethod(stop_in_epoch, 2)
        patch.setattr(PopulationModule, "on_train_epoch_start", stop, raising=False)
        outcomes = trained_together(*members)
    assert [type(outcome) for outcome in outcomes] == [KeyboardInterrupt] * 3
    for folder in Path("together").glob("*-*"):
        record = read_record(folder)
        assert (record["status"], record["error"]) == ("interrupted", "stopped by SIGINT")
        assert record["epochs"] == 1
        assert (folder / "checkpoints" / "last.ckpt").is_file()
    if together:
        runs = known(trained_together(*members))
    else:
        runs = [run for typed in members for run in known(trained_together(typed))]
    of_all = [{"members": 3, "place": place} if together else None for place in range(3)]
    assert [run.record["population"] for run in runs] == of_all
    assert len(list(Path("together").glob("*-*"))) == 3
    for pair in zip(runs, trained_alone(*members), strict=True):
        assert_equal(pair, 1e-9)


def test_members_that_were_killed_in_their_test_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    members = seeds(*DOUBLE, "trainer.max_epochs=2", number=2)
    with monkeypatch.context() as patch:
        patch.setattr(member_life, "test", raise_interrupt)
        outcomes = trained_together(*members)
    assert [type(outcome) for outcome in outcomes] == [KeyboardInterrupt] * 2
    for pair in zip(known(trained_together(*members)), trained_alone(*members), strict=True):
        assert_equal(pair, 1e-9)
        assert pair[0].record["population"] is not None


def raise_interrupt(member: Any) -> None:
    raise KeyboardInterrupt


def stop_in_epoch(module: PopulationModule, epoch: int) -> None:
    if module.trainer.current_epoch + 1 == epoch:
        raise KeyboardInterrupt


def test_a_population_that_goes_wrong_goes_on_member_by_member(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(module: PopulationModule, *_: Any) -> None:
        raise RuntimeError("out of memory")

    heard: list[int] = []
    monkeypatch.setattr(PopulationModule, "validation_step", broken)
    members = seeds(*SMALL, "trainer.max_epochs=1", number=2)
    outcomes = train_members(
        [plain(*typed) for typed in members],
        [launch_of(typed, "together") for typed in members],
        lambda place, outcome: heard.append(place),
    )
    assert [run.record["status"] for run in known(outcomes)] == ["completed"] * 2
    assert [run.record["population"] for run in known(outcomes)] == [None] * 2
    assert heard == [0, 1]
    text = (known(outcomes)[0].folder / "train.log").read_text()
    assert "one by one, since this went wrong: out of memory" in text


def test_what_can_be_no_member_is_trained_alone() -> None:
    members = [(*SMALL, "trainer.max_epochs=1", "model.dropout=0.1", f"seed={s}") for s in range(2)]
    runs = known(trained_together(*members))
    assert [run.record["population"] for run in runs] == [None, None]
    assert page.is_alone(plain(*SMALL, "logger=wandb"), Launch(["seed=0"]))
    assert not page.is_alone(plain(*SMALL, "logger=wandb"), launch_of(["seed=0"], "sweep"))
