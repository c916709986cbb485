"""One sweep over a class of somebody's that does everything wrong, and over one that does not."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
from processes import SCRIPT, ended, finished, parents, started, wait_until
from running import run_folders

from experiments.record.record import read_record

pytestmark = pytest.mark.slow

MODULE = """
import os
import random
import sys

import numpy as np
import torch
from torch import nn

print("a word while it is imported")
KEPT = []
COUNTED = 0


class Net(nn.Module):
    def __init__(self, shape, num_outputs, activation, how="well", options=None):
        super().__init__()
        global COUNTED
        COUNTED += 1
        KEPT.append(self)
        if how == "counts":  # each is another network where the module was used before
            assert COUNTED == 1 and len(KEPT) == 1, COUNTED
        if how == "init":
            raise KeyError("width")
        if how == "exits":
            os._exit(5)
        if how == "leaves":
            sys.exit(3)
        if how == "dtype":
            torch.set_default_dtype(torch.float64)
        if how == "settings":
            torch.set_num_threads(3)
            torch.set_float32_matmul_precision("medium")
            torch.use_deterministic_algorithms(True)
        if how == "seeds":
            torch.manual_seed(7)
            random.seed(7)
            np.random.seed(7)
        if how == "patches":
            nn.functional.gelu = torch.tanh
            nn.functional.relu = lambda x, inplace=False: torch.tanh(x)
            nn.Linear.forward = lambda self, x: x @ self.weight.T
        if how == "prints":
            print("a word of a model")
            sys.stdout = open(os.devnull, 'w')
        self.first, self.phi = nn.Linear(shape[0], 8), activation()
        self.last, self.how = nn.Linear(8, num_outputs), how
        self.noise, self.options = nn.Parameter(torch.randn(8)), options["rates"][0]["deep"]

    def forward(self, x):
        h = self.phi(self.first(x) + 0.1 * self.noise)
        if self.how == "forward":
            raise RuntimeError("no such thing")
        if self.how == "shape":
            return h
        if self.how == "blank":
            return self.last(h) * float("nan")
        if self.how == "leaf":
            self.noise += 1
        if self.how == "detach":
            return self.last(h).detach()
        if self.how == "later" and torch.is_grad_enabled() and len(x) > 5:
            raise RuntimeError("only on a whole batch")
        return self.last(h)
"""
# What no dictionary could have as a key is a value like any other.
NET = "name: net\n_target_: somebodys_net.Net\nhow: well\noptions: {rates: [{deep: [1, [2]]}]}\n"
REFUSED = {
    "init": "raises KeyError: 'width' (FILE, line",
    "exits": "ended",
    "leaves": "raises SystemExit: 3 (FILE, line",
    "dtype": "(FILE, line",
    "forward": "RuntimeError: no such thing",
    "shape": "gives the shape (3, 8) for 3 points of shape (2,), and (3, 2) is needed",
    "blank": "gives nan at once",
    "leaf": "in-place operation",
    "detach": "gives outputs without a gradient",
    "later": "RuntimeError: only on a whole batch",
}
HARMLESS = ["well", "counts", "settings", "seeds", "patches", "prints"]


def sweep(*typed: str) -> subprocess.CompletedProcess[str]:
    words = ["-m", "--config-dir=conf", "model=net", "data=xor", "data.num_samples=60"]
    words += ["trainer.max_epochs=2", "logger=none", *typed]
    return finished(SCRIPT, *words)


def runs(name: str) -> dict[str, dict[str, object]]:
    """Return the records of a sweep by what the network did."""
    records = [read_record(f) for f in run_folders(Path("outputs/sweeps") / name)]
    return {word.split("=")[1]: r for r in records for word in r["overrides"] if "how=" in word}


@pytest.mark.parametrize("launcher", ["workers", "basic"])
def test_what_one_job_does_is_no_matter_to_another(tmp_path: Path, launcher: str) -> None:
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/net.yaml").write_text(NET)
    (tmp_path / "somebodys_net.py").write_text(MODULE)
    how = f"hydra/launcher={launcher}"
    alone = sweep("model.how=well,counts", "hydra.sweep.dir=outputs/sweeps/alone", how)
    assert alone.returncode == 0, alone.stderr
    faults = [] if launcher == "basic" else [*REFUSED]
    each = ",".join([*faults, *HARMLESS[2:], *HARMLESS[:2]])
    beside = sweep(f"model.how={each}", "hydra.sweep.dir=outputs/sweeps/beside", how)
    assert beside.returncode == (1 if faults else 0), beside.stderr
    assert launcher == "basic" or "a word while it is imported" not in alone.stdout
    one, other = runs("alone"), runs("beside")
    assert {name for name, r in other.items() if r["status"] == "completed"} == set(HARMLESS)
    for name in ("well", "counts"):
        assert json.dumps(one[name]["metrics"]) == json.dumps(other[name]["metrics"])
    # A constructor that only sets seeds, threads or prints trains what the others train.
    for name in ("seeds", "prints"):
        assert other[name]["num_parameters"] == other["well"]["num_parameters"]
    told = " ".join((beside.stdout + beside.stderr).split())
    for name in faults:
        assert REFUSED[name].replace("FILE", str(tmp_path / "somebodys_net.py")) in told, name


def test_a_sweep_of_which_no_job_could_run_is_refused_at_once(tmp_path: Path) -> None:
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/net.yaml").write_text(NET)
    (tmp_path / "somebodys_net.py").write_text(MODULE)
    answer = sweep("model.how=init,shape", "seed=0,1")
    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 1
    assert not list(Path("outputs").glob("sweeps/*/*-*"))


ENDLESS = """
import os
import time
from pathlib import Path
from torch import nn

class Net(nn.Linear):
    def __init__(self, how, options):
        Path("building").write_text(str(os.getpid()))
        while True:
            time.sleep(0.1)
"""


def test_a_constructor_that_never_returns_ends_with_the_command(tmp_path: Path) -> None:
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/net.yaml").write_text(NET)
    (tmp_path / "somebodys_net.py").write_text(ENDLESS)
    command = started("-m", "--config-dir=conf", "model=net", "data=xor", "logger=none", "seed=0,1")
    pid = int(wait_until(lambda: Path("building").exists() and Path("building").read_text()))
    command.send_signal(signal.SIGINT)
    assert "To continue: " in ended(command, 130)
    wait_until(lambda: pid not in parents())
