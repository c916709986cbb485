"""Learning curves of a setting: the mean over its seeds and its t interval, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

History = Sequence[Mapping[str, float | None]]


@dataclass(frozen=True)
class Band:
    """A mean and the ends of its t 95 % interval, one of each for every epoch.

    None where no seed has a value, and for the ends also where only one seed has.
    """

    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]


@dataclass(frozen=True)
class Curves:
    """The learning curves of one setting on one task.

    Args:
        task: the task's name.
        setting: the setting's id in the verdict.
        epochs: which epochs the bands are of, rising.
        series: metric, such as `val/accuracy`, to its band.
    """

    task: str
    setting: int
    epochs: list[int]
    series: dict[str, Band]


def bands(histories: Sequence[History], keys: Iterable[str]) -> tuple[list[int], dict[str, Band]]:
    """Return the epochs that occur, and the band of each key over them.

    At each epoch, over the n seeds that have a finite value there,

        mean +- t(0.975, n - 1) s / sqrt(n),

    with s their standard deviation. A failed run's missing epochs are simply not there, so n may
    fall along a curve. Of several rows of one epoch the last with the key counts.

    Args:
        histories: one list of rows for each seed, as `records.read_history` gives them.
        keys: the metrics that are wanted; one that no row has is left out.

    >>> epochs, found = bands([[{"epoch": 1, "loss": 1.0}], [{"epoch": 1, "loss": 3.0}]], ["loss"])
    >>> epochs, found["loss"].mean
    ([1], [2.0])
    """
    epochs = sorted({int(row["epoch"] or 0) for rows in histories for row in rows})
    place = {epoch: index for index, epoch in enumerate(epochs)}
    found = {}
    for key in keys:
        values = np.full((len(histories), len(epochs)), np.nan)
        for seed, rows in enumerate(histories):
            for row in rows:
                value = row.get(key)
                if value is not None and math.isfinite(value):
                    values[seed, place[int(row["epoch"] or 0)]] = value
        if np.isfinite(values).any():
            found[key] = band(values)
    return epochs, found


def band(values: np.ndarray) -> Band:
    """Return the band over the seeds.

    Args:
        values: of shape (seeds, epochs), NaN where there is none.
    """
    is_there = np.isfinite(values)
    n = is_there.sum(axis=0)
    filled = np.where(is_there, values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(n, 1)
    squares = np.where(is_there, (filled - mean) ** 2, 0.0).sum(axis=0)
    freedom = np.maximum(n - 1, 1)
    half = stdtrit(freedom, 0.975) * np.sqrt(squares / freedom / np.maximum(n, 1))
    return Band(listed(mean, n >= 1), listed(mean - half, n >= 2), listed(mean + half, n >= 2))


def listed(values: np.ndarray, is_known: np.ndarray) -> list[float | None]:
    """Return plain numbers, None where they are not known."""
    return [float(value) if known else None for value, known in zip(values, is_known, strict=True)]
