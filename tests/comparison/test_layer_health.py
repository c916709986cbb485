"""The report on what diagnostics measured: means over runs, in words and in tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from comparison.sweeps import write_run, write_sweep
from running import ROOT, choices

from experiments.comparison.design import Request
from experiments.comparison.layer_health import BOUNDED
from experiments.comparison.reading import read_runs
from experiments.comparison.report.report import report_html
from experiments.comparison.verdict import compared, verdict_json
from experiments.record.history import HistoryFile
from experiments.record.record import read_record, write_record
from experiments.training.build import activation_of
from experiments.training.diagnostics.measures import bounds_of

DEAD, SATURATED = "diagnostics/layers.0/dead", "diagnostics/layers.0/saturated"


def measured(folder: Path, epoch: int, **values: float) -> None:
    """Add a row of an epoch with values of diagnostics; __ is / and _0 is .0 in their names."""
    row = {"epoch": epoch, "step": 100 * epoch, "train/loss": 1.0}
    named = {
        f"diagnostics/{n.replace('__', '/').replace('_0', '.0')}": v for n, v in values.items()
    }
    HistoryFile(folder).append({**row, **named})
    record = read_record(folder)
    record["epochs"], record["steps"] = epoch, max(record["steps"], 100 * epoch)
    write_record(folder, record)


@pytest.fixture
def verdict_of() -> Callable[..., dict]:
    """Return a function that compares a sweep over the activation."""

    def call(sweep: Path) -> dict:
        verdict, _ = compared(
            read_runs([sweep]), Request(factor=["activation"]), name="x", command="y"
        )
        return verdict

    return call


def test_nothing_is_said_where_nothing_was_measured(verdict_of: Callable, tmp_path: Path) -> None:
    write_sweep(tmp_path / "s", "activation", {"relu": lambda s: 0.9, "tanh": lambda s: 0.8})
    assert verdict_of(tmp_path / "s")["health"] is None


def test_is_the_mean_over_the_runs_that_have_it(verdict_of: Callable, tmp_path: Path) -> None:
    for seed, (saturated, dead) in enumerate([(0.5, 0.2), (0.7, 0.4)]):
        folder = write_run(tmp_path, {"activation": "sigmoid"}, seed, 0.5)
        measured(folder, 1, layers_0__saturated=saturated, layers_0__dead=0.0, head__mean=1.0)
        measured(folder, 3, layers_0__saturated=0.02, network__noise_scale=100.0 * (seed + 1))
        folder = write_run(tmp_path, {"activation": "relu"}, seed, 0.9)
        measured(folder, 1, layers_0__saturated=0.5, layers_0__dead=dead)
    write_run(tmp_path, {"activation": "relu"}, 2, 0.9)  # without diagnostics
    health = verdict_of(tmp_path)["health"]
    assert health["in words"] == [
        "relu: 30 % of the units of layer 1 (layers.0) dead after epoch 1 (mean of 2 runs).",
        "sigmoid: 60 % of the units of layer 1 (layers.0) saturated after epoch 1 "
        "(mean of 2 runs).",
    ]
    rows = {(r["setting"], r["when"], r["layer"]): r for r in health["by layer"]}
    assert list(rows) == [
        ("relu", "after epoch 1", "layers.0"),
        ("sigmoid", "after epoch 1", "layers.0"),
        ("sigmoid", "after epoch 1", "head"),
        ("sigmoid", "after epoch 3", "layers.0"),
    ]
    assert rows["relu", "after epoch 1", "layers.0"]["dead"] == pytest.approx(0.3)
    assert rows["sigmoid", "after epoch 1", "layers.0"]["saturated"] == pytest.approx(0.6)
    assert rows["sigmoid", "after epoch 1", "head"]["dead"] is None
    [network] = health["of the whole network"]
    assert (network["noise scale"], network["runs"]) == (150.0, 2)


def test_stands_in_the_report_with_every_number(verdict_of: Callable, tmp_path: Path) -> None:
    for activation in ("sigmoid", "relu"):
        folder = write_run(tmp_path / "runs", {"activation": activation}, 0, 0.5)
        measured(folder, 1, layers_0__saturated=0.6125, layers_0__update_ratio=float("nan"))
    verdict = verdict_of(tmp_path / "runs")
    page = report_html(verdict, [], tmp_path / "report").replace("\u00a0", " ")
    assert "Training health" in page
    assert "sigmoid: 61 % of the units of layer 1 (layers.0) saturated after epoch 1" in page
    assert "0.6125" in page
    assert json.loads(verdict_json(verdict))["health"]["by layer"]


def test_runs_at_chance_are_counted(verdict_of: Callable, tmp_path: Path) -> None:
    line = "not learned: accuracy 0.1. Likely reason: the gradient vanishes."
    for seed in range(3):
        write_run(tmp_path, {"activation": "relu"}, seed, 0.9)
        told = line if seed else None
        write_run(tmp_path, {"activation": "sigmoid"}, seed, 0.1, health=told)
    health = verdict_of(tmp_path)["health"]
    assert health == {"in words": [f"sigmoid: 2 of 3 runs ended at chance. Seed 1: {line}"]}


def test_the_bounded_activations_of_the_catalogue_are_known() -> None:
    found = []
    for name in choices("activation"):
        own = yaml.safe_load((ROOT / f"conf/activation/{name}.yaml").read_text(encoding="utf-8"))
        phi = activation_of({"activation": own})().eval()
        if bounds_of(phi, torch.zeros(1, 4)) is not None:
            found.append(name)
    assert sorted(found) == sorted(BOUNDED)
