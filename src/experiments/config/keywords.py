"""What is given in Python by keywords, as overrides: words, numbers, dictionaries and classes.

`optim={"name": "adam", "lr": 0.1}` is `optim=adam optim.lr=0.1`. A class is a choice of its group
for as long as its call lasts, as a file of one's own is one: `model=Net` is `model=Net`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.errors import OverrideParseException

from experiments.config.arguments import quoted
from experiments.config.config_folders import CONF, group_files, shipped
from experiments.config.entries import OF_MODELS, SUPPLIED, fits_type, parameters_of, wanted_type
from experiments.config.given_code import path_of
from experiments.config.hydra_versions import replacing
from experiments.config.overrides import parsed
from experiments.errors.messages import user_error
from experiments.errors.wording import listed, spelled

TARGET = "_target_"
OF_SEVERAL = ("callbacks", "metrics")
"""Groups of which several choices are made; each is a node of its own name."""
FIRST_LINES = {"data": ["shared/batches@_here_"], "optim": ["/schema/optim@_here_"]}
"""What the file of a class of one's own begins with, by group."""
TAKING_CLASSES = (
    *("model", "activation", "init", "loss", "optim", "scheduler", "data", "logger"),
    *OF_SEVERAL,
)
WORD = re.compile(r"(?!(?:null|true|false|inf|nan)$)[A-Za-z_]\w*", re.IGNORECASE)


@dataclass(frozen=True)
class Choice:
    """A choice of a group that has no file."""

    group: str
    name: str
    node: dict[str, Any]


@dataclass
class Keywords:
    """What keywords say: overrides as they would be typed, and the choices among them."""

    overrides: list[str] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)

    def add(self, settings: Mapping[str, Any]) -> None:
        """Add what each keyword says.

        Raises:
            UserError: a value that no configuration can hold.
        """
        for key, value in settings.items():
            if value is None and key in (*OF_SEVERAL, "logger"):
                self.overrides.append(f"{key}=none")
            elif key in OF_SEVERAL:
                self._add_several(key, value)
            elif names_target(value):
                self.overrides.append(f"{key}={self._chosen(key, value)}")
            elif isinstance(value, Mapping):
                self._add_keys(key, value)
            else:
                self.overrides.append(f"{key}={word_of(key, value)}")

    def add_choice(self, choice: Choice) -> None:
        self.choices.append(choice)
        self.overrides.append(f"{choice.group}={choice.name}")

    def _add_keys(self, key: str, values: Mapping[str, Any]) -> None:
        """Add the keys of a part, after the choice of its group where `name` says one."""
        rest = dict(values)
        if key in groups() and isinstance(rest.get("name"), str):
            self.overrides.append(f"{key}={rest.pop('name')}")
        for word, value in rest.items():
            full = f"{key}.{word}"
            if names_target(value):
                node = node_of(full, naming(full, value))
                self.overrides.append(f"+{full}={word_of(full, node)}")
            elif isinstance(value, Mapping) and value:
                self._add_keys(full, value)
            else:
                self.overrides.append(f"{full}={word_of(full, value)}")

    def _add_several(self, key: str, value: Any) -> None:
        """Add the choices of a group of which there may be several."""
        if isinstance(value, Mapping) and TARGET not in value:
            if not all(map(names_target, value.values())):
                self._add_keys(key, value)
                return
            parts: Sequence[Any] = [{**naming(key, p), "name": n} for n, p in value.items()]
        else:
            parts = value if isinstance(value, list | tuple) else [value]
        words = [part if isinstance(part, str) else self._chosen(key, part) for part in parts]
        word = words[0] if len(words) == 1 else f"[{','.join(words)}]"
        self.overrides.append(f"{key}={word}")

    def _chosen(self, group: str, value: Any) -> str:
        """Make a class, or a mapping that names one, a choice of its group; return its name."""
        if group not in TAKING_CLASSES:
            raise user_error("takes_no_class", key=group, allowed=listed(TAKING_CLASSES))
        said = naming(group, value)
        target = said[TARGET]
        name = self._free_name(group, said.pop("name", None) or called(target))
        node = node_of(group, said)
        if group in OF_SEVERAL:
            node = {name: {**better_of(target), **node}}
        else:
            first = {"defaults": FIRST_LINES[group]} if group in FIRST_LINES else {}
            node = {**first, "name": name, **plain_defaults(group, target), **node}
        self.choices.append(Choice(group, name, node))
        return name

    def _free_name(self, group: str, wanted: str) -> str:
        """Return a name that no other choice has, of the same class with other arguments."""
        name = free_name(group, wanted)
        taken = {choice.name for choice in self.choices if choice.group == group}
        numbered = (f"{name}_{number}" for number in itertools.count(2))
        return name if name not in taken else next(n for n in numbered if n not in taken)


def groups() -> Mapping[str, list[str]]:
    """Return the choices of each group that have a file."""
    files = group_files(shipped(CONF))
    return {group: [file.stem for file in choices] for group, choices in files.items()}


def is_target(value: Any) -> bool:
    return isinstance(value, type | FunctionType | BuiltinFunctionType | functools.partial)


