"""One optimizer step: scaling, clipping and averaging, by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from running import plain
from torch import nn

from experiments.training.run_parts import build_run
from experiments.training.steps import UpdateRules, average_of


def weight_after(rules: UpdateRules, gradient: list[float], scale: float | None) -> torch.Tensor:
    """Return theta = 0 after one SGD step of lr 1 with a gradient, perhaps a scaled one."""
    weight = nn.Parameter(torch.zeros(len(gradient)))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scaler = None
    weight.grad = torch.tensor(gradient)
    if scale is not None:
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        scaler.scale(torch.zeros(()))  # from here on it has a scale
        weight.grad *= scale
    told: list[list[float]] = []
    rules.step(optimizer, [weight], scaler, lambda: told.append(weight.grad.tolist()))
    if all(abs(g) < float("inf") for g in gradient):
        assert told == [gradient]  # unscaled, and not yet clipped
    return weight.detach()


@pytest.mark.parametrize("scale", [None, 1024.0])
def test_gradients_are_unscaled_before_they_are_clipped(scale: float | None) -> None:
    assert weight_after(UpdateRules(), [3.0, 4.0], scale).tolist() == [-3.0, -4.0]
    # Norm 5 to norm 1; torch adds 1e-6 to the norm.
    by_norm = weight_after(UpdateRules(clip_val=1.0), [3.0, 4.0], scale)
    torch.testing.assert_close(by_norm, torch.tensor([-0.6, -0.8]), rtol=1e-5, atol=0)
    rules = UpdateRules(clip_val=3.5, clip_algorithm="value")
    assert weight_after(rules, [3.0, 4.0], scale).tolist() == [-3.0, -3.5]


def test_a_step_with_gradients_that_overflowed_is_left_out() -> None:
    assert weight_after(UpdateRules(), [float("inf"), 1.0], 1024.0).tolist() == [0.0, 0.0]


def test_an_average_of_buffers_belongs_to_the_average_of_weights() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    rules = UpdateRules()
    average = average_of(network, decay=0.75)
    assert not any(p.requires_grad for p in average.parameters())
    expected = {}
    for i in range(3):
        for value in [*network.parameters(), *network.buffers()]:
            value.data = torch.full_like(value, 4.0**i)
        rules.after_step(network, average, None)
        for name, value in network.state_dict().items():
            old = expected.get(name, value.double())
            expected[name] = 0.75 * old + 0.25 * value.double()
    got = average.module.state_dict()
    for name, value in expected.items():
        if "num_batches" not in name:
            torch.testing.assert_close(got[name].double(), value, rtol=1e-6, atol=0)


def test_images_are_convolved_with_channels_innermost_and_come_to_the_same() -> None:
    module = build_run(plain("model=cnn", "data=digits")).module
    weights = [p for p in module.network.parameters() if p.dim() == 4]
    if not torch.cuda.is_available():
        assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
    x = torch.randn(5, 1, 8, 8)
    channels_last = module.network(x)
    plain_layout = module.network.to(memory_format=torch.contiguous_format)(x)
    torch.testing.assert_close(channels_last, plain_layout, rtol=1e-4, atol=1e-5)


def test_regression_means_are_those_of_torchmetrics_in_a_run(train_run: Callable) -> None:
    """With a learning rate of nearly nothing the epoch's means are those of fixed weights."""
    run = train_run(
        "data=diabetes",
        "loss=mse",
        "model=linear",
        "optim=sgd",
        "optim.lr=1e-12",
        "trainer.max_epochs=1",
    )
    module, prepared = run.module(), build_run(run.config)
    train = prepared.datamodule.train
    predicted = module.predict(train.inputs)
    mae = (predicted - train.targets).abs().mean().item()
    spread = (train.targets - train.targets.mean()).square().sum()
    r2 = 1 - ((predicted - train.targets).square().sum() / spread).item()
    assert run.history[0]["train/mae"] == pytest.approx(mae, rel=1e-5)
    assert run.history[0]["train/r2"] == pytest.approx(r2, rel=1e-4)
