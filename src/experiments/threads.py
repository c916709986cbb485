"""How many CPU threads a run uses, and in how many bits it multiplies matrices.

Threads share a step's work but must be woken and waited for: for a small step one is faster than
two. The choice follows from the work alone and never from a measurement, so that the same run
chooses alike every time.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch

SMALL_STEP = 8_000_000
"""Multiplications of a forward pass over a batch, below which one thread is used. Measured on two
cores: an MLP 784-64-128-64-10 at batch 64 (4.3 million) takes as long on one as on two, which
leaves a core to others, and 784-256-256-10 (17 million) takes 1.6 times as long."""


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
