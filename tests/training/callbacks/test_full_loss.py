"""`log_full_loss`: the mean over all training points at one theta."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from experiments.training.load import Run
from experiments.training.run_parts import build_run

SMALL = ["data=moons", "data.num_samples=400", "model=mlp", "model.hidden=[8]", "model.dropout=0.3"]
SMALL += ["model.norm=batch", "trainer.max_epochs=3", "log_full_loss=true"]


def by_hand(run: Run, which: str = "last") -> float:
    """Return the mean over the training points, all at once, under the weights of a checkpoint."""
    module = run.module(which).eval()
    train = build_run(run.config).datamodule.train
    with torch.no_grad():
        outputs = module.network(module.normalize(train.inputs))
        targets = train.targets
        if module.normalize_targets is not None:
            return F.mse_loss(outputs, module.normalize_targets(targets)).item()
        return F.cross_entropy(outputs, targets).item()


def test_is_the_mean_over_all_points_at_the_last_weights(train_run: Callable[..., Run]) -> None:
    run = train_run(*SMALL, "data.augment.noise=0.5")
    assert run.history[-1]["train/full_loss"] == pytest.approx(by_hand(run), rel=1e-6)
    # The epoch's own mean was taken with noise and dropout, along the way.
    assert run.history[-1]["train/loss"] > run.history[-1]["train/full_loss"]


def test_is_that_of_standardised_values_in_a_regression(train_run: Callable[..., Run]) -> None:
    run = train_run(
        "data=diabetes", "model=linear", "loss=mse", "trainer.max_epochs=2", "log_full_loss=true"
    )
    assert run.history[-1]["train/full_loss"] == pytest.approx(by_hand(run), rel=1e-6)


def test_is_that_of_the_trained_weights_not_of_their_average(train_run: Callable[..., Run]) -> None:
    run = train_run(*SMALL, "trainer.ema_decay=0.99", "model.norm=none")
    module = run.module("last").eval()
    train = build_run(run.config).datamodule.train
    with torch.no_grad():
        own = F.cross_entropy(module.network(module.normalize(train.inputs)), train.targets)
        averaged = F.cross_entropy(module(train.inputs), train.targets)
    assert run.history[-1]["train/full_loss"] == pytest.approx(own.item(), rel=1e-6)
    assert abs(own - averaged) > 1e-3


def test_changes_nothing_else(train_run: Callable[..., Run]) -> None:
    with_it = train_run(*SMALL)
    without = train_run(*SMALL, "log_full_loss=false")
    assert with_it.record["identity"] == without.record["identity"]
    for one, other in zip(with_it.history, without.history, strict=True):
        one.pop("train/full_loss")
        assert one == other
