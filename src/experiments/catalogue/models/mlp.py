"""The multilayer perceptron: h_i = phi(W_i h_{i-1} + b_i), y = phi_out(W h + b)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor, nn

from experiments.catalogue.activations import Activation
from experiments.catalogue.models.layers import (
    NORMS,
    Chain,
    at_least,
    dropout,
    dropout_rates,
    normalization,
    output_activation,
    widened,
    word_per_layer,
)


class DenseLayer(Chain):
    """h = dropout(phi(norm(W x + b))), plus x where `residual` is set and the widths agree.

    There is no b before a normalisation layer, which would subtract it again: its gradient
    would be rounding noise, and Adam would scale that up to full steps.

    Shapes: (B, in_features) -> (B, out_features).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: Activation,
        *,
        norm: str = "none",
        norm_groups: int = 8,
        rate: float = 0.0,
        residual: bool = False,
        key: str = "model.hidden",
    ) -> None:
        num_features = widened(key, activation, out_features)
        super().__init__(
            affine=nn.Linear(in_features, num_features, bias=norm == "none"),
            norm=normalization(norm, num_features, 0, norm_groups),
            activation=activation(),
            dropout=dropout(rate),
        )
        self.residual = residual and in_features == out_features

    def forward(self, x: Tensor) -> Tensor:
        h = super().forward(x)
        return h + x if self.residual else h


class MLP(nn.Module):
    """y = phi_out(W_n h_{n-1} + b_n), h_i = phi(W_i h_{i-1} + b_i), h_0 = x flattened.

    Rumelhart, Hinton, Williams 1986, "Learning representations by back-propagating errors";
    dropout of Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014, "Dropout: a simple way
    to prevent neural networks from overfitting"; residual layers of He, Zhang, Ren, Sun 2016, "Deep
    residual learning for image recognition".

    Args:
        shape: the shape of one data point; it is flattened.
        num_outputs: K, classes or regression targets.
        activation: makes phi, one instance for each layer.
        hidden: features of each hidden layer.
        norm: none, batch, layer or group; one for all layers or one per layer.
        norm_groups: groups of `norm=group`.
        dropout: probability of zeroing a feature in training; one or one per layer.
        residual: add a hidden layer's input to its output where the two widths agree.
        phi_out: identity, sigmoid, softmax or log_softmax.

    Shapes: (B, *shape) -> (B, K).

    >>> from torch import nn
    >>> sum(p.numel() for p in MLP((40,), 10, nn.ReLU, hidden=[100, 100]).parameters())
    15210
    """

    activation_needs: ClassVar = ("hidden", "where no layer is hidden")

    def __init__(
        self,
        shape: tuple[int, ...],
        num_outputs: int,
        activation: Activation,
        *,
        hidden: Sequence[int] = (256, 256),
        norm: Any = "none",
        norm_groups: int = 8,
        dropout: Any = 0.0,
        residual: bool = False,
        phi_out: str = "identity",
    ) -> None:
        super().__init__()
        at_least("model.hidden", hidden, list(hidden), 1, 256)
        norms = word_per_layer("model.norm", norm, len(hidden), NORMS)
        rates = dropout_rates(dropout, len(hidden))
        widths = [math.prod(shape), *hidden]
        self.layers = nn.ModuleList(
            DenseLayer(
                *pair, activation, norm=n, norm_groups=norm_groups, rate=rate, residual=residual
            )
            for pair, n, rate in zip(pairwise(widths), norms, rates, strict=True)
        )
        self.head = nn.Linear(widths[-1], num_outputs)
        self.phi_out = output_activation(phi_out)

    def forward(self, x: Tensor) -> Tensor:
        h = x.flatten(1)
        for layer in self.layers:
            h = layer(h)
        return self.phi_out(self.head(h))
