"""Runs whose files are no longer as they were written."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from killing import killed_run
from running import QUIET, plain, run_folders
from same_runs import assert_same_runs

from experiments.config.launch import Launch
from experiments.record.disk import DiskRefused
from experiments.record.history import HistoryFile
from experiments.record.record import read_record
from experiments.training.console import LogFile
from experiments.training.load import Run, load_run
from experiments.training.resume import tell_lost
from experiments.training.run import train
from experiments.training.whole_checkpoint import GONE_ON_BY, is_to_go_on_from, is_whole

SMALL = ["data=moons", "data.num_samples=100", "model=mlp", "model.hidden=[4]"]
SMALL += ["data.batch_size=16", "trainer.max_epochs=4"]
LAST, BEST, AMID = (f"checkpoints/{name}.ckpt" for name in ("last", "best", "amid"))


@pytest.fixture
def reference(train_run: Callable) -> Run:
    run: Run = train_run(*SMALL)
    return run


def go_on(folder: Path, *more: str) -> Run:
    overrides = [f"resume={folder}", *more]
    known = train(plain(*QUIET, *overrides), Launch(overrides))
    assert known is not None
    return load_run(known.folder)


def overwrite(path: Path, place: float) -> None:
    """Zero 16 bytes of a file, as a machine leaves them that went down."""
    with path.open("r+b") as file:
        file.seek(int(place * (path.stat().st_size - 16)))
        file.write(b"\0" * 16)


def test_a_byte_amid_the_weights_is_missed_by_torch_and_not_by_us(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({**dict.fromkeys(GONE_ON_BY), "state_dict": torch.rand(10_000)}, path)
    assert is_to_go_on_from(path)
    overwrite(path, 0.5)
    torch.load(path, weights_only=True)
    assert not is_whole(path)
    torch.save({"version": 99}, path)
    assert is_whole(path)
    assert not is_to_go_on_from(path)


@pytest.mark.parametrize("names", [[LAST], [BEST], [LAST, BEST]])
def test_a_run_goes_on_to_the_same_bits_from_what_is_whole(
    reference: Run, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = killed_run(monkeypatch, SMALL, 14)
    for name in names:
        overwrite(killed / name, 0.5)
    assert_same_runs(reference, go_on(killed))
    log = (killed / "train.log").read_text()
    assert all(Path(name).name in log for name in names)


@pytest.mark.parametrize("content", [b"", b"epoch,step\n1,5\n", b"time\n3\n", b"\xff\0"])
def test_a_history_is_taken_from_the_checkpoint(
    reference: Run,
    content: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    killed = killed_run(monkeypatch, SMALL, 14)
    (killed / "history.csv").write_bytes(content)
    again = go_on(killed)
    assert_same_runs(reference, again)
    (killed / "history.csv").write_bytes(content)
    assert load_run(killed).history == reference.history
    assert "the rows that a checkpoint has kept are taken" in caplog.text


def test_a_long_history_is_not_kept_and_the_run_begins_anew(
    reference: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("experiments.record.history.MOST_KEPT", 0)
    killed = killed_run(monkeypatch, SMALL, 14)
    (killed / "history.csv").unlink()
    again = go_on(killed)
    assert (again.history, again.metrics) == (reference.history, reference.metrics)
    assert "goes on from the beginning" in caplog.text
    HistoryFile(killed).keep(2)
    assert len(load_run(killed).history) == 2
    assert "it ends before the run did" in caplog.text


def test_a_larger_budget_without_the_place_where_it_ended(train_run: Callable) -> None:
    reference = train_run(*SMALL, "trainer.max_steps=18")
    ended = train_run(*SMALL, "trainer.max_steps=13")
    overwrite(ended.folder / AMID, 0.5)
    again = go_on(ended.folder, "trainer.max_steps=18")
    assert_same_runs(reference, again)
    assert "amid.ckpt cannot be read" in (again.folder / "train.log").read_text()


def test_a_config_of_other_values_is_read_from_its_copy(
    reference: Run, caplog: pytest.LogCaptureFixture
) -> None:
    path = reference.folder / "config.yaml"
    text = path.read_text()
    (reference.folder / ".hydra").mkdir(exist_ok=True)
    (reference.folder / ".hydra" / "config.yaml").write_text(text)
    for changed in (text.replace("lr: 0.001", "lr: 0.007"), text[: text.rindex("\n", 0, -9) + 1]):
        assert changed != text
        path.write_text(changed)
        assert load_run(reference.folder).config == reference.config
    assert caplog.text.count("config.yaml is taken, which holds the same") == 2


def test_a_lost_record_is_told(reference: Run, capsys: pytest.CaptureFixture[str]) -> None:
    identity = reference.record["identity"]
    (reference.folder / "record.json").write_text(json.dumps({**reference.record, "schema": 99}))
    tell_lost(reference.folder.parents[1], identity)
    told = capsys.readouterr().out
    assert "newer version (schema 99" in told
    assert "trained anew" in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_that_cannot_be_written_is_no_failure_of_a_run(tmp_path: Path) -> None:
    os.symlink("/dev/full", tmp_path / "train.log")
    log = LogFile(tmp_path / "train.log")
    log.emit(logging.LogRecord("experiments", logging.INFO, "", 0, "word", (), None))
    log.close()


def test_a_row_that_was_half_written_hides_no_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    append = HistoryFile.append

    def half(file: HistoryFile, row: dict[str, float]) -> None:
        append(file, row)
        if row["epoch"] == 3:
            with file.path.open("a") as torn:
                torn.write("4,24,0.1,0.2,4,24,0.1,0.2,0.3,0.4,0.5,0.6\n")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    words = [*QUIET, *SMALL]
    with monkeypatch.context() as patch:
        patch.setattr(HistoryFile, "append", half)
        with pytest.raises(DiskRefused, match=r"is full .No space left on device."):
            train(plain(*words), Launch(words))
    [folder] = run_folders()
    record = read_record(folder)
    assert (record["status"], record["epochs"]) == ("interrupted", 3)
    known = train(plain(*words, "resume=auto"), Launch([*words, "resume=auto"]))
    assert known is not None
    assert known.folder == folder
    assert len(load_run(folder).history) == 4
