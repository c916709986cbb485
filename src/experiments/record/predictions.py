"""predictions.npz: what a run told of each test point, for questions that come afterwards.

Nothing here needs torch, as a comparison reads it.

Shape letters: N test points, K classes, T regression targets.
"""

from __future__ import annotations

import functools
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors.messages import user_error
from experiments.record.folder import PREDICTIONS, write_atomic
from experiments.record.strangers_files import check_archive

Array = NDArray[Any]

OF_ARCHIVES = (zipfile.BadZipFile, NotImplementedError, zlib.error, KeyError)
"""What Python raises for broken archives."""
MOST_BYTES = 2_000_000
"""What the probabilities of all classes may take, as float16: 10,000 points of a hundred classes.
Of more, that of the predicted class alone is kept."""
ROUNDED = 1e-4
"""By how much a share may differ that was rounded to float32, a hundred times what it does."""
WEIGHED = 1e-3
"""By which part an error may differ that was measured on standardised targets."""


@dataclass(frozen=True)
class Predictions:
    """What a run told of its test points with the selected weights, in the order of the test set.

    A classification has `classes` and `probabilities`, a regression `values`; the others are None.

    Attributes:
        targets: (N,) class numbers, or (N, T) in the unit of the data.
        classes: (N,), of the largest output, as the accuracy counts it.
        probabilities: float16, (N, K); or (N,), that of `classes` alone, where all would take more
            than `MOST_BYTES`.
        values: (N, T), in the unit of the data: float32, or float64 where the data need it.
    """

    targets: Array
    classes: Array | None = None
    probabilities: Array | None = None
    values: Array | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def has_all_classes(self) -> bool:
        """Whether there is a probability of every class, and not of the predicted one alone."""
        return self.probabilities is not None and self.probabilities.ndim == 2


def keeps_all_classes(num_points: int, num_classes: int) -> bool:
    """Return whether the probabilities of all classes are kept.

    >>> keeps_all_classes(10_000, 100), keeps_all_classes(50_000, 1000)
    (True, False)
    """
    return num_points * num_classes * np.dtype(np.float16).itemsize <= MOST_BYTES


def in_fewest_bytes(classes: Array, num_classes: int) -> Array:
    """Return class numbers in the smallest type that holds K of them.

    >>> in_fewest_bytes(np.array([3, 9]), 10).dtype, in_fewest_bytes(np.array([3]), 300).dtype
    (dtype('uint8'), dtype('uint16'))
    """
    return classes.astype(np.min_scalar_type(max(0, num_classes - 1)))


def replace_predictions(folder: Path, predictions: Predictions | None) -> None:
    """Write what a run told, in the place of what it told before it was resumed.

    Where it is not kept, a file of before goes: it would be that of other weights.
    """
    path = folder / PREDICTIONS
    if predictions is None:
        path.unlink(missing_ok=True)
        return
    arrays = {name: array for name, array in vars(predictions).items() if array is not None}
    # As checkpoints are: to wait for the disk takes longer than all the rest.
    write_atomic(path, functools.partial(np.savez, **arrays), is_synced=False)


def check_shapes(told: Predictions) -> None:
    """Raise ValueError unless the arrays are of the same points, and of the kinds that they are."""
    kinds = {"targets": "iuf", "classes": "iu", "probabilities": "f", "values": "f"}
    given = {name: array for name, array in vars(told).items() if array is not None}
    for name, array in given.items():
        if array.ndim < 1 or array.dtype.kind not in kinds[name]:
            raise ValueError(f"{name} are {array.dtype} of shape {array.shape}")
        if len(array) != len(told.targets):
            raise ValueError(f"{len(told.targets)} targets, and {len(array)} {name}")
    if ("classes" in given and "values" in given) or not {"classes", "values"} & set(given):
        raise ValueError("it holds neither classes alone nor values alone")
    if told.values is not None and told.values.size != told.targets.size:
        raise ValueError(f"targets are {told.targets.shape}, and values {told.values.shape}")
    if told.classes is not None and (
        told.targets.ndim != 1 or told.classes.ndim != 1 or told.targets.dtype.kind == "f"
    ):
        raise ValueError("classes are numbers from 0, one of each point")
    if told.classes is not None and len(told) and min(told.classes.min(), told.targets.min()) < 0:
        raise ValueError("a class below 0")


def read_predictions(folder: Path) -> Predictions | None:
    """Return what the run of a folder told of its test points; None where it has no such file.

    Raises:
        UserError: the file cannot be read.
    """
    path = folder / PREDICTIONS
    try:
        # Opened here, since numpy leaves a broken file open.
        check_archive(path)
        with path.open("rb") as content, np.load(content, allow_pickle=False) as arrays:
            told = Predictions(**{name: arrays[name] for name in arrays.files})
        check_shapes(told)
        return told
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, EOFError, MemoryError, *OF_ARCHIVES) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise user_error("corrupt_predictions", path=path, reason=reason) from error


@dataclass(frozen=True)
class Score:
    """A metric by what a run has told of its points, and by how much rounding may change it."""

    value: float
    slack: float


def scores(folder: Path) -> dict[str, Score]:
    """Return what a run's own file of predictions says of its test: the accuracy, or MAE and R2.

    Empty where there is no file.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    path = folder / PREDICTIONS
    if not path.is_file():
        return {}
    try:
        check_archive(path)
        with path.open("rb") as content, np.load(content, allow_pickle=False) as arrays:
            # Not the probabilities, which are most of it.
            told = {n: arrays[n] for n in ("targets", "classes", "values") if n in arrays.files}
        predictions = Predictions(**told)
        check_shapes(predictions)
    except (TypeError, EOFError, MemoryError, *OF_ARCHIVES) as error:
        raise ValueError(str(error)) from error
    if not len(predictions):
        return {}
    if predictions.classes is not None:
        share = float((predictions.classes == predictions.targets).mean())
        return {"test/accuracy": Score(share, ROUNDED)}
    return errors_of(predictions.targets, predictions.values)


def errors_of(targets: Array, values: Any) -> dict[str, Score]:
    """Return the mean absolute error and R2 of values, each the mean over the targets.

    R2 is left out where a target hardly varies. Shapes: (N, T) both, or (N,).
    """
    truth = targets.reshape(len(targets), -1).astype(np.float64)
    error = values.reshape(truth.shape).astype(np.float64) - truth
    mae = float(np.abs(error).mean())
    rounding = 4 * float(np.finfo(values.dtype).eps) * float(np.abs(truth).max())
    found = {"test/mae": Score(mae, WEIGHED * mae + rounding)}
    variation = np.square(truth - truth.mean(axis=0)).mean(axis=0)
    if (np.sqrt(variation) > 100 * rounding).all() and mae:
        r2 = float((1 - np.square(error).mean(axis=0) / variation).mean())
        slack = WEIGHED + abs(1 - r2) * 2 * (WEIGHED + rounding / mae)
        found["test/r2"] = Score(r2, slack)
    return found
