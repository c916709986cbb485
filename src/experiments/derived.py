"""What follows from parts of a config, before anything is built of it.

Torch-free: a sweep names thousands of runs by identities without importing torch.
"""

from __future__ import annotations

import math
from typing import Any

from experiments.errors import user_error

Config = dict[str, Any]

OF_BATCHES = (
    "batch_size",
    "val_fraction",
    "split_seed",
    "normalize",
    "augment",
    "pixel_shuffle",
    "test_shift",
    "memory_limit",
    "num_workers",
)
"""Keys of `data` that say how points become batches, and nothing about which points there are."""


def is_higher_better(metric: str) -> bool:
    """Return whether the larger of two values of a metric is the better one.

    >>> is_higher_better("val/accuracy"), is_higher_better("test/loss")
    (True, False)
    """
    return metric.rpartition("/")[2] in ("accuracy", "r2")


def worst_of(metric: str) -> float:
    """Return the score of a run that has none.

    >>> worst_of("val/accuracy"), worst_of("val/r2"), worst_of("val/loss")
    (0.0, -inf, inf)
    """
    if not is_higher_better(metric):
        return math.inf
    return 0.0 if metric.endswith("/accuracy") else -math.inf


def apply_full_batch(config: Config, overrides: list[str]) -> None:
    """Make the batch the whole training set where the optimizer is gradient descent itself."""
    if not (config.get("optim") or {}).get("full_batch") or not config.get("data"):
        return
    batch_size = config["data"]["batch_size"]
    typed = any(o.lstrip("+").startswith("data.batch_size=") for o in overrides)
    if batch_size != "full" and typed:
        raise user_error("full_batch", name=config["optim"]["name"], given=batch_size)
    config["data"]["batch_size"] = "full"
