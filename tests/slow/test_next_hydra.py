"""The commands under the next versions of Hydra and OmegaConf, whose pre-releases pip installs.

They are searched before the installed ones, in processes that know no other difference.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from running import ROOT, run_folders

from experiments.record.record import read_record

pytestmark = pytest.mark.slow

NEXT = ("hydra-core>=1.4.0rc3,<1.5", "omegaconf>=2.4.1rc1,<2.5")
UNREACHABLE = re.compile(
    r"NewConnectionError|ConnectTimeout|NameResolution|Temporary failure|ProxyError|"
    r"MaxRetryError|Max retries|ReadTimeout|Connection refused|Connection broken|Ignoring indexes"
)
"""What pip says of an index that it cannot ask; of one that has not what is sought it says no such."""
COMMANDS = """
import sys
from experiments.__main__ import opened
from experiments.config.hydra_versions import IS_1_3

assert not IS_1_3
for words in {commands}:
    print("$", *words, flush=True)
    code = opened(words[0], f"python {{words[0]}}.py", words[1:])
    print("exit code", code, flush=True)
"""
TINY = [
    "data=moons",
    "data.num_samples=60",
    "model=mlp",
    "model.hidden=[4]",
    "trainer.max_epochs=1",
]
TINY += ["logger=none", "progress=none"]


@pytest.fixture(scope="module")
def next_hydra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the next versions; without an index to ask there is nothing to test."""
    folder = tmp_path_factory.mktemp("next")
    command = [sys.executable, "-m", "pip", "--no-input", "install", "--pre", "--no-compile"]
    done = subprocess.run(
        [*command, "--retries", "1", "--target", folder, *NEXT], capture_output=True, text=True
    )
    said = done.stdout + done.stderr
    if done.returncode and UNREACHABLE.search(said):
        pytest.skip("no package index can be reached, which has Hydra's next version")
    assert done.returncode == 0, said
    return folder


def carried_out(packages: Path, *commands: list[str]) -> tuple[list[int], str]:
    """Return the exit codes of commands in one process, and what they said."""
    paths = [str(packages), str(ROOT / "src")]
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS.format(commands=commands)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Warning" not in said, said
    return [int(code) for code in re.findall(r"^exit code (\d+)$", said, re.MULTILINE)], said


def statuses(folder: Path) -> list[str]:
    return [read_record(run)["status"] for run in run_folders(folder)]


def test_runs_sweeps_and_comparisons(next_hydra: Path, tmp_path: Path) -> None:
    sweeps = tmp_path / "sweeps"
    sweeps.mkdir()
    (sweeps / "two.yaml").write_text(
        "# @package _global_\nsweep: {factor: activation, control: relu, seeds: 2}\n"
        "hydra:\n  mode: MULTIRUN\n  sweep: {dir: named}\n"
        "  sweeper:\n    params: {activation: 'relu,tanh'}\n"
    )
    basic = ["hydra/launcher=basic", "hydra.sweep.dir=basic"]
    codes, said = carried_out(
        next_hydra,
        ["train", *TINY, "hydra.run.dir=one"],
        ["train", "from=one", "hydra.run.dir=two"],
        ["train", "--experimental-rerun", "one"],
        ["train", "sweeps=two", *TINY],
        ["train", "-m", *TINY, *basic, "activation=relu,tanh"],
        ["train", "-m", *TINY, "activation=relu,tahn"],
        ["train", "-m", *TINY, "seed=0,1", "optim.lrr=1"],
        ["compare", "runs=named"],
    )
    assert codes == [0, 0, 2, 0, 0, 2, 2, 0], said
    assert "The same as one, bit for bit" in said
    assert "Type python train.py from=one." in said
    assert statuses(Path("named")) == ["completed"] * 4
    assert statuses(Path("basic")) == ["completed"] * 2
    assert "activation=tahn: there is no such activation. Did you mean activation=tanh?" in said
    assert "optim.lrr: there is no such key." in said
    assert "Traceback" not in said
    [path] = Path("outputs").glob("**/verdict.json")
    [task] = json.loads(path.read_text())["tasks"]
    numbers = {setting["name"]: len(setting["scores"]) for setting in task["settings"]}
    assert numbers == {"relu": 2, "tanh": 2}
