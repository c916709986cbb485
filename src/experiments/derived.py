"""Parts of a config that follow from its other parts, before its identity is taken.

Torch-free: a sweep names thousands of runs by identities without importing torch.
"""

from __future__ import annotations

from typing import Any

from experiments.errors import user_error

Config = dict[str, Any]


def apply_full_batch(config: Config, overrides: list[str]) -> None:
    """Make the batch the whole training set where the optimizer is gradient descent itself."""
    if not (config.get("optim") or {}).get("full_batch") or not config.get("data"):
        return
    batch_size = config["data"]["batch_size"]
    typed = any(o.lstrip("+").startswith("data.batch_size=") for o in overrides)
    if batch_size != "full" and typed:
        raise user_error("full_batch", name=config["optim"]["name"], given=batch_size)
    config["data"]["batch_size"] = "full"
