"""Some cases of benchmarks/fuzz.py, with a seed of their own; `make fuzz` has thousands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from running import ROOT

SEED = 31
NUMBERS = {"overrides": 50, "runs": 2, "data": 10, "folders": 5}
"""A hundredth of those of `make fuzz`."""


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import fuzz

    yield fuzz
    for name in ("fuzz", "fuzz_cases"):
        sys.modules.pop(name, None)


def test_random_input_ends_done_or_with_one_message() -> None:
    # In a process of its own: a fork of one that has threads, as this one by now, may wait for them.
    command = [sys.executable, str(ROOT / "benchmarks" / "fuzz.py"), "--seed", str(SEED)]
    answer = subprocess.run([*command, "--share", "0.01"], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    ends = re.findall(r"^(\w+) +(\d+)  done (\d+)  message (\d+)  fault 0$", answer.stdout, re.M)
    assert {kind: int(number) for kind, number, *_ in ends} == NUMBERS
    # Of two runs both may be trained.
    both = [(done, told) for kind, _, done, told in ends if kind != "runs"]
    assert all(int(done) and int(told) for done, told in both), answer.stdout


def test_a_fault_a_death_and_a_hang_are_told(fuzz: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import time

    from experiments.errors.messages import UserError

    def judge(number: int) -> str:
        if number == 1:
            raise UserError("no")
        if number == 2:
            raise KeyError("a")
        if number == 3:
            os._exit(1)
        if number == 4:
            time.sleep(60)
        return "x"

    monkeypatch.setattr(fuzz, "SECONDS", 1)
    ends = [(number, end) for number, end, _ in fuzz.carried_out(judge, 6)]
    faults = [(number, "fault") for number in (2, 3, 4)]
    assert ends == [(0, "done"), (1, "message"), *faults, (5, "done")]


def test_a_number_that_is_not_there_is_found(fuzz: Any, tmp_path: Path) -> None:
    run = tmp_path / "a"
    run.mkdir()
    (run / "record.json").write_text('{"metrics": {"test/accuracy": 0.5}}')
    verdict = {"tasks": [{"settings": [{"scores": {"0": 0.5}}]}]}
    fuzz.check_numbers(verdict, tmp_path)
    verdict["tasks"][0]["settings"][0]["scores"]["1"] = 0.6
    with pytest.raises(AssertionError, match="0.6 stands in no record"):
        fuzz.check_numbers(verdict, tmp_path)
