"""A batch of one point under batch normalisation is told before the first epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from experiments.data.order import BatchOrder
from experiments.training.smallest_batch import num_seen, refusal_of_one_point, smallest_share

Command = Callable[..., object]
NO_LIMITS = {
    "limit_train_batches": None, "overfit_batches": 0, "max_steps": -1, "accumulate_grad_batches": 1,
}  # fmt: skip


@pytest.mark.parametrize("num_ranks", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 16, 20])
@pytest.mark.parametrize("num_points", [20, 21, 33])
def test_the_smallest_share_is_that_of_the_batches_themselves(
    num_points: int, batch_size: int, num_ranks: int
) -> None:
    orders = [BatchOrder(num_points, batch_size, 0, rank, num_ranks) for rank in range(num_ranks)]
    counted = min(len(share[0]) for order in orders for share in order)
    assert smallest_share(num_points, batch_size, num_ranks) == counted


@pytest.mark.parametrize(
    ("limits", "seen"),
    [
        ({}, 10),
        ({"limit_train_batches": 3}, 3),
        ({"limit_train_batches": 0.5}, 5),
        ({"limit_train_batches": 1.0}, 10),
        ({"overfit_batches": 2}, 2),
        ({"max_steps": 4, "accumulate_grad_batches": 2}, 8),
        ({"max_steps": 100}, 10),
    ],
)
def test_how_many_batches_are_seen(limits: dict, seen: int) -> None:
    assert num_seen({**NO_LIMITS, **limits}, 10) == seen


@pytest.mark.parametrize(
    ("network", "shape", "is_refused"),
    [
        (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), (3,), True),
        (nn.Sequential(nn.Linear(3, 4), nn.GroupNorm(4, 4)), (3,), True),
        (nn.Sequential(nn.Linear(3, 4), nn.GroupNorm(2, 4)), (3,), False),
        (nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)), (3,), False),
        (nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2)), (1, 5), False),
        (nn.Sequential(nn.Conv1d(1, 2, 5), nn.BatchNorm1d(2)), (1, 5), True),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), (1, 3, 3), True),
    ],
)
def test_what_cannot_be_trained_on_one_point(
    network: nn.Module, shape: tuple[int, ...], is_refused: bool
) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    assert (refusal_of_one_point(network, shape) is not None) == is_refused
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(state, torch.get_rng_state())


MOONS = (
    "data=moons", "data.num_samples=201", "model=mlp", "model.norm=batch", "logger=none",
    "progress=none", "trainer.max_epochs=1",
)  # fmt: skip


def test_it_is_told_before_anything_is_written_and_what_it_says_works(command: Command) -> None:
    # 201 points: 40 test, 16 validation, 145 training; 145 = 9 * 16 + 1.
    said = command(*MOONS, "data.batch_size=16")
    assert said.code == 2
    assert "data.batch_size=16: of the 145 training points a batch of one is left" in said.err
    assert "Try data.batch_size=15, or model.norm=layer." in said.err
    assert not Path("outputs").exists()
    assert command(*MOONS, "data.batch_size=15").code == 0
