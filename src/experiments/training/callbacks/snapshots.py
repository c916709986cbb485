"""The weights of a network along its training, kept in memory."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from experiments.training.module import ExperimentModule


def flat(network: nn.Module) -> Tensor:
    """Return a copy of all weights as one vector (P,), in the order of their names."""
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()]).cpu()


class Snapshots(Callback):
    """Keep the weights before training, after each epoch (or each step), and at the end.

    They are those of the averaged network where the run validates with that.

    Args:
        every: epochs from one snapshot to the next.
        each_step: after each call of the training step instead, which is an optimizer step where
            `steps_per_execution` is 1.

    Attributes:
        weights: (P,) each. Of a schedule-free optimizer those that it evaluates with.
    """

    hears_of_calls = True
    """The end of a call of the training step is enough; see calls.py."""

    def __init__(self, every: int = 1, each_step: bool = False) -> None:
        self.every = every
        self.each_step = each_step
        self.weights: list[Tensor] = []
        self._is_fresh = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._keep(pl_module)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self._is_fresh = False
        if self.each_step:
            self._keep(pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self.each_step and (trainer.current_epoch + 1) % self.every == 0:
            self._keep(pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self._is_fresh:
            self._keep(pl_module)

    def _keep(self, module: L.LightningModule) -> None:
        assert isinstance(module, ExperimentModule)
        module.to_evaluation()
        self.weights.append(flat(module.evaluated))
        self._is_fresh = True
