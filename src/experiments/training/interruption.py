"""Signals that end a run: it ends its step, keeps where it is, and is recorded as interrupted.

Ctrl-C (SIGINT), SIGTERM, and within a SLURM job SIGUSR1, which SLURM sends before the time limit
where it is asked to (`sbatch --signal=USR1@90`). Outside of training, where nothing can be lost, a
signal ends the run at once; so does a second one, and a step that does not end in good time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from experiments.errors.error_table import TABLE
from experiments.training.calls import Execution

log = logging.getLogger(__name__)

Handler = Callable[[int, FrameType | None], Any]

WAIT_SECONDS = 20.0
"""How long a step, or a validation, may take to end; SLURM kills 30 s after SIGTERM."""
CODES = {128 + how: how.name for how in (signal.SIGTERM, signal.SIGUSR1)}
"""Exit codes of a process that a signal has ended, and the signals' names."""


class Interruption:
    """What a signal asks of a run of one process.

    Attributes:
        asked: the signal that has asked for the end; None for none.
    """

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        self._is_training = False
        self._execution: Execution | None = None
        self._timer: threading.Timer | None = None

    @contextlib.contextmanager
    def heeded(self) -> Iterator[None]:
        """Hear signals for the length of the block; Ctrl-C is heard as ever while nothing trains.

        A run that SIGUSR1 has ended is put back into SLURM's queue at the block's end.
        """
        before = hear(self._hear, those_heard())
        try:
            yield
        except SystemExit as error:
            if error.code == 128 + signal.SIGUSR1:
                requeue()
            raise
        finally:
            for how, handler in before.items():
                signal.signal(how, handler)

    def begin(self, execution: Execution | None) -> None:
        """Hear signals as training begins, in the place of Lightning's own handlers.

        Lightning puts back at its end what was heard before.

        Args:
            execution: whose call is to end with the step it is in; None where each step is one.
        """
        self._is_training, self._execution = True, execution
        hear(self._hear, [signal.SIGINT, *those_heard()])

    def end(self) -> None:
        self._is_training, self._execution = False, None
        if self._timer is not None:
            self._timer.cancel()

    def stop(self) -> None:
        """End the run if that was asked for; where it is has been kept by now."""
        if self.asked is not None:
            raise end_by(self.asked)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        how = signal.Signals(number)
        if not self._is_training or self.asked is not None:
            raise end_by(self.asked or how)
        if how == signal.SIGINT:
            # Past the streams, whose buffers the signal may have come amid.
            os.write(2, f"\n{TABLE['stopping']}\n".encode())
        self.asked = how
        if self._execution is not None:
            self._execution.is_cut = True
        # Again, to whatever has not ended by then, as a callback of somebody's that hangs.
        self._timer = threading.Timer(WAIT_SECONDS, os.kill, (os.getpid(), how))
        self._timer.daemon = True
        self._timer.start()


def those_heard() -> list[signal.Signals]:
    """Return the signals that end this process, beside Ctrl-C."""
    return [signal.SIGTERM, *([signal.SIGUSR1] if "SLURM_JOB_ID" in os.environ else [])]


def hear(handler: Handler, signals: list[signal.Signals]) -> dict[signal.Signals, Any]:
    """Have signals handled, and return what handled them before; nothing outside the main thread,
    where Python allows none.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {how: signal.signal(how, handler) for how in signals}


def end_by(how: signal.Signals) -> BaseException:
    """Return what ends a run by a signal: Ctrl-C's own exception, or an exit with its code."""
    return KeyboardInterrupt() if how == signal.SIGINT else SystemExit(128 + how)


def is_restarted_by_slurm() -> bool:
    """Return whether SLURM has put this job back into its queue, so that its run was begun."""
    return os.environ.get("SLURM_RESTART_COUNT", "0").strip() not in ("", "0")


def requeue() -> None:
    """Put this SLURM job back into the queue, if this process is all of it.

    Other tasks of the job may be runs of their own, which that would end.
    """
    if os.environ.get("SLURM_NTASKS", "1").strip() != "1":
        return
    job = job_id(dict(os.environ))
    if job is None:
        return
    try:
        said = subprocess.run(
            ["scontrol", "requeue", job], capture_output=True, text=True, check=False
        )
    except OSError as error:
        log.warning(TABLE["not_requeued"], job, error.strerror)
        return
    if said.returncode:
        log.warning(TABLE["not_requeued"], job, " ".join((said.stderr or said.stdout).split()))
    else:
        log.info(TABLE["requeued"], job)


def job_id(variables: dict[str, str]) -> str | None:
    """Return what `scontrol` calls this job, one of an array too; None for none.

    >>> job_id({"SLURM_JOB_ID": "71"})
    '71'
    >>> job_id({"SLURM_JOB_ID": "73", "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "3"})
    '70_3'
    """
    array, task = (variables.get(f"SLURM_ARRAY_{part}_ID") for part in ("JOB", "TASK"))
    job = f"{array}_{task}" if array and task else variables.get("SLURM_JOB_ID", "")
    return job if re.fullmatch(r"[0-9_]+", job) else None
