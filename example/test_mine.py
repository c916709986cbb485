"""Tests of what is your own: python -m pytest"""

from pathlib import Path

import pytest
import torch
from nets import Net
from rings import rings
from scores import Margin

from experiments import train


def test_the_network_gives_a_number_for_each_class() -> None:
    assert Net((2,), 3, torch.nn.ReLU)(torch.zeros(5, 2)).shape == (5, 3)


def test_the_rings_have_their_radii() -> None:
    points = rings(noise=0.0).train
    radii = points.inputs.norm(dim=1)
    torch.testing.assert_close(radii, 1.0 + points.targets)


def test_the_margin_of_two_points() -> None:
    margin = Margin()
    margin.update(torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]]), torch.tensor([0, 2]))
    assert margin.compute().item() == pytest.approx(((0.7 - 0.2) + (0.0 - 0.5)) / 2)


def test_a_run(tmp_path: Path) -> None:
    words = ["model=net", "data=rings", "data.num_samples=90", "trainer.max_epochs=1"]
    run = train(*words, "metrics=margin", folder=tmp_path)
    assert run.record["status"] == "completed"
    assert "test/margin" in run.record["metrics"]
