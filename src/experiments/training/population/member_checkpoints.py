"""The checkpoints of a member: what a run alone writes, written less often.

A checkpoint of a small network takes 2 ms to write, as long as three steps of sixteen members. So
what a callback saves is kept in memory, as it was at that moment, and written when that takes no
more than a thirtieth of the time, at the end, and when the run is stopped. Whoever is killed
without a word loses as much as stood in memory, and goes on from what was written.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from torch import Tensor
from torch.optim import Optimizer

from experiments.data.order import mix
from experiments.training.population.member_trainer import MemberTrainer
from experiments.training.population.stacked import Stack
from experiments.training.run_parts import RunParts
from experiments.training.trainer import AtomicCheckpoints
from experiments.training.whole_checkpoint import BEST

Checkpoint = dict[str, Any]


class CapturedCheckpoint(CheckpointIO):
    """Keeps what the Trainer of all members would write: the state of its loops is each member's.

    Attributes:
        captured: the last checkpoint.
    """

    captured: Checkpoint

    def save_checkpoint(
        self, checkpoint: Checkpoint, path: Any, storage_options: Any = None
    ) -> None:
        self.captured = checkpoint

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> Checkpoint:
        raise NotImplementedError  # a member that goes on from a checkpoint is trained alone

    def remove_checkpoint(self, path: Any) -> None:
        raise NotImplementedError


class MemberCheckpoints:
    """What a member saves.

    Args:
        number: of the member in the stack.
        stack: that has its weights.
        shared: gives what all members' checkpoints have in common at this moment.
        is_eager: each is written at once, as where `checkpoint.every_n_steps` asks for them.

    Attributes:
        best: the checkpoint with the selected weights; None before there is one.
        waiting: those that are not written yet, by their paths.
        moment: what the weights are read at; of one moment they are read once.
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
        self.number, self.module, self.trainer, self.recipe = (
            number,
            parts.module,
            trainer,
            parts.recipe,
        )
        self.stack, self.shared, self.is_eager = stack, shared, is_eager
        self.best: Checkpoint | None = None
        self.waiting: dict[str, Checkpoint] = {}
        self.moment = 0
        self._read_at = -1
        self._weights: dict[str, Tensor] = {}
        self._states: tuple[Any, Any] = ({}, {})
        self._own_optimizer: Optimizer | None = None
        self.streams = streams_of(mix(parts.config["seed"], 2**32 - 1), parts.module.device)

    @property
    def own_optimizer(self) -> Optimizer:
        """The member's own optimizer, with the state that it has in the stack."""
        if self._own_optimizer is None:
            self._own_optimizer = self.recipe.optimizer.make(self.module.network)
            self._own_optimizer.load_state_dict(self.stack.optimizer_state(self.number))
        return self._own_optimizer

    def read(self) -> None:
        """Read weights and states out of the stack, unless this was done at this moment."""
        if self._read_at == self.moment:
            return
        self._read_at = self.moment
        if self.number in self.stack.active:  # who has left was unstacked then
            self.stack.unstack(self.number)
        weights = self.module.state_dict()
        self._weights = {name: value.detach().clone() for name, value in weights.items()}
        self._states = (
            self.stack.optimizer_state(self.number),
            self.stack.scheduler_state(self.number),
        )

    def save(self, path: Any) -> None:
        """Keep what a run alone would write at this moment."""
        checkpoint = self.checkpoint()
        self.waiting[os.fspath(path)] = checkpoint
        if Path(path).name == BEST:
            self.best = checkpoint
        if self.is_eager:
            self.write()

    def write(self) -> None:
        """Write what waits, that of the best weights first, as a run alone does."""
        for path in sorted(self.waiting):
            AtomicCheckpoints().save_checkpoint(self.waiting[path], path)
            del self.waiting[path]

    def checkpoint(self) -> Checkpoint:
        """Return what a run alone would write at this moment."""
        self.read()
        shared = self.shared()
        optimizer, scheduler = self._states
        trainer = self.trainer
        states = {c.state_key: copy.deepcopy(c.state_dict()) for c in trainer.callbacks}
        checkpoint = {
            **shared,
            "global_step": trainer.global_step,
            "state_dict": self._weights,
            "callbacks": {key: state for key, state in states.items() if state},
            "optimizer_states": [optimizer],
            "lr_schedulers": [scheduler],
        }
        for callback in trainer.callbacks:
            callback.on_save_checkpoint(trainer, self.module, checkpoint)  # type: ignore[arg-type]
        self.module.on_save_checkpoint(checkpoint)
        return checkpoint | self.streams


def streams_of(seed: int, device: torch.device) -> Checkpoint:
    """Return the streams that a run alone would draw from, which nothing of a member has drawn
    from yet.
    """
    states = {"torch_rng_state": torch.Generator().manual_seed(seed).get_state()}
    if torch.cuda.is_available():
        where = device if device.type == "cuda" else torch.device("cuda")
        states["cuda_rng_state"] = torch.Generator(where).manual_seed(seed).get_state()
    return states
