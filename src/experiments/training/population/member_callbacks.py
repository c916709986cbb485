"""Every hook of the Trainer of all members, told to each member's own callbacks."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping

from experiments.training.callbacks.last_amid_epoch import LastAmidEpoch
from experiments.training.calls import Execution
from experiments.training.interruption import Interruption, MemberInterruption
from experiments.training.population.member_life import Started
from experiments.training.population.population_module import PopulationModule

SHARE = 30
"""Checkpoints are written when that takes no more than this part of the time."""
SECONDS_TO_WRITE = 0.005
"""What the two checkpoints of a small network take, as a first guess."""


class MemberCallbacks(Callback):
    """Tells each member's callbacks what happens, and lets a member go that they want to stop.

    A member that stops while others go on ends as a run alone does: where it stops amid an epoch
    it is validated, and its epoch ends there.

    Args:
        finish: ends a member whose training is over.
        fail: ends a member of which a callback has raised an error.
        about: has what is logged in a block go to the log of the member of a place.
        interruption: what a signal asks of all members, who then keep where they are.
    """

    def __init__(
        self,
        module: PopulationModule,
        finish: Callable[[Started], None],
        fail: Callable[[Started, Exception], None],
        about: Callable[[int], contextlib.AbstractContextManager[None]],
        interruption: Interruption,
    ) -> None:
        self.module, self.finish, self.fail, self.about = module, finish, fail, about
        self.interruption = interruption
        self.stops_after_validation = False
        self.seconds_to_write = SECONDS_TO_WRITE * len(module.members)
        self.last_written = time.perf_counter()

    def each(self, members: Iterable[Started], do: Callable[[Started], None]) -> None:
        """Do something with each member; one of which it raises an error has failed, alone."""
        for member in list(members):
            try:
                with self.about(member.place):
                    do(member)
            except Exception as error:
                self.module.leave(member)
                self.fail(member, error)

    def tell(self, member: Started, hook: str, *arguments: Any, last: bool | None = None) -> None:
        """Call a hook of a member's callbacks.

        Args:
            last: those that look at what others have measured, which the Trainer calls last; or
                all others; None for all.
        """
        trainer, module = member.trainer, member.parts.module
        for callback in trainer.callbacks:
            is_last = isinstance(callback, EarlyStopping | Checkpoint)
            # The time of all is shared out among them by the module.
            is_clock = callback is trainer.watch.stopwatch and hook != "on_train_batch_end"
            if last in (None, is_last) and not is_clock:
                getattr(callback, hook)(trainer, module, *arguments)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        def start(member: Started) -> None:
            amid = member.trainer.checkpointing[-1]
            assert isinstance(amid, LastAmidEpoch)
            amid.interruption = MemberInterruption(self.interruption)
            self.tell(member, "setup", "fit")
            saved = member.checkpoint["callbacks"] if member.checkpoint is not None else {}
            for callback in member.trainer.callbacks:
                if callback.state_key in saved:
                    callback.load_state_dict(saved[callback.state_key])
            self.tell(member, "on_fit_start")

        self.module.prepare()
        self.each(self.module.active, start)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.each(self.module.active, lambda member: self.tell(member, "on_train_start"))
        self.let_go(self.leave_and_finish)  # whose patience was at its end already
        if trainer.world_size == 1:
            self.interruption.begin(self.module.execution)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.each(self.module.active, lambda member: self.tell(member, "on_train_epoch_start"))

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        was_asked = self.interruption.asked is not None
        self.module.begin_moment()
        stepped = [m for m in self.module.members if m.place in self.module.of_step]

        def tell(member: Started) -> None:
            of_step = self.module.of_step.pop(member.place)
            self.tell(member, "on_train_batch_end", of_step, batch, index)

        self.each(stepped, tell)
        broken = [m for m in stepped if m.parts.module.member_broken is not None]
        self.each(broken, self.end_amid_epoch)
        self.let_go(self.end_amid_epoch)
        if was_asked and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            # Each has kept where it is, or will after the validation that comes first.
            self.stops_after_validation = Execution.is_followed_by_validation(trainer)
            if not self.stops_after_validation:
                self.interruption.stop()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.each(self.module.active, lambda member: self.tell(member, "on_validation_start"))

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.module.begin_moment()
        self.each(self.module.active, lambda member: self.tell(member, "on_validation_end"))
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self.let_go(self.end_epoch_and_finish)
            if self.stops_after_validation:
                self.interruption.stop()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.module.begin_moment()
        self.each(self.module.active, self.measure_epoch)
        self.module.advance()
        self.module.begin_moment()
        self.each(self.module.active, self.save_epoch)
        self.let_go(self.leave_and_finish)
        self.write_if_due()
        self.interruption.stop()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.interruption.end()
        self.each(self.module.active, lambda member: self.tell(member, "on_train_end"))

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self.interruption.end()

    def let_go(self, end: Callable[[Started], None]) -> None:
        """End each member that is to stop; where all are, the Trainer itself ends."""
        active = self.module.active
        stopping = [member for member in active if member.trainer.should_stop]
        if len(stopping) == len(active):
            self.module.trainer.should_stop = True
        else:
            self.each(stopping, end)

    def measure_epoch(self, member: Started) -> None:
        """Tell the callbacks that measure and write of the end of an epoch."""
        if member.parts.config["log_full_loss"] or self.module.device.type != "cpu":
            member.saving.unstack()  # they look at the weights
        self.tell(member, "on_train_epoch_end", last=False)

    def save_epoch(self, member: Started) -> None:
        """Tell the callbacks that save and stop of the end of an epoch."""
        self.tell(member, "on_train_epoch_end", last=True)

    def end_amid_epoch(self, member: Started) -> None:
        """End a member after a batch, upon which a run alone would be validated once more."""
        self.module.leave(member)
        trainer = self.module.trainer
        every = trainer.check_val_every_n_epoch
        if trainer.enable_validation and (not every or (trainer.current_epoch + 1) % every == 0):
            self.validate(member)
        self.end_epoch_and_finish(member)

    @torch.no_grad()
    def validate(self, member: Started) -> None:
        """Validate a member by itself."""
        trainer, module = member.trainer, member.parts.module
        self.tell(member, "on_validation_start")
        module.eval()
        module.on_validation_epoch_start()
        num_batches = sum(trainer.num_val_batches)
        batches = member.parts.datamodule.val_dataloader()
        for number, batch in enumerate(itertools.islice(batches, int(num_batches))):
            with trainer.precision_plugin.val_step_context():
                module.validation_step(trainer.precision_plugin.convert_input(batch), number)
        module.on_validation_epoch_end()
        module.train()
        self.tell(member, "on_validation_end")

    def end_epoch_and_finish(self, member: Started) -> None:
        self.module.leave(member)
        self.measure_epoch(member)
        self.save_epoch(member)
        self.leave_and_finish(member)

    def leave_and_finish(self, member: Started) -> None:
        self.module.leave(member)
        self.tell(member, "on_train_end")
        self.finish(member)

    def write_if_due(self) -> None:
        """Write the checkpoints that wait, where enough time has passed."""
        started = time.perf_counter()
        if started - self.last_written < SHARE * self.seconds_to_write:
            return
        self.each(self.module.active, lambda member: member.saving.write())
        self.last_written = time.perf_counter()
        self.seconds_to_write = self.last_written - started
