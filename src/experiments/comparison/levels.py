"""The values of a factor in the configs of runs, and what else is in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.config.overrides import is_same
from experiments.errors.wording import spelled
from experiments.record.identity import canonical, flat

Config = Mapping[str, Any]


class Level(NamedTuple):
    """The value of a factor: what tells it from others, as a text, and what it is called."""

    values: str
    name: str


def select(config: Config, key: str) -> Any:
    """Return what a dotted key holds; None where there is no such key.

    >>> select({"optim": {"lr": 0.1}}, "optim.lr"), select({"optim": {}}, "optim.lr")
    (0.1, None)
    """
    node: Any = config
    for word in key.split("."):
        if not isinstance(node, Mapping) or word not in node:
            return None
        node = node[word]
    return node


def level_of(config: Config, key: str, without: frozenset[str] = frozenset()) -> Level | None:
    """Return the value of a factor, or None where a run has none.

    A choice of a group is called by the group's own name, and told by all of its values. Keys in
    `without` do not count, as those that tuning chose.

    >>> level_of({"optim": {"name": "sgd", "lr": 0.1}}, "optim", frozenset({"optim.lr"}))
    Level(values='{"optim.name": "sgd"}', name='sgd')
    >>> level_of({"model": {"hidden": [64, 64.0]}}, "model.hidden")
    Level(values='[64, 64]', name='[64,64]')
    """
    value = select(config, key)
    if value is None:
        return None
    if isinstance(value, Mapping):
        own = {k: v for k, v in flat({key: value}).items() if k not in without}
        return Level(json.dumps(own, sort_keys=True), str(value.get("name", key)))
    plain = canonical(value)
    return Level(json.dumps(plain), spelled(plain))


def is_part_of(config: Config, key: str, word: str) -> bool:
    """Return whether a run was made with `key=word`.

    >>> is_part_of({"optim": {"name": "sgd", "lr": 0.1}}, "optim.lr", "1e-1")
    True
    """
    level = level_of(config, key)
    return level is not None and is_same(level.name, word)
