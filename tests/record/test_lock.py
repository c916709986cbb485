"""Locks on file systems that have none."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from experiments.record.claim import claim, holding, is_held
from experiments.record.lock import WITHOUT_FLOCK, Lock


@pytest.fixture(params=sorted(set(WITHOUT_FLOCK)), ids=errno.errorcode.get)
def without_flock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.usefixtures("without_flock")
def test_a_lock_holds_all_the_same(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert first.acquire(timeout=0)
    assert first.is_locked
    assert not second.acquire(timeout=0)
    first.release()
    assert second.acquire(timeout=0)
    second.release()


@pytest.mark.usefixtures("without_flock")
def test_runs_are_claimed_and_folders_held_all_the_same(tmp_path: Path) -> None:
    with claim(tmp_path, "0123456789abcdef") as is_ours:
        assert is_ours
        with claim(tmp_path, "0123456789abcdef") as is_again:
            assert not is_again
    with claim(tmp_path, "0123456789abcdef") as is_ours:
        assert is_ours
    with holding(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)


@pytest.mark.usefixtures("without_flock")
def test_the_lock_of_a_dead_owner_is_taken_over(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:  # killed with the lock in its hands
        lock = Lock(tmp_path / "lock")
        lock.acquire(timeout=0)
        os.write(write_end, b"x")
        os._exit(0)
    assert os.read(read_end, 1) == b"x"
    os.waitpid(child, 0)
    for end in (read_end, write_end):
        os.close(end)
    assert list(tmp_path.glob("lock.held"))
    assert Lock(tmp_path / "lock").acquire(timeout=5)


def test_an_error_that_has_nothing_to_do_with_locks_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output"):
        Lock(tmp_path / "lock").acquire(timeout=0)
