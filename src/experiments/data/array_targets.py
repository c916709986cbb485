"""What the targets of an array are: classes in any of their spellings, or numbers to predict.

What was typed decides; else classes are whole numbers of which there are few, or rows of 0 with a
single 1, also as floats, which Keras and pandas make of them.

Shape letters: N points, K classes or targets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data import checks
from experiments.data.array_names import Named
from experiments.errors.messages import UserError, user_error

Array = NDArray[Any]

TARGET_SHAPES = "(N,), or (N, K) for regression"
MOST_CLASSES = 20
"""So many whole numbers may be classes, and more only where they are 0 to K - 1 as integers."""
LEAST_POINTS_PER_CLASS = 3
"""In the mean; where there are fewer, nearly every point has a number of its own."""
LARGEST_EXACT = 2**53
"""Float64 holds every whole number up to here."""


def unfit(kind: str, file: Path, name: str, given: object, allowed: str, instead: str) -> UserError:
    """Return what is said of an array of another kind, its `shape` or `type`, than allowed."""
    values = {"path": file, "array": name, "given": given, "allowed": allowed, "instead": instead}
    return user_error(f"array_{kind}", **values)


def is_regression(file: Path, named: Named, task: str, has_names: bool) -> bool:
    """Return whether numbers are to be predicted.

    Args:
        named: the targets of the training part.
        task: `numbers`: the loss that was typed is one of numbers, which decides no less than the
            typed task.
        has_names: the file names the classes.

    Raises:
        UserError: targets that may be both.
    """
    if task == "regression" or task == "classification" or has_names:
        return task == "regression"
    y = as_column(named.array)
    if y.dtype.kind not in "fiu" or task == "numbers":
        return task == "numbers"
    if y.ndim == 2:
        if is_zero_or_one(y):
            return not is_one_hot(file, named.name, y)
        return y.dtype.kind == "f"
    if y.ndim != 1 or not is_whole(y):
        return y.dtype.kind == "f"
    present = np.unique(y)
    are_numbered = np.array_equal(present, np.arange(len(present)))
    are_many = len(y) < LEAST_POINTS_PER_CLASS * len(present) and len(present) > 2
    is_sure = are_numbered and y.dtype.kind != "f"
    if are_many or (len(present) > MOST_CLASSES and not is_sure):
        values = {"number": len(present), "num_samples": len(y)}
        raise user_error("open_task", path=file, array=named.name, **values)
    return False


def as_column(y: Array) -> Array:
    """Return (N, 1) as (N,), and all else as it is."""
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def is_whole(y: Array) -> bool:
    return y.dtype.kind in "iub" or (
        y.dtype.kind == "f" and bool(np.all(np.isfinite(y) & (y == np.round(y))))
    )


def is_zero_or_one(y: Array) -> bool:
    return y.dtype.kind in "fiub" and y.ndim == 2 and y.size > 0 and bool(np.isin(y, (0, 1)).all())


def is_one_hot(file: Path, name: str, y: Array) -> bool:
    """Return True for rows (N, K) of 0 with a single 1; UserError for other rows of 0 and 1."""
    ones = y.sum(1)
    if (ones != 1).any():
        row = int((ones != 1).argmax())
        values = {"place": f"row {row}", "number": int(ones[row])}
        raise user_error("several_labels", path=file, array=name, **values)
    return True


def values_of(file: Path, name: str, y: Array) -> Array:
    """Return the targets of a regression as floats (N, K)."""
    instead = "Each point has one value, or K of them"
    if y.dtype.kind not in "fiu":
        raise unfit("type", file, name, y.dtype, "numbers", instead)
    if y.ndim not in (1, 2) or 0 in y.shape[1:]:
        raise unfit("shape", file, name, y.shape, TARGET_SHAPES, instead)
    checks.check_number(file, len(y), 1)
    y = y[:, None] if y.ndim == 1 else y
    check_exact(file, name, y)
    return checks.as_floats(file, y, lambda row: f"{name}[{row}]")


def check_exact(file: Path, name: str, x: Array) -> None:
    """Raise UserError for whole numbers of which some that differ would be one in 64 bits."""
    if x.dtype.kind not in "iu" or np.abs(x.astype(np.float64)).max(initial=0) <= LARGEST_EXACT:
        return
    for channel in np.moveaxis(x, 1, 0).reshape(x.shape[1], -1):
        if len(np.unique(channel)) > len(np.unique(channel.astype(np.float64))):
            given = f"{x.dtype}, with numbers that differ and would be one as 64-bit floats"
            allowed = "floats, or whole numbers up to 2^53 = 9007199254740992"
            raise unfit("type", file, name, given, allowed, "Subtract the smallest of them first")


def names_of(file: Path, y: Named, words: Named | None) -> tuple[str, ...]:
    """Return the names of the classes: those of the file, or the numbers that y has.

    Where the file gives no names, K is how many classes y has, so that numbers which begin at 1,
    or leave some out, are found; of one-hot rows it is their length.
    """
    present = np.unique(whole_numbers(file, *y)).tolist()
    if not present:
        checks.check_number(file, 0)
    instead = "Numbers to predict, instead of classes, are data.task=regression"
    checks.check_several_classes(file, present, instead)
    if words is None:
        shape = as_column(y.array).shape
        return tuple(map(str, range(shape[1] if len(shape) == 2 else len(present))))
    if words.array.ndim != 1 or words.array.dtype.kind not in "US":
        given = f"{words.array.dtype} and shape {words.array.shape}"
        instead = "Give one for each class: class_names=['cat', 'dog']"
        raise unfit("type", file, words.name, given, "words, (K,)", instead)
    return tuple(w.decode() if isinstance(w, bytes) else str(w) for w in words.array.tolist())


def whole_numbers(file: Path, name: str, y: Array) -> NDArray[np.int64]:
    """Return class numbers as (N,) int64."""
    y = as_column(y)
    if is_zero_or_one(y) and is_one_hot(file, name, y):
        return y.argmax(1).astype(np.int64)
    if y.ndim != 1:
        instead = "Give each point the number of its class"
        raise unfit("shape", file, name, y.shape, "(N,), or one-hot rows, for classes", instead)
    if y.dtype.kind == "f" and np.isnan(y).any():
        row = int(np.isnan(y).argmax())
        raise user_error("not_finite", path=file, place=f"{name}[{row}]", given="nan")
    if not is_whole(y):
        instead = "Give words by class_names, and numbers to predict by data.task=regression"
        raise unfit("type", file, name, y.dtype, "whole numbers from 0 for classes", instead)
    return y.astype(np.int64)


def labels_of(file: Path, name: str, y: Array, num_classes: int) -> NDArray[np.int64]:
    if is_zero_or_one(as_column(y)) and y.shape[1] != num_classes:
        instead = "Treat all parts alike"
        raise unfit("shape", file, name, y.shape, f"rows of {num_classes}", instead)
    labels = whole_numbers(file, name, y)
    instead = f"Number the {num_classes} classes from 0, without gaps, or name all by class_names"
    checks.check_labels(file, labels, num_classes, lambda row: f"{name}[{row}]", instead)
    return labels


def notes_of(name: str, y: Array, num_classes: int) -> list[str]:
    """Return what is told of classes that are written as something else could be."""
    otherwise = "; type data.task=regression loss=mse to predict the numbers"
    if as_column(y).ndim == 2:
        return [f"rows of {name} with a single 1 are read as {num_classes} classes{otherwise}"]
    if y.dtype.kind == "f":
        return [f"whole numbers of {name} are read as {num_classes} classes{otherwise}"]
    return []
