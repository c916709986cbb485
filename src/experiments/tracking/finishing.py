"""The end of a run at W&B: waited for so long and no longer, and what sends the rest later."""

from __future__ import annotations

import contextlib
import logging
import shlex
import threading
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


def finish_in_time(run: Any, exit_code: int) -> None:
    """End a run, and wait for the server no longer than the run's own finish timeout.

    W&B's service keeps to that where uploads hang, but not where it still asks a server that is
    gone to take an artifact: then nobody waits for it, and it is ended, lest it hold up the end of
    this process as well. What is on disk is flushed every second.

    Raises:
        TimeoutError: the server has not taken everything.
    """
    raised: list[BaseException] = []

    def finish() -> None:
        try:
            run.finish(exit_code=exit_code)
        except BaseException as error:
            raised.append(error)

    finishing = threading.Thread(target=finish, daemon=True)
    finishing.start()
    try:
        finishing.join(run.settings.finish_timeout + GRACE_SECONDS)
    except KeyboardInterrupt:
        finishing.join(GRACE_SECONDS)
        end_service()
        raise
    if finishing.is_alive():
        end_service()
        raise TimeoutError
    if raised:
        raise raised[0]


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
