"""Sweeps through submitit: its local executor, and its SLURM one with a stand-in for SLURM."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import ROOT, run_folders

from experiments.records import Record, read_history, read_record

pytestmark = pytest.mark.slow

HERE = Path(__file__).resolve().parent
TRAIN = [sys.executable, str(ROOT / "train.py"), "-m", "hydra/launcher=slurm"]
QUICK = ["model=mlp", "logger=none", "progress=none"]
MISBEHAVING = str(HERE.parent / "sweep")
LOCAL = ["hydra.launcher.cluster=local", *QUICK]


def started(*overrides: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TRAIN, *overrides],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def hanging(*seeds: int) -> list[str]:
    """Return overrides by which runs hang in their second epoch, until a file is there."""
    how = "_target_:misbehaving.AtEpoch,how:hang,unless:'mended'"
    return [f"+callbacks.bad{seed}={{{how},seed:{seed}}}" for seed in seeds]


def records() -> dict[int, Record]:
    found = {}
    for folder in run_folders():
        record = read_record(folder)
        found[record["seed"]] = record
    return found


def wait_until(condition: Callable[[], Any], seconds: float = 90) -> Any:
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return found


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


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_one_of_four_fails_and_the_same_command_goes_on(tmp_path: Path) -> None:
    bad = "+callbacks.bad={_target_:misbehaving.AtEpoch,how:raise,seed:1,unless:'mended'}"
    command = [*LOCAL, "seed=range(0,4)", "trainer.max_epochs=3", bad]
    process = started(*command, PYTHONPATH=MISBEHAVING)
    out, err = process.communicate(timeout=150)
    assert process.returncode == 1, out + err
    assert "RuntimeError: this callback raises" in err
    statuses = {seed: record["status"] for seed, record in records().items()}
    assert statuses == {0: "completed", 1: "failed", 2: "completed", 3: "completed"}
    before = {seed: record for seed, record in records().items() if seed != 1}
    Path("mended").touch()
    again = started(*command, "sweep.retry_failed=true", PYTHONPATH=MISBEHAVING)
    out, err = again.communicate(timeout=100)
    assert again.returncode == 0, out + err
    assert "1 to do" in out
    after = records()
    assert after.pop(1)["status"] == "completed"
    assert after == before
    [folder] = [folder for folder in run_folders() if "seed=1" in folder.name]
    assert [row["epoch"] for row in read_history(folder)] == [1, 2, 3]
    # Nothing is kept of jobs that went well.
    [sweep_dir] = Path("outputs/sweeps").iterdir()
    assert not (sweep_dir / ".submitit").exists()


def test_slurm_arrays_ends_and_a_ctrl_c(tmp_path: Path) -> None:
    slurm = tmp_path / "slurm"
    slurm.mkdir()
    subprocess.run([sys.executable, str(HERE / "fake_slurm.py"), "install", slurm], check=True)
    command = [*QUICK, "seed=0,1", "trainer.max_epochs=3", *hanging(0, 1)]
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
    assert "To continue: python" in err
    wait_until(lambda: not is_alive(other), seconds=5)
    Path("mended").touch()
    again = started(*command, *asked, "sweep.retry_failed=true", **own)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, out + err
    assert {record["status"] for record in records().values()} == {"completed"}
