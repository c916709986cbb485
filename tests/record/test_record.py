"""record.json survives, and what is none is told."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from sweep_folders import record_of

from experiments.errors.messages import UserError
from experiments.record.record import SCHEMA, Record, now, read_record, write_record


def record(**values: object) -> Record:
    return {**record_of(), "schema": SCHEMA, "metrics": {}, **values}


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


WRONG = [
    {"identity": "../../etc"},
    {"identity": ".*"},
    {"setting": 3},
    {"wandb_id": "../x"},
    {"seed": -1},
    {"seed": True},
    {"epochs": -3},
    {"steps": "10"},
    {"steps": 1e3},
    {"status": "won"},
    {"metrics": {"test/accuracy": "0.9"}},
    {"metrics": [0.9]},
    {"overrides": "seed=1"},
    {"overrides": [1]},
    {"environment": []},
    {"code": {"a": 1}},
    {"population": {"members": 1.5}},
    {"duration_seconds": -1.0},
    {"error": ["a"]},
]


@pytest.mark.parametrize("values", WRONG, ids=str)
def test_a_value_of_a_wrong_kind_is_named(values: dict) -> None:
    Path("record.json").write_text(json.dumps(record(**values)))
    [name] = values
    with pytest.raises(UserError, match=rf"cannot be read as a record \({name} is "):
        read_record(Path())


NO_WORDS = {
    "nan": "NaN",
    "infinity": "-Infinity",
    "1e400": "1e400",
    "30 digits": "9" * 30,
    "deep": "[" * 10**5,
    "nested": "[" * 200 + "]" * 200,
}


@pytest.mark.parametrize("word", NO_WORDS.values(), ids=NO_WORDS.keys())
def test_what_is_no_number_or_text_is_no_record(word: str) -> None:
    text = json.dumps(record()).replace('"error": null', f'"error": {word}')
    assert word in text
    Path("record.json").write_text(text)
    with pytest.raises(UserError, match="cannot be read as a record"):
        read_record(Path())


def test_what_a_terminal_would_obey_is_written_out() -> None:
    said = record(error="a\x1b[2J\u202eb\ud800", overrides=["\x07"])
    Path("record.json").write_text(json.dumps(said))
    assert read_record(Path())["error"] == "a\\x1b[2J\\u202eb\\ud800"
    assert read_record(Path())["overrides"] == ["\\x07"]


def test_a_link_out_of_the_folder_and_a_pipe_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "other.json").write_text(json.dumps(record()))
    (tmp_path / "run/record.json").symlink_to(tmp_path / "other.json")
    with pytest.raises(UserError, match="a link that leads out of its folder"):
        read_record(tmp_path / "run")
    (tmp_path / "run/record.json").unlink()
    os.mkfifo(tmp_path / "run/record.json")
    with pytest.raises(UserError, match="is not a run folder"):
        read_record(tmp_path / "run")


def test_a_folder_without_a_record_is_no_run() -> None:
    with pytest.raises(UserError, match="is not a run folder: it has no record.json"):
        read_record(Path())


def test_times_are_utc() -> None:
    assert now().endswith("+00:00")
