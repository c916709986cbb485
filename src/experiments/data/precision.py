"""How many bits numbers are held in: 32 where these tell points apart as 64 do, else 64.

Unix seconds keep one of 128 values in 32 bits, ids near 10^9 one of 64. Such columns stay in 64
bits until they are centred and scaled, which normalization.py does before it rounds.

Shape letters: N points, C channels, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.data.normalization import moments

TOLERANCE = 1e-5
"""The part of a column's standard deviation by which rounding may move a number."""
NORMAL = (1e-30, 1e30)
"""Sizes that 32 bits hold with room for squares of neighbours, and for what is near 0."""
LARGEST = float(np.finfo(np.float64).max) / 4
"""Of larger numbers the differences may be infinite."""
CHANCE_COLLISIONS = 1e-7
"""Of N points from a smooth density so many times N^2 agree by chance once they are rounded: some
6e-9 N^2 of a normal one, 24 bits being 2^24 = 1.7e7 steps."""


def in_fewest_bits(parts: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return training and test numbers (N, C, *) in 32 bits where both can be, else in 64."""
    if all(part.dtype == np.float32 or fits_32_bits(part) for part in parts):
        return [np.ascontiguousarray(part, dtype=np.float32) for part in parts]
    return [np.ascontiguousarray(part, dtype=np.float64) for part in parts]


def fits_32_bits(values: NDArray[np.float64], chunk: int = 4096) -> bool:
    """Return whether rounding moves no number of (N, C, *) far, and merges none that differ."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = values.astype(np.float32)
    if np.array_equal(rounded, values):
        return is_of_normal_size(values)
    if not np.isfinite(rounded).all():
        return False
    num_channels = values.shape[1]
    error = np.zeros(num_channels)
    for start in range(0, len(values), chunk):
        part = slice(start, start + chunk)
        by_channel = np.moveaxis(np.abs(values[part] - rounded[part]), 1, 0)
        error = np.maximum(error, by_channel.reshape(num_channels, -1).max(1, initial=0.0))
    spread = moments(torch.from_numpy(values))[1].numpy()
    # A constant carries nothing that rounding could lose.
    if not bool(np.all((error <= TOLERANCE * spread) | (spread == 0))):
        return False
    if not is_of_normal_size(values, spread):
        return False
    return values.ndim != 2 or not any(
        num_merged(values[:, i], rounded[:, i]) for i in np.flatnonzero(error)
    )


def is_of_normal_size(values: NDArray[np.float64], spread: Any = None) -> bool:
    """Return whether sizes, and standard deviations (C,), are far from the ends of 32 bits."""
    smallest, largest = NORMAL
    if spread is None:
        spread = moments(torch.from_numpy(values))[1].numpy()
    if np.abs(values).max(initial=0.0) > largest:
        return False
    return not bool(np.any((spread > 0) & (spread < smallest)))


def num_merged(values: NDArray[Any], rounded: NDArray[Any]) -> int:
    """Return how many different values of a column are one value after rounding.

    As many as chance may bring together count as none.

    >>> seconds = 1.7e9 + np.arange(60)
    >>> num_merged(seconds, seconds.astype(np.float32))
    59
    """
    merged = len(np.unique(values)) - len(np.unique(rounded))
    return merged if merged > CHANCE_COLLISIONS * len(values) ** 2 else 0
