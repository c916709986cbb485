"""`metrics=confusion`: a table of the run folder, held against scikit-learn and what the run kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparison.sweeps import write_run
from running import plain
from sklearn.metrics import confusion_matrix

from experiments.comparison.design import Request
from experiments.comparison.reading import read_runs
from experiments.comparison.report.point_tables import most_confused
from experiments.comparison.verdict import compared
from experiments.data.sources import DataSpec
from experiments.errors.messages import UserError
from experiments.record.class_table import read_table, table_path, write_table
from experiments.training.added_metrics import build_metrics, build_tables
from experiments.training.load import Run
from experiments.training.run_parts import build_run

TYPED = ["data=moons", "model=mlp", "model.hidden=[8]", "trainer.max_epochs=2", "optim.lr=0.02"]
CONFUSION = {
    "_target_": "torchmetrics.classification.MulticlassConfusionMatrix",
    "better": "none",
}


def test_a_run_keeps_its_confusions_of_validation_and_test(train_run: Callable[..., Run]) -> None:
    run = train_run(*TYPED, "metrics=[confusion,mcc]")
    table = read_table(run.folder, "confusion")
    assert table is not None
    told = run.predictions
    assert np.array_equal(table.by_stage["test"], confusion_matrix(told.targets, told.classes))
    val, metrics = table.by_stage["val"], run.record["metrics"]
    assert val.sum() == run.record["num_val"]
    assert np.trace(val) / val.sum() == pytest.approx(metrics["val/accuracy"])
    # It is no number, and so nothing that a history, a record or a sweep could choose by.
    assert not any("confusion" in name for name in (*metrics, *run.history[0]))
    assert "test/mcc" in metrics
    first = table_path(run.folder, "confusion").read_text().splitlines()[:2]
    assert first[0] == "stage,target,0,1"
    assert first[1].startswith("val,0,")


def test_without_a_test_its_set_is_not_met(train_run: Callable[..., Run]) -> None:
    run = train_run(*TYPED, "metrics=confusion", "test=false")
    table = read_table(run.folder, "confusion")
    assert table is not None
    assert list(table.by_stage) == ["val"]


def test_it_changes_no_identity() -> None:
    plainly, beside = (build_run(plain(*TYPED, *m)) for m in ([], ["metrics=confusion"]))
    assert plainly.identity == beside.identity
    assert list(plainly.module.state_dict()) == list(beside.module.state_dict())
    assert list(beside.tables) == ["confusion"]


@pytest.mark.parametrize(
    ("node", "task", "words"),
    [
        ({"confusion": CONFUSION}, "regression", ["metrics=confusion", "regression", "rmse"]),
        ({"history": CONFUSION}, "classification", ["metrics=history", "my_metric"]),
        (
            {
                "acc": {
                    "_target_": "torchmetrics.classification.MulticlassAccuracy",
                    "better": "none",
                }
            },
            "classification",
            ["metrics.acc.better=none", "only max"],
        ),
        (
            {"roc": {"_target_": "torchmetrics.ROC", "better": "none"}},
            "classification",
            ["metrics=roc", "3 rows and columns"],
        ),
    ],
)
def test_what_is_no_table_is_told(node: dict[str, Any], task: str, words: list[str]) -> None:
    with pytest.raises(UserError) as told:
        build_tables({"metrics": node}, DataSpec((2,), 3, task))
    assert all(word in str(told.value) for word in words), str(told.value)


def test_a_table_that_is_said_to_be_a_number_is_told() -> None:
    node = {"confusion": {**CONFUSION, "better": "max"}}
    with pytest.raises(
        UserError, match=r"metrics=confusion: torch.*ConfusionMatrix gives \(3, 3\) "
    ):
        build_metrics({"metrics": node}, DataSpec((2,), 3, "classification"))


def test_a_monitor_cannot_be_a_table() -> None:
    with pytest.raises(UserError, match="val/confusion"):
        build_run(plain(*TYPED, "metrics=confusion", "checkpoint.monitor=val/confusion"))


def test_names_with_commas_and_quotes_come_back(tmp_path: Path) -> None:
    names = ("a, b", 'c"d', "")
    matrix = np.arange(9).reshape(3, 3)
    write_table(tmp_path, "confusion", names, {"val": matrix, "test": matrix.T})
    table = read_table(tmp_path, "confusion")
    assert table is not None
    assert table.names == names
    assert np.array_equal(table.by_stage["test"], matrix.T)
    table_path(tmp_path, "confusion").write_text("stage,target,a\nval,a,x\n")
    assert read_table(tmp_path, "confusion") is None
    assert read_table(tmp_path, "other") is None


def test_a_comparison_names_what_each_setting_confuses_most(tmp_path: Path) -> None:
    matrices = {
        "relu": [[9, 1, 0], [4, 6, 0], [0, 0, 10]],
        "tanh": [[10, 0, 0], [0, 7, 3], [0, 0, 10]],
    }
    for name, matrix in matrices.items():
        for seed in range(2):
            changes = {"activation": name, "metrics": {"confusion": CONFUSION}}
            folder = write_run(tmp_path, changes, seed, 0.8 + 0.01 * seed)
            counts = np.array(matrix) + seed * np.diag([0, 0, 2])
            write_table(folder, "confusion", ("x", "y", "z"), {"test": counts})
    verdict, _ = compared(read_runs([tmp_path]), Request(), name="x", command="")
    relu, tanh = verdict["tasks"][0]["confused"]
    assert relu["pairs"] == [
        {"target": "y", "told": "x", "number": 4.0, "share": 0.4},
        {"target": "x", "told": "y", "number": 1.0, "share": 0.1},
    ]
    assert [(p["target"], p["told"]) for p in tanh["pairs"]] == [("y", "z")]
    rows = most_confused(verdict["tasks"][0]).rows
    assert rows[0] == ["relu", "y", "x", 4.0, "40 %"]
    assert len(rows) == 3
