"""The LightningModule of a population: steps and validations of all members at once.

Shape letters: A members that are still trained, B batch, K classes or regression targets.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import lightning as L
import torch
from torch import Tensor, nn

from experiments.data.loader import Batch, Stream
from experiments.training.evaluation import type_of_sums
from experiments.training.population.member_checkpoints import (
    CapturedCheckpoint,
    Checkpoint,
    MemberCheckpoints,
)
from experiments.training.population.member_life import Started
from experiments.training.population.stacked import Stack
from experiments.training.population.stacked_batches import StackedLoader
from experiments.training.steps import BrokenStep


class PopulationModule(L.LightningModule):
    """All members of a population, as the Trainer trains them.

    What a run alone does with its network in a step, an epoch's end or a validation is done here
    with the stack of all networks, and what is measured goes to each member's own module.

    Args:
        members: that have started.
        captured: where the Trainer's own checkpoints go.

    Attributes:
        stack: the networks, once training has begun.
        of_step: of each member that is trained, what a training step of its own would return.
    """

    stack: Stack

    def __init__(self, members: Sequence[Started], captured: CapturedCheckpoint) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.members = list(members)
        self.captured = captured
        first = members[0].parts.module
        self.execution, self.rules = first.execution, first.rules
        self.nothing = nn.Parameter(torch.zeros(()))  # the Trainer wants an optimizer
        self.of_step: dict[int, dict[str, Any]] = {}
        self.waiting: list[tuple[Tensor, Tensor, Tensor]] = []
        self.last_losses: dict[int, float] = {}
        self.shared: tuple[int, Checkpoint] | None = None
        self.moment = 0
        self.shared_until = time.perf_counter()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD([self.nothing], lr=0.0)

    @property
    def active(self) -> list[Started]:
        """The members that are trained, in the order of the stack's rows."""
        return [self.members[number] for number in self.stack.active]

    @property
    def type_of_sums(self) -> torch.dtype:
        return type_of_sums(self.device)

    @property
    def loader(self) -> StackedLoader:
        loader = self.trainer.train_dataloader
        assert isinstance(loader, StackedLoader)
        return loader

    def prepare(self) -> None:
        """Bring the members to the device and into one stack, as they were at their checkpoints."""
        trainer: Any = self.trainer
        for member in self.members:
            module = member.parts.module
            trainer.precision_plugin.convert_module(module)
            module.to(self.device)
            member.trainer.whole = trainer
            member.parts.datamodule.trainer = module.trainer = cast(Any, member.trainer)
            module.member_metrics = member.trainer.callback_metrics
            module.means.reset(self.device)
            module.train()
            if member.checkpoint is not None:
                module.load_saved(member.checkpoint)
                module.means.load(member.checkpoint["standardized_sums"])
                # At the end of an epoch that is under way a plateau is shown it.
                member.trainer.callback_metrics.update(member.checkpoint.get("validated", {}))
        first = self.members[0].parts.module
        self.stack = Stack([member.parts for member in self.members], first.num_total())
        for number, member in enumerate(self.members):
            parts, is_eager = member.parts, bool(member.parts.config["checkpoint"]["every_n_steps"])
            member.trainer.saving = MemberCheckpoints(
                number, parts, member.trainer, self.stack, self.of_all, is_eager
            )
            if (saved := member.checkpoint) is not None:
                self.stack.load(number, saved["optimizer_states"][0], saved["lr_schedulers"][0])

    def on_train_start(self) -> None:
        self.execution.go_on_from_checkpoint(self.trainer)
        self.loader.active = self.stack.active

    def checkpoint(self) -> Checkpoint | None:
        """Return what the Trainer goes on from: the loops of the members, and nothing of theirs."""
        first = self.members[0].checkpoint
        if first is None:
            return None
        optimizer = self.configure_optimizers().state_dict()
        own = {"state_dict": self.state_dict(), "callbacks": {}, "lr_schedulers": []}
        return {**first, **own, "optimizer_states": [optimizer]}

    def of_all(self) -> Checkpoint:
        """Return what the checkpoints of all members have in common at this moment."""
        if self.shared is None or self.shared[0] != self.moment:
            self.trainer.save_checkpoint("", weights_only=False)
            self.shared = (self.moment, self.captured.captured)
        return self.shared[1]

    def begin_moment(self) -> None:
        """Forget what was read of the stack: it has changed. And share out the time until now."""
        self.moment += 1
        now = time.perf_counter()
        for member in self.active:
            member.outcome.fit_seconds += (now - self.shared_until) / len(self.active)
        self.shared_until = now
        for member in self.active:
            member.saving.moment = self.moment

    def leave(self, member: Started) -> None:
        """Go on without a member."""
        member.saving.leave()

    def training_step(self, batches: Stream, batch_index: int) -> None:
        self.take(batches)

    def take(self, batches: Iterator[Batch]) -> None:
        """Take as many steps as `execution` says, as `Steps.take` does for a run alone.

        A member whose loss is not finite leaves the stack before the step is done. The call ends
        there, such that its callbacks hear of that step.
        """
        stack, members = self.stack, self.active
        started = time.perf_counter()
        stack.to_training()
        first, end = self.execution.begin(self.trainer)
        num_points, num_steps = 0, 0
        losses = torch.zeros(len(members), device=self.device)
        rates: list[float] = []
        broken: list[Started] = []
        for number in range(first, end):
            batch = next(batches, None)
            assert batch is not None, f"batch {number} of {end} is missing"
            num_points += batch.size
            begins, share, ends = self.rules.part_of_step(number, batch, self.trainer, self.loader)
            part = self.add_gradients(batch, share, begins)
            losses = part if begins else losses + part
            if ends:
                rates = [stack.lr(i) for i in stack.active]
                broken = self.break_off(batch, losses, rates)
                if len(broken) == len(members):
                    break
                stack.update()
                num_steps += 1
                if broken or self.execution.is_over():
                    break
        self.count_waiting()
        self.execution.count(self.trainer, number + 1 - first, num_steps)
        seconds = (time.perf_counter() - started) / len(members)
        rates = rates or [math.nan] * len(members)
        for member, loss, lr in zip(members, losses, rates, strict=True):
            self.of_step[member.place] = {"loss": loss, "lr": lr, "num_points": num_points}
            member.trainer.watch.stopwatch.train_seconds += seconds
            if member in broken:
                member.trainer.num_undone = 0 if len(broken) == len(members) else 1

    def add_gradients(self, batch: Batch, share: float, begins: bool) -> Tensor:
        """Add the gradients of a batch, have it counted, and return the losses (A,)."""
        first = self.members[0].parts.module
        targets, measured = first.standardized(batch.targets)
        # As of one batch: it may put positions into another order.
        inputs = first.normalize(batch.inputs.flatten(0, 1)).unflatten(0, batch.inputs.shape[:2])
        losses, outputs = self.stack.backward(inputs, targets, share, begins)
        of_each = zip(
            self.active, losses.unbind(), outputs.unbind(), measured.unbind(), strict=True
        )
        for member, loss, y, t in of_each:
            member.parts.module.means.update(loss, y, t)
        return losses if share == 1 else losses * share

    def count_waiting(self) -> None:
        """Count the batches that wait for each member.

        As one batch, whose mean loss is that of all their points: to take each member's part of
        each batch would cost as much as a tenth of a step.
        """
        if not self.waiting:
            return
        losses, outputs, targets = zip(*self.waiting, strict=True)
        self.waiting = []
        if self.members[0].parts.module.mass is not None:  # which weighs batches otherwise
            batches = list(zip(losses, outputs, targets, strict=True))
        else:
            sizes = torch.tensor([t.shape[1] for t in targets], dtype=self.type_of_sums)
            means = (
                sizes.to(self.device) @ torch.stack(losses).to(self.type_of_sums)
            ) / sizes.sum()
            batches = [(means, torch.cat(outputs, dim=1), torch.cat(targets, dim=1))]
        for of_all in batches:
            parts = (part.unbind() for part in of_all)
            for member, loss, y, t in zip(self.active, *parts, strict=True):
                member.parts.module.means.update(loss, y, t)

    def break_off(self, batch: Batch, losses: Tensor, rates: list[float]) -> list[Started]:
        """Take out of the stack each member whose loss is not finite, and return these."""
        if self.device.type != "cpu":
            return []  # reading each loss would keep the device waiting
        members, values = self.active, losses.tolist()
        broken = []
        for row, (member, loss, lr) in enumerate(zip(members, values, rates, strict=True)):
            if math.isfinite(loss):
                self.last_losses[member.place] = loss
                continue
            own = Batch(batch.inputs[row], batch.targets[row], batch.weight, batch.size)
            before = self.last_losses.get(member.place)
            member.parts.module.member_broken = BrokenStep(own, loss, before, lr)
            broken.append(member)
        if broken:
            self.count_waiting()
        for member in broken:
            self.leave(member)
        return broken

    def on_validation_epoch_start(self) -> None:
        self.stack.to_evaluation()
        for member in self.active:
            member.parts.module.on_validation_epoch_start()

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        if not self.stack.active:
            return
        first = self.members[0].parts.module
        targets, measured = first.standardized(batch.targets)
        outputs = self.stack.evaluate(first.normalize(batch.inputs))
        losses = self.stack.loss_of(outputs, targets)
        for member, loss, y in zip(self.active, losses, outputs, strict=True):
            member.parts.module.count(batch, loss, y, measured)

    def on_validation_epoch_end(self) -> None:
        for member in self.active:
            member.parts.module.on_validation_epoch_end()

    def advance(self) -> None:
        """Advance the schedules that go by epochs, at the end of a whole epoch."""
        trainer = self.trainer
        is_whole = self.loader.position >= trainer.num_training_batches
        if self.rules.interval != "epoch" or not is_whole:
            return
        every = trainer.check_val_every_n_epoch or 1
        name = "val/loss" if trainer.enable_validation else "train/loss"
        is_measured = not trainer.enable_validation or (trainer.current_epoch + 1) % every == 0
        metrics = {
            number: float(self.members[number].trainer.callback_metrics[name])
            for number in self.stack.active
            if is_measured
        }
        self.stack.end_epoch(metrics)
        self.stack.to_evaluation()
