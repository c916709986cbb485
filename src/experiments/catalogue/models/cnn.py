"""The convolutional network, in one, two or three spatial dimensions by the shape of the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
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
    per_layer,
    spread,
    widened,
    word_per_layer,
)
from experiments.catalogue.models.mlp import DenseLayer
from experiments.catalogue.models.windows import VanishesError, padding_size, shrink
from experiments.errors.messages import refuse_unless, user_error
from experiments.errors.wording import spelled

POOLS = ("none", "max", "avg")
CONVOLUTIONS: tuple[type[nn.Module], ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
MAX_POOLS: tuple[type[nn.Module], ...] = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
AVG_POOLS: tuple[type[nn.Module], ...] = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)


@dataclass(frozen=True)
class ConvSpec:
    """One convolutional layer in numbers: F, S, P and what follows the convolution."""

    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int
    padding: int
    pool: str
    pool_size: int
    norm: str
    rate: float


class ConvLayer(Chain):
    """h = dropout(pool(phi(norm(W * x + b)))), with no b before a normalisation layer.

    Shapes: (B, in_channels, *sizes) -> (B, out_channels, *smaller sizes).
    """

    def __init__(
        self, spec: ConvSpec, activation: Activation, num_dims: int, norm_groups: int
    ) -> None:
        num_features = widened("model.channels", activation, spec.out_channels)
        pools = {"max": MAX_POOLS, "avg": AVG_POOLS}
        has_pool = spec.pool != "none"
        super().__init__(
            affine=CONVOLUTIONS[num_dims - 1](
                spec.in_channels,
                num_features,
                spec.kernel_size,
                stride=spec.stride,
                padding=spec.padding,
                bias=spec.norm == "none",
            ),
            norm=normalization(spec.norm, num_features, num_dims, norm_groups),
            activation=activation(),
            pool=pools[spec.pool][num_dims - 1](spec.pool_size) if has_pool else nn.Identity(),
            dropout=dropout(spec.rate),
        )


class CNN(nn.Module):
    """Convolutional layers, then a dense head: y = phi_out(W h + b).

    A layer is dropout(pool(phi(norm(W * x + b)))). LeCun, Bottou, Bengio, Haffner 1998,
    "Gradient-based learning applied to document recognition".

    Args:
        shape: (C, L), (C, H, W) or (C, D, H, W), the shape of one data point.
        num_outputs: K, classes or regression targets.
        activation: makes phi, one instance for each layer.
        channels: output channels of each convolution.
        kernel_size: F of each convolution; one for all or one per layer, as all that follow.
        stride: S.
        padding: `same` (odd kernels; ceil(W/S) positions stay), `valid` (0) or P itself.
        pool: none, max or avg, after the activation.
        pool_size: window and stride of the pool.
        norm: none, batch, layer or group, before the activation.
        norm_groups: groups of `norm=group`.
        dropout: probability of zeroing a feature in training.
        dense: features of hidden dense layers between the last convolution and the output; they
            have the same activation, and no normalisation or dropout.
        phi_out: identity, sigmoid, softmax or log_softmax.

    Shapes: (B, *shape) -> (B, K).

    >>> from torch import nn
    >>> net = CNN((1, 40), 10, nn.ReLU, channels=[25, 25, 25], kernel_size=[5, 3, 3], stride=2,
    ...           padding=1, pool="none")
    >>> sum(p.numel() for p in net.parameters())
    5210
    """

    takes_dimensions: ClassVar = (1, 3, "a CNN slides windows over 1 to 3 dimensions")

    def __init__(
        self,
        shape: tuple[int, ...],
        num_outputs: int,
        activation: Activation,
        *,
        channels: Sequence[int] = (32, 64),
        kernel_size: Any = 3,
        stride: Any = 1,
        padding: Any = "same",
        pool: Any = "max",
        pool_size: Any = 2,
        norm: Any = "none",
        norm_groups: int = 8,
        dropout: Any = 0.0,
        dense: Sequence[int] = (),
        phi_out: str = "identity",
    ) -> None:
        super().__init__()
        in_channels, *sizes = shape
        windows = {
            "channels": channels,
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "pool": pool,
            "pool_size": pool_size,
        }
        specs = layer_specs(in_channels, **windows, norm=norm, rate=dropout)
        try:
            after = sizes_after(specs, tuple(sizes))[-1]
        except VanishesError as error:
            instead = what_fits(shape, windows)
            raise user_error("vanishes", **error.values, instead=instead) from error
        at_least("model.dense", dense, list(dense), 1, 128)
        self.convs = nn.ModuleList(
            ConvLayer(spec, activation, len(sizes), norm_groups) for spec in specs
        )
        widths = [specs[-1].out_channels * math.prod(after), *dense]
        self.dense = nn.ModuleList(
            DenseLayer(*pair, activation, key="model.dense") for pair in pairwise(widths)
        )
        self.head = nn.Linear(widths[-1], num_outputs)
        self.phi_out = output_activation(phi_out)

    def forward(self, x: Tensor) -> Tensor:
        h = x
        for conv in self.convs:
            h = conv(h)
        h = h.flatten(1)
        for layer in self.dense:
            h = layer(h)
        return self.phi_out(self.head(h))


def layer_specs(
    in_channels: int,
    channels: Sequence[int],
    kernel_size: Any,
    stride: Any,
    padding: Any,
    pool: Any,
    pool_size: Any,
    norm: Any,
    rate: Any,
) -> list[ConvSpec]:
    """Return each layer's numbers, every value checked."""
    n = len(channels)
    refuse_unless(n, "model.channels", "[]", "a list of at least one number", "[32,64]")
    at_least("model.channels", channels, list(channels), 1, 32)
    kernels = per_layer("model.kernel_size", kernel_size, n, int)
    at_least("model.kernel_size", kernel_size, kernels, 1, 3)
    strides = per_layer("model.stride", stride, n, int)
    at_least("model.stride", stride, strides, 1, 1)
    pool_sizes = per_layer("model.pool_size", pool_size, n, int)
    at_least("model.pool_size", pool_size, pool_sizes, 1, 2)
    pools = word_per_layer("model.pool", pool, n, POOLS)
    norms = word_per_layer("model.norm", norm, n, NORMS)
    rates = dropout_rates(rate, n)
    # A padding is a word or a number, so padding_size checks its type.
    paddings = spread("model.padding", padding, n)
    return [
        ConvSpec(
            in_channels=[in_channels, *channels][i],
            out_channels=channels[i],
            kernel_size=kernels[i],
            stride=strides[i],
            padding=padding_size(paddings[i], kernels[i], strides[i]),
            pool=pools[i],
            pool_size=pool_sizes[i],
            norm=norms[i],
            rate=rates[i],
        )
        for i in range(n)
    ]


