"""The end of a run at W&B: it is waited for so long and no longer."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.tracking import finishing
from experiments.tracking.finishing import finish_in_time, sync_command, trouble_of


class Run:
    """A run of W&B that ends as it is told to."""

    def __init__(self, seconds: float, error: BaseException | None = None) -> None:
        self.settings = SimpleNamespace(
            finish_timeout=seconds, mode="online", base_url="http://127.0.0.1:9"
        )
        self.error, self.release = error, threading.Event()
        self.exit_code: int | None = None

    def finish(self, exit_code: int) -> None:
        self.exit_code = exit_code
        if self.error is not None:
            raise self.error
        self.release.wait(60)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether W&B's service was ended, which there is none of."""
    ended: list[bool] = []
    monkeypatch.setattr(finishing, "end_service", lambda: ended.append(True))
    monkeypatch.setattr(finishing, "GRACE_SECONDS", 0.01)
    return ended


def test_one_that_hangs_is_left_and_its_service_ended(ended: list[bool]) -> None:
    run = Run(0.05)
    with pytest.raises(TimeoutError):
        finish_in_time(run, 1)
    assert (run.exit_code, ended) == (1, [True])
    run.release.set()


def test_what_is_told_last_is_waited_for_together_with_the_end(ended: list[bool]) -> None:
    run, told = Run(0.05), threading.Event()
    with pytest.raises(TimeoutError):
        finish_in_time(run, 0, told.wait)
    assert ended == [True]
    told.set()
    run.release.set()


def test_what_cannot_be_told_ends_the_run_as_failed(ended: list[bool]) -> None:
    def tell() -> None:
        raise OSError("no space")

    run = Run(30)
    run.release.set()
    with pytest.raises(OSError, match="no space"):
        finish_in_time(run, 0, tell)
    assert (run.exit_code, ended) == (1, [])


@pytest.mark.parametrize("error", [TimeoutError("by itself"), OSError("no connection")])
def test_what_it_says_by_itself_is_handed_on(error: Exception, ended: list[bool]) -> None:
    with pytest.raises(type(error), match=str(error)):
        finish_in_time(Run(30, error), 0)
    assert ended == []


def test_one_that_ends_is_waited_for(ended: list[bool]) -> None:
    run = Run(30)
    run.release.set()
    finish_in_time(run, 0)
    assert (run.exit_code, ended) == (0, [])


def test_a_ctrl_c_while_it_is_waited_for(
    ended: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    join = threading.Thread.join
    waits: list[Any] = []

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        waits.append(timeout)
        if len(waits) == 1:
            raise KeyboardInterrupt
        join(thread, timeout)

    run = Run(30)
    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        finish_in_time(run, 0)
    assert ended == [True]
    run.release.set()


def test_the_command_that_sends_it() -> None:
    here = Path.cwd()
    for name, command in (
        ("offline-run-20260131_235959-a", "wandb sync wandb/offline-run-20260131_235959-a"),
        ("run-20260131_235959-a", "wandb sync --include-online wandb/run-20260131_235959-a"),
    ):
        settings = SimpleNamespace(sync_dir=str(here / "wandb" / name))
        assert sync_command(SimpleNamespace(settings=settings)) == command
    settings = SimpleNamespace(sync_dir="/else where/run-1-a")
    command = sync_command(SimpleNamespace(settings=settings))
    assert command == "wandb sync --include-online '/else where/run-1-a'"


def test_a_server_that_is_gone_is_asked_for_no_artifact() -> None:
    run = Run(30)
    assert trouble_of(run) == "127.0.0.1 does not answer"
    run.settings.mode = "offline"
    assert trouble_of(run) is None
