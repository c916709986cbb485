from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from comparison.sweeps import declare, write_run, write_sweep

from experiments.comparison.design import Request, design_of
from experiments.comparison.reading import LeftOut, read_runs
from experiments.comparison.scoring import tasks_of
from experiments.comparison.task import Task


def tasks(*places: Path, **typed: Any) -> tuple[list[Task], list[LeftOut]]:
    reading = read_runs(places)
    return tasks_of(reading, design_of(reading, Request(**typed)))


def test_settings_in_the_declared_order_with_their_scores(tmp_path: Path) -> None:
    arms = {"relu": lambda s: 0.9 + s / 100, "elu": lambda s: 0.8}
    sweep = write_sweep(tmp_path / "a", "activation", arms, range(3))
    [task], excluded = tasks(sweep)
    assert (task.name, task.num_classes, task.num_points, excluded) == ("digits", 10, 359, [])
    assert [setting.levels for setting in task.settings] == [
        {"activation": "relu"},
        {"activation": "elu"},
    ]
    assert task.settings[0].scores == pytest.approx({0: 0.9, 1: 0.91, 2: 0.92})


def test_failures_have_the_score_of_guessing(tmp_path: Path) -> None:
    sweep = write_sweep(
        tmp_path / "a", "activation", {"relu": lambda s: 0.9, "elu": lambda s: 0.9}, [0]
    )
    # 1/10 + 3 sqrt(0.09 / 359) = 0.1475: what is no better has learned nothing that shows.
    bound = 0.1 + 3 * math.sqrt(0.09 / 359)
    write_run(
        sweep, {"activation": "elu"}, 1, None, status="diverged", error="loss is nan at step 3"
    )
    write_run(sweep, {"activation": "elu"}, 2, bound - 1e-6)
    write_run(sweep, {"activation": "elu"}, 3, bound + 1e-6)
    write_run(sweep, {"activation": "elu"}, 4, 0.9, metrics={"test/accuracy": None})
    [task], excluded = tasks(sweep)
    elu = task.settings[1]
    assert elu.scores == pytest.approx({0: 0.9, 1: 0.1, 2: 0.1, 3: bound + 1e-6, 4: 0.1})
    assert elu.failures[1] == "diverged: loss is nan at step 3"
    assert elu.failures[2].startswith("at chance: 14.7 %")
    assert set(elu.failures) == {1, 2, 4}
    assert excluded == []


def test_a_failed_loss_ranks_last(tmp_path: Path) -> None:
    sweep = write_sweep(
        tmp_path / "a", "activation", {"relu": lambda s: 0.3, "elu": lambda s: 0.2}, [0]
    )
    write_run(sweep, {"activation": "elu"}, 1, None, status="diverged")
    for folder in sweep.iterdir():
        path = folder / "record.json"
        if path.is_file():
            record = json.loads(path.read_text())
            record["metrics"] = {"test/loss": 0.25} if record["metrics"] else {}
            path.write_text(json.dumps(record))
    [task], _ = tasks(sweep, metric="test/loss")
    assert task.settings[1].scores == {0: 0.25, 1: math.inf}


def test_what_is_no_result_is_left_out_with_its_reason(tmp_path: Path) -> None:
    sweep = write_sweep(
        tmp_path / "a", "activation", {"relu": lambda s: 0.9, "elu": lambda s: 0.9}, [0]
    )
    for seed, status in enumerate(("running", "interrupted", "failed", "pruned"), 1):
        write_run(sweep, {"activation": "elu"}, seed, 0.5, status=status, error=f"so {status}")
    write_run(sweep, {"activation": "elu"}, 5, 0.5, metrics={"val/accuracy": 0.8})
    [task], excluded = tasks(sweep)
    assert task.settings[1].scores == {0: 0.9}
    reasons = sorted(one.reason for one in excluded)
    assert reasons == [
        "failed: so failed",
        "interrupted: so interrupted",
        "it has no test/accuracy; it has val/accuracy",
        "pruned: it was not trained to its end",
        "running: so running",
    ]