def sizes_after(specs: Sequence[ConvSpec], sizes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the spatial sizes after each layer.

    Raises:
        VanishesError: a window is larger than what it slides over.
    """
    after = []
    for i, spec in enumerate(specs, start=1):
        sizes = shrink(f"convolution {i}", sizes, spec.kernel_size, spec.padding, spec.stride)
        if spec.pool != "none":
            sizes = shrink(f"pool {i}", sizes, spec.pool_size, stride=spec.pool_size)
        after.append(sizes)
    return after


def what_fits(shape: tuple[int, ...], windows: dict[str, Any]) -> str:
    """Return overrides of `windows` with which something is left, each tried before it is said."""
    channels = list(windows["channels"])
    trials: list[dict[str, Any]] = [{"kernel_size": k} for k in range(max(shape[1:]), 0, -1)]
    trials += [{"pool": "none"}, {"padding": "same"}, {"padding": "same", "pool": "none"}]
    trials += [{"channels": channels[:n]} for n in range(len(channels) - 1, 0, -1)]
    trials += [{"kernel_size": 1, "stride": 1, "padding": 0, "pool": "none"}]
    fitting: list[dict[str, Any]] = []
    for trial in trials:
        if any(set(other) <= set(trial) for other in fitting) or len(fitting) == 2:
            continue
        try:
            specs = layer_specs(shape[0], **{**windows, **trial}, norm="none", rate=0.0)
            sizes_after(specs, shape[1:])
        except ValueError:  # vanishes too, or does not go together
            continue
        fitting.append(trial)
    typed = (" ".join(f"model.{key}={spelled(trial[key])}" for key in trial) for trial in fitting)
    return f"Try {', or '.join(typed)}."
