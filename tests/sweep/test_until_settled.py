"""A sweep that goes on, look by look, with what is not settled; its runs are scored by a formula."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from comparison.sweeps import ENVIRONMENT
from composers import composer_of
from sweep_folders import record_of

from experiments.config.composer import Composer
from experiments.errors.messages import UserError
from experiments.record.folder import write_config
from experiments.record.record import now, read_record, write_record
from experiments.sweep.declaration import Declaration, read_declarations
from experiments.sweep.grid import Grid, grid_of
from experiments.sweep.jobs.board import Board
from experiments.sweep.jobs.job import Result
from experiments.sweep.jobs.source import JobSource
from experiments.sweep.plan import Job
from experiments.sweep.start import complete_as_given
from experiments.sweep.sweep import Sweep
from experiments.sweep.tuning import tune
from experiments.sweep.until_settled import in_force

FIXED = ["model=mlp", "data=moons", "logger=none"]
SETTINGS = "activation=relu,tanh,sigmoid,elu"
LOOKS = [7, 9, 12]
NODE: dict[str, Any] = {
    "factor": None,
    "control": "relu",
    "metric": "auto",
    "delta": 0.02,
    "comparisons": "control",
    "until": "settled",
    "looks": LOOKS,
    "max_seeds": None,
    "spending": "pocock",
}
MEANS = {"relu": 0.9, "tanh": 0.9, "sigmoid": 0.5, "elu": 0.8}
SPREADS = {"relu": 0.0, "tanh": 0.004, "sigmoid": 0.01, "elu": 0.25}
"""Against relu: equivalent, worse at once, and never settled."""


def score_of(activation: str, seed: int) -> float:
    """Return an accuracy: the differences from relu alternate in their sign around the mean."""
    return MEANS[activation] + SPREADS[activation] * (-1) ** seed * (1 + seed / 100)


class ByFormula:
    """Carries out jobs by `score_of`.

    Args:
        most: after so many jobs it is interrupted.
        failing: jobs that fail, by what is swept.
    """

    at_once = 2

    def __init__(self, most: int = 10**6, failing: Sequence[str] = ()) -> None:
        self.most = most
        self.failing = set(failing)
        self.jobs: list[Job] = []
        self.examiner = self

    def check(self, config: dict[str, Any], overrides: Sequence[str]) -> None:
        """All keys are right."""

    def check_values(self, config: dict[str, Any]) -> None:
        """All values are right."""

    def checksum(self, config: dict[str, Any]) -> str:
        return "c"

    def measures(self, config: dict[str, Any]) -> list[str]:
        return ["loss", "accuracy"]

    def run_jobs(self, source: JobSource, board: Board) -> None:
        while (job := source.take()) is not None:
            if len(self.jobs) == self.most:
                raise KeyboardInterrupt
            self.jobs.append(job)
            result = self.carry_out(job)
            source.ended(job, result)

    def carry_out(self, job: Job) -> Result:
        status = "failed" if job.name in self.failing else "completed"
        score = score_of(job.config["activation"]["name"], job.config["seed"])
        values = {
            "identity": job.identity,
            "setting": job.setting,
            "seed": job.config["seed"],
            "status": status,
            "error": "no memory" if status == "failed" else None,
            "metrics": {"val/accuracy": score, "test/accuracy": score},
            "data_checksum": "c",
            "environment": ENVIRONMENT,
            "num_classes": 2,
            "num_test": 400,
            "started_at": now(),
        }
        folder = job.sweep_dir / job.folder_name
        folder.mkdir(parents=True, exist_ok=True)
        write_config(folder, job.config)
        write_record(folder, record_of(**values))
        return Result(status, str(folder), values["error"])

    @property
    def seeds(self) -> dict[str, list[int]]:
        """The seeds that were trained here, by activation."""
        found: dict[str, list[int]] = {}
        for job in self.jobs:
            found.setdefault(job.config["activation"]["name"], []).append(job.config["seed"])
        return found


@pytest.fixture
def composer() -> Iterator[Composer]:
    with composer_of(*FIXED) as one:
        yield one


def swept(
    composer: Composer,
    carrier: ByFormula,
    place: Path,
    *typed: str,
    retry_failed: bool = False,
    dry_run: bool = False,
    protocol: str = "fixed",
    **node: Any,
) -> list[tuple[str, Result]]:
    """Carry out a sweep as its command does, and return what came to nothing."""
    node = {**NODE, **node}
    seeds = [*range(node["looks"][-1])]
    grid = grid_of([*FIXED, *(typed or [SETTINGS])], {}, seeds=seeds)
    said = Declaration.of(node, protocol, grid, lambda key: None)
    said = in_force(said, place)
    sweep = Sweep(composer, carrier, said, place, retry_failed, dry_run, "typed")
    return complete_as_given(sweep, grid, node)


def test_only_what_is_not_settled_goes_on(
    composer: Composer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    carrier = ByFormula()
    assert swept(composer, carrier, tmp_path) == []
    said = capsys.readouterr().out
    print(said)
    print(carrier.seeds)
    assert 0
