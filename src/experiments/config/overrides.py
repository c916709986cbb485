"""Overrides, key=value as they are typed: read, compared, and made into names."""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException
from omegaconf import DictConfig

from experiments.errors.wording import spelled
from experiments.record.identity import BLOCKS, NOT_IN_IDENTITY, canonical

NOT_IN_FOLDER_NAMES = (
    *("hydra", "logger", "progress", "paths", "sweeps", "resume", "again", "changed_data"),
    "changed_code",
)
"""Keys and groups that no folder's name tells of."""
NOT_IN_SWEEP_NAMES = tuple(key for key in NOT_IN_IDENTITY if key != "protocol")
"""Keys that make no other question of a sweep; its protocol does."""


def parsed(overrides: Sequence[str], loader: ConfigLoader | None = None) -> list[Override]:
    """Return overrides as Hydra understands them.

    Args:
        loader: knows the choices of groups, for `activation=glob(*)`.
    """
    return list(parser_of(loader).parse_overrides(list(overrides)))


@functools.lru_cache(maxsize=2)
def parser_of(loader: ConfigLoader | None) -> OverridesParser:
    return OverridesParser.create(config_loader=loader)


def key_of(override: str) -> str:
    """Return the key of an override, without signs.

    >>> key_of("+callbacks.mine=3"), key_of("~optim.search")
    ('callbacks.mine', 'optim.search')
    """
    return key_and_word(override)[0]


def key_and_word(override: str) -> tuple[str, str]:
    """Return the key of an override, without signs, and its value as it was typed.

    >>> key_and_word("++optim.lr=0.1")
    ('optim.lr', '0.1')
    """
    key, _, word = override.partition("=")
    return key.lstrip("+~"), word


def override_of(key: str, value: Any) -> str:
    """Return the override that gives a key a plain value.

    >>> override_of("model.hidden", [64, 64])
    'model.hidden=[64,64]'
    """
    return f"{key}={spelled(value)}"


def dotted_keys(config: Mapping[Any, Any], prefix: str = "") -> list[str]:
    """Return the keys of nested values in full; Hydra's own are not among them.

    >>> dotted_keys({"seed": 0, "optim": {"name": "sgd", "lr": 0.1}, "hydra": {"job": {}}})
    ['seed', 'optim', 'optim.lr']
    """
    keys: list[str] = []
    items = config.items_ex(resolve=False) if isinstance(config, DictConfig) else config.items()
    for name, value in ((str(key), part) for key, part in items):
        # Every part has a name and a target, which do not choose.
        if name not in ("name", "_target_") and f"{prefix}{name}" != "hydra":
            keys.append(f"{prefix}{name}")
            keys += dotted_keys(value, f"{keys[-1]}.") if isinstance(value, Mapping) else []
    return keys


def of_other_keys(overrides: Iterable[str], keys: Iterable[str]) -> list[str]:
    keys = set(keys)
    return [override for override in overrides if key_of(override) not in keys]


def is_within(key: str, keys: Iterable[str]) -> bool:
    """Return whether a dotted key is one of `keys` or lies below one.

    >>> is_within("optim.search.lr", ("optim.search",)), is_within("loggers", ("logger",))
    (True, False)
    """
    return any(key == upper or key.startswith(f"{upper}.") for upper in keys)


@functools.lru_cache(maxsize=10_000)
def meaning(word: str) -> str:
    """Return the value that a word stands for, as a text that is the same for the same value.

    >>> meaning("1e-3") == meaning("0.001"), meaning("[64,64]") == meaning("[64, 64]")
    (True, True)
    """
    try:
        [override] = parsed([f"key={word}"])
    except OverrideParseException:  # a name that nobody can have typed
        return word
    return str(canonical(override.value()))


def is_same(value: Any, word: str) -> bool:
    """Return whether a value, plain or as a word, is what another word means.

    >>> is_same(True, "true"), is_same(0.001, "1e-3"), is_same("[64,64]", "[64, 64]")
    (True, True, True)
    >>> is_same("sgd", "adam")
    False
    """
    return meaning(spelled(value)) == meaning(word)


def label(overrides: Sequence[str], longest: int = 80) -> str:
    """Return overrides as people are told of a run.

    What is too long is cut in its middle: the seed, which tells runs apart, comes last.

    >>> label(["activation=relu", "optim.lr=0.1", "model.hidden=[64,64]"])
    'activation=relu,optim.lr=0.1,model.hidden=64-64'
    >>> label(["activation=relu", "model.hidden=[64,64]", "seed=3"], longest=31)
    'activation=rel...n=64-64,seed=3'
    """
    words = [re.sub(r"[^\w.=+-]+", "-", without_signs(o)).strip("+~-") for o in named(overrides)]
    return cut_in_its_middle(",".join(words) or "default", longest)


def slug(overrides: Sequence[str], longest: int = 80) -> str:
    """Return overrides as part of a folder's name.

    It needs no quotes after resume=: not for Hydra, nor for a shell or Windows.

    >>> slug(["activation=relu", "optim.lr=0.1", "model.hidden=[64,64]"])
    'activation-relu__optim.lr-0.1__model.hidden-64-64'
    >>> slug(["data.path='Größe (1).csv'", "+optim.eps=-1"])
    'data.path-Groe-1-.csv__optim.eps--1'
    """
    words = [bare_name(override) for override in named(overrides)]
    return cut_in_its_middle("__".join(words) or "default", longest)


def named(overrides: Sequence[str]) -> list[str]:
    return [o for o in overrides if not key_of(o).startswith(NOT_IN_FOLDER_NAMES)]


def without_signs(override: str) -> str:
    """Return an override without brackets and quotes, nor the \\ before what Hydra escapes."""
    return re.sub(r"[\[\]'\"\\]", "", override)


def bare_name(override: str) -> str:
    """Return an override in letters, digits, _, . and - alone."""
    ascii_text = unicodedata.normalize("NFKD", override).encode("ascii", "ignore").decode()
    return re.sub(r"[^\w.-]+", "-", without_signs(ascii_text)).strip("-")


def cut_in_its_middle(name: str, longest: int) -> str:
    if len(name) <= longest:
        return name
    half = (longest - 3) // 2
    return f"{name[:half]}...{name[-half:]}"


def multirun_name(overrides: Sequence[str]) -> str:
    """Return the name of an unnamed multirun: a hash of its overrides without seed and fold.

    The same question finds the same folder: neither order nor spelling matter, nor what cannot
    change a result, nor which values a swept key takes, so that further values join the others.

    >>> multirun_name(["optim.lr=0.1,1", "seed=0"]) == multirun_name(["optim.lr=1e-1", "seed=1"])
    False
    >>> multirun_name(["optim.lr=1e-1,3", "data=a"]) == multirun_name(["data=a", "optim.lr=1,3"])
    True
    >>> multirun_name(["data=b", "a=1,2", "++data=a"]) == multirun_name(["a=1,2", "data=a"])
    True
    """
    kept: dict[str, str] = {}
    for override in parsed(overrides):
        key = override.get_key_element().lstrip("+")
        name = key.lstrip("~")
        if name in BLOCKS or is_within(name.partition("@")[0], NOT_IN_SWEEP_NAMES):
            continue
        # Of a key that is typed twice the last value counts; + and ++ set it as well.
        is_swept = override.is_sweep_override()
        kept[name] = key if is_swept else f"{key}={canonical(override.value())}"
    return hashlib.blake2b("\n".join(sorted(kept.values())).encode(), digest_size=4).hexdigest()
