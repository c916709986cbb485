"""Learning curves of a setting: the mean over its seeds and its t interval, epoch by epoch.

Of a cross validation the mean is over splits, and the interval is the corrected one.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from experiments.comparison.blocks import Fold, ordered, shared_by
from experiments.comparison.design import added_to
from experiments.comparison.judged import Judged
from experiments.errors.wording import visible
from experiments.record.metric import names_in_stages

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
    """The learning curves of one setting, by its id in the verdict, on one task.

    The bands by metric, such as `val/accuracy`, are of the epochs, which rise.
    """

    task: str
    setting: int
    epochs: list[int]
    series: dict[str, Band]


def curves_of(tasks: Sequence[Judged]) -> list[Curves]:
    """Return the learning curves of every setting on every task."""
    every = [s.run for judged in tasks for setting in judged.task.settings for s in setting.every]
    keys = names_in_stages("val", "train", added=added_to(every))
    curves = []
    for judged in tasks:
        for index, setting in enumerate(judged.task.settings):
            order = [block for block in ordered(setting.runs) for _ in setting.runs[block]]
            splits = [
                block[1:] if isinstance(block, Fold) else (i,) for i, block in enumerate(order)
            ]
            histories = [scored.run.history() for scored in setting.every]
            epochs, series = bands(
                histories, keys, splits, shared_by(order, judged.task.overlap) or 0.0
            )
            if series:
                curves.append(Curves(visible(judged.task.name), index, epochs, series))
    return curves


def bands(
    histories: Sequence[History],
    keys: Iterable[str],
    splits: Sequence[Hashable] | None = None,
    overlap: float = 0.0,
) -> tuple[list[int], dict[str, Band]]:
    """Return the epochs that occur, and the band of each key over them.

    At each epoch, over the n seeds that have a finite value there,

        mean +- t(0.975, n - 1) s sqrt(1 / n + overlap),

    with s their standard deviation. A failed run's missing epochs are simply not there, so n may
    fall along a curve. Of several rows of one epoch the last with the key counts.

    The histories are one list of rows for each seed; a key that no row has is left out. Those of
    one split are joined first, and overlap is what splits share (`blocks.shared_by`).

    >>> epochs, series = bands([[{"epoch": 1, "loss": 1.0}], [{"epoch": 1, "loss": 3.0}]], ["loss"])
    >>> epochs, series["loss"].mean
    ([1], [2.0])
    """
    epochs = sorted({int(row["epoch"] or 0) for rows in histories for row in rows})
    column = {epoch: index for index, epoch in enumerate(epochs)}
    series = {}
    for key in keys:
        values = np.full((len(histories), len(epochs)), np.nan)
        for seed, rows in enumerate(histories):
            for row in rows:
                value = row.get(key)
                if value is not None and math.isfinite(value):
                    values[seed, column[int(row["epoch"] or 0)]] = value
        if np.isfinite(values).any():
            own = values if splits is None else over_splits(values, splits)
            series[key] = band(own, is_share=key.endswith("/accuracy"), overlap=overlap)
    return epochs, series


def over_splits(values: np.ndarray, splits: Sequence[Hashable]) -> np.ndarray:
    """Return the mean of the runs of each split, of values (runs, epochs), NaN where none is."""
    names = list(dict.fromkeys(splits))
    number = np.array([names.index(split) for split in splits])
    shape = (len(names), values.shape[1])
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, number, np.nan_to_num(values, nan=0.0))
    np.add.at(counts, number, np.isfinite(values))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def band(values: np.ndarray, is_share: bool = False, overlap: float = 0.0) -> Band:
    """Return the band over the seeds of values (seeds, epochs), NaN where there is none.

    Args:
        is_share: values lie from 0 to 1, and so does their band.
        overlap: see `bands`.
    """
    is_there = np.isfinite(values)
    n = is_there.sum(axis=0)
    filled = np.where(is_there, values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(n, 1)
    squares = np.where(is_there, (filled - mean) ** 2, 0.0).sum(axis=0)
    freedom = np.maximum(n - 1, 1)
    half = stdtrit(freedom, 0.975) * np.sqrt(squares / freedom * (1 / np.maximum(n, 1) + overlap))
    low, high = mean - half, mean + half
    if is_share:
        low, high = np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)
    ends = (where_known(end, n >= 2) for end in (low, high))
    return Band(where_known(mean, n >= 1), *ends)


def where_known(values: np.ndarray, is_known: np.ndarray) -> list[float | None]:
    """Return plain numbers, None where they are not known."""
    return [float(value) if known else None for value, known in zip(values, is_known, strict=True)]
