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
from experiments.data.array_names import Named, arrays_by_meaning, meaning
from experiments.data.array_targets import (
    check_exact,
    is_regression,
    labels_of,
    names_of,
    notes_of,
    unfit,
    values_of,
)
from experiments.data.cache import cached, own_name
from experiments.data.channels import chosen, spelled_shape, with_channels_second
from experiments.data.given_arrays import GIVEN, Arrays, words_for
from experiments.data.precision import in_fewest_bits
from experiments.data.sources import DataSet, Points, data_set_of
from experiments.data.unpacked import check_members
from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, check_choice, user_error
from experiments.errors.wording import listed

log = logging.getLogger(__name__)

Array = NDArray[Any]

INPUT_SHAPES = "(N, F), (N, C, L), (N, C, H, W) or (N, C, D, H, W)"
KINDS = {"u": "bytes", "f": "numbers", "i": "classes"}
READING = 2
"""Counted up when the same file gives other tensors, so that none of the old ones is taken."""
OTHER_FILES = {
    b"\x93NUMPY": "it holds a single array, as numpy.save writes it",
    b"\x89HDF": "it is an HDF5 file, which h5py reads",
    b"MATLAB": "it is a MATLAB file, which scipy.io.loadmat reads",
    b"\x80": "it looks like a pickle, which may run any program",
}
"""By how their content begins."""


def npz(
    path: str | None = None,
    task: str = "auto",
    images: bool = False,
    channels_last: bool = False,
    channels_first: bool = False,
    root: str = "data",
) -> DataSet:
    """Arrays x and y of an .npz file; x_test and y_test are the test set, or else a fifth of x is.

    x_val and y_val validate. Other names of the same meaning serve too: x_train, train_images,
    X, data; y_train, train_labels, target; val_images, X_test and so on (data/array_names.py).
    Classes are whole numbers from 0 to K - 1, (N,) or (N, 1), or one-hot rows (N, K);
    `class_names`, an array of K words, names them.

    Where the channels are is seen from the shape: (N, 28, 28) is grey images, (N, 32, 32, 3) has
    them last, (N, 28, 28, 28) is volumes of one. What can be read in several ways is asked about.

    Args:
        path: the file.
        task: `classification` or `regression`; `auto`: regression where y has fractions, or where
            the loss is one of numbers.
        images: x is grey images (N, H, W), not signals (N, C, L), or volumes (N, D, H, W).
        channels_last: the channels are the last dimension of x.
        channels_first: the channels are the second dimension of x.
        root: where the arrays are kept ready for the next start.

    Raises:
        UserError: no such file, arrays that are missing, of other shapes or lengths, labels out of
            range, one class only, numbers that are not finite, what can be read in several ways.

    Shapes: x (N, F), (N, C, L), (N, C, H, W) or (N, C, D, H, W); y (N,), or (N, K) for regression.
    """
    check_choice("data.task", task, checks.TASKS)
    typed = {"images": images, "channels_last": channels_last, "channels_first": channels_first}
    if path in GIVEN:
        return given_data(GIVEN[path], task, typed)
    file = checks.existing("npz", path, "file", "FILE.npz")
    name = own_name("npz", file, READING, task, *typed.values())
    return cached(name, Path(root), [file], lambda: assembled(file, read_npz(file), task, typed))


def given_data(arrays: Arrays, task: str, typed: dict[str, bool]) -> DataSet:
    """Return the data set of arrays that were given in Python, as that of a file with these."""
    file = Path(words_for(arrays))
    names = arrays_by_meaning(file, list(arrays))
    named = {ours: Named(name, arrays[name]) for ours, name in names.items()}
    return assembled(file, named, task, typed)


def read_npz(file: Path) -> dict[str, Named]:
    """Return the arrays of a file by what they mean, each with the name that it has there."""
    try:
        with file.open("rb") as content:
            start = content.read(8)
            if not zipfile.is_zipfile(content):
                # numpy would take it for a pickle, and tell people how to load that.
                known = (said for begin, said in OTHER_FILES.items() if start.startswith(begin))
                raise ValueError(next(known, "it is no .npz file"))
            check_members(content)
            content.seek(0)
            # Opened here, since numpy leaves a broken file open.
            loaded = np.load(content, allow_pickle=False)
            names = arrays_by_meaning(file, loaded.files)
            arrays = {ours: Named(name, loaded[name]) for ours, name in names.items()}
    except UserError:
        raise
    except Exception as error:  # numpy and zipfile raise many kinds for what is no such file
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        instead = "Write one by numpy.savez(FILE, x=inputs, y=targets), of numbers and words only"
        raise user_error(
            "unreadable_file", path=file, kind="an .npz file", reason=reason, instead=instead
        ) from error
    unused = [name for name in loaded.files if name not in names.values()]
    if unused:
        used = f"arrays that are: {listed(names.values())}"
        log.warning(TABLE["unused_data"].format(path=file, given=listed(unused), used=used))
    return arrays


