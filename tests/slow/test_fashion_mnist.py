"""The real Fashion-MNIST: 60,000 + 10,000 images, from Debian's package or the network."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from experiments.training.load import Run

pytestmark = pytest.mark.slow

EXPECTED = {"cnn": (1, 0.87, 1.0), "mlp": (5, 0.87, 1.0), "linear": (5, 0.82, 0.86)}
"""Epochs, and the least and the greatest accuracy after them."""


@pytest.mark.parametrize("model", EXPECTED)
def test_a_few_epochs_reach_what_is_known(train_run: Callable[..., Run], model: str) -> None:
    # One thread: others work on this machine's cores, and threads wait for one another at each step.
    overrides = [f"model={model}", "optim=adam", "data=fashion_mnist", "trainer.threads=1"]
    num_epochs, low, high = EXPECTED[model]
    run = train_run(*overrides, f"trainer.max_epochs={num_epochs}")
    accuracy = run.record["metrics"]["test/accuracy"]
    assert accuracy is not None
    assert low <= accuracy <= high
    assert run.record["steps"] == num_epochs * 844
    assert run.record["best_epoch"]
