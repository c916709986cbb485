"""A user's own arrays, in one file of numpy.savez.

Shape letters: N points, C channels, L length, D depth, H height, W width, F features, K classes
or targets.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.data import checks
from experiments.data.cache import cached, own_name
from experiments.data.sources import DataSet, Points, classification, regression
from experiments.errors import TABLE, listed, user_error

log = logging.getLogger(__name__)

Array = NDArray[Any]

OTHER_NAMES = {"x_train": "x", "y_train": "y"}
NAMES = ("x", "y", "x_test", "y_test", "class_names")
INPUT_SHAPES = "(N, F), (N, C, L), (N, C, H, W) or (N, C, D, H, W)"
TARGET_SHAPES = "(N,), or (N, K) for regression"
LARGEST_EXACT = 2**24
"""Float32 holds every whole number up to here."""


def npz(
    path: str | None = None,
    task: str = "auto",
    images: bool = False,
    channels_last: bool = False,
    root: str = "data",
) -> DataSet:
    """Arrays x and y of an .npz file; x_test and y_test are the test set, or else a fifth of x is.

    Classes are whole numbers from 0 to K - 1; `class_names`, an array of K words, names them.
    x_train and y_train serve as x and y.

    Args:
        path: the file.
        task: `classification` or `regression`; `auto`: regression where y has floats.
        images: x (N, H, W) is grey images, not (N, C, L).
        channels_last: the channels are the last dimension of x, not the second.
        root: where the arrays are kept ready for the next start.

    Raises:
        UserError: no such file, arrays that are missing, of other shapes or lengths, labels out of
            range, one class only, numbers that are not finite.

    Shapes: x (N, F), (N, C, L), (N, C, H, W) or (N, C, D, H, W); y (N,), or (N, K) for regression.
    """
    checks.check_task(task)
    file = checks.existing("npz", path, "file", "FILE.npz")

    def decode() -> DataSet:
        arrays = read(file)
        parts = [("x", "y")] + ([("x_test", "y_test")] if "x_test" in arrays else [])
        inputs = [inputs_of(file, x, arrays[x], images, channels_last) for x, _ in parts]
        has_values = task == "auto" and arrays["y"].dtype.kind == "f"
        if has_values or task == "regression":
            targets = [values_of(file, y, arrays[y]) for _, y in parts]
            class_names: tuple[str, ...] = ()
        else:
            class_names = names_of(file, arrays)
            targets = [labels_of(file, y, arrays[y], len(class_names)) for _, y in parts]
        for (x, y), a, b in zip(parts, inputs, targets, strict=True):
            checks.check_lengths(file, x, len(a), y, len(b))
            checks.check_number(file, len(a), checks.LEAST_POINTS if len(parts) == 1 else 1)
        return assembled(file, inputs, targets, class_names)

    name = own_name("npz", file, task, images, channels_last)
    return cached(name, Path(root), [file], decode)


def read(file: Path) -> dict[str, Array]:
    """Return the arrays of a file, by our names for them."""
    try:
        if not zipfile.is_zipfile(file):
            # numpy would take it for a pickle, and tell people how to load that.
            raise ValueError("it is no .npz file")
        # Opened here, since numpy leaves a broken file open.
        with file.open("rb") as content:
            loaded = np.load(content, allow_pickle=False)
            present = {OTHER_NAMES.get(name, name): name for name in loaded.files}
            arrays = {ours: loaded[name] for ours, name in present.items() if ours in NAMES}
    except Exception as error:  # numpy and zipfile raise many kinds for what is no such file
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        instead = "Write one by numpy.savez(FILE, x=inputs, y=targets), of numbers and words only"
        raise user_error(
            "unreadable_file", path=file, kind="an .npz file", reason=reason, instead=instead
        ) from error
    needed = ["x", "y"] + (["x_test", "y_test"] if {"x_test", "y_test"} & set(present) else [])
    for name in needed:
        if name not in arrays:
            words = listed(present.values()) or "none"
            raise user_error("no_array", path=file, missing=name, present=words)
    unused = [name for ours, name in present.items() if ours not in NAMES]
    if unused:
        used = f"arrays that are: {listed(NAMES)}"
        log.warning(TABLE["unused_data"].format(path=file, given=listed(unused), used=used))
    return arrays


def inputs_of(file: Path, name: str, x: Array, images: bool, channels_last: bool) -> Array:
    """Return inputs (N, F) or (N, C, *) as bytes or float32."""
    if x.dtype.kind not in "fiub":
        raise user_error(
            "array_type",
            path=file,
            array=name,
            given=x.dtype,
            allowed="numbers",
            instead="Write words as numbers, such as their place in a list",
        )
    has_channels = x.ndim > 2 and not (images and x.ndim == 3)
    # Keys that could change nothing are told, not passed over.
    for given, fits in (("images", x.ndim == 3), ("channels_last", has_channels)):
        if {"images": images, "channels_last": channels_last}[given] and not fits:
            is_image = images and given != "images"
            shape = f"{name} of shape {x.shape}" + (" that is images" if is_image else "")
            raise user_error("no_effect", given=f"data.{given}=true", with_=shape)
    if not 2 <= x.ndim <= 5 or 0 in x.shape[1:]:
        raise user_error(
            "array_shape",
            path=file,
            array=name,
            given=x.shape,
            allowed=INPUT_SHAPES,
            instead="One feature is (N, 1)",
        )
    checks.check_number(file, len(x), 1)
    x = x[:, None] if images else np.moveaxis(x, -1, 1) if channels_last else x
    if x.dtype == np.uint8:
        return np.ascontiguousarray(x)
    place = rows_of(name)
    if x.dtype.kind in "iu" and np.abs(x.astype(np.float64)).max(initial=0) > LARGEST_EXACT:
        raise user_error(
            "array_type",
            path=file,
            array=name,
            given=f"{x.dtype}, with numbers above {LARGEST_EXACT} that 32 bits would round",
            allowed="floats or smaller whole numbers",
            instead="Scale them first",
        )
    return np.ascontiguousarray(checks.as_float32(file, x, place))


def rows_of(name: str) -> checks.Place:
    """Return what says where a row of an array is."""
    return lambda row: f"{name}[{row}]"


def values_of(file: Path, name: str, y: Array) -> Array:
    """Return the targets of a regression as (N, K) float32."""
    is_number = y.dtype.kind in "fiu"
    if not is_number or y.ndim not in (1, 2) or 0 in y.shape[1:]:
        problem = "array_shape" if is_number else "array_type"
        raise user_error(
            problem,
            path=file,
            array=name,
            given=y.shape if is_number else y.dtype,
            allowed=TARGET_SHAPES if is_number else "numbers",
            instead="Each point has one value, or K of them",
        )
    checks.check_number(file, len(y), 1)
    y = y[:, None] if y.ndim == 1 else y
    return checks.as_float32(file, y, rows_of(name))


def names_of(file: Path, arrays: Mapping[str, Array]) -> tuple[str, ...]:
    """Return the names of the classes: those of the file, or the numbers that y has.

    Where the file gives no names, K is how many classes y has, so that numbers which begin at 1,
    or leave some out, are found.
    """
    y = whole_numbers(file, "y", arrays["y"])
    present = np.unique(y).tolist()
    if not present:
        checks.check_number(file, 0)
    instead = "Numbers to predict, instead of classes, are data.task=regression"
    checks.check_several_classes(file, present, instead)
    if "class_names" not in arrays:
        return tuple(map(str, range(len(present))))
    words = arrays["class_names"]
    if words.ndim != 1 or words.dtype.kind not in "US":
        raise user_error(
            "array_type",
            path=file,
            array="class_names",
            given=f"{words.dtype} and shape {words.shape}",
            allowed="words, (K,)",
            instead="Give one for each class: class_names=['cat', 'dog']",
        )
    return tuple(w.decode() if isinstance(w, bytes) else str(w) for w in words.tolist())


def whole_numbers(file: Path, name: str, y: Array) -> NDArray[np.int64]:
    """Return class numbers as (N,) int64."""
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1:
        raise user_error(
            "array_shape",
            path=file,
            array=name,
            given=y.shape,
            allowed="(N,) for classes",
            instead="One-hot rows become numbers by y.argmax(1)",
        )
    is_whole = y.dtype.kind in "iub" or (
        y.dtype.kind == "f" and bool(np.all(np.isfinite(y) & (y == np.round(y))))
    )
    if not is_whole:
        raise user_error(
            "array_type",
            path=file,
            array=name,
            given=y.dtype,
            allowed="whole numbers from 0 for classes",
            instead="Give words by class_names, and numbers to predict by data.task=regression",
        )
    return y.astype(np.int64)


def labels_of(file: Path, name: str, y: Array, num_classes: int) -> NDArray[np.int64]:
    """Return class numbers (N,), each one of 0 to K - 1."""
    labels = whole_numbers(file, name, y)
    instead = f"Number the {num_classes} classes from 0, without gaps, or name all by class_names"
    checks.check_labels(file, labels, num_classes, rows_of(name), instead)
    return labels


def assembled(
    file: Path, inputs: list[Array], targets: list[Array], class_names: tuple[str, ...]
) -> DataSet:
    """Return the data set of one part, of which a fifth is held out, or of two."""
    x, y = (list(map(torch.from_numpy, arrays)) for arrays in (inputs, targets))
    if len(x) == 1:
        return classification(x[0], y[0], class_names) if class_names else regression(x[0], y[0])
    for name, tensors in (("x_test", x), ("y_test", y)):
        first, second = ((t.dtype, tuple(t.shape[1:])) for t in tensors)
        if first != second:
            raise user_error(
                "array_shape",
                path=file,
                array=name,
                given=f"{second[1]} in each row, of {second[0]}",
                allowed=f"that of {name[0]}, {first[1]} of {first[0]}",
                instead="Treat both parts alike",
            )
    task = "classification" if class_names else "regression"
    return DataSet(Points(x[0], y[0]), Points(x[1], y[1]), task, class_names)
