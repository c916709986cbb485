"""Arrays that are given in Python: data for the length of a block, and a file beside their run.

They are read as those of a file are (data/arrays.py), at a path that stands for their content.

Shape letters: N points, C channels, L length, H height, W width, F features, K classes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.data.array_names import meaning
from experiments.errors.messages import user_error
from experiments.errors.wording import listed
from experiments.record.folder import write_atomic

Arrays = Mapping[str, NDArray[Any]]

GIVEN: dict[str, Arrays] = {}
"""What each path stands for, while its block lasts."""
WRITTEN: dict[str, Path] = {}
"""The file that this process wrote last of each path: runs on the same arrays share one on disk."""


def parts_of(value: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return what was given as `data`: arrays by name, and further keys; None for no arrays.

    >>> parts_of(([[0.0], [1.0]], [0, 1], {"val_fraction": 0.2}))
    ({'x': [[0.0], [1.0]], 'y': [0, 1]}, {'val_fraction': 0.2})
    >>> parts_of({"name": "digits", "batch_size": 32}) is parts_of("digits") is None
    True
    """
    if isinstance(value, tuple | list):
        if not value or isinstance(value[0], str):
            return None
        *arrays, keys = value if isinstance(value[-1], Mapping) else (*value, {})
        if len(arrays) != 2:
            raise user_error("given_data", given=f"{len(arrays)} parts")
        return dict(zip("xy", arrays, strict=True)), dict(keys)
    if isinstance(value, Mapping):
        arrays_in = {k: v for k, v in value.items() if meaning(str(k)) and is_array(v)}
        meanings = set(map(meaning, arrays_in))
        if "x" in meanings and "y" not in meanings:
            raise user_error("given_data", given=f"{listed(arrays_in)} without targets y")
        if "x" in meanings:
            return arrays_in, {k: v for k, v in value.items() if k not in arrays_in}
    elif is_array(value) or is_set(value):
        raise user_error("given_data", given=f"one {type(value).__name__}")
    return None


def is_set(value: Any) -> bool:
    """Return whether a value is a data set of torch, or what loads one."""
    return isinstance(value, torch.utils.data.Dataset | torch.utils.data.DataLoader)


def is_array(value: Any) -> bool:
    return isinstance(value, list | tuple) or (hasattr(value, "__array__") and len(value.shape) > 0)


@dataclass(frozen=True)
class GivenArrays:
    """Arrays by name, and the path that stands for their content."""

    path: str
    arrays: Arrays

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> GivenArrays:
        """Return what was given: of torch on any device, of numpy, a table of pandas, a list.

        Raises:
            UserError: what is no array of numbers or words.
        """
        arrays = {name: as_array(name, value) for name, value in values.items()}
        return cls(path_for(arrays), arrays)

    @contextlib.contextmanager
    def found(self) -> Iterator[None]:
        """Let the path stand for the arrays, for the length of a block."""
        GIVEN[self.path] = self.arrays
        try:
            yield
        finally:
            del GIVEN[self.path]

    def write(self, file: Path) -> None:
        """Write the arrays into a file of numpy.savez: again on disk only where they must be.

        A further run on them gets a second name of the same file, where the disk has such.
        """
        if self.path in WRITTEN:
            with contextlib.suppress(OSError):
                os.link(WRITTEN[self.path], file)
                return
        write_atomic(file, functools.partial(save, self.arrays))
        WRITTEN[self.path] = file.absolute()


def as_array(name: str, value: Any) -> NDArray[Any]:
    """Return one of them."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # rows of several lengths, or what refuses
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "fiubUS" or array.ndim == 0:
        kind = f"{type(value).__name__} of {array.dtype}" if array.ndim else type(value).__name__
        raise user_error("given_array", name=name, given=kind)
    # Tensors are made of its memory, and torch warns of one that may not be written to.
    return array if array.flags.writeable else array.copy()


def path_for(arrays: Arrays) -> str:
    """Return the path that stands for arrays: equal for equal names, types, shapes and values."""
    content = hashlib.blake2b(digest_size=8)
    for name, array in sorted(arrays.items()):
        content.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        content.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return f"given-{content.hexdigest()}.npz"


def words_for(arrays: Arrays) -> str:
    """Return what arrays are called in messages, where a file has its name."""
    return f"data=({', '.join(arrays)})"


def save(arrays: Arrays, file: BinaryIO) -> None:
    by_name: dict[str, Any] = dict(arrays)
    np.savez(file, **by_name)
