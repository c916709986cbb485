"""Words of a command that neither a shell nor Hydra reads as they were meant, mended.

`--lr 0.1`, `model = mlp`, `hidden=[64, 64]` without quotes, brackets and signs of other languages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from experiments.config.arguments import is_readable
from experiments.config.meant import fitted, in_shell, letters, meant, meant_value
from experiments.config.overrides import key_and_word
from experiments.config.value_words import list_in, number_in, plain_signs
from experiments.config.vocabulary import Vocabulary
from experiments.errors.likeness import nearest

FLAGS = {
    **dict.fromkeys(("multi-run", "multi", "sweep", "multirun=true"), "-m"),
    "resume": "resume=auto",
    "config": "--config-name",
    "version": "--version",
}
"""Options that people expect, by what does the same here."""
WITH_VALUE = (
    *("--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
    *("--cfg", "-c", "--experimental-rerun"),
)
OPTIONS = (
    *WITH_VALUE,
    *("--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m"),
    *("--shell-completion", "-sc", "--info", "-i", "-cjob", "-call", "-chydra"),
)
"""Those that Hydra has; of the long ones a beginning is enough."""
PROGRAMS = (
    *("python", "python3", "train.py", "compare.py", "figures.py", "experiments", "wandb", "make"),
)


def mended(arguments: Sequence[str], place: int, words: Vocabulary) -> tuple[str, str | None]:
    """Return what was typed amiss, and the override to type instead; None where that is open.

    Args:
        arguments: all that was typed after the script's name.
        place: where among them the word is that cannot be read.
    """
    first, last = extent(arguments, place)
    given = " ".join(arguments[first:last])
    if arguments[first].startswith("-"):
        return given, of_flag(arguments[first:last], words)
    if given in PROGRAMS or given.rpartition("/")[2] in PROGRAMS:
        return given, ""
    for text in candidates(arguments[first:last]):
        if "=" in text and is_readable(text):
            return given, override(text, words)
    group, _, value = given.partition("=")
    if group in words.groups and value:
        choice = nearest(re.sub(r"\W", "", value), words.groups[group], key=group)
        return given, choice and f"{group}={choice}"
    return given, of_word(given, words)


def unknown_options(arguments: Sequence[str]) -> list[int]:
    """Return the places of options that there are not.

    >>> unknown_options(["-m", "--lr", "0.1", "--config-dir", "-x"])
    [1]
    """
    places = []
    for place, argument in enumerate(arguments):
        name = argument.partition("=")[0]
        is_value = place > 0 and arguments[place - 1] in WITH_VALUE
        is_known = name in OPTIONS or any(o.startswith(name) for o in OPTIONS if name[:2] == "--")
        if re.match(r"--?[A-Za-z]", argument) and not is_value and not is_known:
            places.append(place)
    return places


def extent(arguments: Sequence[str], place: int) -> tuple[int, int]:
    """Return from where to where the words go that a space has torn apart."""
    first, last = place, place + 1
    if arguments[first].startswith("-"):
        has_value = "=" not in arguments[first] and is_value(arguments, last)
        return first, last + has_value
    if first and (arguments[first - 1].endswith("=") or arguments[first] == "="):
        first -= 1
    text = arguments[first]
    while last < len(arguments) and not arguments[last].startswith("-"):
        following = arguments[last]
        is_torn = (
            following.startswith("=")
            or (text.endswith("=") and "=" not in following)
            or (text.endswith(",") and "=" not in following)
            or sum(map(text.count, "([{")) > sum(map(text.count, ")]}"))
        )
        is_pair = last == first + 1 and "=" not in text and is_value(arguments, last)
        if not is_torn and not (is_pair and is_word(text)):
            break
        text, last = text + following, last + 1
    return first, last


def is_value(arguments: Sequence[str], place: int) -> bool:
    """Return whether a word may be the value of the one before it."""
    return place < len(arguments) and not re.search(r"=|^-\D", arguments[place])


def is_word(text: str) -> bool:
    return re.fullmatch(r"[\w.]+", text) is not None and text not in PROGRAMS


def candidates(torn: Sequence[str]) -> list[str]:
    """Return what the words may have been meant to be, the most faithful first.

    >>> candidates(["model", "=", "mlp"])[0], candidates(["model.hidden=[64,", "32]"])[0]
    ('model=mlp', 'model.hidden=[64,32]')
    >>> candidates(["model:mlp"])[0], candidates(["‘seed=1’"])[0], candidates(["optim[lr]=1"])[0]
    ('model=mlp', 'seed=1', 'optim.lr=1')
    """
    text = "".join(torn)
    if len(torn) == 2 and "=" not in text:
        text = "=".join(torn)
    text = plain_signs(text)
    if re.fullmatch(r"'.*'|\".*\"", text):
        text = text[1:-1]
    text = re.sub(r"^([\w./-]+)(?:==|:=|:|->)(?!=)", r"\1=", text, count=1)
    text = re.sub(r"^(\w+)\[['\"]?(\w+)['\"]?\](?==)", r"\1.\2", text)
    key, sign, value = text.partition("=")
    if not sign and key.count("/") == 1:
        key, sign, value = key.replace("/", "="), "", ""
        key, sign, value = key.partition("=")
    key = re.sub(r"\.{2,}", ".", key).strip(".'\" ")
    value = value.strip(" ")
    if re.fullmatch(r"'.*'|\".*\"", value):
        value = value[1:-1]
    guesses = [list_in(value), number_in(value)]
    is_list = re.search(r"[(\[)\]]", value)
    values = [value, value.rstrip(".,;"), *(guesses if is_list else reversed(guesses))]
    return [f"{key}{sign}{v}" for v in values if v]


def override(text: str, words: Vocabulary) -> str:
    """Return a readable override with the key and the choice that were meant, for a shell."""
    key, word = key_and_word(text)
    if "/" in key and key not in words.groups and not key.startswith("hydra"):
        key = key.replace("/", ".")
    if key not in words.known() and key not in words.groups and not key.startswith("hydra"):
        return meant(words, key, word) or in_shell(text)
    return in_shell(f"{key}={fitted(words, key, word)}")


def of_flag(torn: Sequence[str], words: Vocabulary) -> str | None:
    """Return what to type instead of an option that there is not; None where that is open."""
    name, _, value = torn[0].lstrip("-").partition("=")
    value = " ".join(torn[1:]) or value
    if name in FLAGS and (not value or value == "true"):
        return FLAGS[name]
    key = name.replace("-", "_")
    if key in words.known() or key in words.groups:
        return override(f"{key}={value}", words) if value else f"{key}=..."
    return meant(words, key, value or None) if len(letters(key)) > 1 else None


def of_word(given: str, words: Vocabulary) -> str | None:
    """Return what to type instead of a word alone; None where that is open."""
    if given in words.known() or given in words.groups:
        return f"{given}=..."
    if words.script == "compare":
        return f"runs={given}" if os.path.exists(given) else None
    return meant_value(words, given)
