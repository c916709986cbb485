"""Every word that a script knows: its keys, its groups, their choices, and the keys of each choice.

Read off the files of conf/, those of a user's own folder and the schemas without composing
anything, when a word was not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from experiments.config import schema
from experiments.config.config_folders import group_files
from experiments.config.overrides import key_and_word
from experiments.errors.wording import spelled, typed_key

SCHEMAS: dict[str, dict[str, type]] = {
    "model": schema.MODELS,
    "data": {"": schema.DataConfig},
    "optim": {"": schema.OptimConfig},
    "trainer": {"": schema.TrainerConfig},
    "logger": {"wandb": schema.LoggerConfig},
}
"""Types of the keys of a group's choices; of all of them, at \"\"."""
WHOLE = ("debug", "experiment", "sweeps")
"""Groups whose choices set keys of others."""
KEY_LINE = re.compile(r"^( *)([A-Za-z_]\w*): *(.*)$", re.MULTILINE)
NOT_KEYS = ("name", "_target_", "defaults")

Keys = dict[str, str]
"""Keys in full, each with its value as it is typed."""


@dataclass
class Vocabulary:
    """The words of a script.

    Attributes:
        own: its keys that belong to no group's choice.
        groups: of each group the choices, and the keys of each.
        chosen: the choice of each group, as far as it is known.
    """

    script: str
    own: Keys
    groups: dict[str, dict[str, Keys]] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, conf: Path, script: str, typed: Iterable[str] = ()) -> Vocabulary:
        """Return the words of a script whose configuration lies in a folder.

        Args:
            script: the name of its config: config, compare or figures.
            typed: what was typed, of which choices of groups count.
        """
        typed = list(typed)
        words = [key_and_word(word) for word in typed if "=" in word]
        if script == "compare":
            return cls(script, keys_of_type(schema.ComparisonConfig))
        groups = {
            group: {file.stem: keys_of_file(file, group) for file in files}
            for group, files in group_files(conf, typed).items()
            if files
        }
        for group, types in SCHEMAS.items():
            for choice, keys in groups.get(group, {}).items():
                kind = types.get(choice, types.get(""))
                keys |= {} if kind is None else keys_of_type(kind, f"{group}.") | keys
        figures = groups.pop("figure", {})
        main = (conf / f"{script}.yaml").read_text(encoding="utf-8")
        chosen = dict(re.findall(r"^  - (\w+): (\w+)$", main, re.MULTILINE))
        chosen |= {key: word for key, word in words if key in groups or key == "figure"}
        if script != "figures":
            return cls(script, keys_of_type(schema.ExperimentConfig), groups, chosen)
        own = figures.get(chosen.pop("figure", ""), {})
        shared = keys_of_type(schema.ExperimentConfig) | keys_of_type(schema.FiguresConfig)
        shared.pop("from")  # a figure repeats no run
        trains = {group: keys for group, keys in groups.items() if group not in WHOLE}
        return cls(script, shared | own, {"figure": figures, **trains}, chosen)

    def known(self) -> Keys:
        """Return the keys that there are with the choices that are made."""
        keys = dict(self.own)
        for group, choice in self.chosen.items():
            if group != "figure":
                keys |= self.groups.get(group, {}).get(choice, {})
        return keys

    def choices_with(self, key: str) -> list[str]:
        """Return the choices of the key's group that have the key: those with fewest keys first."""
        group, _, word = key.partition(".")
        found = {choice: keys for choice, keys in self.groups.get(group, {}).items() if key in keys}
        return sorted(found, key=lambda choice: (choice != word, len(found[choice]), len(choice)))


def keys_of_file(file: Path, group: str) -> Keys:
    """Return the keys that a choice's file sets, with what it sets them to."""
    if group in WHOLE:
        return {}
    keys: Keys = {}
    parents: list[tuple[int, str]] = []
    for indent, word, value in KEY_LINE.findall(file.read_text(encoding="utf-8")):
        while parents and parents[-1][0] >= len(indent):
            parents.pop()
        path = ".".join([*(parent for _, parent in parents), word])
        parents.append((len(indent), word))
        if word not in NOT_KEYS and not path.startswith("figure"):
            keys[path if group == "figure" else f"{group}.{path}"] = value.partition(" #")[0]
    return keys


def keys_of_type(kind: type, prefix: str = "") -> Keys:
    """Return the keys of a dataclass in full, as typed, those of the dataclasses in it too."""
    keys: Keys = {}
    for part in fields(kind):
        if part.name in NOT_KEYS and kind not in (schema.ComparisonConfig, schema.FiguresConfig):
            continue
        made: Any = None if part.default_factory is MISSING else part.default_factory()
        if is_dataclass(made):
            keys |= keys_of_type(type(made), f"{prefix}{part.name}.")
        else:
            name = f"{prefix}{part.name}" if prefix else typed_key(part.name)
            keys[name] = spelled(part.default if made is None else made)
    return keys


def choices_of_key(key: str) -> Sequence[str]:
    """Return the words that a key of a schema may have; none where it takes more than words."""
    group, _, rest = key.rpartition(".")
    kinds: Mapping[str, type] = {
        "": schema.ExperimentConfig,
        "trainer": schema.TrainerConfig,
        "checkpoint": schema.CheckpointConfig,
        "logger": schema.LoggerConfig,
        "sweep": schema.SweepConfig,
    }
    for part in fields(kinds[group]) if group in kinds else ():
        if part.name == rest:
            choices: Sequence[str] = part.metadata.get("choices", ())
            return choices
    return ()
