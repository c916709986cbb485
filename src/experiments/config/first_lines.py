"""The first line of a YAML file that brings the keys which all choices of its group share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from experiments.config.schema import DataConfig, LoggerConfig, TrainerConfig
from experiments.errors.messages import UserError, user_error
from experiments.errors.wording import few

FIRST_LINES: dict[str, tuple[type, str]] = {
    "data": (DataConfig, "shared/batches@_here_"),
    "trainer": (TrainerConfig, "/schema/trainer@_here_"),
    "logger": (LoggerConfig, "/schema/logger/wandb@_here_"),
}
"""Groups of which every key is read, with what brings them all.

Of the other groups a key that is missing has the default of its class or function.
"""
MOST_NAMED = 4


def missing_keys(group: str, node: Mapping[str, Any]) -> list[str]:
    """Return the shared keys that a choice of a group lacks.

    >>> missing_keys("data", {"name": "mine", "batch_size": 32})[:3], missing_keys("loss", {})
    (['val_fraction', 'augment', 'pixel_shuffle'], [])
    """
    # Loggers of other names write into the run folder alone, and take no keys.
    if group not in FIRST_LINES or (group == "logger" and node.get("name") != "wandb"):
        return []
    known = [field.name for field in fields(FIRST_LINES[group][0])]
    return [key for key in known if key not in node and key not in ("name", "_target_", "also")]


def first_line_missing(group: str, node: Mapping[str, Any], missing: Sequence[str]) -> UserError:
    """Build the error for a choice that lacks these keys: which line its file needs."""
    # Only these have the name of their file.
    name = node.get("name") if group == "data" else None
    return user_error(
        "first_line",
        choice=f"{group}={name}" if name else group,
        keys=few(missing, MOST_NAMED),
        file=f"conf/{group}/{name}.yaml" if name else f"its file in conf/{group}/",
        line=FIRST_LINES[group][1],
    )
