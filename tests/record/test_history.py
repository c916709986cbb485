"""history.csv gives back the numbers that were appended, whenever its writer was killed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from experiments.record.history import HistoryFile, read_history, rows_in


def test_history_reads_back_the_same_numbers() -> None:
    file = HistoryFile(Path())
    rows = [
        {"epoch": 1, "step": 10, "train/loss": 0.1 + 0.2},
        {"epoch": 2, "step": 20, "train/loss": math.inf, "val/loss": 1e-30},
        {"epoch": 3, "step": 30, "val/loss": math.nan},
    ]
    for row in rows:
        file.append(row)
    read = read_history(Path())
    assert read[0] == {**rows[0], "val/loss": None}
    assert read[1] == rows[1]
    assert read[2]["train/loss"] is None
    assert math.isnan(read[2]["val/loss"] or 0)
    assert Path("history.csv").read_text().splitlines()[1] == "1,10,0.30000000000000004,"


def test_a_half_written_last_row_is_left_out() -> None:
    file = HistoryFile(Path())
    file.append({"epoch": 1, "step": 10})
    with Path("history.csv").open("a") as torn:
        torn.write("2,2")
    assert read_history(Path()) == [{"epoch": 1, "step": 10}]
    HistoryFile(Path()).append({"epoch": 2, "step": 20})
    assert Path("history.csv").read_bytes() == b"epoch,step\n1,10\n2,20\n"


def test_a_truncated_history_goes_on_as_if_nothing_had_followed() -> None:
    file = HistoryFile(Path())
    for epoch in (1, 2, 3):
        file.append({"epoch": epoch, "step": 10 * epoch})
    again = HistoryFile(Path())
    again.keep(2)
    again.append({"epoch": 3, "step": 30})
    assert Path("history.csv").read_bytes() == b"epoch,step\n1,10\n2,20\n3,30\n"


def test_what_is_kept_of_a_history_is_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = HistoryFile(Path())
    for row in ({"epoch": 1, "step": 10}, {"epoch": 2, "step": 20, "lr": 0.1}, {"step": 30}):
        file.append(row)
        assert file.text == Path("history.csv").read_text()
    assert rows_in(file.text.splitlines(keepends=True)) == read_history(Path())
    assert HistoryFile(Path()).text == file.text
    file.keep(1)
    assert file.text == Path("history.csv").read_text() == "epoch,step\n1,10\n"
    monkeypatch.setattr("experiments.record.history.MOST_KEPT", 9)
    for step in (20, 30, 40):
        file.append({"epoch": 2, "step": step})
    assert file.text == ""
    assert len(read_history(Path())) == 4
