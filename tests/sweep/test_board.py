"""What is printed of a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.sweep.board import Board, tell_failures
from experiments.sweep.grid import Cell
from experiments.sweep.job import Result
from experiments.sweep.plan import Job, Plan
from experiments.sweep.workers import Running


def test_jobs_that_were_refused_alike_are_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    alike = [(f"optim.lrr={n}", Result("refused", message="no such key")) for n in range(1200)]
    failed = [
        ("a", Result("failed", "runs/a", "killed")),
        ("b", Result("failed", "runs/b", "killed")),
    ]
    tell_failures([*alike, *failed])
    told = capsys.readouterr().err
    assert told.count("no such key") == 1
    assert "optim.lrr=0 and 1,199 more" in told
    # A run that has a log has a row.
    assert "runs/a/train.log" in told
    assert "runs/b/train.log" in told


def test_a_job_that_another_launcher_is_at_is_not_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    jobs = [Job(Cell((), (f"seed={n}",)), {}, f"{n:016x}", "s", Path(), n) for n in range(3)]
    board = Board(Plan(jobs, {}), "test/loss", 1)
    for job, outcome in zip(jobs, ("taken", "completed", "completed"), strict=True):
        board.ended(Running(job, [], started=0.0), Result(outcome))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "· taken      seed=0"
    assert [line[:5] for line in lines[1:]] == ["[1/2]", "[2/2]"]
    assert len(board.seconds) == 2
