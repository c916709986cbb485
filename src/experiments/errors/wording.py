"""Values and lists as they stand in a sentence, spelled as one types them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TYPED_FOR = {"again": "from"}
"""Keys that are typed by another word, which Python keeps for itself."""
LONGEST_WORD = 500
"""Characters from which on a word is cut in a message; no path that one types is so long."""
NEVER_MEANT = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff"
UNSEEN = re.compile(rf"[{NEVER_MEANT}\r\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb]")
"""Signs that a terminal or a page obeys and does not show: escapes, what turns the direction of
writing, half characters."""


def visible(text: str) -> str:
    """Return a text in which signs that would be obeyed are written out.

    Names, paths and errors of a stranger's run stand in what we print; an escape among them could
    wipe the screen, or write a verdict over ours. Ends of lines and tabs stay.

    >>> visible("ok\\x1b[2J"), visible("a\\u202eb"), visible("relu\\n")
    ('ok\\\\x1b[2J', 'a\\\\u202eb', 'relu\\n')
    """
    return UNSEEN.sub(lambda sign: ascii(sign[0])[1:-1], text)


def shortened(text: str) -> str:
    """Return a text in which words that nobody reads to their end are cut, and say how long.

    >>> shortened("seed=" + 10_000 * "x" + ": allowed is a number")[390:]
    'xxxxxxxxxx...(10,006 characters)...xxxxxxxxx: allowed is a number'
    """
    return re.sub(rf"\S{{{LONGEST_WORD + 1},}}", cut, text)


def cut(word: re.Match[str]) -> str:
    text = word[0]
    return f"{text[: LONGEST_WORD - 100]}...({len(text):,} characters)...{text[-10:]}"


def typed_key(key: str) -> str:
    """Return what is typed for a key of the configuration.

    >>> typed_key("again"), typed_key("seed")
    ('from', 'seed')
    """
    return TYPED_FOR.get(key, key)


def with_typed_keys(text: str) -> str:
    """Return a text in which such a key stands as it is typed.

    >>> with_typed_keys("again=3: train it again")
    'from=3: train it again'
    """
    keys = "|".join(TYPED_FOR)
    return re.sub(rf"(?<![\w.])({keys})(?==)", lambda key: TYPED_FOR[key[0]], text)


def all_visible(value: Any) -> Any:
    """Return nested plain values with every word in it visible, keys too."""
    if isinstance(value, str):
        return value if value.isascii() and value.isprintable() else visible(value)
    if isinstance(value, dict):
        return {all_visible(key): all_visible(part) for key, part in value.items()}
    if isinstance(value, list):
        return [all_visible(part) for part in value]
    return tuple(map(all_visible, value)) if type(value) is tuple else value


def as_typed(value: object) -> object:
    """Return what is not a word or a number as it is typed."""
    return (
        value
        if isinstance(value, str | int | float) and value not in (True, False)
        else (spelled(value))
    )


def listed(words: Iterable[object]) -> str:
    """Return words in a row; by semicolons where one of them has a comma outside of brackets.

    >>> listed(["relu", "[64, 64]"]), listed(["relu, sgd", "tanh, sgd"])
    ('relu, [64, 64]', 'relu, sgd; tanh, sgd')
    """
    texts = [str(word) for word in words]
    has_comma = any(", " in re.sub(r"\[[^]]*\]|\([^)]*\)|\{[^}]*\}", "", text) for text in texts)
    return ("; " if has_comma and len(texts) > 1 else ", ").join(texts)


def few(names: Sequence[object], most: int = 4) -> str:
    """Return the first of some names, and how many more there are.

    >>> few(["a", "b", "c"], 2), few(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    return listed(names[:most]) + and_more(len(names) - most)


def and_more(number: int, of_what: str = "") -> str:
    """Return how many more there are than were named; nothing where there are none.

    >>> and_more(2), and_more(1200, "rows"), and_more(0)
    (' and 2 more', ' and 1,200 more rows', '')
    """
    return f" and {number:,} more {of_what}".rstrip() if number > 0 else ""


def spelled(value: Any) -> str:
    """Return a plain value as it is typed on the command line; a lone sign in quotes.

    >>> spelled(None), spelled(True), spelled([0.9, 0.99]), spelled({"lr": 0.1}), spelled(",")
    ('null', 'true', '[0.9,0.99]', '{lr:0.1}', '","')
    """
    if isinstance(value, list | tuple):
        return f"[{','.join(map(spelled, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{spelled(part)}' for key, part in value.items())}}}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value) if re.search(r"\w", str(value)) else f'"{value}"'
