"""Sweeps through submitit: its local executor, and its SLURM one with a stand-in for SLURM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from processes import MISBEHAVING, descendants, is_alive, started, wait_until
from running import run_folders

from experiments.record.history import read_history
from experiments.record.record import Record, read_record

pytestmark = pytest.mark.slow

FAKE_SLURM = Path(__file__).with_name("fake_slurm.py")
SWEEP = ["-m", "hydra/launcher=slurm", "model=mlp", "logger=none", "progress=none"]
LOCAL = [*SWEEP, "hydra.launcher.cluster=local"]


def hanging(*seeds: int) -> list[str]:
    """Return overrides by which runs hang in their second epoch, until a file is there."""
    how = "_target_:misbehaving.AtEpoch,how:hang,unless:'mended'"
    return [f"+callbacks.bad{seed}={{{how},seed:{seed}}}" for seed in seeds]


def records() -> dict[int, Record]:
    every = [read_record(folder) for folder in run_folders()]
    return {record["seed"]: record for record in every}


def under_way() -> list[int]:
    """Return the seeds of the runs that have a checkpoint behind them and are not done."""
    return [
        read_record(folder)["seed"]
        for folder in run_folders()
        if (folder / "checkpoints" / "last.ckpt").is_file()
        and read_record(folder)["status"] == "running"
    ]


def pid_of(seed: int) -> int:
    return records()[seed]["environment"]["pid"]


def test_one_of_two_fails_and_the_same_command_goes_on() -> None:
    bad = "+callbacks.bad={_target_:misbehaving.AtEpoch,how:raise,seed:1,unless:'mended'}"
    command = [*LOCAL, "seed=0,1", "trainer.max_epochs=3", bad]
    process = started(*command, PYTHONPATH=MISBEHAVING)
    out, err = process.communicate(timeout=150)
    assert process.returncode == 1, out + err
    assert "RuntimeError: this callback raises" in err
    statuses = {seed: record["status"] for seed, record in records().items()}
    assert statuses == {0: "completed", 1: "failed"}
    before = {seed: record for seed, record in records().items() if seed != 1}
    Path("mended").touch()
    again = started(*command, "sweep.retry_failed=true", PYTHONPATH=MISBEHAVING)
    out, err = again.communicate(timeout=100)
    assert again.returncode == 0, out + err
    assert "1 to do" in out
    after = records()
    assert after.pop(1)["status"] == "completed"
    assert after == before
    [folder] = [folder for folder in run_folders() if "seed-1" in folder.name]
    assert [row["epoch"] for row in read_history(folder)] == [1, 2, 3]
    # Nothing is kept of jobs that went well.
    [sweep_dir] = Path("outputs/sweeps").iterdir()
    assert not (sweep_dir / ".submitit").exists()


def test_slurm_arrays_ends_and_a_ctrl_c(tmp_path: Path) -> None:
    slurm = tmp_path / "slurm"
    slurm.mkdir()
    subprocess.run([sys.executable, FAKE_SLURM, "install", slurm], check=True)
    command = [*SWEEP, "seed=0,1", "trainer.max_epochs=3", *hanging(0, 1)]
    asked = ["hydra.launcher.partition=gpu", "hydra.launcher.mem_gb=2"]
    asked += ["+hydra.launcher.additional_parameters.nice=7"]
    own = {"PATH": f"{slurm}:{os.environ['PATH']}", "PYTHONPATH": MISBEHAVING}
    process = started(*command, *asked, **own)
    try:
        wait_until(lambda: set(under_way()) == {0, 1})
        script = (slurm / "1.script").read_text()
        for line in ("array=0-1%2", "partition=gpu", "mem=2GB", "nice=7", "nodes=1"):
            assert f"#SBATCH --{line}" in script
        # SLURM ends the whole of one job: what watches it has no word to say.
        session = int((slurm / "1_0.pid").read_text())
        hit = pid_of(0)
        os.killpg(session, signal.SIGKILL)
        wait_until(lambda: not is_alive(hit), seconds=5)
        wait_until(lambda: records()[0]["status"] == "failed", seconds=30)
        assert "SLURM ended it: OUT_OF_MEMORY; its log is" in str(records()[0]["error"])
        other = pid_of(1)
        assert records()[1]["status"] == "running"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130, out + err
    assert records()[1]["status"] == "interrupted"
    assert "To continue: " in err
    wait_until(lambda: not is_alive(other), seconds=5)
    Path("mended").touch()
    again = started(*command, *asked, "sweep.retry_failed=true", **own)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, out + err
    assert {record["status"] for record in records().values()} == {"completed"}


@pytest.mark.parametrize("population", ["off", "2"])
def test_a_sweep_in_a_slurm_job_keeps_where_it_is_and_is_put_back_once(
    tmp_path: Path, population: str
) -> None:
    program = tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    program.chmod(0o755)
    # Of a job of an array, as SLURM has it.
    own = {"PATH": f"{program.parent}:{os.environ['PATH']}", "SLURM_JOB_ID": "73"}
    own |= {"SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "3", "SLURM_NTASKS": "1"}
    command = ["-m", "model=mlp", "data=moons", "logger=none", "progress=none", "seed=0,1,2,3"]
    command += ["trainer.max_epochs=80", f"hydra.launcher.population={population}"]
    process = started(*command, **own)
    # A process that has not begun to train hears no signal yet, and is ended by it.
    wait_until(
        lambda: len(rows := [len(read_history(f)) for f in run_folders()]) >= 2 and min(rows) > 5
    )
    begun = [f for f in run_folders() if read_record(f)["status"] == "running"]
    jobs = {read_record(folder)["environment"]["pid"] for folder in begun}
    # SLURM sends it to every process of the step.
    others = [pid for pid in (process.pid, *descendants(process.pid)) if pid not in jobs]
    for pid in (*jobs, *others):
        os.kill(pid, signal.SIGUSR1)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 138, out + err
    assert (tmp_path / "asked").read_text() == "requeue 70_3\n"
    ended = [read_record(folder) for folder in begun]
    assert {r["status"] for r in ended} == {"interrupted"}
    # The launcher passes it on to who has not heard it, or has ended upon it by then.
    assert {r["error"] for r in ended} <= {"stopped by SIGUSR1", "stopped by SIGINT"}
    for folder in begun:
        saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        assert saved["global_step"] >= read_history(folder)[-1]["step"]
    wait_until(lambda: not any(map(is_alive, [*jobs, *others])), seconds=5)
    again = started(*command, **own, SLURM_RESTART_COUNT="1")
    out, err = again.communicate(timeout=400)
    assert again.returncode == 0, out + err
    assert [record["status"] for record in records().values()] == ["completed"] * 4
    assert len(run_folders()) == 4
