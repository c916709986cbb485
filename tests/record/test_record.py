"""record.json survives, and what is none is told."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from experiments.errors.messages import UserError
from experiments.record.record import SCHEMA, Record, now, read_record, write_record


def record(**values: object) -> Record:
    empty = dict.fromkeys(Record.__annotations__)
    return {**empty, "schema": SCHEMA, "metrics": {}, "status": "completed", **values}  # type: ignore[return-value]


def test_a_record_survives_and_has_no_nan() -> None:
    write_record(Path(), record(metrics={"val/loss": math.nan, "val/accuracy": 0.5}))
    assert read_record(Path())["metrics"] == {"val/loss": None, "val/accuracy": 0.5}
    assert "NaN" not in Path("record.json").read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read as a record"),
        ("[1]", "cannot be read as a record"),
        ('{"schema": 1', "cannot be read as a record"),
        ('{"schema": 1}', "missing: best_epoch, duration_seconds"),
        (json.dumps({"schema": SCHEMA + 1}), f"written by a newer version (schema {SCHEMA + 1};"),
    ],
)
def test_files_that_are_no_record_are_told(text: str, said: str) -> None:
    Path("record.json").write_text(text)
    with pytest.raises(UserError) as caught:
        read_record(Path())
    assert said in str(caught.value)


def test_a_folder_without_a_record_is_no_run() -> None:
    with pytest.raises(UserError, match="is not a run folder: it has no record.json"):
        read_record(Path())


def test_times_are_utc() -> None:
    assert now().endswith("+00:00")
