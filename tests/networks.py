"""A network for tests of optimizers."""

from __future__ import annotations

import torch
from torch import nn


def small() -> nn.Sequential:
    """Return a kernel, a normalisation, an activation with a weight, and two matrices."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        nn.PReLU(),
        nn.Flatten(),
        nn.Linear(16, 5),
        nn.Linear(5, 2),
    )
