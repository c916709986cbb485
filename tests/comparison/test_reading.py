from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from comparison.sweeps import write_run, write_sweep

from experiments.comparison.reading import read_runs
from experiments.errors.messages import UserError
from experiments.training.load import load_run


def test_runs_are_found_below_any_folder_once(tmp_path: Path) -> None:
    sweep = write_sweep(
        tmp_path / "outputs/sweeps/a", "activation", {"relu": lambda s: 0.9}, [0, 1]
    )
    write_run(tmp_path / "outputs/runs/2026-11-27", {"activation": "elu"}, 0, 0.8)
    reading = read_runs([tmp_path / "outputs", sweep])
    assert len(reading.runs) == 3
    assert {run.sweep for run in reading.runs} == {str(sweep), None}
    # A run folder by itself is one too.
    assert len(read_runs([Path(reading.runs[0].folder)]).runs) == 1


def test_a_run_is_read_as_load_run_reads_it(tmp_path: Path) -> None:
    sweep = write_sweep(
        tmp_path / "a", "optim.lr", {0.1: lambda s: 0.9, 1.0: lambda s: 0.8}, [0, 3]
    )
    for run in read_runs([sweep]).runs:
        whole = load_run(run.folder)
        assert run.config == whole.config
        assert run.record == whole.record
        assert run.history() == whole.history


def test_what_cannot_be_read_is_named_and_the_rest_is_there(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", {"relu": lambda s: 0.9}, range(5))
    broken, newer, bare, changed, _ = sorted(p for p in sweep.iterdir() if p.is_dir())
    (broken / "record.json").write_text('{"schema": 1, "iden')
    record = json.loads((newer / "record.json").read_text())
    (newer / "record.json").write_text(json.dumps({**record, "schema": 99}))
    (bare / "config.yaml").unlink()
    (changed / "config.yaml").write_text("seed: [0\n")
    reading = read_runs([sweep])
    assert len(reading.runs) == 1
    reasons = {one.folder: one.reason for one in reading.unread}
    assert "cannot be read as a record" in reasons[str(broken)]
    assert "newer version (schema 99" in reasons[str(newer)]
    assert "config.yaml" in reasons[str(bare)]
    assert "cannot be read as a configuration" in reasons[str(changed)]


def test_runs_of_tuning_are_kept_apart(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", {"relu": lambda s: 0.9}, [0])
    write_run(sweep / "tuning", {"activation": "relu", "optim.lr": 1.0}, 1000, 0.95)
    (sweep / "selection.json").write_text('{"metric": "val/accuracy", "settings": []}')
    reading = read_runs([sweep])
    assert [run.record["seed"] for run in reading.runs] == [0]
    assert [run.record["seed"] for run in reading.tuning] == [1000]
    assert reading.tuning[0].sweep == str(sweep)
    assert reading.selections == {str(sweep): {"metric": "val/accuracy", "settings": []}}


@pytest.mark.parametrize("text", ["{", "[]", '{"settings": 3}'])
def test_a_selection_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", {"relu": lambda s: 0.9}, [0])
    (sweep / "selection.json").write_text(text)
    (sweep / "sweep.yaml").write_text("factor: activation")
    reading = read_runs([sweep])
    assert len(reading.runs) == 1
    assert [Path(one.folder).name for one in reading.unread] == ["sweep.yaml", "selection.json"]


def test_a_declaration_with_words_that_are_none_is_named(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", {"relu": lambda s: 0.9}, [0])
    path = sweep / "sweep.yaml"
    [declared] = yaml.safe_load(path.read_text())
    for values in ({"activation": [["relu"]]}, {"activation": [3]}, {"optim.lr": [{"a": "1"}]}):
        path.write_text(yaml.safe_dump([{**declared, "values": values}]))
        [unread] = read_runs([sweep]).unread
        assert Path(unread.folder).name == "sweep.yaml"


def test_folders_without_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        read_runs([tmp_path / "nothing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no run lies there or below"):
        read_runs([tmp_path / "empty"])
    sweep = write_sweep(tmp_path / "b", "activation", {"relu": lambda s: 0.9}, [0])
    shutil.move(str(next(p for p in sweep.iterdir() if p.is_dir())), str(sweep / ".hidden"))
    with pytest.raises(UserError, match="no run lies there or below"):
        read_runs([sweep])
