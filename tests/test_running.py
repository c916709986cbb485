"""The running means of an epoch, held against torchmetrics and in any grouping."""

from __future__ import annotations

import pytest
import torch
from torchmetrics import MeanAbsoluteError, R2Score
from torchmetrics.classification import MulticlassAccuracy

from experiments.running import AT_ONCE, RunningMeans

SIZES = [64, 64, 64, 7]


def test_classification_is_torchmetrics() -> None:
    means, accuracy = RunningMeans("classification", 5), MulticlassAccuracy(5, average="micro")
    total = 0.0
    for size in SIZES:
        outputs, targets = torch.randn(size, 5), torch.randint(0, 5, (size,))
        loss = torch.nn.functional.cross_entropy(outputs, targets)
        means.update(loss, outputs, targets)
        accuracy.update(outputs, targets)
        total += size * loss.item()
    got = means.compute()
    assert got["accuracy"] == pytest.approx(accuracy.compute().item(), abs=1e-7)
    assert got["loss"] == pytest.approx(total / sum(SIZES), rel=1e-12)


def test_regression_is_torchmetrics() -> None:
    means = RunningMeans("regression", 3)
    mae, r2 = MeanAbsoluteError(), R2Score()
    for size in SIZES:
        outputs, targets = torch.randn(size, 3), 100 + 10 * torch.randn(size, 3)
        means.update((outputs - targets).square().mean(), outputs, targets)
        mae.update(outputs, targets)
        r2.update(outputs, targets)
    got = means.compute()
    assert got["mae"] == pytest.approx(mae.compute().item(), rel=1e-5)
    assert got["r2"] == pytest.approx(r2.compute().item(), rel=1e-3)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_reading_on_the_way_changes_no_bit(task: str) -> None:
    one, other = RunningMeans(task, 3), RunningMeans(task, 3)
    for i in range(300):
        outputs, loss = torch.randn(40, 3), torch.rand(())
        targets = torch.randn(40, 3) if task == "regression" else torch.randint(0, 3, (40,))
        one.update(loss, outputs, targets)
        other.update(loss, outputs, targets)
        if i % 7 == 0:  # as a checkpoint does, and a resumed run
            state = other.state()
            other = RunningMeans(task, 3)
            other.load(state)
    assert 2 * AT_ONCE < 300 * 40
    assert one.compute() == other.compute()


def test_nothing_seen_is_nan_and_reset_forgets() -> None:
    means = RunningMeans("classification", 3)
    means.update(torch.tensor(1.0), torch.randn(4, 3), torch.zeros(4, dtype=torch.int64))
    means.reset(torch.device("cpu"))
    assert all(value != value for value in means.compute().values())


def test_ranks_add_up() -> None:
    whole, parts = RunningMeans("classification", 3), [RunningMeans("classification", 3)] * 2
    parts = [RunningMeans("classification", 3) for _ in range(2)]
    for i in range(6):
        outputs, targets, loss = torch.randn(8, 3), torch.randint(0, 3, (8,)), torch.rand(())
        whole.update(loss, outputs, targets)
        parts[i % 2].update(loss, outputs, targets)
    others = parts[1].state()
    assert parts[0].compute(lambda x: x + others) == pytest.approx(whole.compute(), rel=1e-14)
