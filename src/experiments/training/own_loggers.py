"""Loggers of anyone's: what they are called with, and which are none."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from experiments.config.dotted_paths import find_target
from experiments.config.entries import Config, call_or_refuse, called, parameters_of
from experiments.errors.messages import user_error
from experiments.errors.wording import listed

NOT_ARGUMENTS = ("name", "_target_", "also")
"""Keys of a logger that its class is not called with."""
CALLED = ("log_metrics", "save", "after_save_checkpoint", "finalize")


def check_own_logger(key: str, node: Mapping[str, Any]) -> None:
    """Raise UserError for a class that is no logger, or does not take these arguments.

    It is called only when there is a folder for it to write into.
    """
    target = find_target(key, node["_target_"])
    owner = called(target)
    if inspect.isclass(target):
        check_is_logger(target, node["name"], owner)
    arguments = arguments_for(target, node, "")
    call_or_refuse(key, lambda: inspect.signature(target).bind(**arguments), owner)


def check_is_logger(logger: Any, name: str, owner: str) -> None:
    """Raise UserError for a logger, or its class, that lacks what a run calls."""
    lacking = [word for word in CALLED if not hasattr(logger, word)]
    if lacking:
        raise user_error("no_logger", given=name, target=owner, lacking=listed(lacking))


def arguments_for(target: Callable[..., Any], node: Mapping[str, Any], folder: str) -> Config:
    """Return what a logger is called with; it writes into the run folder unless told where."""
    arguments = {word: value for word, value in node.items() if word not in NOT_ARGUMENTS}
    return {"save_dir": folder, **arguments} if "save_dir" in parameters_of(target) else arguments
