"""A short form of `make faults`: real signals at random moments, and every other fault once."""

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


def test_every_fault_that_is_injected_comes_to_what_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reliability.md").read_text().split("<!-- injected: begin -->")[1]
    told = page.split("<!-- injected: end -->")[0].splitlines()
    command = [str(ROOT / "benchmarks" / "injected.py"), "--share", "0", "--seed", "7"]
    done = finished(*command, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row[:2] for row in rows] == [
        line.split("|")[1:3] for line in told if line.startswith("| ")
    ]
    assert [[cell.strip() for cell in row[2:]] for row in rows[1:]] == [["1", "1"]] * len(rows[1:])
