"""A cross-validated sweep on digits from its command to the verdict: each digit is tested once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from processes import COMPARE, ended, forked, started
from running import run_folders
from scipy import stats
from sklearn.datasets import load_digits

from experiments import load_run

pytestmark = pytest.mark.slow

SWEEP = ["sweeps=cross_validation", "model=linear,mlp", "logger=none", "trainer.max_epochs=3"]


def test_a_cross_validated_sweep_from_its_command_to_the_verdict() -> None:
    said = ended(started(*SWEEP))
    # A sweep ends with its answer, which is counted in folds.
    assert "5 folds" in said
    runs = [load_run(folder) for folder in run_folders()]
    assert len(runs) == 10
    accuracies: dict[str, list[float]] = {}
    for name in ("linear", "mlp"):
        own = [run for run in runs if run.config["model"]["name"] == name]
        own.sort(key=lambda run: run.config["data"]["fold"])
        assert {run.record["setting"] for run in own} == {own[0].record["setting"]}
        assert [run.record["num_test"] for run in own] == [360, 360, 359, 359, 359]
        told = [run.predictions for run in own]
        every = np.concatenate([predictions.targets for predictions in told])
        assert np.array_equal(np.bincount(every), np.bincount(load_digits().target))
        accuracies[name] = [run.record["metrics"]["test/accuracy"] for run in own]
        hits = [float((p.classes == p.targets).mean()) for p in told]
        assert hits == pytest.approx(accuracies[name])

    [sweep] = Path("outputs/sweeps").iterdir()
    ended(forked(COMPARE, f"runs={sweep}", "wandb=disabled"))
    verdict = json.loads(Path("outputs/reports/cross_validation/verdict.json").read_text())
    [pair] = verdict["tasks"][0]["pairs"]
    d = np.subtract(accuracies["mlp"], accuracies["linear"])
    overlap = np.mean([n / (1797 - n) for n in (360, 360, 359, 359, 359)])
    t = d.mean() / np.sqrt(d.var(ddof=1) * (1 / 5 + overlap))
    assert pair["difference"] == pytest.approx(d.mean())
    assert pair["p"] == pytest.approx(2 * stats.t.sf(abs(t), 4), rel=1e-5)
    assert verdict["missing"] == []
    assert verdict["confounds"]["withholding"] == []
    assert (pair["n"], verdict["tasks"][0]["folds"]["num_tested"]) == (5, 1797)
