"""A LightningModule of somebody's beside a model of ours: swept, compared, mirrored to W&B."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import COMPARE, ended, forked, started
from running import run_folders

from experiments import load_run

pytestmark = pytest.mark.slow

MODULE = """
import lightning as L
import torch
from torch import nn
from torch.nn import functional as F


class Lit(L.LightningModule):
    def __init__(self, shape, num_outputs, width=16):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(shape[0], width), nn.Tanh(), nn.Linear(width, num_outputs))

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.01)
"""


def test_it_is_swept_compared_and_mirrored(tmp_path: Path) -> None:
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/lit.yaml").write_text("name: lit\n_target_: lit_nets.Lit\n")
    (tmp_path / "lit_nets.py").write_text(MODULE)
    words = ["-m", "model=lit,mlp", "seed=0,1,2", "data=moons", "data.num_samples=200"]
    words += ["trainer.max_epochs=3", "logger.mode=offline", "hydra.sweep.dir=outputs/sweeps/lit"]
    ended(started(*words))
    runs = [load_run(folder) for folder in run_folders()]
    assert [run.record["status"] for run in runs] == ["completed"] * 6
    own = [run for run in runs if run.config["model"]["name"] == "lit"]
    assert len(own) == 3
    assert all(list(run.record["code"] or {}) == ["lit_nets"] for run in own)
    assert len(list(Path("outputs/wandb").glob("**/*.wandb"))) >= 6
    ended(started(*words))
    assert len(run_folders()) == 6
    assert "lit" in ended(forked(COMPARE, "runs=outputs/sweeps/lit", "factor=model"))
