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


SOME = [
    "a run killed before or after any change",
    "memory runs out in a step",
    "`data.batch_size=auto`, where memory holds a drawn number",
    "no HOME",
    "standard streams are closed",
    "`(last.ckpt|history.csv|amid.ckpt)` cut short.*(FOLDER|budget)",
    "the disk is full, at a drawn size; a run",
    "a quota.*a run",
    "a read-only folder",
    "no locks",
    "a second process goes on with a run",
]
"""A few of each kind; of W&B's servers test_wandb_server_gone.py has some, of ranks test_ranks.py."""


def test_faults_that_are_injected_come_to_what_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reliability.md").read_text().split("<!-- injected: begin -->")[1]
    told = page.split("<!-- injected: end -->")[0].splitlines()
    some = ["--only", "|".join(SOME), "--share", "0", "--seed", "7", "--jobs", "1"]
    done = finished(str(ROOT / "benchmarks" / "injected.py"), *some, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    [_, *rows] = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line[:2] == "| "]
    assert len(rows) >= len(SOME)
    there = [line.split("|")[1:3] for line in told if line[:2] == "| "]
    assert all(row[:2] in there for row in rows)
    assert [[cell.strip() for cell in row[2:]] for row in rows] == [["1", "1"]] * len(rows)
