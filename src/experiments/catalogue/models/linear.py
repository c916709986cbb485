"""The linear model: y = phi_out(W x + b)."""

from __future__ import annotations

import math

from torch import Tensor, nn

from experiments.catalogue.activations import Activation
from experiments.catalogue.models.layers import output_activation


class Linear(nn.Module):
    """y = phi_out(W x + b): softmax regression with cross-entropy, linear regression with MSE.

    It has no hidden layer, so the activation has no effect on it.

    Args:
        shape: the shape of one data point; it is flattened.
        num_outputs: K, classes or regression targets.
        activation: unused, taken so that all models are built alike.
        phi_out: identity, sigmoid, softmax or log_softmax.

    Shapes: (B, *shape) -> (B, K).

    >>> from torch import nn
    >>> sum(p.numel() for p in Linear((1, 8, 8), 10, nn.ReLU).parameters())
    650
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        num_outputs: int,
        activation: Activation | None = None,
        *,
        phi_out: str = "identity",
    ) -> None:
        super().__init__()
        self.head = nn.Linear(math.prod(shape), num_outputs)
        self.phi_out = output_activation(phi_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.phi_out(self.head(x.flatten(1)))
