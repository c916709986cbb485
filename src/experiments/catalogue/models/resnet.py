"""The residual network for small images, in one, two or three dimensions by the shape of the data.

Shape letters: B batch, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from experiments.catalogue.activations import Activation
from experiments.catalogue.models.cnn import CONVOLUTIONS
from experiments.catalogue.models.layers import (
    NORMS,
    Chain,
    at_least,
    check_keeps_features,
    keeps_features,
    normalization,
    output_activation,
    widened,
)
from experiments.errors.messages import check_choice, refuse_unless

SHORTCUTS = ("padding", "projection", "none")
Convolve = Callable[..., Chain]


class PaddedShortcut(nn.Module):
    """Every second position, and channels of zeros behind those that there are.

    Option A of He, Zhang, Ren, Sun 2016, section 3.3: it has no weights.

    Shapes: (B, C, *sizes) -> (B, C + num_added, *sizes / 2, rounded up).
    """

    def __init__(self, num_added: int) -> None:
        super().__init__()
        self.num_added = num_added

    def forward(self, x: Tensor) -> Tensor:
        num_dims = x.dim() - 2
        every_second = x[(slice(None), slice(None), *[slice(None, None, 2)] * num_dims)]
        return F.pad(every_second, (0, 0) * num_dims + (0, self.num_added))

    def extra_repr(self) -> str:
        return f"num_added={self.num_added}"


class ResidualBlock(nn.Module):
    """h = phi(norm(W_2 * phi(norm(W_1 * x))) + s(x)), s the shortcut.

    Where the channels double, W_1 takes every second position.

    Shapes: (B, in_channels, *sizes) -> (B, out_channels, *sizes or half of them, rounded up).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        activation: Activation,
        convolve: Convolve,
        shortcut: str,
    ) -> None:
        super().__init__()
        grows = out_channels > in_channels
        stride = 2 if grows else 1
        num_features = widened("model.width", activation, out_channels)
        self.first = convolve(in_channels, num_features, 3, stride, activation=activation())
        self.second = convolve(out_channels, num_features, 3, 1)
        self.has_shortcut = shortcut != "none"
        self.shortcut: nn.Module = nn.Identity()
        if grows and shortcut == "padding":
            self.shortcut = PaddedShortcut(out_channels - in_channels)
        elif shortcut == "projection" and (grows or not keeps_features(activation)):
            self.shortcut = convolve(in_channels, num_features, 1, stride)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        h = self.second(self.first(x))
        return self.activation(h + self.shortcut(x) if self.has_shortcut else h)


class ResNet(nn.Module):
    """A convolution, 3n residual blocks in three stages, the mean over positions, a linear map.

    He, Zhang, Ren, Sun 2016, "Deep residual learning for image recognition", CVPR, section 4.2: the
    networks for CIFAR-10. Stages have 1, 2 and 4 times `width` channels, and the second and the
    third begin with a stride of 2. All kernels are 3 wide; there is no b before a normalisation.
    Without normalisation each convolution has one.

    Args:
        shape: (C, L), (C, H, W) or (C, D, H, W), the shape of one data point, of any size.
        num_outputs: K, classes or regression targets.
        activation: makes phi, one instance for each layer. What is added before it has as many
            features as it takes, so maxout, crelu and gated units want a projection in each block.
        depth: layers with weights along the longest path, 6n + 2: 8, 14, 20, ..., 56, ...
        width: channels of the first stage; 16 in the paper.
        norm: batch (the paper's), group, layer or none, before the activation.
        norm_groups: groups of `norm=group`.
        shortcut: where the channels double, padding (option A, the paper's for CIFAR-10) or
            projection (option B, a convolution of one position, with its own normalisation); with
            none of all blocks it is their plain network.
        phi_out: identity, sigmoid, softmax or log_softmax.

    Shapes: (B, *shape) -> (B, K).

    >>> from torch import nn
    >>> sum(p.numel() for p in ResNet((3, 32, 32), 10, nn.ReLU, depth=20).parameters())
    269722
    """

    takes_dimensions: ClassVar = (1, 3, "a ResNet slides windows over 1 to 3 dimensions")

    def __init__(
        self,
        shape: tuple[int, ...],
        num_outputs: int,
        activation: Activation,
        *,
        depth: int = 20,
        width: int = 16,
        norm: str = "batch",
        norm_groups: int = 8,
        shortcut: str = "padding",
        phi_out: str = "identity",
    ) -> None:
        super().__init__()
        num_blocks = blocks_per_stage(depth)
        at_least("model.width", width, [width], 1, 16)
        check_choice("model.norm", norm, NORMS)
        check_choice("model.shortcut", shortcut, SHORTCUTS)
        if shortcut == "padding":
            reason = "a block adds its own input to what is to enter it"
            check_keeps_features(activation, reason, "model.shortcut=projection")
        convolve = convolving(len(shape) - 1, norm, norm_groups)
        num_features = widened("model.width", activation, width)
        self.stem = convolve(shape[0], num_features, 3, 1, activation=activation())
        blocks: list[nn.Module] = []
        channels = width
        for out_channels in (width, 2 * width, 4 * width):
            for _ in range(num_blocks):
                blocks.append(ResidualBlock(channels, out_channels, activation, convolve, shortcut))
                channels = out_channels
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(channels, num_outputs)
        self.phi_out = output_activation(phi_out)

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x)
        for block in self.blocks:
            h = block(h)
        return self.phi_out(self.head(h.flatten(2).mean(2)))


def convolving(num_dims: int, norm: str, norm_groups: int) -> Convolve:
    """Return what makes phi(norm(W * x + b)), or norm(W * x + b) without an activation.

    It is called with the channels in and out, the odd kernel size and the stride; at stride 1 all
    positions stay.
    """

    def convolve(
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        activation: nn.Module | None = None,
    ) -> Chain:
        return Chain(
            affine=CONVOLUTIONS[num_dims - 1](
                in_channels,
                out_channels,
                kernel_size,
                stride=stride,
                padding=kernel_size // 2,
                bias=norm == "none",
            ),
            norm=normalization(norm, out_channels, num_dims, norm_groups),
            activation=nn.Identity() if activation is None else activation,
        )

    return convolve


def blocks_per_stage(depth: int) -> int:
    """Return n of a depth of 6n + 2, or raise UserError.

    >>> blocks_per_stage(20), blocks_per_stage(56)
    (3, 9)
    """
    n = max(1, round((depth - 2) / 6))
    allowed = "6n + 2: 8, 14, 20, 26, 32, 38, 44, 50, 56, ..."
    refuse_unless(depth == 6 * n + 2, "model.depth", depth, allowed, 6 * n + 2)
    return n