def names_target(value: Any) -> bool:
    return is_target(value) or (isinstance(value, Mapping) and TARGET in value)


def naming(key: str, value: Any) -> dict[str, Any]:
    """Return a class, or a mapping that names one, as a mapping with `_target_` and arguments.

    Raises:
        UserError: what is no class or function, or a partial that gives arguments no name.
    """
    said = dict(value) if isinstance(value, Mapping) else {TARGET: value}
    target = said[TARGET]
    if isinstance(target, functools.partial):
        if target.args:
            raise user_error("partial", key=key, given=called(target.func))
        said = {**target.keywords, **said, TARGET: target.func}
    if not is_target(said[TARGET]) and not isinstance(said[TARGET], str):
        raise not_plain(key, said[TARGET])
    return said


def node_of(key: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the node of a class: its path, and what it is called with, in plain values."""
    target = said[TARGET]
    path = target if isinstance(target, str) else path_of(target)
    rest = {k: plain_value(f"{key}.{k}", v) for k, v in said.items() if k != TARGET}
    return {TARGET: path, **rest}


def called(target: Any) -> str:
    """Return the last word of what a class or function is called."""
    path = target if isinstance(target, str) else getattr(target, "__qualname__", "given")
    return str(path).rpartition(".")[2]


def free_name(group: str, name: str) -> str:
    """Return a name that a choice can have, and that no file of the group has.

    >>> free_name("model", "<lambda>"), free_name("model", "mlp"), free_name("metrics", "TopTwo")
    ('lambda', 'my_mlp', 'top_two')
    """
    if group in OF_SEVERAL:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    name = re.sub(r"\W+", "_", name).strip("_") or "given"
    return f"my_{name}" if name in groups().get(group, ()) else name


def plain_defaults(group: str, target: Any) -> dict[str, Any]:
    """Return the numbers and words that a class takes by default: keys that can be set, and that
    the run's configuration keeps.
    """
    if isinstance(target, str):
        return {}
    skipped = len(SUPPLIED.get(group, ()))
    parameters = list(parameters_of(target).items())[skipped:]
    return {
        name: parameter.default
        for name, parameter in parameters
        if isinstance(parameter.default, bool | int | float | str)
        and name not in (*(OF_MODELS if group == "model" else ()), "name")
        and fits_type(parameter.default, wanted_type(target, parameter) or object)
    }


def better_of(target: Any) -> dict[str, str]:
    """Return which value of a metric is better, where its class says so."""
    higher = getattr(target, "higher_is_better", None)
    return {} if higher is None else {"better": "max" if higher else "min"}


def plain_value(key: str, value: Any) -> Any:
    """Return a value as a configuration can hold it, or raise UserError."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()  # a number of numpy's or torch's
    if isinstance(value, Mapping):
        return {str(k): plain_value(f"{key}.{k}", part) for k, part in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain_value(key, part) for part in value]
    if isinstance(value, PurePath):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise not_plain(key, value)


def not_plain(key: str, value: Any) -> Exception:
    kind = type(value).__name__
    return user_error("given_value", key=key, given=kind, keyword=key.partition(".")[0])


def word_of(key: str, value: Any) -> str:
    """Return a value as it is typed after the = of its key.

    >>> word_of("seed", 3), word_of("model.hidden", (8, 8)), word_of("logger.notes", "a, b")
    ('3', '[8,8]', "'a, b'")
    >>> word_of("optim.search", {"lr": [0.1]}), word_of("optim", "sgd")
    ('{lr:[0.1]}', 'sgd')
    """
    value = plain_value(key, value)
    if not isinstance(value, str):
        return inner_word(value)
    return value if key in groups() or is_one_value(key, value) else quoted(value)


def inner_word(value: Any) -> str:
    """Return a plain value within a list or mapping, its words in quotes where they need some."""
    if isinstance(value, list):
        return f"[{','.join(map(inner_word, value))}]"
    if isinstance(value, dict):
        parts = (f"{inner_word(k)}:{inner_word(part)}" for k, part in value.items())
        return f"{{{','.join(parts)}}}"
    if isinstance(value, str):
        return value if WORD.fullmatch(value) else quoted(value)
    return spelled(value)


def is_one_value(key: str, word: str) -> bool:
    """Return whether Hydra reads one value of a word as it stands."""
    try:
        [override] = parsed([f"{key}={word}"])
    except OverrideParseException:
        return False
    return not override.is_sweep_override()


@contextlib.contextmanager
def chosen_among(choices: Sequence[Choice]) -> Iterator[None]:
    """Let choices be found in their groups for the length of a block."""
    store: Any = ConfigStore.instance()
    before = [(c, store.repo.get(c.group, {}).get(f"{c.name}.yaml")) for c in choices]
    for choice in choices:
        store.store(group=choice.group, name=choice.name, node=choice.node, **replacing())
    try:
        yield
    finally:
        for choice, earlier in before:
            group = store.repo[choice.group]
            if earlier is None:
                group.pop(f"{choice.name}.yaml", None)
            else:
                group[f"{choice.name}.yaml"] = earlier
            if not group:
                del store.repo[choice.group]
