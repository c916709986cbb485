"""Which array of a file is which, by the names that people give them.

`x_train` of Keras' mnist.npz, `train_images` and `val_labels` of MedMNIST, `X` and `y` of
scikit-learn, `data` and `target`: each says a part of the data, and inputs or targets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from experiments.data.layouts import role_of_word
from experiments.errors.messages import user_error
from experiments.errors.wording import listed

INPUTS = {"x", "images", "image", "imgs", "data", "inputs", "features"}
TARGETS = {"y", "labels", "label", "targets", "target"}
CLASS_NAMES = {"class_names", "label_names", "target_names"}
OURS = ("x", "y", "x_train", "y_train", "x_val", "y_val", "x_test", "y_test", "class_names")
"""Names of the documentation, beside which any other of the same meaning is not used."""


class Named(NamedTuple):
    """An array with the name that it has in its file, for messages."""

    name: str
    array: NDArray[Any]


def meaning(name: str) -> str:
    """Return what an array is by its name: x, y, x_test, y_val, ..., class_names, or ''.

    >>> [meaning(name) for name in ("X_train", "val_labels", "Xtest", "target", "image_labels")]
    ['x', 'y_val', 'x_test', 'y', '']
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    words = [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
    if "_".join(words) in CLASS_NAMES:
        return "class_names"
    parts = [part for word in words for part in split_letter(word)]
    roles = {role_of_word(part) for part in parts if role_of_word(part)}
    rest = [part for part in parts if not role_of_word(part)]
    kinds = {"x" if part in INPUTS else "y" if part in TARGETS else "" for part in rest}
    if len(kinds) != 1 or "" in kinds or len(roles) > 1:
        return ""
    role = roles.pop() if roles else "train"
    return kinds.pop() + ("" if role == "train" else f"_{role}")


def split_letter(word: str) -> list[str]:
    """Return xtrain and trainx as two words."""
    for letter, rest in ((word[:1], word[1:]), (word[-1:], word[:-1])):
        if letter in ("x", "y") and role_of_word(rest):
            return [letter, rest]
    return [word]


def arrays_by_meaning(file: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the file's names for what they mean.

    Raises:
        UserError: two arrays that could each be the same, or one of inputs and targets missing.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(meaning(name), []).append(name)
    found.pop("", None)
    result = {}
    for ours, several in found.items():
        plain = [name for name in several if name in OURS] or several
        if len(plain) > 1:
            raise user_error("two_arrays", path=file, given=listed(plain), meaning=ours)
        result[ours] = plain[0]
    needed = ["x", "y"]
    for role in ("test", "val"):
        pair = [f"x_{role}", f"y_{role}"]
        needed += pair if set(pair) & set(result) else []
    for name in needed:
        if name not in result:
            raise user_error("no_array", path=file, missing=name, present=listed(names) or "none")
    return result
