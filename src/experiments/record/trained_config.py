"""The config that a run was trained with, where its file may have been changed since."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments.errors.error_table import TABLE
from experiments.record.folder import CONFIG, COPY, read_back, read_config, with_own_data
from experiments.record.identity import identity_of
from experiments.record.record import Record
from experiments.record.strangers_files import text_of

log = logging.getLogger(__name__)

Check = Callable[[dict[str, Any]], object]


def trained_config(folder: Path, record: Record, check: Check) -> dict[str, Any]:
    """Return the resolved config of a run, as its record's identity has it.

    A text with a few other bytes may be a configuration still, of another run. The record has a
    hash over the one that was trained: where the file's is another and that of the copy among
    Hydra's files is not, the copy is taken. Where neither is, as of a run of another version of
    this package, the file stands; and where it names other things to be called, since somebody has
    changed it then.

    Args:
        check: raises UserError for a config that nothing may be made of. The file has to pass it
            too: what it may not say is refused, and not passed over for the copy.

    Raises:
        UserError: there is no configuration.
    """
    config = read_config(folder)
    check(config)
    if record["data_checksum"] is None or is_of(record, config):
        return config
    with contextlib.suppress(OSError, ValueError):
        copy = with_own_data(folder, read_back(text_of(folder / COPY)))
        if is_of(record, copy) and {*targets_of(config)} <= {*targets_of(copy)}:
            check(copy)
            reason = "it is not the one that was trained"
            log.warning(TABLE["config_copy"], folder / CONFIG, reason, folder / COPY)
            return copy
    return config


def is_of(record: Record, config: dict[str, Any]) -> bool:
    """Return whether a run's identity is that of this config, with its data and its code."""
    return identity_of(config, str(record["data_checksum"]), record["code"]) == record["identity"]


def targets_of(node: Any) -> Iterator[str]:
    """Yield what a config says to be called.

    >>> list(targets_of({"model": {"_target_": "a.Net"}, "callbacks": [{"_target_": 3}]}))
    ['a.Net', '3']
    """
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and "_target_" in node:
        yield str(node["_target_"])
    for part in parts:
        yield from targets_of(part)
