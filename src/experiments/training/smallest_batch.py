"""A batch of one point, which batch normalisation cannot be trained on: told before any epoch.

An epoch's last batch has what is left over, 161 - 10 * 16 = 1 point for example, and torch raises
an error when that comes, after all others of the epoch.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from experiments.data.datamodule import DataModule
from experiments.errors.messages import user_error

LIMITS = ("limit_train_batches", "overfit_batches")


def check_smallest_batch(
    trainer: Mapping[str, Any], network: nn.Module, data: DataModule, num_ranks: int
) -> None:
    """Raise UserError where the network cannot be trained on the smallest batch of an epoch."""
    num_train, size = len(data.train), data.batch_size
    seen = num_seen(trainer, data.num_batches)
    if smallest_share(num_train, size, num_ranks, seen) > 1:
        return
    if not (reason := refusal_of_one_point(network, data.spec.shape)):
        return
    candidates = sorted(range(2, num_train + 1), key=lambda other: abs(other - size))
    fitting = (b for b in candidates if smallest_share(num_train, b, num_ranks) > 1)
    raise user_error(
        "batch_of_one",
        given=size,
        num_train=num_train,
        ranks=f" on one of {num_ranks} processes" if num_ranks > 1 else "",
        reason=reason,
        instead=next(fitting, "full"),
    )


def num_seen(trainer: Mapping[str, Any], num_batches: int) -> int:
    """Return how many batches of an epoch are trained on at most, of so many."""
    for key in LIMITS:
        limit = trainer[key]
        if isinstance(limit, int) and limit:
            num_batches = min(num_batches, limit)
        elif limit:
            num_batches = int(num_batches * limit)
    if trainer["max_steps"] != -1:
        num_batches = min(num_batches, trainer["max_steps"] * trainer["accumulate_grad_batches"])
    return num_batches


def smallest_share(
    num_points: int, batch_size: int, num_ranks: int = 1, num_batches: int | None = None
) -> int:
    """Return how many points the smallest batch of an epoch has, on the process with the fewest.

    >>> smallest_share(161, 16), smallest_share(160, 16), smallest_share(161, 16, num_batches=10)
    (1, 16, 16)
    >>> smallest_share(100, 7, num_ranks=2), smallest_share(8, 8, num_ranks=8)
    (1, 1)
    """
    num_full, left = divmod(num_points, batch_size)
    is_last_seen = num_batches is None or num_batches > num_full
    sizes = [batch_size] * (num_full > 0) + [left] * (left > 0 and is_last_seen)
    # A process without a point of a batch is given one, with weight 0.
    return max(1, min(sizes) // num_ranks)


def refusal_of_one_point(network: nn.Module, shape: tuple[int, ...]) -> str | None:
    """Return why a network cannot be trained on a single point; None where it can.

    Convolutions leave many positions of a point, whose mean and variance there are.
    """
    one = torch.zeros(1, *shape)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            copy.deepcopy(network).train()(one)
        except ValueError as error:
            if "Expected more than 1" in str(error):
                return str(error)
    return None
