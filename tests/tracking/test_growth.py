"""history.csv is read on while it grows, and anew where it was written anew."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from experiments.record.history import HistoryFile
from experiments.tracking.growth import GrowingHistory


@pytest.fixture
def written() -> HistoryFile:
    return HistoryFile(Path())


@pytest.fixture
def history(written: HistoryFile) -> GrowingHistory:
    """Return a reader that has read two rows."""
    written.append({"epoch": 1, "step": 10, "train/loss": 0.1})
    written.append({"epoch": 2, "step": 20, "train/loss": math.nan})
    history = GrowingHistory(Path())
    start, [first, second] = history.new_rows()
    assert start == 0
    assert first == {"epoch": 1, "step": 10, "train/loss": 0.1}
    assert math.isnan(second["train/loss"])
    return history


def test_before_there_is_a_file() -> None:
    history = GrowingHistory(Path())
    assert not history.has_changed()
    assert history.new_rows() == (0, [])


def test_appended_rows_are_new(written: HistoryFile, history: GrowingHistory) -> None:
    assert not history.has_changed()
    assert history.new_rows() == (2, [])
    written.append({"epoch": 3, "step": 30})
    assert history.has_changed()
    assert history.new_rows() == (2, [{"epoch": 3, "step": 30}])  # an empty cell is left out


def test_half_a_row_is_left_for_later(written: HistoryFile, history: GrowingHistory) -> None:
    with written.path.open("a") as file:
        file.write("3,30")
        file.flush()
        assert history.new_rows() == (2, [])
        file.write("0,0.5\n")
    assert history.new_rows() == (2, [{"epoch": 3, "step": 300, "train/loss": 0.5}])


def test_a_new_column_makes_no_row_new(written: HistoryFile, history: GrowingHistory) -> None:
    row = {"epoch": 3, "step": 30, "val/loss": 0.5}
    written.append(row)
    assert history.new_rows() == (2, [row])
    written.append({"epoch": 4, "step": 40, "val/r2": 1.0})
    written.append({"epoch": 5, "step": 50})
    assert history.new_rows() == (
        3,
        [{"epoch": 4, "step": 40, "val/r2": 1.0}, {"epoch": 5, "step": 50}],
    )


def test_rows_that_were_taken_back(written: HistoryFile, history: GrowingHistory) -> None:
    written.keep(1)
    assert history.new_rows() == (0, [{"epoch": 1, "step": 10, "train/loss": 0.1}])
    written.append({"epoch": 2, "step": 20, "train/loss": 0.2})
    assert history.new_rows() == (1, [{"epoch": 2, "step": 20, "train/loss": 0.2}])


@pytest.mark.parametrize("loss", [0.3, 0.25])
def test_other_rows_between_two_looks(
    written: HistoryFile, history: GrowingHistory, loss: float
) -> None:
    written.append({"epoch": 3, "step": 30, "train/loss": 0.5})
    history.new_rows()
    written.keep(2)
    written.append({"epoch": 3, "step": 30, "train/loss": loss})  # as long, and longer
    written.append({"epoch": 4, "step": 40, "train/loss": 0.25})
    start, rows = history.new_rows()
    assert (start, [row["epoch"] for row in rows]) == (0, [1, 2, 3, 4])


def test_the_same_rows_once_more_are_not_new(written: HistoryFile, history: GrowingHistory) -> None:
    written.keep(1)
    written.append({"epoch": 2, "step": 20, "train/loss": math.nan})
    written.append({"epoch": 3, "step": 30})
    assert history.new_rows() == (2, [{"epoch": 3, "step": 30}])


def test_a_file_that_is_no_history(history: GrowingHistory) -> None:
    history.path.write_text("epoch,step\nx,y\n")
    with pytest.raises(ValueError, match="x"):
        history.new_rows()
