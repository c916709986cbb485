"""The checkpoints of a member: what a run alone writes, written less often.

A checkpoint of a small network takes 2 ms to write, as long as three steps of sixteen members. So
what a callback saves is kept in memory, as it was at that moment, and written when that takes no
more than a thirtieth of the time, at the end, and when the run is stopped. Whoever is killed
without a word loses as much as stood in memory, and goes on from what was written.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from torch import Tensor
from torch.optim import Optimizer

from experiments.data.order import mix
from experiments.training.module import ExperimentModule
from experiments.training.population.member_trainer import MemberTrainer
from experiments.training.population.stacked import Kept, Stack
from experiments.training.run_parts import RunParts
from experiments.training.trainer import AtomicCheckpoints
from experiments.training.whole_checkpoint import BEST

Checkpoint = dict[str, Any]


class CapturedCheckpoint(CheckpointIO):
    """Keeps what the Trainer of all members would write: the state of its loops is each member's.

    Attributes:
        captured: the last checkpoint.
        loaded: what the Trainer is given to go on from.
    """

    captured: Checkpoint
    loaded: Checkpoint

    def save_checkpoint(
        self, checkpoint: Checkpoint, path: Any, storage_options: Any = None
    ) -> None:
        self.captured = checkpoint

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> Checkpoint:
        return self.loaded

    def remove_checkpoint(self, path: Any) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Saved:
    """What a member has saved, of which a checkpoint is made when it is written or used.

    Attributes:
        member: its weights and the states of its optimizer and schedule.
        shared: what the checkpoints of all members have in common.
        own: all else that is the member's own.
    """

    member: Kept
    shared: Checkpoint
    own: Checkpoint

    @property
    def epoch(self) -> int:
        """The epoch that it was saved in, from 1."""
        return int(self.shared["epoch"]) + 1

    @property
    def step(self) -> int:
        return int(self.own["global_step"])

    def checkpoint(self, module: ExperimentModule) -> Checkpoint:
        """Return what a run alone would have written.

        Args:
            module: the member's own.
        """
        checkpoint = {
            **self.shared,
            "state_dict": self.weights(module),
            "optimizer_states": [self.member.optimizer()],
            "lr_schedulers": [self.member.scheduler],
        }
        module.on_save_checkpoint(checkpoint)
        return checkpoint | self.own

    def weights(self, module: ExperimentModule) -> dict[str, Tensor]:
        """Return what the module's `state_dict` was."""
        of_network = {f"network.{name}": t for name, t in self.member.tensors().items()}
        present = {name: value.detach() for name, value in module.state_dict().items()}
        return {name: of_network.get(name, value) for name, value in present.items()}


class MemberCheckpoints:
    """Keeps what a member saves, and writes it.

    Args:
        number: of the member in the stack.
        stack: that has its weights.
        shared: gives what all members' checkpoints have in common at this moment.
        is_eager: each is written at once, as where `checkpoint.every_n_steps` asks for them.

    Attributes:
        best: what was saved with the selected weights; None before there is any.
        waiting: what is not written yet, by its path.
        moment: at which the member is kept; of one moment it is kept once.
    """

    def __init__(
        self,
        number: int,
        parts: RunParts,
        trainer: MemberTrainer,
        stack: Stack,
        shared: Callable[[], Checkpoint],
        is_eager: bool,
    ) -> None:
        self.number, self.parts, self.trainer, self.stack = number, parts, trainer, stack
        self.shared, self.is_eager = shared, is_eager
        self.streams = streams_of(mix(parts.config["seed"], 2**32 - 1), parts.module.device)
        self.best: Saved | None = None
        self.waiting: dict[str, Saved] = {}
        self.moment = 0
        self._kept: tuple[int, Kept] | None = None

    @functools.cached_property
    def own_optimizer(self) -> Optimizer:
        """The member's own optimizer, with the state that it has in the stack."""
        optimizer = self.parts.recipe.optimizer.make(self.parts.module.network)
        optimizer.load_state_dict(self.stack.optimizer_state(self.number))
        return optimizer

    @property
    def kept(self) -> Kept:
        """The member as it is now, or as it was when it left the stack."""
        has_left = self.number not in self.stack.active
        if self._kept is None or not (has_left or self._kept[0] == self.moment):
            self._kept = (self.moment, self.stack.kept(self.number))
        return self._kept[1]

    def unstack(self) -> None:
        """Have the member's own module have its weights; who has left has them."""
        if self.number in self.stack.active:
            self.stack.unstack(self.number)

    def leave(self) -> None:
        """Keep the member for good, and take it out of the stack."""
        if self.number in self.stack.active:
            self.moment += 1
            assert self.kept
            self.stack.freeze(self.number)

    def save(self, path: Any) -> None:
        """Keep what a run alone would write at this moment."""
        trainer = self.trainer
        states = {c.state_key: c.state_dict() for c in trainer.callbacks}
        own = {
            "global_step": trainer.global_step,
            "callbacks": {key: as_it_is(state) for key, state in states.items() if state},
            **self.streams,
            "standardized_sums": self.parts.module.means.state().cpu(),
            "validated": self.parts.module.validated(),
        }
        saved = Saved(self.kept, self.shared(), own)
        self.waiting[os.fspath(path)] = saved
        if Path(path).name == BEST:
            self.best = saved
        if self.is_eager:
            self.write()

    def write(self) -> None:
        """Write what waits, that of the best weights first, as a run alone does."""
        for path in sorted(self.waiting):
            checkpoint = self.waiting[path].checkpoint(self.parts.module)
            AtomicCheckpoints().save_checkpoint(checkpoint, path)
            del self.waiting[path]


def as_it_is(state: Mapping[str, Any]) -> Checkpoint:
    """Return a copy of a callback's state, whose tensors and texts never change themselves."""
    return {key: dict(value) if isinstance(value, dict) else value for key, value in state.items()}


def streams_of(seed: int, device: torch.device) -> Checkpoint:
    """Return the streams that a run alone would draw from, which nothing of a member has drawn
    from yet.
    """
    states = {"torch_rng_state": torch.Generator().manual_seed(seed).get_state()}
    if torch.cuda.is_available():
        where = device if device.type == "cuda" else torch.device("cuda")
        states["cuda_rng_state"] = torch.Generator(where).manual_seed(seed).get_state()
    return states
