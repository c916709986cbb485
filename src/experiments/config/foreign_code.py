"""Somebody else's code that a config names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from experiments.config.dotted_paths import find_target
from experiments.config.given_code import GIVEN, given_paths, is_given
from experiments.errors.wording import listed
from experiments.record.code import KNOWN_OTHERWISE, code_of
from experiments.record.identity import NOT_IN_IDENTITY, without

Config = dict[str, Any]


def foreign_targets(config: Config) -> list[tuple[str, str]]:
    """Return the key and the path of each `_target_` of somebody else's that may change a result.

    What no other process can import is not among them: its path says what its text is.

    >>> foreign_targets({"model": {"_target_": "mine.Net"}, "optim": {"_target_": "torch.Adam"}})
    [('model', 'mine.Net')]
    """
    found = targets_in(without(config, NOT_IN_IDENTITY), "")
    return [(key, path) for key, path in found if is_of_others(path) and not is_given(path)]


def foreign_words(config: Config) -> str:
    """Return what of somebody else's a config names, also where it changes no result.

    >>> foreign_words({"model": {"_target_": "mine.Net"}, "logger": {"_target_": "mine.Log"}})
    'model: mine.Net, logger: mine.Log'
    """
    return listed(f"{key}: {path}" for key, path in targets_in(config, "") if is_of_others(path))


def is_of_others(path: str) -> bool:
    return path.partition(".")[0] not in KNOWN_OTHERWISE


def targets_in(node: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for part in node:
            yield from targets_in(part, key)
    elif isinstance(node, dict):
        for name, part in node.items():
            if name == "_target_" and isinstance(part, str):
                yield key, part
            else:
                yield from targets_in(part, f"{key}.{name}" if key else str(name))


def foreign_code(config: Config) -> dict[str, str]:
    """Return the text or version of each module of somebody else's that a config leads to.

    Raises:
        UserError: a class that cannot be imported.
    """
    modules: set[str] = set()
    for key, path in foreign_targets(config):
        target = find_target(key, path)
        modules |= {str(getattr(target, "__module__", "")), module_of(path)}
    for path in given_paths(without(config, NOT_IN_IDENTITY)):
        modules |= GIVEN[path].modules
    return code_of(modules)


def module_of(path: str) -> str:
    """Return the module that a path names, beside the one in which its class is defined."""
    return path.rpartition(".")[0]
