"""Signals that end a run: it ends its step, keeps where it is, and is recorded as interrupted.

Ctrl-C (SIGINT), SIGTERM, and within a SLURM job SIGUSR1, which SLURM sends before the time limit
where it is asked to (`sbatch --signal=USR1@90`). Outside of training, where nothing can be lost, a
signal ends the run at once; so does a second one, and a step that does not end in good time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.utilities.exceptions import SIGTERMException

from experiments.errors.error_table import TABLE
from experiments.training.calls import Execution
from experiments.training.slurm_job import requeue, those_heard

Handler = Callable[[int, FrameType | None], Any]

WAIT_SECONDS = 20.0
"""How long a step, or a validation, may take to end; SLURM kills 30 s after SIGTERM."""


class Interruption:
    """What a signal asks of a run, or of all members of a population.

    Of several processes none ends by itself: they agree on the step to end with (agreement.py).

    Attributes:
        heard: the signal that this process was sent; None for none.
        is_led: this process was started by rank 0, and ends when that says so.
    """

    def __init__(self) -> None:
        self.heard: signal.Signals | None = None
        self._asked: signal.Signals | None = None
        self.is_led = False
        self._is_shared = False
        self._is_training = False
        self._is_of_sweep = False
        self._execution: Execution | None = None
        self._timer: threading.Timer | None = None

    @property
    def asked(self) -> signal.Signals | None:
        """The signal that ends the run; None for none."""
        return self._asked

    @contextlib.contextmanager
    def heeded(self, is_of_sweep: bool = False) -> Iterator[None]:
        """Hear signals for the length of the block; Ctrl-C is heard as ever while nothing trains.

        Args:
            is_of_sweep: it is a job's: its launcher, which SLURM's signals reach as well, puts the
                SLURM job back into the queue. Of a run by itself that is done at the block's end.
        """
        self._is_of_sweep = is_of_sweep
        # Of a job also after its training: what a launcher passes on may not end it amid records.
        own = [signal.SIGINT] if self.is_led or is_of_sweep else []
        before = hear(self._hear, [*those_heard(), *own])
        try:
            yield
        except SystemExit as error:
            if not is_of_sweep and error.code == 128 + signal.SIGUSR1:
                requeue()
            raise
        finally:
            for how, handler in before.items():
                signal.signal(how, handler)

    def begin(self, execution: Execution | None, is_shared: bool = False) -> None:
        """Hear signals as training begins, in the place of Lightning's own handlers.

        Lightning puts back at its end what was heard before.

        Args:
            execution: whose call is to end with the step it is in; None where each step is one.
            is_shared: with other processes, so that `agree` says whether the run ends.
        """
        self._is_training, self._execution, self._is_shared = True, execution, is_shared
        hear(self._hear, [signal.SIGINT, *those_heard()])

    def begin_test(self) -> None:
        """Hear signals in the place of Lightning's handlers, one of which waits for other ranks."""
        hear(self._hear, those_heard())

    def agree(self, number: int) -> None:
        """Take the signal that any process of the run was sent; 0 for none."""
        self._asked = signal.Signals(number) if number else None

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
        if self.is_led and not self._is_training:
            return
        is_passed_on = self._is_of_sweep and how == signal.SIGINT and self.heard not in (None, how)
        if is_passed_on:
            return  # by the launcher, which has got the first one too
        if not self._is_training or self.heard is not None:
            raise end_by(self.asked or self.heard or how)
        if how == signal.SIGINT and not self.is_led:
            # Past the streams, whose buffers the signal may have come amid.
            os.write(2, f"\n{TABLE['stopping']}\n".encode())
        self.heard = how
        if not self._is_shared:
            self._asked = how
            if self._execution is not None:
                self._execution.is_cut = True
        # Again, to whatever has not ended by then, as a callback of somebody's that hangs.
        self._timer = threading.Timer(WAIT_SECONDS, os.kill, (os.getpid(), how))
        self._timer.daemon = True
        self._timer.start()


class MemberInterruption(Interruption):
    """What a signal asks of a member, which keeps where it is; all members are ended together."""

    def __init__(self, of_all: Interruption) -> None:
        super().__init__()
        self.of_all = of_all

    @property
    def asked(self) -> signal.Signals | None:
        return self.of_all.asked

    def begin(self, execution: Execution | None, is_shared: bool = False) -> None:
        """Nothing is heard here."""

    def end(self) -> None:
        """Nothing was heard here."""

    def stop(self) -> None:
        """Nothing is ended here: others may have to keep where they are."""


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


@contextlib.contextmanager
def interruptible(trainer: L.Trainer) -> Iterator[None]:
    """Turn Lightning's ways out of a signal into the usual ones.

    Ctrl-C, which it makes sys.exit(1), becomes KeyboardInterrupt again; SIGTERM exits with 143.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SIGTERMException as error:
        # Its own exit code is 0, as if all had been done.
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:
        # Not where a callback or a network of somebody's has called sys.exit.
        if trainer.interrupted and isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, handler)
