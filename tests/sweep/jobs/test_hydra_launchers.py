"""Launchers of Hydra's own: each job in its own folder, and none asked for again without an end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from sweep_folders import record_of

from experiments.config.overrides import parsed
from experiments.record.claim import claim
from experiments.record.record import write_record
from experiments.sweep.grid import Cell
from experiments.sweep.jobs.hydra_launchers import HydraCarrier, overrides_of, result_of_job
from experiments.sweep.jobs.source import ListedJobs
from experiments.sweep.plan import Job

IDENTITY = "1a2b3c4d" * 2


def job_in(folder: Path) -> Job:
    return Job(Cell(("optim=sgd",), ("seed=0",)), {}, IDENTITY, "s", folder, 0)


def test_a_job_is_composed_in_its_own_folder() -> None:
    *words, folder = overrides_of(job_in(Path("a, b/tuning")))
    assert words == ["optim=sgd", "seed=0"]
    assert parsed([folder])[0].value() == "a, b/tuning"


def test_a_launcher_that_makes_no_record_is_asked_once(tmp_path: Path) -> None:
    asked: list[Any] = []

    def launch(jobs: list[list[str]], initial_job_idx: int) -> list[JobReturn]:
        asked.append(jobs)
        return [JobReturn(status=JobStatus.COMPLETED, _return_value=0.5) for _ in jobs]

    source = ListedJobs([job_in(tmp_path)])
    HydraCarrier(SimpleNamespace(launch=launch)).run_jobs(source, SimpleNamespace())  # type: ignore[arg-type]
    [result] = source.results.values()
    assert (result.outcome, len(asked)) == ("failed", 1)
    assert f"left no record in {tmp_path}" in str(result.message)


@pytest.mark.parametrize(
    ("status", "outcome"), [("completed", "completed"), ("running", "interrupted")]
)
def test_what_became_of_a_job_is_what_its_record_says(
    tmp_path: Path, status: Any, outcome: str
) -> None:
    folder = tmp_path / f"seed-0-{IDENTITY[:8]}"
    folder.mkdir()
    write_record(folder, record_of(identity=IDENTITY, status=status))
    returned = JobReturn(status=JobStatus.COMPLETED)
    assert result_of_job(job_in(tmp_path), returned).outcome == outcome
    with claim(tmp_path, IDENTITY):
        assert result_of_job(job_in(tmp_path), returned).outcome == "taken"
