"""One list of metrics, from which everything that goes by their names reads."""

from __future__ import annotations

import math
from typing import Any

import pytest

from experiments.comparison.formats import unit_of_metric
from experiments.record.metric import (
    METRICS,
    best_trial,
    is_higher_better,
    known_as,
    measured_on,
    names_in_stages,
    worst_of,
)
from experiments.tracking.wandb_run import define_metrics

TASKS = ("classification", "regression")
ADDED = {"mcc": {"better": "max"}, "ece": {"better": "min"}}


def test_every_metric_is_measured_on_some_task_and_no_name_is_there_twice() -> None:
    names = [metric.name for metric in METRICS]
    assert sorted(names) == sorted({name for task in TASKS for name in measured_on(task)})
    assert len(names) == len(set(names))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_run_without_a_score_is_no_better_than_any(metric: Any) -> None:
    worst = worst_of(f"val/{metric.name}")
    scores = (0.0, 0.5, 1.0) if metric.is_share else (-1e300, 0.0, 1e300)
    if is_higher_better(f"test/{metric.name}"):
        assert all(worst <= score for score in scores)
    else:
        assert all(worst >= score for score in scores)
    assert math.isfinite(worst) == metric.is_share
    assert unit_of_metric(f"val/{metric.name}").is_points == metric.is_share


def test_the_best_of_every_validation_metric_is_kept_by_wandb() -> None:
    class Defined:
        def __init__(self) -> None:
            self.best: dict[str, str | None] = {}

        def define_metric(self, name: str, *, summary: str | None = None, **_: object) -> None:
            self.best[name] = summary

    run = Defined()
    define_metrics(run, ADDED)
    kept = {name: best for name, best in run.best.items() if best}
    assert kept == {
        "val/loss": "min",
        "val/accuracy": "max",
        "val/mae": "min",
        "val/r2": "max",
        "val/mcc": "max",
        "val/ece": "min",
    }


def test_names_are_all_that_is_measured_in_each_stage() -> None:
    assert set(names_in_stages("train", "val", added=ADDED)) == {
        f"{stage}/{name}"
        for stage in ("train", "val")
        for task in TASKS
        for name in measured_on(task)
    } | {"val/mcc", "val/ece"}
    assert names_in_stages("test") == ("test/loss", "test/accuracy", "test/mae", "test/r2")
    assert names_in_stages("test", added=ADDED)[-2:] == ("test/mcc", "test/ece")


def test_an_added_metric_is_better_as_its_config_says() -> None:
    assert is_higher_better("val/mcc", ADDED)
    assert not is_higher_better("test/ece", ADDED)
    assert worst_of(known_as("val/mcc", ADDED)) == -math.inf
    assert best_trial([[0.2, 0.3], [0.6, 0.1]], known_as("val/mcc", ADDED)) == 1
    assert best_trial([[0.2, 0.3], [0.6, 0.1]], known_as("val/ece", ADDED)) == 0
    assert best_trial([[0.2, None], [0.1, 0.1]], known_as("val/mcc", ADDED)) == 1


def test_of_a_metric_that_is_none_of_ours_less_is_better() -> None:
    assert not is_higher_better("train/full_loss")
    assert not known_as("lr").is_share
    assert worst_of("train/full_loss") == math.inf
