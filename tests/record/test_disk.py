"""Disks that refuse a write, at every write that a command makes."""

from __future__ import annotations

import copy
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults import disk_of
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from running import QUIET, run_folders

from experiments.errors.messages import RunFailed
from experiments.record.disk import DiskRefused
from experiments.record.folder import sync, write_atomic
from experiments.sweep.jobs.job import result_of

ROOT = Path("outputs")
TINY = ["data=xor", "data.num_samples=120", "model=mlp", "model.hidden=[4]", *QUIET]
CODES = [errno.EDQUOT, errno.EROFS, errno.ENOSPC, errno.EIO, errno.EACCES]


@pytest.fixture
def _composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Hydra compose the same words once for all commands of a test, which takes 0.2 s each."""
    load = ConfigLoaderImpl.load_configuration
    composed: dict[str, Any] = {}

    def load_configuration(*arguments: Any, **values: Any) -> Any:
        words = repr((arguments[1:], values))
        if words not in composed:
            composed[words] = load(*arguments, **values)
        return copy.deepcopy(composed[words])

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", load_configuration)


@pytest.mark.usefixtures("_composed_once")
@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
def test_every_write_of_a_run_may_be_refused(command: Callable, code: int) -> None:
    typed = [*TINY, "trainer.max_epochs=1", "test=false"]
    with disk_of(ROOT) as disk:
        assert command(*typed).code == 0
    # Each code at some of the writes, all of them together at each.
    for number in range(CODES.index(code), len(disk.calls), len(CODES)):
        shutil.rmtree(ROOT, ignore_errors=True)
        with disk_of(ROOT, code, number):
            answer = command(*typed)
        assert answer.code in (1, 2), disk.calls[number]
        assert len(answer.err.splitlines()) == 1, answer.err
        assert os.strerror(code) in answer.err
        assert "Traceback" not in answer.out + answer.err
        for folder in run_folders():
            assert json.loads((folder / "record.json").read_text())["status"] != "completed"


@pytest.mark.usefixtures("_composed_once")
def test_what_a_sweep_says_of_a_full_disk(command: Callable) -> None:
    typed = ["-m", *TINY, "hydra/launcher=basic", "trainer.max_epochs=1", "activation=relu,tanh"]
    with disk_of(ROOT) as disk:
        assert command(*typed).code == 0
    for number in range(0, len(disk.calls), 40):
        shutil.rmtree(ROOT, ignore_errors=True)
        with disk_of(ROOT, errno.EDQUOT, number):
            answer = command(*typed)
        assert answer.code in (1, 2)
        assert "Disk quota exceeded" in answer.err
        assert "Traceback" not in answer.out + answer.err


def test_a_report_on_a_full_disk(command: Callable, compare: Callable) -> None:
    command("-m", *TINY, "hydra/launcher=basic", "trainer.max_epochs=1", "activation=relu,tanh")
    [sweep] = (ROOT / "sweeps").iterdir()
    with disk_of(ROOT / "reports", errno.EDQUOT):
        answer = compare(f"runs={sweep}")
    assert answer.code in (1, 2)
    assert len(answer.err.splitlines()) == 1
    assert "Disk quota exceeded" in answer.err


def test_a_file_system_that_cannot_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for code in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
        monkeypatch.setattr(os, "fsync", failing(code))
        write_atomic(tmp_path / "file", str(code))
        assert (tmp_path / "file").read_text() == str(code)
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        sync(0)
    with pytest.raises(OSError, match="Input/output"):
        write_atomic(tmp_path / "file", "lost")
    assert (tmp_path / "file").read_text() == str(errno.ENOSYS)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_run_on_a_file_system_without_rights(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As of FAT, or of a mounted share: no file's rights can be changed.
    for name in ("chmod", "fchmod", "chown", "fchown"):
        monkeypatch.setattr(os, name, failing(errno.EPERM))
    answer = command(*TINY, "trainer.max_epochs=1")
    assert answer.code == 0, answer.err


def failing(code: int) -> Callable[..., None]:
    def fail(*arguments: object, **values: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.usefixtures("_composed_once")
def test_a_sweep_that_a_disk_has_broken_off_goes_on_by_the_same_command(command: Callable) -> None:
    typed = ["-m", *TINY, "hydra/launcher=basic", "trainer.max_epochs=1", "activation=relu,tanh"]
    with disk_of(ROOT) as disk:
        assert command(*typed).code == 0
    [sweep] = (ROOT / "sweeps").iterdir()
    number = next(i for i, call in enumerate(disk.calls) if "history.csv" in call)
    shutil.rmtree(ROOT)
    with disk_of(ROOT, errno.EDQUOT, number):
        assert command(*typed).code == 1
    records = [json.loads(path.read_text()) for path in sweep.glob("*/record.json")]
    assert "failed" not in [record["status"] for record in records]
    answer = command(*typed)
    assert answer.code == 0, answer.err
    assert len(run_folders()) == 2


def test_what_a_disk_has_refused_is_no_failure_of_a_job() -> None:
    result = result_of(DiskRefused("full"))
    assert (result.outcome, result.message, result.came_to_nothing) == ("interrupted", "full", True)
    assert result_of(RunFailed("of its own")).outcome == "failed"
