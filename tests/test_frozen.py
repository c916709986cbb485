"""Runs that an earlier state of this code has left are read, continued and compared as then.

`frozen/` holds a sweep of six runs and one single run, in the layout of `outputs/`, and
`expected.json`: what the code that made them said of them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from running import run_folders

from experiments.training.load import load_run

FROZEN = Path(__file__).parent / "frozen"
EXPECTED: dict[str, Any] = json.loads((FROZEN / "expected.json").read_text(encoding="utf-8"))
SWEEP = Path("outputs/sweeps/067ce279")
SWEEP_COMMAND = [
    "-m", "activation=relu,swish", "seed=range(0,3)", "model=mlp", "model.hidden=[4]",
    "data=xor", "data.num_samples=400", "optim=adam", "optim.lr=0.05", "trainer=cpu",
    "trainer.max_epochs=3", "logger=none", "sweep.control=relu", "sweep.delta=0.02",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _outputs(_restored: None) -> None:
    """Lay the frozen runs where commands leave theirs."""
    for part in ("runs", "sweeps"):
        shutil.copytree(FROZEN / part, Path("outputs") / part)


def single_run() -> Path:
    [folder] = run_folders(Path("outputs/runs"))
    return folder


def test_runs_are_read_and_predict_as_they_did() -> None:
    points = torch.tensor(EXPECTED["points"])
    loaded = 0
    for folder in run_folders():
        run = load_run(folder)
        assert run.record["status"] == "completed"
        assert folder.name.endswith(run.record["identity"][:8])
        assert [row["epoch"] for row in run.history] == [1, 2, 3]
        best_row = run.history[(run.record["best_epoch"] or 0) - 1]
        assert best_row["val/loss"] == run.record["metrics"]["val/loss"]
        if (folder / "checkpoints/best.ckpt").is_file():
            with torch.no_grad():
                outputs = run.module()(points)
            expected = torch.tensor(EXPECTED["outputs"][run.config["activation"]["name"]])
            torch.testing.assert_close(outputs, expected)
            loaded += 1
    assert loaded == len(EXPECTED["outputs"]) == 3


def test_a_run_goes_on_where_it_was(command: Callable[..., Any]) -> None:
    before = single_run()
    answer = command(f"resume={before}", "trainer.max_epochs=5", "logger=none")
    assert answer.code == 0, answer.err
    [folder] = set(run_folders(Path("outputs/runs"))) - {before}
    resumed, earlier = load_run(folder), load_run(before)
    assert resumed.history[:3] == earlier.history
    for row, expected in zip(resumed.history[3:], EXPECTED["resumed"], strict=True):
        assert {key: row[key] for key in expected} == pytest.approx(expected, rel=1e-4)


@pytest.mark.usefixtures("lent_server")
def test_the_same_sweep_finds_all_of_its_runs(command: Callable[..., Any]) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in SWEEP.rglob("*") if path.is_file()}

    before = files()
    answer = command(*SWEEP_COMMAND)
    assert answer.code == 0, answer.err
    assert "6 jobs: 6 completed; nothing is missing." in answer.out
    assert {path: files().get(path) for path in before} == before
    assert len(run_folders(SWEEP)) == 6


def test_the_sweep_is_judged_as_it_was(compare: Callable[..., Any]) -> None:
    answer = compare(f"runs={SWEEP}")
    assert answer.code == 0, answer.err
    verdict = json.loads(Path("outputs/reports/067ce279/verdict.json").read_text())
    [pair] = verdict["tasks"][0]["pairs"]
    seen = [pair["difference"], *pair["interval"]]
    expected = EXPECTED["pair"]
    assert [round(value, 3) for value in seen] == [expected["difference"], *expected["interval"]]
    assert (pair["n"], pair["verdict"]) == (expected["seeds"], expected["verdict"])
    means = {setting["name"]: setting["mean"] for setting in verdict["tasks"][0]["settings"]}
    assert means == pytest.approx(EXPECTED["means"])
