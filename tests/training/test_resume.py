"""What a run may go on with: the data, the words of its command, and the files that are whole."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from running import plain, run_folders

from experiments import load_run
from experiments.config.launch import Launch
from experiments.errors.messages import UserError
from experiments.record.folder import read_config, write_config
from experiments.training.resume import difference, records_at
from experiments.training.run import train
from experiments.training.whole_checkpoint import (
    GONE_ON_BY,
    is_whole,
    latest_whole,
    load_checkpoint,
    tell_broken,
)

Command = Callable[..., object]
SMALL = (
    "data=csv", "data.path=d.csv", "data.root=cache", "model=linear", "logger=none",
    "progress=none", "data.batch_size=16",
)  # fmt: skip


def write_table(number: int, path: str = "d.csv", seed: int = 0) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(number, 2))
    y = np.random.default_rng(seed).permutation(number) % 2 if seed else (x.sum(1) > 0).astype(int)
    rows = [f"{a:.6f},{b:.6f},{'yes' if c else 'no'}" for (a, b), c in zip(x, y, strict=True)]
    Path(path).write_text("\n".join(["a,b,y", *rows]) + "\n")


def unfinished(folder: Path) -> None:
    """Make of a run one that was killed."""
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**record, "status": "running"}))


def test_data_that_have_changed_are_refused_unless_asked_for(command: Command) -> None:
    write_table(100)
    assert command(*SMALL, "trainer.max_epochs=2").code == 0
    [folder] = run_folders()
    before = load_run(folder).record
    write_table(130)
    longer = (f"resume={folder}", "trainer.max_epochs=3", "logger=none", "progress=none")
    said = command(*longer)
    assert said.code == 2
    assert "the data have changed since: 100 points then, 130 now; checksum" in said.err
    assert said.err.count("\n") == 1
    assert run_folders() == [folder]
    assert load_run(folder).record == before
    assert command(*longer, "resume.changed_data=allow").code == 0
    [new] = set(run_folders()) - {folder}
    after = load_run(new)
    assert after.record["earlier_data"] == [before["data_checksum"]]
    assert after.record["data_checksum"] != before["data_checksum"]
    assert (after.record["num_test"], len(after.history)) == (26, 3)
    # What was best on the old validation points is no candidate.
    assert after.record["best_epoch"] == 3
    assert after.config["changed_data"] == "allow"


def test_a_named_folder_is_looked_into_by_auto(command: Command) -> None:
    write_table(100)
    typed = (*SMALL, "trainer.max_epochs=1", "hydra.run.dir=my run", "resume=auto")
    assert command(*typed).code == 0
    unfinished(Path("my run"))
    assert command(*typed).code == 0
    assert run_folders(Path()) == [Path("my run")]
    unfinished(Path("my run"))
    write_table(100, seed=1)
    said = command(*typed)
    assert (said.code, run_folders(Path())) == (2, [Path("my run")])
    assert "as many points, of other values or in another order" in said.err


def test_records_of_a_named_folder(tmp_path: Path) -> None:
    for name in ("x", "x-2", "x-10", "x-y", "xx-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").touch()
    found = {path.parent.name for path in records_at(tmp_path / "x")}
    assert found == {"x", "x-2", "x-10"}
    assert records_at(None) == []


@pytest.mark.parametrize(
    ("typed", "key", "own"),
    [
        (["model=mlp"], "model", None),
        (["optim.lr=1e-3"], "optim.lr", None),
        (["optim=adam", "optim.lr=0.001"], "optim", None),
        (["~optim.search"], "optim.search", None),
        (["experiment=nonlinearity"], "experiment", "model.name=mlp"),
        (["optim=sgd"], "optim", "optim.name=adam"),
        (["optim.lr=0.1"], "optim.lr", "optim.lr=0.001"),
        (["+optim.foreach=true"], "optim.foreach", "no optim.foreach"),
        (["trainer.val_check_interval=1"], "trainer.val_check_interval", "1 of the whole"),
        (["trainer=auto", "trainer.max_epochs=7"], "trainer", None),
        (["seed=1"], "seed", "seed=0"),
    ],
)
def test_what_was_typed_is_held_against_what_the_run_has(
    typed: list[str], key: str, own: str | None
) -> None:
    saved = plain("model=mlp")
    if own == "model.name=mlp":
        saved = plain("model=mlp", "data=digits")
    found = difference(saved, plain("model=mlp", *typed), key)
    if typed == ["experiment=nonlinearity"]:
        assert found is not None
    else:
        assert (found is None) == (own is None)
        assert own is None or own in str(found)


def test_the_same_command_and_its_folder(command: Command) -> None:
    write_table(100)
    typed = (*SMALL, "trainer.max_epochs=1", "optim=sgd", "optim.lr=0.1", "activation=tanh")
    assert command(*typed).code == 0
    [folder] = run_folders()
    unfinished(folder)
    assert command(*typed, f"resume={folder}").code == 0
    assert run_folders() == [folder]
    said = command(*typed, f"resume={folder}", "optim.lr=0.2")
    assert "optim.lr=0.2 cannot be changed on the way, where it has optim.lr=0.1" in said.err


BROKEN = {"empty": b"", "zeroed": b"\0" * 5000, "cut off": None}


def break_file(path: Path, how: str) -> None:
    content = BROKEN[how]
    path.write_bytes(path.read_bytes()[:-40] if content is None else content)


@pytest.mark.parametrize("how", BROKEN)
def test_the_latest_checkpoint_that_is_whole(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    assert latest_whole(tmp_path) is None
    last, best = folder / "last.ckpt", folder / "best.ckpt"
    for path in (last, best):
        torch.save({**dict.fromkeys(GONE_ON_BY), "weights": torch.zeros(100)}, path)
    assert latest_whole(tmp_path) == last
    break_file(last, how)
    assert latest_whole(tmp_path) == best
    tell_broken(tmp_path, best)
    assert f"{last} cannot be read" in caplog.text
    last.unlink()
    assert latest_whole(tmp_path) == best
    break_file(best, how)
    last.touch()
    assert not is_whole(best)
    assert latest_whole(tmp_path) is None
    tell_broken(tmp_path, None)
    assert "goes on from the beginning" in caplog.text
    with pytest.raises(UserError) as refused:
        load_checkpoint(best, "Do this.")
    assert str(refused.value).startswith(f"{best} cannot be read as a checkpoint (")
    assert str(refused.value).endswith("Do this.")


@pytest.mark.parametrize("broken", [["last.ckpt"], ["best.ckpt"], ["last.ckpt", "best.ckpt"]])
def test_a_run_goes_on_from_what_is_whole(command: Command, broken: list[str]) -> None:
    write_table(100)
    typed = (*SMALL, "trainer.max_epochs=2", "optim.lr=0.01")
    assert command(*typed).code == 0
    [folder] = run_folders()
    whole = load_run(folder)
    unfinished(folder)
    for name in broken:
        (folder / "checkpoints" / name).write_bytes(b"")
    assert command(*typed, f"resume={folder}").code == 0
    told = (folder / "train.log").read_text()
    assert all(name in told for name in broken)
    assert "cannot be read" in told
    # All of it was trained again, or from the best on, to the same bits.
    again = load_run(folder)
    assert (again.history, again.record["metrics"]) == (whole.history, whole.record["metrics"])
    assert load_run(folder).module("best") is not None


def test_a_checkpoint_to_load_that_is_broken_is_named(command: Command) -> None:
    write_table(100)
    assert command(*SMALL, "trainer.max_epochs=1").code == 0
    [folder] = run_folders()
    (folder / "checkpoints/best.ckpt").write_bytes(b"")
    with pytest.raises(UserError, match=r'best\.ckpt cannot be .*empty.* Whole is: module\("last'):
        load_run(folder).module()


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"- a"])
def test_a_config_that_is_broken_is_read_from_its_copy(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".hydra").mkdir()
    for folder in (tmp_path, tmp_path / ".hydra"):
        write_config(folder, {"seed": 3})
    (tmp_path / "config.yaml").write_bytes(content)
    assert read_config(tmp_path) == {"seed": 3}
    assert f"{tmp_path / 'config.yaml'} cannot be read as a configuration" in caplog.text
    (tmp_path / ".hydra/config.yaml").write_bytes(content)
    with pytest.raises(UserError, match="nor is there a whole"):
        read_config(tmp_path)


class Killed(BaseException):
    """The end of a process, before its run has a record."""


def test_a_named_folder_without_a_record_is_that_of_the_run_that_was_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*_: object) -> None:
        raise Killed

    write_table(100)
    here = Launch([], run_dir=Path("here"))
    config = plain(*SMALL, "trainer.max_epochs=1")
    with monkeypatch.context() as patch:
        patch.setattr("experiments.training.run.Recorder", die)
        with pytest.raises(Killed):
            train(copy.deepcopy(config), here)
    assert (Path("here") / "config.yaml").is_file()
    (Path("here") / ".record.json-0123.part").touch()
    # That of another run is left as it is.
    other = train({**copy.deepcopy(config), "seed": 1}, here)
    run = train(copy.deepcopy(config), here)
    assert [known.folder for known in (other, run) if known] == [Path("here-2"), Path("here")]
    assert not list(Path("here").glob(".*.part"))
    # As is one that has something else in it.
    Path("there").mkdir()
    (Path("there") / "notes.txt").touch()
    elsewhere = train(copy.deepcopy(config), Launch([], run_dir=Path("there")))
    assert elsewhere is not None
    assert elsewhere.folder == Path("there-2")
