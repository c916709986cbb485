"""How many optimizer steps one call of the training step does, and how the Trainer counts them.

Between two calls the Trainer spends 0.3 to 0.5 ms, as much as a small network's whole step. So a
call does many steps. It ends wherever something is due: at the end of the epoch, at a validation,
at a row of the history, at a checkpoint, at the last step of all; and after a number of steps, or
a quarter of a second, so that the bar moves and a signal is heard. Where a call
ends changes nothing but the time: the steps are the same, and after each call the Trainer's own
counters are brought to what they would be had every step been a call. Several processes end a call
after the same step, which they agree on (agreement.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, Timer

from experiments.training.agreement import Agreement

MOST_STEPS = 1024
LONGEST_CALL = 0.25
PER_BATCH_HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)


def per_batch_hooks(callbacks: Iterable[Callback]) -> list[str]:
    """Return `Callback.hook` for each hook of single steps that one of `callbacks` overrides.

    A callback that says `hears_of_calls` needs none, as it names the steps at which calls end.
    """
    return [
        f"{type(callback).__name__}.{hook}"
        for callback in callbacks
        if not getattr(callback, "hears_of_calls", False)
        for hook in PER_BATCH_HOOKS
        # Of the instance: Lightning's LambdaCallback sets its hooks there.
        if getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)
    ]


@dataclass
class Execution:
    """Where a call of the training step ends.

    Args:
        steps: optimizer steps that it does at most.
        accumulate: batches of an optimizer step.
        every: numbers of optimizer steps at whose multiples a call ends.
        seconds: after which a call ends with the step it is in.
        by_batch: every batch is a call of its own.
        has_hooks: callbacks want to hear of every step.
        steps_until: what else says after how many steps a call ends, asked at its start with the
            Trainer and the batches of the epoch that are done.
        agreement: of several processes, which no clock of one of them may part; None for one.

    Attributes:
        is_cut: the run is to end with the step that it is in.
    """

    steps: int = MOST_STEPS
    accumulate: int = 1
    every: tuple[int, ...] = ()
    seconds: float = LONGEST_CALL
    by_batch: bool = False
    has_hooks: bool = False
    steps_until: Callable[[L.Trainer, int], int] | None = None
    agreement: Agreement | None = None
    is_cut: bool = field(default=False, init=False)
    _ends_at: float = field(default=0.0, init=False)
    _timer: Timer | None = field(default=None, init=False)

    def begin(self, trainer: L.Trainer) -> tuple[int, int]:
        """Return the number of the batch that a call begins with, and of the one it ends before."""
        progress = trainer.fit_loop.epoch_loop.batch_progress
        # The Trainer has counted the call as a batch already.
        position, total = progress.current.ready - 1, progress.total.ready - 1
        asked = self.steps if self.steps_until is None else self.steps_until(trainer, position)
        if self.by_batch:
            return position, position + 1
        steps_done = trainer.global_step
        steps = min([self.steps, asked, *(n - steps_done % n for n in self.every)])
        if self.agreement is not None:
            steps = min(steps, self.agreement.next_step - steps_done)
        if trainer.max_steps > 0:
            steps = min(steps, trainer.max_steps - steps_done)
        end = (position // self.accumulate + steps) * self.accumulate
        end = min(end, int(trainer.num_training_batches))
        interval = trainer.val_check_batch
        if interval is not None and interval != float("inf"):
            done = total if trainer.check_val_every_n_epoch is None else position
            end = min(end, position + int(interval) - done % int(interval))
        self._ends_at = time.perf_counter() + self.seconds
        timers = [c for c in trainer.callbacks if isinstance(c, Timer)]  # type: ignore[attr-defined]
        self._timer = timers[0] if timers else None
        return position, max(end, position + 1)

    def is_over(self) -> bool:
        """Return whether the call, or the run, has had its time."""
        if self.agreement is not None:
            return False
        if self.is_cut or time.perf_counter() > self._ends_at:
            return True
        if self._timer is None:
            return False
        remaining = self._timer.time_remaining()
        return remaining is not None and remaining <= 0

    @classmethod
    def go_on_from_checkpoint(cls, trainer: L.Trainer) -> None:
        """Let a run that was resumed take the batches that its checkpoint has not seen."""
        if trainer.fit_loop.restarted_on_epoch_end:
            cls.begin_next_epoch(trainer)
        # The Trainer means to do so when it sets up the loader, which here was before it knew of
        # the checkpoint.
        trainer.fit_loop._load_combined_loader_states()

    @staticmethod
    def begin_next_epoch(trainer: L.Trainer) -> None:
        """Let a run that was resumed from the end of an epoch begin with the next one.

        Under `max_steps` the Trainer takes such a checkpoint for one amid the epoch, and would end
        that epoch a second time, without a point in its means.
        """
        loop = trainer.fit_loop
        tracker: Any
        for tracker in (loop.epoch_progress.current, loop.epoch_progress.total):
            tracker.completed = tracker.processed
        for part in (loop, loop.epoch_loop, loop.epoch_loop.val_loop):
            part._restarting = False  # its setter says True for as long as steps are counted
        loop.reset_restart_stage()
        loop.epoch_loop.reset_restart_stage()

    @staticmethod
    def is_followed_by_validation(trainer: L.Trainer) -> bool:
        fetcher = trainer.fit_loop._data_fetcher
        assert fetcher is not None
        return trainer.fit_loop.epoch_loop._should_check_val_fx(fetcher)

    @staticmethod
    def count(trainer: L.Trainer, num_batches: int, num_steps: int) -> None:
        """Bring the Trainer's counters to what they would be had every batch been a call.

        It counts the call itself as one batch, and optimizer steps not at all, since they did not
        pass through its own wrapper of the optimizer (which costs a sixth of a small step).
        """
        fit_loop = trainer.fit_loop
        loop, fetcher = fit_loop.epoch_loop, fit_loop._data_fetcher
        assert fetcher is not None
        more = num_batches - 1
        tracker: Any
        for tracker in (loop.batch_progress.total, loop.batch_progress.current):
            tracker.ready += more
            tracker.started += more
            tracker.processed += more
            tracker.completed += more
        fetcher.fetched += more
        fetcher.done = fetcher.length is not None and fetcher.fetched >= fetcher.length
        loop.batch_progress.is_last_batch = fetcher.done
        steps = loop.manual_optimization.optim_step_progress
        for done in (steps.total, steps.current):
            done.ready += num_steps
            done.completed += num_steps
        loop._batches_that_stepped += num_steps - 1
