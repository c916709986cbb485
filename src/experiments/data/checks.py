"""What is held against every file of a user's own, with one message for each mistake.

A place says where in a file something stands: `row 5, column age`, as an editor or numpy counts.

Shape letters: N points, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.errors import check_choice, user_error

TASKS = ("auto", "classification", "regression")
LEAST_POINTS = 5
"""Of fewer points a fifth would be none or nearly so."""

Place = Callable[[int], str]


def existing(data: str, given: str | None, kind: str, example: str, key: str = "path") -> Path:
    """Return the path that was given, from the folder the user stands in.

    Args:
        data: the choice of the group `data`.
        given: the value of the key.
        kind: `file` or `folder`.
        example: a path for the message.
        key: of the group, for the message.

    Raises:
        UserError: no path, or nothing of that kind there.
    """
    if given is None:
        raise user_error("data_path", data=data, example=example)
    path = Path(str(given)).expanduser()
    if not (path.is_dir() if kind == "folder" else path.is_file()):
        place = path.absolute()
        raise user_error("no_such_path", key=f"data.{key}", given=given, kind=kind, place=place)
    return path


def check_task(task: str) -> None:
    """Raise UserError unless `task` is one that a table or an array can have."""
    check_choice("data.task", task, TASKS)


def checked_size(size: object) -> int | None:
    """Return `size`, which must be a number of pixels or None."""
    if size is None or (isinstance(size, int) and not isinstance(size, bool) and size > 0):
        return size
    raise user_error(
        "not_allowed",
        key="data.size",
        given=size,
        allowed="a number of pixels, at least 1, or null for images that agree in size",
        instead=64,
    )


def check_number(path: Path, num_points: int, least: int = LEAST_POINTS) -> None:
    """Raise UserError for fewer points than can be divided."""
    if num_points < least:
        raise user_error("too_few_points", path=path, given=num_points, least=least)


def check_lengths(path: Path, inputs: str, num_inputs: int, targets: str, num: int) -> None:
    """Raise UserError unless there is one target for each input."""
    if num_inputs != num:
        raise user_error(
            "lengths",
            path=path,
            inputs=inputs,
            num_inputs=num_inputs,
            targets=targets,
            num_targets=num,
        )


def as_float32(path: Path, values: NDArray[np.generic], place: Place) -> NDArray[np.float32]:
    """Return numbers as float32, where every one of them is finite.

    Args:
        path: their file.
        values: (N, *).
        place: says where a row stands.

    Raises:
        UserError: NaN, an infinity, or a number beyond float32, at the first row that has one.
    """
    with np.errstate(over="ignore"):
        result = values.astype(np.float32)
    is_good = np.isfinite(result).reshape(len(result), -1)
    if not is_good.all():
        row = int(is_good.all(1).argmin())
        given = values.reshape(len(values), -1)[row, int(is_good[row].argmin())]
        raise user_error("not_finite", path=path, place=place(row), given=given)
    return result


def check_labels(
    path: Path, labels: NDArray[np.int64], num_classes: int, place: Place, instead: str
) -> None:
    """Raise UserError at the first of the labels (N,) that is not one of 0 to K - 1."""
    is_bad = (labels < 0) | (labels >= num_classes)
    if is_bad.any():
        row = int(is_bad.argmax())
        raise user_error(
            "label_range",
            path=path,
            place=place(row),
            given=labels[row],
            allowed=f"0 to {num_classes - 1}",
            instead=instead,
        )


def check_several_classes(path: Path, present: Sequence[object], instead: str) -> None:
    """Raise UserError where all points are of one class."""
    if len(present) < 2:
        raise user_error("one_class", path=path, given=present[0], instead=instead)
