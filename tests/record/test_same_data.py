"""Whether data are those that a run was trained on, and what is said where they are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sweep_folders import record_of

from experiments.record.identity import identity_of
from experiments.record.record import read_record, write_record
from experiments.record.same_data import (
    change_of,
    is_other_data,
    is_same_but_for_data,
    names_same_data,
)

COUNTS = {"num_train": 144, "num_val": 16, "num_test": 40}


@pytest.mark.parametrize(
    ("num_points", "said"),
    [
        (250, "200 points then, 250 now; checksum aaaaaaaa then, bbbbbbbb now"),
        (200, "as many points, of other values or in another order; checksum aaaaaaaa then,"),
    ],
)
def test_what_has_changed_is_said(num_points: int, said: str) -> None:
    record = record_of(data_checksum="a" * 16, **COUNTS)
    assert is_other_data(record, "b" * 16)
    assert change_of(record, num_points, "b" * 16).startswith(said)


def test_a_record_that_does_not_say_is_of_unknown_data(tmp_path: Path) -> None:
    write_record(tmp_path, record_of())
    values = json.loads((tmp_path / "record.json").read_text())
    del values["data_checksum"]
    (tmp_path / "record.json").write_text(json.dumps(values))
    record = read_record(tmp_path)
    assert (record["data_checksum"], record["earlier_data"]) == (None, None)
    assert not is_other_data(record, "b")
    assert not is_same_but_for_data(record, {"seed": 0})


def test_the_same_run_on_other_data_is_known_by_its_identity() -> None:
    config = {"seed": 0, "data": {"name": "mine", "path": "a.csv"}}
    record = record_of(identity=identity_of(config, "then"), data_checksum="then")
    assert is_same_but_for_data(record, {**config, "data": {"name": "mine", "path": "b.csv"}})
    assert not is_same_but_for_data(record, {**config, "seed": 1})


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"batch_size": 3, "root": "elsewhere"}, True),
        ({"path": str(Path("a.csv").absolute())}, True),
        ({"path": "b.csv"}, False),
        ({"name": "other"}, False),
        ({"noise": 0.2}, False),
        ({"of_a_later_version": 1}, True),
    ],
)
def test_names_of_the_same_data(changes: dict, same: bool) -> None:
    data = {"name": "d", "path": "a.csv", "root": "r", "batch_size": 1, "noise": 0.1}
    if "path" in changes and "absolute" not in changes["path"] and same:
        changes = {"path": str(Path("a.csv").absolute())}  # of the folder that the test stands in
    assert names_same_data(data, {**data, **changes}, {"batch_size"}) is same
