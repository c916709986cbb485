"""Bands of learning curves against scipy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.mean_curves import bands


def rows(values: list[float | None], key: str = "val/accuracy") -> list[dict[str, float | None]]:
    return [{"epoch": epoch, "step": epoch, key: v} for epoch, v in enumerate(values, start=1)]


def test_a_band_is_scipys_t_interval_at_each_epoch() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.01, (7, 4))
    epochs, found = bands([rows(list(map(float, one))) for one in values], ["val/accuracy"])
    band = found["val/accuracy"]
    low, high = stats.t.interval(0.95, 6, values.mean(0), stats.sem(values, axis=0))
    assert epochs == [1, 2, 3, 4]
    assert band.mean == pytest.approx(values.mean(0))
    assert band.low == pytest.approx(low)
    assert band.high == pytest.approx(high)


def test_a_failed_runs_missing_epochs_are_left_out() -> None:
    _, found = bands(
        [rows(v, "val/loss") for v in ([1.0, 2.0, 3.0], [3.0, 4.0], [5.0, math.nan])], ["val/loss"]
    )
    band = found["val/loss"]
    assert band.mean == [3.0, 3.0, 3.0]
    assert band.low[2] is None
    assert band.high[2] is None
    assert band.low[1] == pytest.approx(3 - 12.706204736 * 1.0)


@pytest.mark.parametrize("scores", [[1.0, 0.99, 1.0], [0.0, 0.02], [0.5, 1.0]])
def test_a_band_of_accuracies_stays_within_0_and_1(scores: list[float]) -> None:
    _, found = bands([rows([score]) for score in scores], ["val/accuracy"])
    band = found["val/accuracy"]
    low, high = stats.t.interval(0.95, len(scores) - 1, np.mean(scores), stats.sem(scores))
    assert low < 0 or high > 1
    assert (band.low, band.high) == (pytest.approx([max(0, low)]), pytest.approx([min(1, high)]))


def test_one_seed_has_a_mean_and_no_interval() -> None:
    _, found = bands([rows([0.5])], ["val/accuracy", "val/loss"])
    assert list(found) == ["val/accuracy"]
    assert (found["val/accuracy"].mean, found["val/accuracy"].low) == ([0.5], [None])


def test_of_several_rows_of_an_epoch_the_last_with_the_key_counts() -> None:
    history = [{"epoch": 1, "loss": 3.0}, {"epoch": 1, "loss": 2.0}, {"epoch": 1, "loss": None}]
    epochs, found = bands([history], ["loss"])
    assert (epochs, found["loss"].mean) == ([1], [2.0])


def test_epochs_without_the_key_have_no_value() -> None:
    history = [{"epoch": 1, "a": 1.0, "b": None}, {"epoch": 2, "a": 2.0, "b": 5.0}]
    _, found = bands([history], ["a", "b"])
    assert found["b"].mean == [None, 5.0]


def test_no_histories_are_no_bands() -> None:
    assert bands([], ["a"]) == ([], {})
