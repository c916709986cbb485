"""L(theta), the loss over all training points at one theta, at each epoch's end."""

from __future__ import annotations

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from experiments.data.datamodule import DataModule
from experiments.training.module import ExperimentModule


class FullLoss(Callback):
    """Log `train/full_loss` = 1/|D| sum over D of l(theta; x, y), after the epoch's last step.

    With weights of classes it is the weighted mean, sum w_y l / sum w_y.

    `train/loss` is the mean over the epoch's steps, each point under the weights of its own step
    and as augmentation and dropout left it: the loss of no one theta. Here the points are as they
    are, the network evaluates (no dropout, the running statistics of batch norm), and the weights
    are those that are trained, not their average (`trainer.ema_decay`); of a schedule-free
    optimizer they are those that it evaluates with.
    """

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ExperimentModule)
        data = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, DataModule)
        pl_module.to_evaluation()
        total, mass = pl_module.over_ranks(full_loss(pl_module, data))
        pl_module.log_of_epoch("train/full_loss", total / mass)


@torch.no_grad()
def full_loss(module: ExperimentModule, data: DataModule) -> torch.Tensor:
    """Return the sum of the losses of this rank's share of the training points, and of their
    weights, which are 1 without weights of classes: (2,), in float64.
    """
    was_training = module.network.training
    module.network.eval()
    precision = module.trainer.precision_plugin
    # Apple's GPUs have no float64.
    dtype = torch.float32 if module.device.type == "mps" else torch.float64
    sums = torch.zeros(2, dtype=dtype, device=module.device)
    for batch in data.in_order():
        if not batch.weight:
            continue  # a rank without a point of its own has one of weight 0
        with precision.forward_context():
            outputs = module.network(module.normalize(batch.inputs))
            loss = module.loss_of(outputs, batch.targets).to(dtype)
        mass = loss.new_tensor(len(batch.targets))
        if module.mass is not None:
            mass = module.mass(batch.targets).to(dtype)
        sums += torch.stack([loss * mass, mass])
    module.network.train(was_training)
    return sums
