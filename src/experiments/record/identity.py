"""Which runs are the same: a hash over config and data, and what is no part of it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from experiments.record.later_keys import without_first_values

NOT_IN_IDENTITY = (
    "hydra",
    "logger",
    "paths",
    "progress",
    "resume",
    "again",
    "changed_data",
    "changed_code",
    "trusted",
    "debug",
    "sweep",
    "protocol",
    "data.root",
    "data.path",
    "data.test_path",
    "data.channels_first",
    "optim.search",
    "trainer.profiler",
    "trainer.log_every_n_steps",
    "trainer.threads",
    "steps_per_execution",
    "log_full_loss",
    "keep_predictions",
    "callbacks.diagnostics",
    "metrics",
    "checkpoint.every_n_steps",
    "checkpoint.every_seconds",
    "data.memory_limit",
    "data.num_workers",
    "data.header",
    "data.decimal",
    "data.encoding",
    "data.missing",
)
"""Config keys that cannot change a result (threads, as another processor would, only its last
bits), nor where data lie and how their file is read, as the content has a checksum; everything else
is part of a run's identity."""

AS_READ: dict[str, dict[str, str]] = {
    "table": {"name": "csv", "delimiter": ","},
    "npz": {"name": "npz"},
    "folder": {"name": "folder"},
}
"""Sources of a user's own data, with what stands in an identity for keys that only say how they are
called and how they are written."""


def canonical(value: Any) -> Any:
    """Return `value` such that equal settings are equal: 1, 1.0 and 1e0 are one number."""
    if isinstance(value, Mapping):
        return {
            str(key): canonical(part)
            for key, part in sorted(value.items(), key=lambda item: str(item[0]))
        }
    if isinstance(value, list | tuple):
        return [canonical(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


BLOCKS = ("seed", "data.fold")
"""Keys that tell the runs of one setting apart: settings are compared within their values."""

PARTS_OR_COUNTS = (
    "val_check_interval",
    "limit_train_batches",
    "limit_val_batches",
    "limit_test_batches",
    "overfit_batches",
)
"""Keys of the trainer where 1.0 is the whole and 1 is one of them."""


def with_parts_named(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config in which a part, such as 1.0 of the batches, is no number as 1 is."""
    trainer = dict(config.get("trainer") or {})
    for key in PARTS_OR_COUNTS:
        if isinstance(trainer.get(key), float):
            trainer[key] = f"{trainer[key]:g} of the whole"
    return {**config, "trainer": trainer}


def without(config: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a copy of a nested config without the dotted `keys`."""
    result = dict(config)
    for key in keys:
        head, _, rest = key.partition(".")
        if not rest:
            result.pop(head, None)
        elif isinstance(result.get(head), Mapping):
            result[head] = without(result[head], (rest,))
    return result


def with_own_data_unnamed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config in which a user's own data have no name: a file that is renamed is the same.

    Args:
        config: in which own targets are bare names.
    """
    data = config.get("data")
    if not isinstance(data, Mapping):
        return dict(config)
    written = AS_READ.get(str(data.get("_target_")), {})
    known = {key: value for key, value in written.items() if key in data}
    return {**config, "data": {**data, **known}}


OWN = "experiments."
"""What paths of this package's classes and functions begin with."""


def with_own_names(value: Any) -> Any:
    """Return nested values in which an own `_target_` is a bare name: where it stands may change.

    The key that it stands at says of which group it is. A target of somebody else's keeps its
    whole path, which has a dot.

    >>> with_own_names({"_target_": "experiments.catalogue.losses.Focal", "gamma": 2.0})
    {'_target_': 'Focal', 'gamma': 2.0}
    """
    if isinstance(value, Mapping):
        return {
            key: named(part) if key == "_target_" else with_own_names(part)
            for key, part in value.items()
        }
    return [with_own_names(part) for part in value] if isinstance(value, list | tuple) else value


def named(target: Any) -> Any:
    """Return the last word of an own target's path, and anything else as it is."""
    is_own = isinstance(target, str) and target.startswith(OWN)
    return target.rpartition(".")[2] if is_own else target


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a config that may change a result, by their dotted keys.

    Own classes count by name, as in a run's identity: that one was moved between two runs is no
    difference.

    >>> flat({"optim": {"name": "sgd", "lr": 0.10, "search": {"lr": [1]}}, "seed": 3})
    {'optim.name': 'sgd', 'optim.lr': 0.1, 'seed': 3}
    """
    values: dict[str, Any] = {}

    def walk(node: Mapping[str, Any], parent: str) -> None:
        for key, value in node.items():
            path = f"{parent}.{key}" if parent else str(key)
            if path in NOT_IN_IDENTITY:
                continue
            if isinstance(value, Mapping):
                walk(value, path)
            else:
                values[path] = canonical(value)

    walk(with_own_names(config), "")
    return values


def watched_metrics(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the group `metrics` that select the weights or are a callback's monitor.

    The others are only measured, and change no result.
    """
    callbacks = config.get("callbacks") or {}
    watching = [config.get("checkpoint") or {}, *callbacks.values()]
    monitors = {str(node.get("monitor")) for node in watching if isinstance(node, Mapping)}
    names = {monitor.rpartition("/")[2] for monitor in monitors}
    added = config.get("metrics") or {}
    return {name: node for name, node in added.items() if name in names}


def identity_of(
    config: Mapping[str, Any], data_checksum: str, code: Mapping[str, str] | None = None
) -> str:
    """Return the identity of a run: 16 hex digits of a hash over config, data and code.

    Args:
        code: of somebody else's that the config names; none for most.

    >>> identity_of({"lr": 0.1}, "") == identity_of({"lr": 1e-1, "hydra": {}}, "")
    True
    """
    asked = without_first_values(config)
    named_alike = with_own_data_unnamed(with_own_names(with_parts_named(asked)))
    settled = without(named_alike, NOT_IN_IDENTITY)
    if watched := watched_metrics(config):
        settled["metrics"] = watched
    parts = [canonical(settled), data_checksum, *([dict(code)] if code else [])]
    text = json.dumps(parts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def setting_of(
    config: Mapping[str, Any], data_checksum: str, code: Mapping[str, str] | None = None
) -> str:
    """Return the hash of a setting: the identity without the seed, and without which fold tests."""
    return identity_of(without(config, BLOCKS), data_checksum, code)
