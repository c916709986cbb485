"""Runs of several processes as a user starts them; and all cases of benchmarks/ranks.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from processes import started, wait_until
from running import QUIET, ROOT, run_folders
from same_runs import assert_same_runs

from experiments import load_run
from experiments.record.record import read_record

pytestmark = pytest.mark.slow

TWO = ["trainer=ddp_cpu", "trainer.devices=2", "model=mlp", "model.hidden=[16]", "data=moons"]
TWO += ["data.num_samples=2000", "data.batch_size=16", "model.dropout=0.2", "trainer.max_epochs=24"]


def test_every_case_gives_the_curve_of_one_process() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "ranks.py"), "--bits", "64"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_sigterm_ends_all_processes_after_one_step_and_the_run_goes_on_to_the_same_bits(
    command: Callable,
) -> None:
    process = started(*QUIET, *TWO)
    last = wait_until(lambda: list(Path("outputs").glob("**/last.ckpt")))[0]
    os.killpg(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, out + err
    assert "Traceback" not in out + err
    [folder] = run_folders()
    record = read_record(folder)
    assert (record["status"], record["error"]) == ("interrupted", "stopped by SIGTERM")
    assert not list(folder.glob("rank-*.log"))
    steps = torch.load(last, weights_only=True)["global_step"]
    assert 0 < steps < 24 * 90
    assert command(*QUIET, f"resume={folder}").code == 0
    assert command(*QUIET, *TWO).code == 0
    resumed, whole = (load_run(folder) for folder in run_folders())
    assert_same_runs(whole, resumed)


def test_a_multirun_of_two_processes_each_is_a_folder_and_a_wandb_run_each(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In an allocation of four tasks, whose variables stand around the command.
    for name, value in {"NTASKS": "4", "JOB_ID": "71", "JOB_NAME": "interactive"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    typed = [*TWO, "trainer.max_epochs=2", "progress=none", "logger.mode=offline", "seed=0,1"]
    assert command("-m", *typed).code == 0
    runs = [load_run(folder) for folder in run_folders()]
    assert [run.record["status"] for run in runs] == ["completed"] * 2
    assert [run.record["environment"]["num_devices"] for run in runs] == [2, 2]
    assert len({run.record["wandb_id"] for run in runs}) == 2
    offline = list(Path("outputs").glob("**/offline-run-*"))
    assert len([path for path in offline if path.is_dir()]) == 2, offline
