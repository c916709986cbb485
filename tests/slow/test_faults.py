"""A short form of `make faults`: real signals at random moments."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import finished
from running import ROOT

pytestmark = pytest.mark.slow


def test_runs_that_are_ended_at_random_moments_go_on_to_the_same_bits(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    command = [str(ROOT / "benchmarks" / "faults.py"), "--faults", "10", "--seed", "7"]
    done = finished(*command, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row[0].strip() for row in rows[1:-1]] == [
        line.split("|")[1].strip()
        for line in page.splitlines()
        if line.startswith(("| kill", "| told"))
    ]
    faults, runs, equal = map(int, rows[-1][1:])
    assert faults >= 10
    assert runs == equal > 0
