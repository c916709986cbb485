"""What a run is called at W&B: its name, its group and its id, from its config and its record.

Nothing here imports wandb: an id is given before W&B is asked for anything.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.record.identity import BLOCKS, NOT_IN_IDENTITY

PARTS = ("data", "model", "activation", "optim")
"""Groups whose choice every name says; the rest is said where it was typed."""
NOT_SAID = (*NOT_IN_IDENTITY, *BLOCKS, "sweeps", "test")
LONGEST = 128
"""Characters that W&B takes as a name or a group."""
LONGEST_ID = 60


def setting_words(config: Mapping[str, Any], overrides: Sequence[str]) -> list[str]:
    """Return what a run is, as words: the choices of its parts, then what else was typed.

    >>> parts = {name: {"name": name} for name in PARTS}
    >>> setting_words(parts, ["optim=sgd", "+optim.lr=0.1", "seed=3", "logger.media=false"])
    ['data', 'model', 'activation', 'optim', 'optim.lr=0.1']
    """
    words = [str(config[part]["name"]) for part in PARTS if part in config]
    return list(dict.fromkeys([*words, *typed_words(config, overrides)]))


def typed_words(config: Mapping[str, Any], overrides: Sequence[str]) -> Iterator[str]:
    """Yield what was typed, with the values that hold: a resumed run may have got others."""
    for override in overrides:
        word = override.lstrip("+~")
        key = word.partition("=")[0].replace("/", ".")
        said = (*PARTS, *(f"{part}.name" for part in PARTS))
        if key not in said and is_said(key):
            yield re.sub(r"\s+", "", present_word(config, key) or word)


def is_said(key: str) -> bool:
    return not any(key == name or key.startswith(f"{name}.") for name in NOT_SAID)


def present_word(config: Mapping[str, Any], key: str) -> str | None:
    """Return a key with its value in the config; None where that is no single value.

    >>> present_word({"trainer": {"max_epochs": 20}}, "trainer.max_epochs")
    'trainer.max_epochs=20'
    """
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    if isinstance(value, Mapping):
        return None
    if value is None or isinstance(value, bool):
        value = {None: "null", True: "true", False: "false"}[value]
    return f"{key}={value}"


def short_words(config: Mapping[str, Any], overrides: Sequence[str]) -> list[str]:
    """Return what was typed, as short as a person still knows it.

    >>> config = {"optim": {"name": "sgd", "lr": 0.1}, "model": {"hidden": [8, 8]}}
    >>> short_words(config, ["optim=sgd", "optim.lr=1e-1", "model.hidden=[8,8]", "seed=1"])
    ['sgd', 'lr0.1', 'hidden8-8']
    """
    words = []
    for override in overrides:
        key, _, typed = override.lstrip("+~").partition("=")
        if is_said(key):
            value = (present_word(config, key) or override).partition("=")[2]
            is_choice = isinstance(config.get(key), Mapping)
            word = typed if is_choice else key.rpartition(".")[2] + value
            words.append(re.sub(r"[^\w.+-]+", "-", re.sub(r"[\[\]'\"]", "", word)).strip("-"))
    return words


def name_of(config: Mapping[str, Any], overrides: Sequence[str]) -> str:
    """Return a run's name: its setting, and last its seed, and its fold where there are folds."""
    data = config.get("data") or {}
    fold = f"fold={data['fold']} " if data.get("folds") else ""
    return shortened(setting_words(config, overrides), f"{fold}seed={config['seed']}")


def group_of(config: Mapping[str, Any], overrides: Sequence[str], setting: str) -> str:
    """Return the group of all runs of a setting.

    Words tell people which it is, and the first digits of the setting's hash tell two settings
    apart whose words are the same.
    """
    return shortened(setting_words(config, overrides), f"({setting[:6]})")


def shortened(words: Sequence[str], last: str, longest: int = LONGEST) -> str:
    """Join words, cut where they are too many, but never the last of them.

    >>> shortened(["digits", "cnn", "relu"], "seed=0", longest=19)
    'digits cn... seed=0'
    """
    text, room = " ".join(words), longest - len(last) - 1
    if len(text) > room:
        text = f"{text[: room - 3].rstrip()}..."
    return f"{text} {last}".strip()


def new_id(
    config: Mapping[str, Any], overrides: Sequence[str], swept: Sequence[str] | None = None
) -> str:
    """Return an id that no other run has, of this project or of a colleague's.

    W&B's id is where a run lives, and a second one of the same id takes its place. Which runs are
    the same is said by the identity, in the config. `wandb leet` lists runs by their folders, which
    end in the id, and cuts them: what tells runs apart comes first, the seed and what was varied.

    Args:
        swept: those of the overrides that differ between the runs of a sweep.

    >>> parts = {name: {"name": name} for name in PARTS} | {"seed": 3, "data": {"size": 9}}
    >>> parts["data"]["name"] = "digits"
    >>> new_id(parts, ["data.size=9", "optim=optim", "seed=3"], ["optim=optim", "seed=3"])[:-8]
    '3-optim-digits-model-activation-size9-'
    """
    parts = [part for part in PARTS if part in config]
    varied = short_words(config, overrides if swept is None else swept)
    varied += [f"fold{config['data']['fold']}"] if config.get("data", {}).get("folds") else []
    rest = [*(str(config[part]["name"]) for part in parts), *short_words(config, overrides)]
    words = dict.fromkeys([*varied, *rest])
    return f"{config['seed']}-{slug('-'.join(words), LONGEST_ID)}-{secrets.token_hex(4)}"


def slug(name: str, longest: int) -> str:
    """Return a name as W&B's ids and artifacts can have it.

    >>> slug("activation=relu x optim", 40)
    'activation-relu-x-optim'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name)[:longest].strip("-.") or "unnamed"
