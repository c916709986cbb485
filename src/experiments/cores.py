"""How many CPU cores a process may use. Torch-free."""

from __future__ import annotations

import os

SHARE = "EXPERIMENTS_CORES"
"""The variable that tells a process how many of the cores are its own."""


def num_cores() -> int:
    """Return how many CPU cores this process may use: its share, where several share them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    share = os.environ.get(SHARE)
    return min(cores or 1, int(share)) if share else cores or 1
