"""What a run measures and keeps beside a LightningModule of somebody's that trains itself."""

from __future__ import annotations

import math
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch.optim import Optimizer

from experiments.training.calls import Execution
from experiments.training.random_streams import keep_streams, take_streams
from experiments.training.user_module import UserModule, plain_alone


class UserMeasures(Callback):
    """Measure `train/loss`, validation and test; the first of all callbacks: others read them.

    `train/loss` is the mean of what the training step returns over the points of the epoch.
    Validation and test are measured on the module's forward, as those of every network. Its
    checkpoint also gets what rebuilds a run: the data's spec and statistics, and the streams that
    dropout draws from.

    Args:
        module: what is around the one that is trained.
    """

    def __init__(self, module: UserModule) -> None:
        self.module = module
        self.lr = math.nan
        self.total, self.num_points = 0.0, 0

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        trainer.measured = self.module.measured  # type: ignore[attr-defined]

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.module.to(pl_module.device)

    on_test_start = on_fit_start

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self.module.cpu()
        self.module.current = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        Execution.go_on_from_checkpoint(trainer)

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer
    ) -> None:
        # After the step a schedule may have changed it already.
        if optimizer is trainer.optimizers[0]:
            self.lr = float(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any
    ) -> None:
        assert self.module.current is not None
        size = len(self.module.current.targets)
        loss = outputs.get("loss")
        if loss is not None:
            # The Trainer has divided it, so that gradients of several batches make a mean.
            is_divided = pl_module.automatic_optimization
            parts = trainer.accumulate_grad_batches if is_divided else 1
            self.total = self.total + loss.detach().double().mean() * parts * size
            self.num_points += size
        # What other callbacks read of our own steps.
        outputs |= {"loss": loss, "lr": self.lr, "num_points": size}

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.module.end_epoch()
        if self.num_points:
            self.module.measured["train/loss"] = torch.as_tensor(self.total / self.num_points)
        self.total, self.num_points = 0.0, 0

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.module.is_measurable:
            self.module.on_validation_epoch_start()

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any
    ) -> None:
        self._measure(trainer, self.module.validation_step)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.module.is_measurable:
            self.module.on_validation_epoch_end()

    def on_test_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.module.is_measurable:
            self.module.on_test_epoch_start()

    def on_test_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self._measure(trainer, self.module.test_step)

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.module.is_measurable:
            self.module.on_test_epoch_end()

    def _measure(self, trainer: L.Trainer, step: Any) -> None:
        if self.module.is_measurable:
            with trainer.precision_plugin.forward_context():
                step(self.module.current, 0)

    def state_dict(self) -> dict[str, Any]:
        return {"total": float(self.total), "num_points": self.num_points, "lr": self.lr}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.total, self.num_points, self.lr = state["total"], state["num_points"], state["lr"]

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["data_spec"] = self.module.spec.as_dict()
        checkpoint["around_module"] = self.module.around()
        keep_streams(checkpoint)
        keep_plain_hyperparameters(checkpoint)

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.training:
            take_streams(checkpoint)


def keep_plain_hyperparameters(checkpoint: dict[str, Any]) -> None:
    """Leave away what `save_hyperparameters` has kept of classes and functions: the config has it.

    A checkpoint with them could not be read without running what its file says.
    """
    key = L.LightningModule.CHECKPOINT_HYPER_PARAMS_KEY
    if key in checkpoint:
        checkpoint[key] = plain_alone(checkpoint[key])
        checkpoint.pop(L.LightningModule.CHECKPOINT_HYPER_PARAMS_TYPE, None)
