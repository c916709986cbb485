"""What is printed of a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from experiments.sweep.grid import Cell
from experiments.sweep.jobs.board import Board, tell_failures
from experiments.sweep.jobs.job import Result, RunningJob
from experiments.sweep.plan import Job, SweepPlan


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


def test_a_terminal_has_lines_broken_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    line = f"[ 1/12] ✓ completed  {'x' * 34},seed=100  test/accuracy 0.938712  4.7 s"
    board = Board(SweepPlan([], {}), "test/loss", 1, is_higher_better=False)
    board.tell(line)
    assert capsys.readouterr().out == f"{line}\n"  # elsewhere it is one, to be searched in
    for width in range(60, 90):
        board.console = Console(width=width, force_terminal=True, highlight=False)
        board.tell(line)
        told = capsys.readouterr().out
        assert {"0.938712", "4.7", f"{'x' * 34},seed=100"} <= set(told.split())


def test_a_job_that_another_launcher_is_at_is_not_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    jobs = [Job(Cell((), (f"seed={n}",)), {}, f"{n:016x}", "s", Path(), n) for n in range(3)]
    board = Board(SweepPlan(jobs, {}), "test/loss", 1, is_higher_better=False)
    for job, outcome in zip(jobs, ("taken", "completed", "completed"), strict=True):
        board.ended(RunningJob(job, started=0.0), Result(outcome))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "· taken      seed=0"
    assert [line[:5] for line in lines[1:]] == ["[1/2]", "[2/2]"]
    assert len(board.seconds) == 2


def test_a_run_that_another_process_has_done_is_told_so_and_not_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    jobs = [Job(Cell((), (f"seed={n}",)), {}, f"{n:016x}", "s", Path(), n) for n in range(2)]
    board = Board(SweepPlan(jobs, {}), "test/loss", 1, is_higher_better=False)
    for job, was_there in zip(jobs, (True, False), strict=True):
        board.ended(RunningJob(job, started=0.0), Result("completed", was_there=was_there))
    first, second = (line.strip() for line in capsys.readouterr().out.splitlines())
    assert first.split() == [
        "·",
        "completed",
        "seed=0",
        *["(another", "process", "has", "done", "it)"],
    ]
    assert second.startswith("[1/1] ✓ completed  seed=1")
    assert (board.taken, len(board.seconds)) == (1, 1)
