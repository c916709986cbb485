"""Classes and functions that a config is given in Python, as paths that it can hold.

What any process can import has its dotted path. What none can, a lambda or a class of a notebook,
has a path of this process alone, `__main__.Net@1f2e3d4c5b6a7988`, whose number is a hash of its
text: it is the same where the same text is given again, and another one where it was changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from experiments.errors.messages import user_error
from experiments.record.source_text import importable_path, name_of, source_text

MARK = "@"
"""Stands before the hash; no path that can be imported has one."""


@dataclass(frozen=True)
class Given:
    """A class or function of this process alone.

    Attributes:
        modules: of somebody's files that it leads to, whose texts are no part of its hash.
    """

    target: Any
    modules: frozenset[str]


GIVEN: dict[str, Given] = {}
"""By their paths, as long as the process lives: a run is read back in it like any other."""


def path_of(target: Any) -> str:
    """Return the path by which a config names a class or function that was given."""
    path = importable_path(target)
    if path is not None:
        return path
    text = source_text(target)
    path = f"{name_of(target)}{MARK}{text.hash}"
    GIVEN[path] = Given(target, frozenset(text.modules))
    return path


def is_given(path: str) -> bool:
    """Return whether a path is one of a class that no other process can import."""
    return MARK in path


def given_target(key: str, path: str) -> Any:
    """Return what a path of this process stands for, or raise UserError where it is another's."""
    if path not in GIVEN:
        name, _, text = path.partition(MARK)
        raise user_error("not_given", key=key, name=name, text=text)
    return GIVEN[path].target


def given_paths(node: Any) -> Iterator[str]:
    """Yield the paths among nested values that no other process can import."""
    if isinstance(node, list):
        for part in node:
            yield from given_paths(part)
    elif isinstance(node, dict):
        for name, part in node.items():
            if name == "_target_" and isinstance(part, str) and is_given(part):
                yield part
            else:
                yield from given_paths(part)


def check_importable(config: Any, num_ranks: int) -> None:
    """Raise UserError where several processes are to train what only this one has."""
    for path in given_paths(config) if num_ranks > 1 else ():
        raise user_error("given_ranks", name=path.partition(MARK)[0])
