"""Whatever differs between settings beside what is compared: named before any verdict is given.

A difference between two settings that was not declared withholds their verdict, for nobody can
tell it from the factor's; a mixture that is alike in both, as of two commits in a sweep that was
extended, is told and does no harm, since every seed of one has its partner in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from experiments.comparison import words
from experiments.comparison.design import Design
from experiments.comparison.levels import flat, word_of
from experiments.comparison.scoring import Scored, Setting, Task

LISTED_ONLY = ("environment.host", "environment.threads")
"""What cannot change a result by itself, or only the last bits of its sums."""
OF_THE_TASK = ("data.name", "data._target_", "data_checksum")
NOT_ASKED = ("environment.pid",)
ABSENT = "(none)"


@dataclass(frozen=True)
class Confounds:
    """What differs on one task.

    Attributes:
        between: keys that differ between settings, and what each setting has.
        alike: keys of which all settings have the same mixture, and its values.
        allowed: those of `between` that the user has allowed.
    """

    between: dict[str, dict[int, frozenset[str]]]
    alike: dict[str, frozenset[str]]
    allowed: dict[str, dict[int, frozenset[str]]]

    def of_pair(self, a: int, b: int) -> list[str]:
        """Return the keys in which two settings differ."""
        return [key for key, values in self.between.items() if values.get(a) != values.get(b)]


def confounds_of(task: Task, design: Design, allow: Sequence[str] = ()) -> Confounds:
    """Return what differs between the settings of a task, and what is mixed alike in all."""
    found = {
        index: values_by_key(setting, design)
        for index, setting in enumerate(task.settings)
        if setting.runs
    }
    keys = sorted({key for values in found.values() for key in values})
    between: dict[str, dict[int, frozenset[str]]] = {}
    alike: dict[str, frozenset[str]] = {}
    allowed: dict[str, dict[int, frozenset[str]]] = {}
    for key in keys:
        values = {index: one.get(key, frozenset([ABSENT])) for index, one in found.items()}
        different = set(values.values())
        if len(different) == 1:
            [mixture] = different
            if len(mixture) > 1:
                alike[key] = mixture
        elif key in LISTED_ONLY:
            alike[key] = frozenset().union(*different)
        elif is_allowed(key, allow):
            allowed[key] = values
        else:
            between[key] = values
    return Confounds(between, alike, allowed)


def is_allowed(key: str, allow: Iterable[str]) -> bool:
    """Return whether a key, or a part of the configuration that holds it, was allowed by name."""
    return any(key == one or key.startswith(f"{one}.") for one in allow)


def values_by_key(setting: Setting, design: Design) -> dict[str, frozenset[str]]:
    """Return every value that the runs of a setting have of each key."""
    found: dict[str, set[str]] = {}
    seen: set[tuple[int, int]] = set()
    for one in setting.every:
        # Configs and environments of many runs are the same objects, or equal.
        for key, value in facts_of(one, design, seen).items():
            found.setdefault(key, set()).add(value)
    return {key: frozenset(values) for key, values in found.items()}


def facts_of(one: Scored, design: Design, seen: set[tuple[int, int]]) -> dict[str, str]:
    """Return what a run was made with beside factor and seed, as texts by key."""
    facts: dict[str, str] = {}
    config = one.run.config
    mark = (id(config["model"]), 0)
    if mark not in seen:
        seen.add(mark)
        facts |= {
            key: word_of(value)
            for key, value in flat(config).items()
            if key != "seed" and key not in OF_THE_TASK and not design.holds(key)
        }
    facts["data_checksum"] = one.run.record["data_checksum"]
    return facts | environment_of(one.run.record["environment"])


def environment_of(environment: Mapping[str, object]) -> dict[str, str]:
    """Return what a run was made on, as texts by key."""
    facts: dict[str, str] = {}
    for key, value in environment.items():
        if isinstance(value, Mapping):
            facts |= {f"environment.{key}.{k}": str(v) for k, v in value.items()}
        else:
            facts[f"environment.{key}"] = str(value)
    return {key: value for key, value in facts.items() if key not in NOT_ASKED}


def sentences_of(task: Task, values: Mapping[str, Mapping[int, frozenset[str]]]) -> list[str]:
    """Return what each key is in which settings, in words."""
    return [f"{key}: {each_of(task, by_setting)}" for key, by_setting in values.items()]


def each_of(task: Task, by_setting: Mapping[int, frozenset[str]]) -> str:
    """Return the values, each with the settings that have it, the rarest first."""
    groups: dict[str, list[str]] = {}
    for index, values in by_setting.items():
        name = ", ".join(task.settings[index].levels.values())
        groups.setdefault(" and ".join(sorted(values)), []).append(name)
    rarest = sorted(groups.items(), key=lambda group: len(group[1]))
    return "; ".join(f"{words.few(names)} {value}" for value, names in rarest)
