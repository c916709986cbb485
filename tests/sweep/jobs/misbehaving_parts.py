"""Parts of every kind but models, each of which does wrong in the way that it is told.

A model that does is in tests/training/test_foreign.py and tests/slow/test_foreign_sweep.py.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import Logger
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import Metric

from experiments.data.sources import DataSet, Points, data_set_of

KEPT: list[Any] = []
"""What outlives the job that has kept it, where the next one is in the same process."""


class Descent(torch.optim.SGD):
    def __init__(self, params: Any, lr: float = 0.1, how: str = "well") -> None:
        if how == "init":
            raise KeyError("width")  # optim init
        if how == "leaves":
            sys.exit(3)  # optim leaves
        super().__init__(params, lr=lr)
        self.how, self.number = how, 0
        if how == "keeps":
            self.param_groups[0]["kept"] = object()

    def step(self, closure: Any = None) -> Any:
        self.number += 1
        if self.how == "step":
            raise RuntimeError("no such step")  # optim step
        if self.how == "late" and self.number > 5:
            raise RuntimeError("no sixth step")  # optim late
        return super().step(closure)


class Bare:
    """No optimizer."""

    def __init__(self, params: Any, lr: float = 0.1, how: str = "well") -> None: ...


def falling(optimizer: Any, num_total: int, how: str = "well") -> Any:
    if how == "raises":
        raise KeyError("warmup")  # scheduler raises
    if how == "none":
        return None

    def factor(number: int) -> float:
        if how == "step" and number > 1:
            raise RuntimeError("no such rate")  # scheduler step
        return float("nan") if how == "blank" and number else 1 / (1 + number)

    schedule = LambdaLR(optimizer, factor)
    if how == "keeps":
        schedule.kept = object()
    return schedule


class Wrongness(nn.Module):
    takes = "logits"

    def __init__(self, how: str = "well") -> None:
        super().__init__()
        self.how = how

    def forward(self, outputs: Tensor, targets: Tensor) -> Any:
        loss = nn.functional.cross_entropy(outputs, targets, reduction="none")
        if self.how == "raises" or (self.how == "late" and len(targets) > 10):
            raise RuntimeError("no such loss")  # loss raises
        if self.how == "seeds":
            torch.manual_seed(7)
            random.seed(7)
            np.random.seed(7)
        if self.how == "leaf":
            nn.Parameter(torch.ones(1)).mul_(2)  # loss leaf
        if self.how == "vector":
            return loss
        if self.how == "number":
            return loss.mean().item()
        return {"blank": loss.sum() / 0, "cut": loss.mean().detach()}.get(self.how, loss.mean())


class Phi(nn.Module):
    def __init__(self, how: str = "well", power: int = 3) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor) -> Any:
        if self.how == "raises":
            raise RuntimeError("no such unit")  # activation raises
        if self.how == "widens":
            return torch.cat([x, x], dim=-1)
        if self.how == "pair":
            return x, x
        if self.how == "blank":
            return x.log()
        return x.relu_() if self.how == "in place" else x.relu()


def filled(tensor: Tensor, place: Any, generator: torch.Generator, how: str = "well") -> None:
    if how == "raises":
        raise RuntimeError("no such weight")  # init raises
    if how == "blank":
        tensor.fill_(float("nan"))
    else:
        tensor.normal_(0, 0.1, generator=generator)


def spots(*, how: str = "well") -> Any:
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(60, 2, generator=generator), torch.arange(60) % 2
    inputs += targets[:, None]
    if how == "raises":
        raise FileNotFoundError("spots.csv")  # data raises
    if how == "leaves":
        sys.exit("no spots")  # data leaves
    if how == "list":
        return [inputs, targets]
    if how == "blank":
        inputs[0] = float("nan")
    if how == "classes":
        points, more = Points(inputs, targets), Points(inputs, targets + 1)
        return DataSet(points, more, "classification", ("left", "right"))
    if how == "task":
        return DataSet(Points(inputs, targets), Points(inputs, targets), inputs)
    if how == "prints":
        print("a word of a data set")
    return data_set_of([Points(inputs, targets)], ("left", "right"))


class Watch(Callback):
    def __init__(self, how: str = "well") -> None:
        self.how = how
        if how == "init":
            raise KeyError("path")  # callbacks init

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        KEPT.append(trainer)
        if self.how == "late":
            raise RuntimeError("no such epoch")  # callbacks late
        if self.how == "leaves":
            sys.exit(1)  # callbacks leaves


class Stranger:
    """No callback, no metric and no logger."""

    def __init__(self, how: str = "well") -> None: ...


class Share(Metric):
    """The share of points that are told rightly."""

    full_state_update = False

    def __init__(self, how: str = "well") -> None:
        if how == "init":
            raise KeyError("bins")  # metrics init
        super().__init__()
        self.how = how
        self.add_state("right", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        if self.how == "raises" or (self.how == "late" and len(targets) > 8):
            raise RuntimeError("no such share")  # metrics raises
        self.right += (outputs.argmax(1) == targets).sum()
        self.total += len(targets)

    def compute(self) -> Any:
        if self.how == "pair":
            return torch.stack([self.right, self.total, self.total])
        share = self.right / self.total
        return float(share) if self.how == "number" else share


class Note(Logger):
    name, version = "note", 0

    def __init__(self, how: str = "well") -> None:
        super().__init__()
        self.how = how
        if how == "init":
            raise KeyError("server")  # logger init

    def log_hyperparams(self, *unused: Any) -> None: ...

    def log_metrics(self, metrics: Any, step: Any = None) -> None:
        if self.how == "late":
            raise RuntimeError("no such server")  # logger late
