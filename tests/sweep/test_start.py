"""How a sweep is ended by signals, in a SLURM job and outside of one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from experiments.errors.messages import Terminated
from experiments.sweep.start import ended_by_signals


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that has what was asked of SLURM, in whose job this process is."""
    program = tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "73")
    return tmp_path / "asked"


def ended_by(how: signal.Signals) -> int:
    """Return the exit code of a sweep that gets a signal."""
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGUSR1)]
    with pytest.raises(Terminated) as ended, ended_by_signals():
        signal.raise_signal(how)
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGUSR1)] == before
    return ended.value.code


def test_slurm_gets_the_job_of_a_sweep_back(asked: Path) -> None:
    assert ended_by(signal.SIGTERM) == 143
    assert not asked.exists()
    assert ended_by(signal.SIGUSR1) == 138
    assert asked.read_text() == "requeue 73\n"


def test_a_job_in_the_launchers_process_says_by_its_code_what_it_has_heard(asked: Path) -> None:
    for code, requests in ((143, 0), (138, 1)):
        with pytest.raises(Terminated) as ended, ended_by_signals():
            raise SystemExit(code)
        assert ended.value.code == code
        assert asked.exists() == (requests == 1)
    with pytest.raises(SystemExit), ended_by_signals():
        raise SystemExit(3)


def test_outside_of_slurm_only_sigterm_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    before = signal.getsignal(signal.SIGUSR1)
    with ended_by_signals():
        assert signal.getsignal(signal.SIGUSR1) == before
    assert ended_by(signal.SIGTERM) == 143
