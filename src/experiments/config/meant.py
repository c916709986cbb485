"""What to type instead of a key that there is not: the key that was meant, with the value given.

What is said in a message is to be typed as it stands, so a suggestion is the whole override.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from experiments.config.other_words import (
    BY_VALUE,
    COMPARE_KEYS,
    NO,
    OFF,
    OTHER_KEYS,
    OTHER_SCRIPTS,
    SETTINGS,
)
from experiments.config.value_words import list_in
from experiments.config.vocabulary import Vocabulary, choices_of_key
from experiments.errors.likeness import nearest, nearest_key

LIKELY = 0.7
CLEARLY = 0.15
"""By how much a key of another part must be more alike than one of the same part."""


def meant(words: Vocabulary, key: str, word: str | None) -> str | None:
    """Return the overrides that were probably meant by an unknown key; None where that is open.

    Args:
        key: in full, without signs.
        word: its value as it was typed; None without one.
    """
    group, _, last = key.rpartition(".")
    if key in words.known():
        return with_value(words, key, word)
    if setting := whole_setting(words, last, word):
        return setting
    if group.partition(".")[0] == "hydra":
        return None
    target = key_elsewhere(words, last) or alike_in_group(words, key) or key_of_choice(words, key)
    target = target or (None if is_of_other_data(last) else alike(words, key))
    if target is None:
        return None
    return joined([choice_for(words, target), with_value(words, target, word)], words)


def joined(overrides: Iterable[str | None], words: Vocabulary) -> str:
    """Return overrides as they are typed, without choices before the last that are made already."""
    made = {f"{group}={choice}" for group, choice in words.chosen.items()}
    *choices, last = [override for override in overrides if override]
    return " ".join([*(choice for choice in choices if choice not in made), last])


def letters(word: str) -> str:
    """Return a word's letters and digits, small.

    >>> letters("batch-Size"), letters("batch_size")
    ('batchsize', 'batchsize')
    """
    return re.sub(r"[\W_]+", "", word.casefold())


def whole_setting(words: Vocabulary, last: str, word: str | None) -> str | None:
    """Return what a word says that is a whole setting elsewhere, or belongs to another script."""
    plain, value = letters(last), (word or "").casefold()
    if script := OTHER_SCRIPTS.get(words.script, {}).get(last):
        return shlex.join(["python", script, f"{last}={word or '...'}"])
    if words.script == "compare" or plain not in SETTINGS or last in words.groups:
        return None
    if value in NO or (value == "0" and plain not in ("gpu", "gpus", "device")):
        return OFF.get(plain)
    said = BY_VALUE.get(plain, {}).get(value) or SETTINGS[plain]
    return joined(said.format(word=word or "...").split(), words)


def key_elsewhere(words: Vocabulary, last: str) -> str | None:
    """Return the key or group that is called so in other libraries."""
    table = COMPARE_KEYS if words.script == "compare" else OTHER_KEYS
    for target, names in table.items():
        if letters(last) in names and is_had(words, target):
            return target
    return None


def is_had(words: Vocabulary, target: str) -> bool:
    """Return whether a target is a group, or a key that can be had on the same data."""
    if target in words.known() or target in words.groups:
        return True
    return not target.startswith("data.") and bool(words.choices_with(target))


def is_of_other_data(last: str) -> bool:
    """Return whether a word names a key that only other data have."""
    return any(letters(last) in names for key, names in OTHER_KEYS.items() if key[:5] == "data.")


def alike_in_group(words: Vocabulary, key: str) -> str | None:
    """Return the key of the same part of the configuration that differs in signs or a letter."""
    group, _, last = key.rpartition(".")
    if not group:
        return None
    own = [k for k in words.known() if k.rpartition(".")[0] == group]
    ends = {k.rpartition(".")[2]: k for k in own}
    near = nearest(last, ends, least=LIKELY)
    return ends[near] if near else None


def key_of_choice(words: Vocabulary, key: str) -> str | None:
    """Return a key of this name that the choices made do not have, but others of a group."""
    group, _, last = key.rpartition(".")
    if group:
        return key if is_had(words, key) else None
    known = [k for k in words.known() if k.rpartition(".")[2] == last]
    if known:
        return min(known, key=lambda k: k.count("."))
    return next((k for name in words.groups if is_had(words, k := f"{name}.{last}")), None)


def alike(words: Vocabulary, key: str) -> str | None:
    """Return the key or group that is most like an unknown one."""
    return nearest_key(key, [*words.groups, *words.known()], CLEARLY)


def choice_for(words: Vocabulary, target: str) -> str | None:
    """Return the choice that must be made for a key, where the one that is made lacks it."""
    group = target.partition(".")[0]
    if group not in words.groups or target == group or target in words.known():
        return None
    choices = words.choices_with(target)
    return f"{group}={choices[0]}" if choices else None


def with_value(words: Vocabulary, key: str, word: str | None) -> str:
    """Return the override of a key with the value that was meant, as a shell takes it."""
    if not word:
        return f"{key}=..."
    fitting = fitted(words, key, word)
    return in_shell(f"{key}={fitting}")


def in_shell(override: str) -> str:
    """Return an override in quotes where a shell wants them; not for [ and ], which bash leaves.

    >>> in_shell("model.hidden=[64,32]"), in_shell("optim.lr=range(0,1)")
    ('model.hidden=[64,32]', "'optim.lr=range(0,1)'")
    """
    bare = re.fullmatch(r"[\w@%+=:,./\[\]-]+", override)
    return override if bare else shlex.quote(override)


def fitted(words: Vocabulary, key: str, word: str) -> str:
    """Return a value as the key takes it: the choice that was meant, or a list of one."""
    choices: Iterable[str] = words.groups.get(key) or choices_of_key(key)
    if choices and not re.search(r"[(\[{]", word):
        near = [
            part if part in choices else nearest(part, choices, key=key) for part in word.split(",")
        ]
        return ",".join(choice for choice in near if choice) if all(near) else "..."
    default = words.known().get(key) or next(
        (words.groups[key.partition(".")[0]][c][key] for c in words.choices_with(key)), ""
    )
    if default.startswith("[") and not re.search(r"[(\[{$]", word):
        return list_in(word) or word
    return word


def meant_value(words: Vocabulary, word: str) -> str | None:
    """Return the choice of a group that a word alone is, the key that it names, or None."""
    for group, choices in words.groups.items():
        if word in choices and word not in ("none", "default", "auto"):
            return f"{group}={word}"
    for group, choices in words.groups.items():
        near = nearest(word, choices, least=2.0, key=group)
        if near is not None and near not in ("none", "default", "auto"):
            return f"{group}={near}"
    return None