def assembled(
    file: Path, arrays: Mapping[str, Named], task: str, typed: dict[str, bool]
) -> DataSet:
    """Return the data set of the arrays: a fifth of x is held out unless there is a test part."""
    roles = [role for role in ("", "_test", "_val") if f"x{role}" in arrays]
    xs, ys = ([arrays[f"{letter}{role}"] for role in roles] for letter in "xy")
    check_numbers(file, xs[0])
    how, notes = chosen(file, *xs[0], typed)
    inputs = [inputs_of(file, *x, how) for x in xs]
    targets, class_names, more_notes = targets_of(file, ys, task, arrays.get("class_names"))
    check_lengths(file, xs, ys, checks.LEAST_POINTS if "_test" not in roles else 1)
    for named, parts in ((xs, inputs), (ys, targets)):
        check_alike(file, named, parts)
    points = dict(zip(roles, map(Points, as_tensors(inputs), as_tensors(targets)), strict=True))
    val = points.pop("_val", None)
    data = data_set_of(
        list(points.values()),
        class_names,
        val,
        feature_names=columns_of(xs[0].name, inputs[0]) if inputs[0].ndim == 2 else (),
        target_names=() if class_names else columns_of(ys[0].name, targets[0]),
    )
    data.facts.values["understood"] = {
        "arrays": listed(f"{x.name} {spelled_shape(x.array)}" for x in (*xs, *ys)),
        "notes": notes + more_notes,
    }
    return data


def targets_of(
    file: Path, ys: list[Named], task: str, words: Named | None
) -> tuple[list[Array], tuple[str, ...], list[str]]:
    """Return the targets of each part, the names of the classes, if any, and what is told."""
    if is_regression(file, ys[0], task, has_names=words is not None):
        notes = [f"{words.name} is not used, as numbers are predicted"] if words else []
        return [values_of(file, *y) for y in ys], (), notes
    class_names = names_of(file, ys[0], words)
    notes = notes_of(*ys[0], len(class_names)) if task == "auto" else []
    return [labels_of(file, *y, len(class_names)) for y in ys], class_names, notes


def check_lengths(file: Path, xs: list[Named], ys: list[Named], least: int) -> None:
    """Raise UserError for inputs without targets, or fewer than `least` points to train on."""
    for x, y in zip(xs, ys, strict=True):
        num_inputs, num_targets = len(x.array), len(y.array)
        if num_inputs != num_targets:
            names = {"inputs": x.name, "targets": y.name}
            counts = {"num_inputs": num_inputs, "num_targets": num_targets}
            raise user_error("lengths", path=file, **names, **counts)
    checks.check_number(file, len(xs[0].array), least)


def check_numbers(file: Path, x: Named) -> None:
    """Raise UserError unless an array has numbers, in a shape that inputs can have."""
    if x.array.dtype.kind not in "fiub":
        instead = "Write words as numbers, such as their place in a list"
        raise unfit("type", file, x.name, x.array.dtype, "numbers", instead)
    if not 2 <= x.array.ndim <= 5 or 0 in x.array.shape[1:]:
        instead = "One feature is (N, 1)"
        raise unfit("shape", file, x.name, x.array.shape, INPUT_SHAPES, instead)
    is_other = meaning(x.name) != "x"
    checks.check_number(f"{file}, {x.name}" if is_other else file, len(x.array), 1)


def inputs_of(file: Path, name: str, x: Array, how: str) -> Array:
    """Return inputs (N, F) or (N, C, *) as bytes or floats."""
    check_numbers(file, Named(name, x))
    x = with_channels_second(x, how)
    if x.dtype == np.uint8:
        return np.ascontiguousarray(x)
    check_exact(file, name, x)
    return checks.as_floats(file, x, lambda row: f"{name}[{row}]")


def check_alike(file: Path, named: list[Named], arrays: list[Array]) -> None:
    """Raise UserError unless all parts have the shape and the kind of the training part."""
    (kind, shape), *others = ((KINDS.get(a.dtype.kind, ""), a.shape[1:]) for a in arrays)
    for part, (other_kind, other_shape) in zip(named[1:], others, strict=True):
        if (other_kind, other_shape) != (kind, shape):
            given = f"{other_shape} in each row, of {other_kind}"
            allowed = f"that of {named[0].name}, {shape} of {kind}"
            raise unfit("shape", file, part.name, given, allowed, "Treat all parts alike")


def as_tensors(arrays: list[Array]) -> list[torch.Tensor]:
    """Return the arrays of all parts as tensors, floats in the fewest bits that do."""
    is_float = arrays[0].dtype.kind == "f"
    return list(map(torch.from_numpy, in_fewest_bits(arrays) if is_float else arrays))


def columns_of(name: str, array: Array) -> tuple[str, ...]:
    return tuple(f"{name}[:, {i}]" for i in range(array.shape[1]))
