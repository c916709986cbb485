"""What is held against every file of a user's own, with one message for each mistake.

Shape letters: N points, K classes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data.precision import LARGEST
from experiments.errors.likeness import nearest
from experiments.errors.messages import UserError, user_error

TASKS = ("auto", "classification", "regression", "numbers")
LEAST_POINTS = 5
"""Of fewer points a fifth would be none or nearly so."""

Locate = Callable[[int], str]
"""Says where in its file a row stands, as an editor or numpy counts: `row 5, column age`."""


def paths_beside(path: Path, kind: str) -> list[str]:
    """Return what a folder beside a path holds, as it is typed: folders, or files that hold any."""
    folder = path.parent
    if not folder.is_dir():
        return []
    is_meant = Path.is_dir if kind == "folder" else (lambda e: e.is_file() and e.stat().st_size)
    entries = sorted(entry for entry in folder.iterdir() if is_meant(entry))
    return [str(entry) for entry in entries if not entry.name.startswith(".")]


def existing(data: str, given: str | None, kind: str, example: str, key: str = "path") -> Path:
    """Return the path `given` at `data.KEY`, from the folder the user stands in.

    Raises:
        UserError: no path, or no such `kind`, a file or a folder, there.
    """
    if given is None:
        raise user_error("data_path", data=data, example=example)
    path = Path(os.path.expanduser(str(given)))
    if not (path.is_dir() if kind == "folder" else path.is_file()):
        near = nearest(str(given), paths_beside(path, kind), least=0.75)
        raise user_error(
            "no_such_path",
            key=f"data.{key}",
            given=given,
            kind=kind,
            place=path.absolute(),
            hint=f" Did you mean data.{key}={near}?" if near else "",
        )
    return path


def checked_size(size: object) -> int | None:
    """Return `size`, which must be a number of pixels or None."""
    if size is None or (isinstance(size, int) and not isinstance(size, bool) and size > 0):
        return size
    allowed = "a number of pixels, at least 1, or null for images that agree in size"
    raise user_error("not_allowed", key="data.size", given=size, allowed=allowed, instead=64)


def check_number(path: Path | str, num_points: int, least: int = LEAST_POINTS) -> None:
    if num_points < least:
        raise user_error("too_few_points", path=path, given=num_points, least=least)


def as_floats(path: Path, values: NDArray[Any], locate: Locate) -> NDArray[np.floating[Any]]:
    """Return numbers (N, *), all finite, in 32 bits where they came in so few, else in 64.

    Raises:
        UserError: NaN, an infinity, or a number beyond float64, at the first row that has one.
    """
    is_short = values.dtype in (np.float32, np.float16)
    bits: Any = np.float32 if is_short else np.float64
    with np.errstate(over="ignore"):
        result: NDArray[np.floating[Any]] = values.astype(bits)
    # False for NaN too.
    most = min(LARGEST, float(np.finfo(bits).max))
    is_good = (np.abs(result) <= most).reshape(len(result), -1)
    if not is_good.all():
        row = int(is_good.all(1).argmin())
        given = values.reshape(len(values), -1)[row, int(is_good[row].argmin())]
        raise user_error("not_finite", path=path, place=locate(row), given=given)
    return result


def check_labels(
    path: Path, labels: NDArray[np.int64], num_classes: int, locate: Locate, instead: str
) -> None:
    """Raise UserError at the first of the labels (N,) that is not one of 0 to K - 1."""
    is_bad = (labels < 0) | (labels >= num_classes)
    if is_bad.any():
        row = int(is_bad.argmax())
        raise no_class(path, locate(row), labels[row], f"0 to {num_classes - 1}", instead)


def wrong(path: Path, location: str, reason: str, instead: str) -> UserError:
    """Return what is said of a mistake somewhere in a table."""
    return user_error("table", path=path, place=location, reason=reason, instead=instead)


def no_class(path: Path, location: str, given: object, allowed: str, instead: str) -> UserError:
    """Return what is said of a label that is none of the classes."""
    values = {"given": given, "allowed": allowed, "instead": instead}
    return user_error("label_range", path=path, place=location, **values)


def check_several_classes(path: Path, present: Sequence[object], instead: str) -> None:
    if len(present) < 2:
        raise user_error("one_class", path=path, given=present[0], instead=instead)
