"""The real Fashion-MNIST: 60,000 + 10,000 images, from Debian's package or the network."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from experiments.runs import Run

pytestmark = pytest.mark.slow

EXPECTED = {"cnn": (0.90, 1.0), "mlp": (0.87, 1.0), "linear": (0.82, 0.86)}


@pytest.mark.parametrize("model", EXPECTED)
def test_five_epochs_reach_what_is_known(train_run: Callable[..., Run], model: str) -> None:
    run = train_run(f"model={model}", "optim=adam", "data=fashion_mnist", "trainer.max_epochs=5")
    low, high = EXPECTED[model]
    accuracy = run.record["metrics"]["test/accuracy"]
    assert accuracy is not None
    assert low <= accuracy <= high
    assert run.record["steps"] == 5 * 844
    assert run.record["best_epoch"]
