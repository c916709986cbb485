"""Configs in plain values as YAML text, read and written as by OmegaConf in a tenth of its time.

It takes 13 ms for the files of a run, in Python. A run of a sweep may last half a second.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import yaml

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


def from_yaml(text: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds.

    >>> from_yaml("lr: 1e-5\\nword: '1e-5'")
    {'lr': 1e-05, 'word': '1e-5'}

    Raises:
        ValueError: it holds none, or is no YAML.
    """
    try:
        values = yaml.load(text, YamlReader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(values, dict):
        raise ValueError("it is no mapping")
    return values
