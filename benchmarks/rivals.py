"""What our training step is measured against: the hand-written loop, and what users have today."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchmetrics.classification import MulticlassAccuracy
from torchvision.transforms import v2

MEAN, STD = 72.94, 90.02

warnings.filterwarnings("ignore", module="lightning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def mlp() -> nn.Module:
    """784-64-128-64-10 with batch norm."""
    layers: list[nn.Module] = [nn.Flatten()]
    widths = [784, 64, 128, 64]
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out, bias=False), nn.BatchNorm1d(fan_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


def cnn() -> nn.Module:
    """Two convolutions of 16 and 32 channels, each pooled, and a linear head."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 7 * 7, 10)),
    )


class Maxout(nn.Module):
    """The larger of two affine pieces."""

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, 2)).amax(2)


PHI: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.1),
    "elu": nn.ELU,
    "maxout": Maxout,
}


def plain_mlp(activation: str) -> nn.Module:
    """784-64-128-64-10 without normalisation."""
    layers: list[nn.Module] = [nn.Flatten()]
    pieces = 2 if activation == "maxout" else 1
    for fan_in, fan_out in pairwise([784, 64, 128, 64]):
        layers += [nn.Linear(fan_in, pieces * fan_out), PHI[activation]()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


def optimizer_of(name: str, network: nn.Module) -> torch.optim.Optimizer:
    """The lecture's optimizers, each in torch's fastest form on a CPU."""
    parameters = network.parameters()
    if name == "adam":
        return torch.optim.Adam(parameters, lr=1e-3, fused=True)
    if name == "adagrad":
        return torch.optim.Adagrad(parameters, lr=1e-2, fused=True)
    if name == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=1e-3, alpha=0.9, foreach=True)
    momentum = 0.9 if name == "momentum" else 0.0
    lr = 0.01 if momentum else 0.1
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, fused=True)


def seconds_of_bare_loop(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    batch_size: int,
    optimizer_name: str = "adam",
) -> float:
    """Return the seconds of a step of the plain loop: no metrics, no log, no validation.

    Written as fast as one would by hand: bytes taken by index_select, normalised in place, fused
    Adam.
    """
    optimizer = optimizer_of(optimizer_name, network)
    network.train()
    order = torch.randperm(len(labels)).split(batch_size)
    started = time.perf_counter()
    for index in order:
        x = images.index_select(0, index).float().sub_(MEAN).div_(STD)
        loss = F.cross_entropy(network(x), labels.index_select(0, index))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - started) / len(order)


class Usual(L.LightningModule):
    """A module as tutorials and templates write it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.accuracy = MulticlassAccuracy(10)
        self.seconds = 0.0

    def training_step(self, batch: Any, batch_index: int) -> Tensor:
        images, labels = batch
        outputs = self.network(images)
        loss = F.cross_entropy(outputs, labels)
        self.accuracy(outputs, labels)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        self.log("train/accuracy", self.accuracy, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)

    def on_train_epoch_start(self) -> None:
        self.seconds = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        self.seconds = time.perf_counter() - self.seconds


class Images(Dataset[tuple[Tensor, int]]):
    """Torchvision's way: one image at a time, through transforms."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels.tolist()
        self.transform = v2.Compose(
            [
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize([MEAN / 255], [STD / 255]),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def seconds_of_lightning(
    network: nn.Module, data: Dataset[Any], batch_size: int, num_steps: int
) -> float:
    """Return the seconds of a step of Lightning's Trainer with torch's DataLoader."""
    trainer = L.Trainer(
        max_epochs=1,
        limit_train_batches=num_steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = Usual(network)
    trainer.fit(module, DataLoader(data, batch_size=batch_size, shuffle=True, num_workers=0))
    return module.seconds / num_steps


def in_memory(images: Tensor, labels: Tensor) -> Dataset[Any]:
    """Return the images normalised beforehand, as floats."""
    return TensorDataset((images.float() - MEAN) / STD, labels)
