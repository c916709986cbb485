"""A run folder whose files were changed by hand is named, and does not count."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from comparison.sweeps import write_run, write_sweep

from experiments.comparison.design import Request
from experiments.comparison.reading import read_runs
from experiments.comparison.verdict import compared
from experiments.errors.messages import UserError


def in_config(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / "config.yaml").read_text()
        assert len(re.findall(old, text)) == 1
        (folder / "config.yaml").write_text(re.sub(old, new, text))

    return change


def in_record(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "record.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


CHANGES = {
    "activation": (in_config("name: relu", "name: elu"), "its values are not those of identity"),
    "a number": (in_config("lr: 0.1", "lr: 0.2"), "its values are not those of identity"),
    "a key more": (in_config("seed: 3", "seed: 3\nwide: 1"), "its values are not those of"),
    "the seed": (in_config("seed: 3", "seed: 7"), "seed=7 against seed=3"),
    "the record's seed": (in_record(seed=7), "seed=3 against seed=7"),
    "its identity": (in_record(identity="ab" * 8), "its values are not those of identity abab"),
    "its data": (in_record(data_checksum="c9"), "its values are not those of identity"),
    "its overrides": (
        in_record(overrides=["activation=relu", "optim.lr=1e-2", "optim.lr=5e-1"]),
        "optim.lr=0.1 against optim.lr=5e-1 in overrides",
    ),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_file_is_named_and_left_out(
    tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    arms = {"relu": lambda s: 0.9, "elu": lambda s: 0.8}
    sweep = write_sweep(tmp_path / "a", "activation", arms, range(4))
    [folder] = sweep.glob("*relu,seed=3*")
    change(folder)
    reading = read_runs([sweep])
    [left_out] = reading.unread
    assert left_out.folder == str(folder)
    assert "config.yaml and record.json contradict each other: " in left_out.reason
    assert said in left_out.reason
    found, _ = compared(reading, Request(), name="x", command="x")
    assert found["unread"][0]["folder"] == str(folder)
    scores = {one["name"]: set(one["scores"]) for one in found["tasks"][0]["settings"]}
    assert scores == {"relu": {"0", "1", "2"}, "elu": {"0", "1", "2", "3"}}
    assert "relu: seeds 3 to 9" in found["missing"]


def test_the_copy_of_the_config_tells_which_key_it_was(tmp_path: Path) -> None:
    folder = write_run(tmp_path, {"activation": "relu"}, 3, 0.9)
    (folder / ".hydra").mkdir()
    (folder / ".hydra/config.yaml").write_text((folder / "config.yaml").read_text())
    in_config("max_epochs: 3", "max_epochs: 30")(folder)
    [left_out] = read_runs([tmp_path]).unread
    assert "trainer.max_epochs=30 against trainer.max_epochs=3" in left_out.reason
    with pytest.raises(UserError, match="contradict each other: trainer.max_epochs=30 against"):
        compared(read_runs([tmp_path]), Request(), name="x", command="x")


def test_a_hash_of_another_version_contradicts_nothing(tmp_path: Path) -> None:
    other = "5ee5" * 4
    written = write_run(tmp_path / "a", {"activation": "relu"}, 3, 0.9, identity=other)
    folder = written.rename(written.with_name(f"activation-relu__seed-3-{other[:8]}"))
    assert len(read_runs([tmp_path / "a"]).unread) == 1  # nothing else says what was trained
    (folder / ".hydra").mkdir()
    (folder / ".hydra/config.yaml").write_text((folder / "config.yaml").read_text())
    assert read_runs([tmp_path / "a"]).unread == []
    in_config("lr: 0.1", "lr: 0.2")(folder)
    assert len(read_runs([tmp_path / "a"]).unread) == 1


@pytest.mark.parametrize(
    "overrides",
    [
        ["optim.lr=1e-1", "seed=3", "+optim.new=2", "~optim.search", "data.batch_size=64.0"],
        ["optim.lr=${data.lr}", "data.batch_size=full", "model.hidden=[64]", "optim=other_file"],
        ["trainer.max_epochs=2"],  # a resumed run has a larger budget
        ["optim.lr=1", "optim.lr=0.1"],
    ],
)
def test_spellings_and_what_a_resumed_run_changes_contradict_nothing(
    tmp_path: Path, overrides: list[str]
) -> None:
    write_run(tmp_path, {"activation": "relu"}, 3, 0.9, overrides=overrides)
    assert read_runs([tmp_path]).unread == []


def test_what_cannot_change_a_result_may_be_edited(tmp_path: Path) -> None:
    folder = write_run(tmp_path, {"activation": "relu"}, 3, 0.9)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["logger"]["project"] = config["paths"]["output"] = "elsewhere"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert read_runs([tmp_path]).unread == []


@pytest.mark.parametrize("checksum", ["c0", None])
def test_a_run_that_says_to_be_another_is_told_and_left_out(
    tmp_path: Path, checksum: str | None
) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", {"relu": lambda s: 0.9}, range(4))
    [own] = sweep.glob("*relu,seed=3*")
    identity = json.loads((own / "record.json").read_text())["identity"]
    # Named by the hash, and with a copy: as the run of another version would be.
    written = write_run(sweep, {"activation": "elu"}, 3, 1.0, identity=identity)
    if checksum is None:
        in_record(data_checksum=None)(written)
    forged = written.rename(sweep / f"elu,seed=3-{identity[:8]}")
    (forged / ".hydra").mkdir()
    (forged / ".hydra/config.yaml").write_text((forged / "config.yaml").read_text())
    reading = read_runs([sweep])
    assert str(forged) not in [run.folder for run in reading.runs]
    assert len(reading.runs) == 4
    [left_out] = reading.unread
    assert left_out.folder == str(forged)
    assert left_out.reason.startswith(f"it says to be run {identity}, which is {own}, and its")


def test_a_copy_of_a_run_says_to_be_no_other(tmp_path: Path) -> None:
    written = write_run(tmp_path / "a", {"activation": "relu"}, 3, 0.9)
    shutil.copytree(written, tmp_path / "b" / written.name)
    assert read_runs([tmp_path]).unread == []


def test_an_identity_is_no_pattern(tmp_path: Path) -> None:
    folder = write_run(tmp_path, {"activation": "relu"}, 3, 0.9)
    in_record(identity=".*.*.*.*")(folder)
    [left_out] = read_runs([tmp_path]).unread
    assert "identity is '.*.*.*.*'" in left_out.reason
