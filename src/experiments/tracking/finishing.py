"""The end of a run at W&B: waited for so long and no longer, and what sends the rest later."""

from __future__ import annotations

import contextlib
import logging
import shlex
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wandb

from experiments.tracking.reachable import ask, host_of
from experiments.tracking.wandb_settings import unheard

GRACE_SECONDS = 2.0
"""What W&B's service has beyond that, to say so by itself and to write its files."""


def trouble_of(run: Any) -> str | None:
    """Return what is wrong with the server of an online run; None where it answers.

    wandb asks the server before it takes an artifact, and one that is gone for most of a minute.
    """
    if run.settings.mode == "offline":
        return None
    server = str(run.settings.base_url)
    trouble = ask(server)
    return f"{host_of(server)} {trouble}" if trouble else None


class Attempt(threading.Thread):
    """Does something in a thread, which may never end; `error` is what it raised, if anything."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.work = work
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.work()
        except BaseException as error:
            self.error = error


def finish_in_time(run: Any, exit_code: int, last: Callable[[], object] | None = None) -> None:
    """End a run, and wait for the server no longer than the run's own finish timeout.

    W&B's service keeps to that where uploads hang, but not where it still asks a server that is
    gone, or takes a question and never answers it, to take an artifact: then nobody waits for it,
    and it is ended, lest it hold up the end of this process as well. What is on disk is flushed
    every second, the end of the run with it.

    Args:
        last: what is still to be told, which may ask the server; it is waited for together with the
            end, and the run is ended also where it hangs.

    Raises:
        TimeoutError: the server has not taken everything.
    """
    until = time.monotonic() + run.settings.finish_timeout
    telling, finishing = Attempt(last or (lambda: None)), None

    def finish() -> object:
        return run.finish(exit_code=1 if telling.error else exit_code)

    try:
        telling.join(max(0.0, until - time.monotonic()))
        finishing = Attempt(finish)
        finishing.join(max(0.0, until - time.monotonic()) + GRACE_SECONDS)
    except KeyboardInterrupt:
        (finishing or Attempt(finish)).join(GRACE_SECONDS)
        end_service()
        raise
    if telling.is_alive() or finishing.is_alive():
        end_service()
        raise TimeoutError
    for attempt in (telling, finishing):
        if attempt.error is not None:
            raise attempt.error


def end_service() -> None:
    """End W&B's service, which would go on asking for as long as it is waited for."""
    service = wandb.setup().ensure_service()._proc
    if service is not None:
        service._process.kill()
        logging.getLogger("wandb").setLevel(logging.CRITICAL)  # it would complain of its end
        with contextlib.suppress(Exception, SystemExit), unheard():
            wandb.teardown()


def sync_command(run: Any) -> str:
    """Return the command that sends to the server what is on disk of a run.

    W&B leaves out what was begun online unless it is told not to.
    """
    path = Path(run.settings.sync_dir)
    with contextlib.suppress(ValueError):
        path = path.relative_to(Path.cwd())
    option = "" if path.name.startswith("offline-run-") else "--include-online "
    return f"wandb sync {option}{shlex.quote(str(path))}"
