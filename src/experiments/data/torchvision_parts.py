"""The training and the test part of any torchvision class, found by asking the class.

A class says by its signature whether it has `train` or `split`, and by the words that `split`
takes which parts there are; only what that cannot tell stands in a table here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

Arguments = dict[str, Any]
SetClass = Callable[..., Any]

TEST_WORDS = ("test", "val", "valid")
PARTS: dict[str, tuple[list[Arguments], Arguments | None]] = {
    "EMNIST": ([{"split": "balanced", "train": True}], {"split": "balanced", "train": False}),
    # The images of its part `test` have no labels, but come with 0 as if they had.
    "LSUN": ([{"classes": "train"}], {"classes": "val"}),
    # Nobody is in both its parts for training and testing.
    "LFWPeople": ([{"split": "10fold"}], None),
    "Places365": ([{"split": "train-standard", "small": True}], {"split": "val", "small": True}),
}
"""What classes are told for training and testing where asking would not find it."""


def open_parts(name: str, set_class: SetClass, root: Path) -> tuple[list[Any], Any | None]:
    """Return the data sets that are trained on, and the one for testing where there is one.

    The test part is `test`, or the validation part where the former has no labels. What else has
    labels is for training, since the validation points are cut from that by data.val_fraction.
    """
    if name in PARTS:
        train, test = PARTS[name]
        opened = [open_part(set_class, root, arguments) for arguments in train]
        return opened, None if test is None else open_part(set_class, root, test)
    parameters = inspect.signature(set_class).parameters
    if "train" in parameters:
        return [open_part(set_class, root, {"train": True})], open_part(
            set_class, root, {"train": False}
        )
    if "split" in parameters:
        return open_splits(set_class, root)
    return [open_part(set_class, root, {})], None


def open_splits(set_class: SetClass, root: Path) -> tuple[list[Any], Any | None]:
    """Return the same for a class whose argument `split` takes words."""
    words = list(TEST_WORDS)
    test = None
    while words and test is None:
        test = labelled(open_split(set_class, root, words.pop(0)))
    whole = open_split(set_class, root, "trainval")
    if whole is not None:
        return [whole], test
    parts = [open_split(set_class, root, word) for word in ("train", *words)]
    return [part for part in parts if part is not None], test


def open_split(set_class: SetClass, root: Path, word: str) -> Any | None:
    """Return a part by its word, or None where the class does not know the word."""
    try:
        return open_part(set_class, root, {"split": word})
    except ValueError as error:
        if "Unknown value" in str(error):  # of torchvision's verify_str_arg
            return None
        raise


def labelled(part: Any | None) -> Any | None:
    """Return a part if its points have labels, else None."""
    return part if part is not None and len(part) and part[0][1] is not None else None


def open_part(set_class: SetClass, root: Path, arguments: Arguments) -> Any:
    """Return one part, downloaded where it is not there.

    Not all classes that can be downloaded look first whether they have been.
    """
    parameters = inspect.signature(set_class).parameters
    values = dict(arguments)
    if "root" in parameters:
        values["root"] = str(root)
    if "download" not in parameters and not is_open(parameters):
        return set_class(**values)
    try:
        return set_class(**values, **({"download": False} if "download" in parameters else {}))
    except (RuntimeError, OSError) as error:
        try:
            return set_class(**values, download=True)
        except TypeError:  # its other arguments go to a class that does not download
            raise error from None


def is_open(parameters: Any) -> bool:
    """Return whether a signature takes arguments that it does not name."""
    return any(p.kind is p.VAR_KEYWORD for p in parameters.values())
