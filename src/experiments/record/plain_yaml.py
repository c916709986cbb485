"""Configs in plain values as YAML text, read and written as by OmegaConf in a tenth of its time.

It takes 13 ms for the files of a run, in Python. A run of a sweep may last half a second.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import yaml

from experiments.errors.wording import NEVER_MEANT

try:
    from yaml import CSafeDumper as SafeDumper
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML without libyaml
    from yaml import SafeDumper, SafeLoader  # type: ignore[assignment]

FLOAT = re.compile(
    r"""^(?:
    [-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)
    |\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?
    |[-+]?[0-9]+(?:_[0-9]+)*(?::[0-5]?[0-9])+\.[0-9_]*
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)
"""What is a number to OmegaConf: 1e-3 too, which is a word to YAML 1.1 and so to PyYAML."""


MOST_VALUES = 1_000_000
DEEPEST = 100
LARGEST = 10**300
OBEYED = re.compile(f"[{NEVER_MEANT}]")


class YamlWriter(SafeDumper):
    """Quotes words that OmegaConf would read as numbers."""


class YamlReader(SafeLoader):
    """Reads the numbers that OmegaConf reads, and no dates; a key that stands twice is an error."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own name, of its class)
        first: [(tag, pattern) for tag, pattern in those if not tag.endswith(":timestamp")]
        for first, those in SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value if key.tag.endswith(":str")]
        if len(set(keys)) < len(keys):
            [(twice, _)] = Counter(keys).most_common(1)
            raise yaml.constructor.ConstructorError(None, None, f"found duplicate key {twice}")
        return super().construct_mapping(node, deep=deep)


for reader_or_writer in (YamlReader, YamlWriter):
    reader_or_writer.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))


def to_yaml(config: Any) -> str:
    """Return nested plain values as YAML.

    >>> to_yaml({"lr": 1e-05, "word": "1e-5", "empty": None, "hidden": [2, 3]}).split()
    ['lr:', '1.0e-05', 'word:', "'1e-5'", 'empty:', 'null', 'hidden:', '-', '2', '-', '3']
    """
    text: str = yaml.dump(
        config, Dumper=YamlWriter, default_flow_style=False, allow_unicode=True, sort_keys=False
    )
    return text


def check_plain(values: Any) -> None:
    """Raise ValueError for what is more than nested plain values, or too much of them.

    An alias of YAML stands for as much as one likes: ten lines of ten aliases each are ten
    thousand million values to whoever walks over them. Each part is counted once, and with it how
    much it stands for and how deep.

    >>> a = [1, 2]; check_plain({"a": [a, a]})
    >>> for _ in range(30): a = [a, a]
    >>> check_plain(a)
    Traceback (most recent call last):
    ValueError: it stands for more than 1,000,000 values, as aliases of aliases do
    """
    sizes: dict[int, tuple[int, int]] = {}
    under_way: set[int] = set()
    stack: list[tuple[Any, bool]] = [(values, False)]
    while stack:
        node, is_counted = stack.pop()
        if not isinstance(node, dict | list):
            check_value(node)
            continue
        if id(node) in sizes:
            continue
        parts = list(node.values()) if isinstance(node, dict) else node
        if is_counted:
            under_way.discard(id(node))
            inner = [sizes[id(part)] for part in parts if isinstance(part, dict | list)]
            size = 1 + len(parts) + sum(size for size, _ in inner)
            depth = 1 + max((depth for _, depth in inner), default=0)
            if size > MOST_VALUES:
                raise ValueError(f"it stands for more than {MOST_VALUES:,} values, as aliases of "
                                 "aliases do")  # fmt: skip
            if depth > DEEPEST:
                raise ValueError(f"it is nested more than {DEEPEST} deep")
            sizes[id(node)] = size, depth
            continue
        if id(node) in under_way:
            raise ValueError("it holds itself")
        under_way.add(id(node))
        if isinstance(node, dict):
            for key in node:
                check_value(key)
        stack.append((node, True))
        stack.extend((part, False) for part in parts)


def check_value(value: Any) -> None:
    """Raise ValueError for what YAML has beside JSON: dates, sets, bytes; and half a character."""
    if not (value is None or isinstance(value, bool | int | float | str)):
        raise ValueError(f"it holds a {type(value).__name__}")
    if isinstance(value, str) and OBEYED.search(value):
        raise ValueError(f"it holds {value!r:.40}, with a sign that is no text")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise ValueError("it holds a whole number that no float can hold")


def from_yaml(text: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds.

    >>> from_yaml("lr: 1e-5\\nword: '1e-5'")
    {'lr': 1e-05, 'word': '1e-5'}

    Raises:
        ValueError: it holds none, or is no YAML.
    """
    values = values_of(text)
    if not isinstance(values, dict):
        raise ValueError("it is no mapping")
    return values


def values_of(text: str, reader: Any = YamlReader) -> Any:
    """Return the nested plain values that a YAML text of anybody's holds.

    Args:
        reader: PyYAML's own reads 1e-3 as a word, as PyYAML's own writer has it.

    Raises:
        ValueError: it is no YAML, or holds more than plain values, or too much.
    """
    try:
        check_depth(text)
        values = yaml.load(text, reader)
    except (yaml.YAMLError, RecursionError, OverflowError, TypeError) as error:
        raise ValueError(str(error)) from error
    check_plain(values)
    return values


def check_depth(text: str) -> None:
    """Raise ValueError for what is nested too deep: PyYAML's reader in C would overflow its stack,
    which ends the process (100,000 brackets, PyYAML 6.0).

    What nests has a bracket for each level, or a line as long as half of the levels.
    """
    brackets = text.count("[") + text.count("{")
    if brackets <= DEEPEST and all(len(line) <= DEEPEST for line in text.splitlines()):
        return
    depth = 0
    for event in yaml.parse(text, YamlReader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
