"""What is printed of a sweep."""

from __future__ import annotations

import pytest

from experiments.sweep.board import tell_failures
from experiments.sweep.job import Result


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
