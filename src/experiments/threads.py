"""How many CPU threads a run uses, and in how many bits it multiplies matrices.

Threads share a step's work but must be woken and waited for: for a small step one is faster than
two. The choice follows from the work alone and never from a measurement, so that the same run
chooses alike every time.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

SMALL_STEP = 8_000_000
"""Multiplications of a forward pass over a batch, below which one thread is used. Measured on two
cores: an MLP 784-64-128-64-10 at batch 64 (4.3 million) takes as long on one as on two, which
leaves a core to others, and 784-256-256-10 (17 million) takes 1.6 times as long."""


@torch.no_grad()
def multiplications(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Return the multiplications of a forward pass for one data point.

    Those with a weight of two or more dimensions, counted once per position that it is applied at.

    >>> multiplications(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), (4,))
    18
    """
    counts: list[int] = []

    def count(layer: nn.Module, inputs: Any, output: Tensor) -> None:
        weight: Any = layer.weight
        counts.append(weight.numel() * (output.numel() // weight.shape[0]))

    weighted = [m for m in network.modules() if getattr(getattr(m, "weight", None), "ndim", 0) > 1]
    hooks = [layer.register_forward_hook(count) for layer in weighted]
    was_training = network.training
    weight = next((p for p in network.parameters()), torch.zeros(()))
    try:
        network.eval()(torch.zeros(1, *shape, dtype=weight.dtype, device=weight.device))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return sum(counts)


def choose_threads(wanted: int | str, work: int, num_cores: int, num_ranks: int) -> int:
    """Return the number of threads.

    Args:
        wanted: a number, or auto.
        work: multiplications of a forward pass over a batch.
        num_cores: cores that this process may run on.
        num_ranks: processes of this run on this machine, which share them.
    """
    if isinstance(wanted, int):
        return wanted
    return 1 if work < SMALL_STEP else max(1, math.floor(num_cores / num_ranks))


@contextlib.contextmanager
def computing_with(num_threads: int, matmul_precision: str) -> Iterator[None]:
    """Set torch's threads and the precision of float32 matrix products for the block."""
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(num_threads)
    torch.set_float32_matmul_precision(matmul_precision)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.set_float32_matmul_precision(before[1])
