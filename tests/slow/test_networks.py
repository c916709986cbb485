"""Runs of the larger networks: trained, measured, read back; many steps at once, fewer bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from running import QUIET, plain
from torchvision import models

from experiments.training.build import build_network, load_data
from experiments.training.load import Run

pytestmark = pytest.mark.slow

RUNS = {
    "resnet": ("model=resnet", "model.depth=8", "model.width=4", "activation=prelu"),
    "gru": ("model=gru", "model.num_layers=2", "model.dropout=0.2", "model.dense=[8]"),
    "transformer": ("model=transformer", "model.dim=8", "model.depth=1", "model.dropout=0.1"),
    "torchvision": ("model=torchvision", "model.name=shufflenet_v2_x0_5", "model.weights=DEFAULT"),
}
SHORT = ("trainer.max_epochs=1", "trainer.limit_train_batches=3", "trainer.threads=1")


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for torchvision's server, and note how often it is asked."""
    asked: list[str] = []
    state = models.shufflenet_v2_x0_5().state_dict()

    def get_state_dict(self: Any, *arguments: Any, **values: Any) -> dict[str, torch.Tensor]:
        asked.append(self.name)
        return state

    monkeypatch.setattr(models.ShuffleNet_V2_X0_5_Weights, "get_state_dict", get_state_dict)
    return asked


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_read_back_as_it_was_tested(
    train_run: Callable[..., Run], fetched: list[str], name: str
) -> None:
    run = train_run(*SHORT, *RUNS[name], "callbacks=diagnostics")
    assert len(fetched) == (name == "torchvision")
    module, points = run.module(), load_data(run.config).test
    assert len(fetched) == (name == "torchvision")  # its weights are known
    is_right = module.predict(points.inputs) == points.targets
    assert is_right.float().mean().item() == pytest.approx(run.record["metrics"]["test/accuracy"])
    [row] = run.history
    assert row["diagnostics/network/gradient_norm"] > 0
    assert any(key.endswith("/dead") for key in row) == (name != "torchvision")


@pytest.mark.parametrize("name", ["resnet", "gru", "transformer"])
def test_many_steps_at_once_give_the_same_weights(train_run: Callable[..., Run], name: str) -> None:
    runs = [train_run(*SHORT, *RUNS[name], f"steps_per_execution={k}") for k in (1, 3)]
    first, other = (run.module("last").network.state_dict() for run in runs)
    assert all(first[key].equal(other[key]) for key in first)


@pytest.mark.parametrize("name", ["resnet", "gru", "transformer"])
def test_other_precisions(name: str) -> None:
    config = plain(*RUNS[name])
    data = load_data(config)
    network = build_network(config, data.spec).eval()
    x = data.test.inputs[:4].float() / 16
    with torch.no_grad():
        exact = network.double()(x.double())
        network.float()
        torch.testing.assert_close(network(x).double(), exact, rtol=1e-4, atol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = network(x)
        half = network.bfloat16()(x.bfloat16())
    for rough in (mixed, half):
        torch.testing.assert_close(rough.double(), exact, rtol=0.1, atol=0.1)


def test_an_activation_that_a_gru_has_no_place_for_is_told(command: Callable[..., Any]) -> None:
    quick = (*QUIET, *SHORT, "model=gru", "activation=tanh")
    answer = command(*quick)
    said = "activation=tanh has no effect with model.dense=[], where a GRU has its gates alone"
    assert answer.code == 0
    assert said in " ".join(answer.out.split())
