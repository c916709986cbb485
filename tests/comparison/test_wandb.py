"""`compare.py` and W&B: runs from its server, the verdict and the workspace to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comparison.sweeps import write_run, write_sweep
from conftest import Said
from tracking.sweep_folders import mirror_once
from tracking.wandb_server import Seen

from experiments.comparison.compare import read_remote
from experiments.comparison.reading import read_runs

Compare = Callable[..., Said]
SWEEP = Path("outputs/sweeps/activations")
REPORTS = Path("outputs/reports")


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write no files of pictures, which take most of a comparison's time."""
    files = "experiments.comparison.plots.picture.write_pictures"
    monkeypatch.setattr(files, lambda specs, folder: [])


def told(sweep: Path, num_seeds: int = 2) -> Path:
    """Write a sweep of which W&B is to be told."""
    arms = {"relu": lambda s: 0.9 + s / 1000, "elu": lambda s: 0.8 + s / 1000 + (s % 3) / 9000}
    logger = {"name": "wandb", "project": "experiments", "entity": None, "mode": "auto"}
    logger |= {"media": False, "log_model": False, "tags": [], "notes": None}
    write_sweep(sweep, "activation", arms, range(num_seeds), changes={"logger": logger})
    for folder in sweep.iterdir():
        path = folder / "record.json"
        if path.is_file():
            record = json.loads(path.read_text())
            path.write_text(json.dumps({**record, "wandb_id": record["identity"]}))
    return sweep


def verdict(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPORTS / name / "verdict.json").read_text())
    return found


def test_runs_on_the_server_are_those_of_their_folders_and_give_their_verdict(
    server: Seen, compare: Compare
) -> None:
    told(SWEEP)
    mirror_once(SWEEP)
    folders = {run.record["identity"]: run for run in read_runs([SWEEP]).runs}
    runs = read_remote("wandb:me/experiments/activations").runs
    assert len(folders) == len(runs) == 4
    for run in runs:
        same_run = folders[run.record["identity"]]
        assert (run.record, run.config) == (same_run.record, same_run.config)
        assert run.history() == same_run.history()
    here = compare(f"runs={SWEEP}", "name=here", "wandb=disabled")
    assert here.code == 0, here.err
    said = compare(
        "source=wandb:me/experiments/activations", "control=relu", "delta=0.005", "name=there"
    )
    assert said.code == 0, said.err
    one, other = verdict("here"), verdict("there")
    # Which setting comes first is declared in the sweep's folder, which W&B does not have.
    [[pair], [same]] = [
        [{**pair, "a": 0, "b": 0} for pair in found["tasks"][0]["pairs"]] for found in (one, other)
    ]
    assert pair == same
    assert one["headline"] == other["headline"]
    assert one["steps_to_target"]["target"] == other["steps_to_target"]["target"]
    assert other["runs"][0]["folder"].startswith(server.url)
    # The runs are there, so the verdict is too, and is no run of the next comparison.
    assert "The verdict is" in said.out
    again = compare("source=wandb:me/experiments", "control=relu", "delta=0.005", "name=again")
    assert again.code == 0, again.err
    assert len(verdict("again")["runs"]) == 4


def test_runs_without_files_are_named_in_one_message(server: Seen, compare: Compare) -> None:
    told(SWEEP, num_seeds=3)
    mirror_once(SWEEP)
    names = sorted(run["displayName"] for run in server.runs.values())
    lacking = [run_id for run_id, run in server.runs.items() if run["displayName"] in names[:2]]
    for run_id in lacking:
        del server.files[f"{run_id}/run_record.json"]
    said = compare("source=wandb:me/experiments/activations", "control=relu", "delta=0.005")
    assert said.code == 0, said.err
    [unread] = verdict("activations")["unread"]
    assert unread["folder"] in (", ".join(names[:2]), ", ".join(names[1::-1]))
    assert unread["reason"].startswith("it has no record.json there, as runs of an older version")
    server.files.clear()
    said = compare("source=wandb:me/experiments/activations")
    assert said.code == 2
    assert "no run there can be read. " in said.err
    assert all(name in said.err for name in names)


def test_the_verdict_goes_where_the_runs_went(compare: Compare) -> None:
    told(SWEEP)
    said = compare(f"runs={SWEEP}")
    assert said.code == 0, said.err
    assert "W&B: offline" in said.out
    [run] = Path("outputs/wandb").glob("offline-run-*")
    assert "verdict-activations" in run.name


def test_a_dashboard_is_kept_and_saved(server: Seen, compare: Compare) -> None:
    told(SWEEP)
    mirror_once(SWEEP)
    said = compare(f"runs={SWEEP}", "dashboard=true")
    assert said.code == 0, said.err
    assert f"Dashboard: {server.url}/" in said.out
    kept = json.loads((REPORTS / "activations/dashboard.json").read_text())
    assert "activation" in json.dumps(kept["spec"])


def test_a_dashboard_without_a_server_is_kept(compare: Compare) -> None:
    told(SWEEP)
    said = compare(f"runs={SWEEP}", "dashboard=true", "wandb=offline")
    assert said.code == 0, said.err
    assert f"Dashboard: {REPORTS / 'activations/dashboard.json'}" in said.out


def test_wandb_that_is_disabled_hears_nothing(compare: Compare) -> None:
    told(SWEEP)
    assert compare(f"runs={SWEEP}", "wandb=disabled").code == 0
    assert not Path("outputs/wandb").exists()


def test_a_source_without_a_key_or_misspelt(compare: Compare) -> None:
    said = compare("source=wandb:me")
    assert said.code == 2
    assert "write wandb:ENTITY/PROJECT" in said.err
    said = compare("source=wandb:me/experiments")
    assert said.code == 2
    assert "there is no key" in said.err


def test_a_run_of_its_own_that_w_and_b_has(compare: Compare) -> None:
    for name in ("relu", "elu"):
        write_run(SWEEP, {"activation": name}, 0, 0.9)
    assert "W&B" not in compare(f"runs={SWEEP}", "factor=activation").out