def test_a_setting_without_a_finished_run_is_still_there(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", {"relu": lambda s: 0.9}, [0, 1])
    write_run(sweep, {"activation": "elu"}, 0, None, status="running")
    [task], _ = tasks(sweep)
    assert [(s.levels["activation"], s.scores) for s in task.settings] == [
        ("relu", {0: 0.9, 1: 0.9}),
        ("elu", {}),
    ]


def test_the_same_run_in_two_folders_counts_once(tmp_path: Path) -> None:
    sweep = write_sweep(
        tmp_path / "a", "activation", {"relu": lambda s: 0.9, "elu": lambda s: 0.8}, [0]
    )
    copy = tmp_path / "b"
    shutil.copytree(sweep, copy)
    path = next(copy.glob("*elu*")) / "record.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "status": "running"}))
    [task], excluded = tasks(sweep, copy)
    assert [setting.scores for setting in task.settings] == [{0: 0.9}, {0: 0.8}]
    assert len(excluded) == 2
    assert all(one.reason.startswith("the same run as") for one in excluded)


def test_choices_of_one_name_are_told_apart(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    for lr in (0.1, 1.0):
        write_run(sweep, {"optim": "sgd", "optim.lr": lr}, 0, 0.9)
    write_run(sweep, {"optim": "adam", "optim.lr": 0.001}, 0, 0.9)
    [task], _ = tasks(sweep, factor=["optim"])
    assert [setting.levels["optim"] for setting in task.settings] == [
        "adam",
        "sgd (lr=0.1)",
        "sgd (lr=1)",
    ]


def test_a_seed_counts_where_all_that_is_mixed_is_there(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    for activation, base in (("relu", 0.9), ("elu", 0.8)):
        for optim, more in (("sgd", 0.0), ("adam", 0.04)):
            for seed in (0, 1):
                if (activation, optim, seed) != ("elu", "adam", 1):
                    write_run(sweep, {"activation": activation, "optim": optim}, seed, base + more)
    [task], _ = tasks(sweep, factor=["activation"])
    by_name = {setting.levels["activation"]: setting.scores for setting in task.settings}
    assert by_name["relu"] == pytest.approx({0: 0.92, 1: 0.92})
    assert by_name["elu"] == pytest.approx({0: 0.82})


def test_data_sets_are_tasks(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    for data in ("digits", "moons"):
        for activation in ("relu", "elu"):
            write_run(sweep, {"activation": activation, "data": data}, 0, 0.9)
    found, _ = tasks(sweep, factor=["activation"])
    assert [task.name for task in found] == ["digits", "moons"]
    # Where the data are what is compared, they are settings.
    [task], _ = tasks(sweep, factor=["data"])
    assert [setting.levels["data"] for setting in task.settings] == ["digits", "moons"]


def test_files_of_one_name_in_several_folders_are_tasks_and_one_that_was_moved_is_one(
    tmp_path: Path,
) -> None:
    places = {"p/train.csv": "c1", "q/train.csv": "c2", "p/iris.csv": "c3", "old/iris.csv": "c3"}
    for number, (path, checksum) in enumerate(places.items()):
        for activation in ("relu", "elu"):
            changes = {"activation": activation, "data.name": Path(path).stem, "data.path": path}
            write_run(tmp_path / path, changes, number, 0.9, data_checksum=checksum)
    found, _ = tasks(*(tmp_path / path for path in places), factor=["activation"])
    names = ["train (p/train.csv)", "train (q/train.csv)", "iris"]
    assert sorted(task.name for task in found) == sorted(names)


def test_only_what_tuning_chose_is_compared(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    for activation in ("relu", "elu"):
        for lr in (0.1, 1.0):
            write_run(sweep, {"activation": activation, "optim.lr": lr}, 0, 0.9)
    chosen = {"relu": 0.1, "elu": 1.0}
    settings = [
        {
            "setting": [f"activation={name}"],
            "chosen": {"optim.lr": lr},
            "default": None,
            "on_edge": [],
            "trials": [{"values": {"optim.lr": lr}, "scores": [0.9]}],
        }
        for name, lr in chosen.items()
    ]
    (sweep / "selection.json").write_text(
        json.dumps({"metric": "val/accuracy", "settings": settings})
    )
    declare(sweep, protocol="tuned")
    [task], excluded = tasks(sweep)
    found = {s.levels["activation"]: s.every[0].run.config["optim"]["lr"] for s in task.settings}
    assert found == chosen
    assert len(excluded) == 2
    assert "another value than the one that tuning chose (optim.lr=" in excluded[0].reason


SKEWED = {"chance": {"test": 0.95, "test_limit": 0.9505, "val": 0.9, "val_limit": 0.91}}


@pytest.mark.parametrize(
    ("accuracy", "score", "failed"),
    [(0.95, 0.95, True), (0.9504, 0.95, True), (0.951, 0.951, False), (0.6, 0.6, True)],
)
def test_chance_is_the_share_of_the_most_frequent_class(
    tmp_path: Path, accuracy: float, score: float, failed: bool
) -> None:
    write_run(tmp_path, {"activation": "relu"}, 0, accuracy, num_classes=2, **SKEWED)
    write_run(tmp_path, {"activation": "relu"}, 1, None, status="diverged", **SKEWED)
    write_run(tmp_path, {"activation": "elu"}, 0, 0.99, num_classes=2, **SKEWED)
    [task], _ = tasks(tmp_path, factor=["activation"])
    assert task.chance == 0.95
    setting = next(s for s in task.settings if s.name == "relu")
    assert setting.scores == pytest.approx({0: score, 1: 0.95})
    said = setting.failures.get(0, "")
    assert said.endswith("where guessing gives 95.0 %") == failed


def test_an_r2_that_is_not_defined_is_no_divergence(tmp_path: Path) -> None:
    metrics = {"test/r2": None, "test/loss": 0.5}
    write_run(tmp_path, {"activation": "relu"}, 0, 0.0, metrics=metrics, num_classes=None)
    metrics = {"test/r2": None, "test/loss": None}
    write_run(tmp_path, {"activation": "elu"}, 1, 0.0, metrics=metrics, num_classes=None)
    [task], excluded = tasks(tmp_path, factor=["activation"], metric="test/r2")
    assert [one.reason for one in excluded] == [
        "its test/r2 is not defined: one point, or a target with one value"
    ]
    failures = {setting.name: setting.failures for setting in task.settings}
    assert failures == {"elu": {1: "diverged: its test/r2 is no number"}}
