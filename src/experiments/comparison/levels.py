"""The values of a factor in the configs of runs, and what else is in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from experiments.records import NOT_IN_IDENTITY, canonical

Config = Mapping[str, Any]


def flat(config: Config) -> dict[str, Any]:
    """Return the values of a config that may change a result, by their dotted keys.

    >>> flat({"optim": {"name": "sgd", "lr": 0.10, "search": {"lr": [1]}}, "seed": 3})
    {'optim.name': 'sgd', 'optim.lr': 0.1, 'seed': 3}
    """
    found: dict[str, Any] = {}

    def walk(node: Mapping[str, Any], path: str) -> None:
        for key, value in node.items():
            place = f"{path}.{key}" if path else str(key)
            if place in NOT_IN_IDENTITY:
                continue
            if isinstance(value, Mapping):
                walk(value, place)
            else:
                found[place] = canonical(value)

    walk(config, "")
    return found


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


def values_of(
    config: Config, key: str, without: frozenset[str] = frozenset()
) -> tuple[str, str] | None:
    """Return the value of a factor: what tells it from others, and its name.

    A choice of a group is called by the group's own name, and told by all of its values.

    Args:
        config: of a run.
        key: the factor.
        without: dotted keys that do not count, as those that tuning chose.

    >>> values_of({"optim": {"name": "sgd", "lr": 0.1}}, "optim", frozenset({"optim.lr"}))
    ('{"optim.name": "sgd"}', 'sgd')
    >>> values_of({"model": {"hidden": [64, 64.0]}}, "model.hidden")
    ('[64, 64]', '[64,64]')
    """
    value = select(config, key)
    if value is None:
        return None
    if isinstance(value, Mapping):
        own = {k: v for k, v in flat({key: value}).items() if k not in without}
        return json.dumps(own, sort_keys=True), str(value.get("name", key))
    plain = canonical(value)
    return json.dumps(plain), word_of(plain)


def word_of(value: Any) -> str:
    """Return a plain value as one types it.

    >>> word_of(0.001), word_of([64, 64]), word_of(None), word_of(True), word_of("full")
    ('0.001', '[64,64]', 'null', 'true', 'full')
    """
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def is_part_of(config: Config, key: str, word: str) -> bool:
    """Return whether a run was made with `key=word`.

    >>> is_part_of({"optim": {"name": "sgd", "lr": 0.1}}, "optim.lr", "1e-1")
    True
    """
    found = values_of(config, key)
    return found is not None and is_same(found[1], word)


def is_same(name: str, word: str) -> bool:
    """Return whether two words mean the same value.

    >>> is_same("0.001", "1e-3"), is_same("[64,64]", "[64, 64]"), is_same("relu", "elu")
    (True, True, False)
    """
    a, b = name.replace(" ", ""), word.replace(" ", "")
    try:
        return float(a) == float(b)
    except ValueError:
        return a == b
