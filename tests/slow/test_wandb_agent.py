"""W&B's real `wandb sweep` and `wandb agent` against a server of our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from running import ROOT, run_folders
from tracking.wandb_server import CANARY, Seen, wandb_server
from tracking.wandb_sweeps_server import Sweep, sweeps

from experiments.training.load import Run, load_run

pytestmark = pytest.mark.slow

FILES = sorted((ROOT / "sweeps" / "wandb").glob("*.yaml"))
BIN = Path(sys.executable).parent
IMPATIENT = """
from wandb.cli.cli import cli
from wandb.wandb_agent import Agent

Agent.POLL_INTERVAL = 0.2
cli()
"""
ONE_EPOCH = {
    "model.name": {"value": "mlp"},
    "trainer.max_epochs": {"value": 1},
    "logger.media": {"value": False},
    "test": {"value": False},
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """A W&B server of our own, with a key for it and this python in the environment."""
    with wandb_server() as seen:
        monkeypatch.setenv("WANDB_BASE_URL", seen.url)
        monkeypatch.setenv("WANDB_API_KEY", CANARY)
        monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
        yield seen


def without_empty(config: dict[str, Any]) -> dict[str, Any]:
    """Return nested values without empty mappings, which W&B's client does not send."""
    plain = {k: without_empty(v) if isinstance(v, dict) else v for k, v in config.items()}
    return {key: value for key, value in plain.items() if value != {}}


def wandb(*arguments: str | Path) -> str:
    """Return what W&B's command says; it must succeed.

    It looks for the end of a run five times a second, and not every five seconds.
    """
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def registered(server: Seen, name: str, **changes: Any) -> Sweep:
    """Register a file of sweeps/wandb/ with some of its keys changed, and return the sweep."""
    content = yaml.safe_load((ROOT / "sweeps" / "wandb" / f"{name}.yaml").read_text())
    Path("sweep.yaml").write_text(yaml.safe_dump(content | changes))
    assert "wandb agent me/experiments/sweep0" in wandb("sweep", "sweep.yaml")
    [sweep] = server.sweeps.values()
    return sweep


def runs_by_id() -> dict[str, Run]:
    """Return the runs on disk by their ids at W&B."""
    runs = [load_run(folder) for folder in run_folders()]
    return {str(run.record["wandb_id"]): run for run in runs}


def assert_no_key_in_any_file() -> None:
    for path in Path().glob("**/*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path


def test_wandb_sweep_registers_each_file_as_it_is(server: Seen) -> None:
    for path in FILES:
        assert "WARNING" not in wandb("sweep", path)
    assert len(FILES) >= 3
    for path, sweep in zip(FILES, server.sweeps.values(), strict=True):
        assert yaml.safe_load(sweep.text) == yaml.safe_load(path.read_text())


def test_an_agent_carries_out_a_grid(server: Seen) -> None:
    """In a folder that is not the project's: train.py is found, and outputs/ is made here."""
    two = {"activation.name": {"values": ["relu", "tanh"]}, "seed": {"values": [3]}}
    sweep = registered(server, "activations", parameters=two | ONE_EPOCH)
    # One more than the grid has: the search has seen both of them, and ends.
    said = wandb("agent", "--count", "3", "me/experiments/sweep0")
    runs = runs_by_id()
    assert list(runs) == list(sweep.runs) == list(server.runs) == ["sweep0run0", "sweep0run1"]
    assert [run.config["activation"]["name"] for run in runs.values()] == ["relu", "tanh"]
    for run_id, run in runs.items():
        assert run.record["status"] == "completed"
        upserted, summary = server.runs[run_id], server.summary(run_id)
        assert upserted["sweep"] == "sweep0"
        assert upserted["groupName"].endswith(f"({run.record['setting'][:6]})")
        config = {key: entry["value"] for key, entry in json.loads(upserted["config"]).items()}
        assert config["optim"]["lr"] == run.config["optim"]["lr"]
        # Every part nested, as on disk; W&B's client sends no empty ones.
        assert {**config, **without_empty(run.config)} == config
        assert {key: {"value": config[key]} for key in sweep.runs[run_id]} == sweep.runs[run_id]
        # The metric of the search, in the history and in the summary.
        accuracy = run.history[-1]["val/accuracy"]
        rows = [row for row in server.history(run_id) if "val/accuracy" in row]
        assert [row["val/accuracy"] for row in rows] == pytest.approx([accuracy])
        assert summary["val/accuracy"]["max"] == pytest.approx(accuracy)
        assert server.exit_codes[run_id] == 0
    assert any(CANARY in header for header in server.headers)
    assert CANARY not in said
    assert_no_key_in_any_file()


def test_a_run_that_hyperband_stops_is_interrupted_and_the_agent_goes_on(server: Seen) -> None:
    lengths = {"trainer.max_epochs": {"values": [5000, 1]}, "optim.lr": {"value": 1e-9}}
    early = {"type": "hyperband", "min_iter": 1, "eta": 3}
    sweep = registered(
        server, "bayes", method="grid", early_terminate=early, parameters=ONE_EPOCH | lengths
    )
    good = {"sampledHistory": [{"val/accuracy": 0.99}] * 5000, "state": "finished"}
    sweep.earlier += [sweeps.SweepRun(**good) for _ in range(3)]
    # A single failure would end this agent, and a stop is none.
    once = ("--count", "2", "--max-consecutive-failed-runs", "1")
    said = wandb("agent", *once, "me/experiments/sweep0")
    assert "Stop: sweep0run0" in said
    assert "sweep0run0" in sweep.stopped
    stopped, whole = (runs_by_id()[run_id].record for run_id in sweep.runs)
    assert (stopped["status"], stopped["error"]) == ("interrupted", "stopped by SIGTERM")
    assert 1 < stopped["epochs"] < 5000
    assert server.exit_codes["sweep0run0"] == 1
    assert server.summary("sweep0run0")["status"] == "interrupted"
    assert whole["status"] == "completed"
