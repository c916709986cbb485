"""A small transformer encoder over the steps of a signal or the patches of an image.

Shape letters: B batch, T tokens (patches), F features of a token, N heads.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from experiments.catalogue.activations import Activation
from experiments.catalogue.models.cnn import CONVOLUTIONS
from experiments.catalogue.models.layers import (
    at_least,
    dropout,
    dropout_rates,
    output_activation,
)
from experiments.catalogue.models.mlp import DenseLayer
from experiments.errors.messages import refuse_unless


class SelfAttention(nn.Module):
    """softmax(Q K' / sqrt(F / N)) V in each of N heads, side by side, then W h + b.

    Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin 2017, "Attention is all
    you need", equation 1 and section 3.2.2. Q, K and V are linear maps of the tokens, here one map
    with three times as many outputs. It is torch.nn.MultiheadAttention, written out: torch's own
    kernels have no second derivative, which some optimizers ask for, and no initialiser reaches
    its `in_proj_weight`.

    Shapes: (B, T, F) -> (B, T, F).
    """

    def __init__(self, dim: int, num_heads: int, rate: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.in_proj = nn.Linear(dim, 3 * dim)
        self.out_proj = nn.Linear(dim, dim)
        self.dropout = dropout(rate)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.in_proj(x).unflatten(2, (3, self.num_heads, -1))  # (B, T, 3, N, F / N)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).softmax(dim=3)
        h = self.dropout(weights) @ v
        return self.out_proj(h.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """x + attention(norm(x)), then h + W_2 phi(W_1 norm(h) + b_1) + b_2.

    The normalisation comes first, inside the sum: Xiong, Yang, He, Zheng, Zheng, Xing, Zhang, Lan,
    Wang, Liu 2020, "On layer normalization in the transformer architecture", ICML, figure 1 (b).
    Dropout is where torch.nn.TransformerEncoderLayer has it.

    Shapes: (B, T, F) -> (B, T, F).
    """

    def __init__(
        self, dim: int, num_heads: int, dim_feedforward: int, activation: Activation, rate: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, num_heads, rate)
        self.dropout1 = dropout(rate)
        self.norm2 = nn.LayerNorm(dim)
        key = "model.dim_feedforward"
        self.hidden = DenseLayer(dim, dim_feedforward, activation, rate=rate, key=key)
        self.linear2 = nn.Linear(dim_feedforward, dim)
        self.dropout2 = dropout(rate)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout1(self.attention(self.norm1(x)))
        # Each token by itself: activations take their features from dimension 1.
        h = self.linear2(self.hidden(self.norm2(x).flatten(0, 1)))
        return x + self.dropout2(h).view_as(x)


class Transformer(nn.Module):
    """Patches, their positions, pre-norm encoder layers, the mean over tokens, a linear map.

    Dosovitskiy, Beyer, Kolesnikov et al. 2021, "An image is worth 16x16 words: transformers for
    image recognition at scale", ICLR, with the simplifications of Beyer, Zhai, Kolesnikov 2022,
    "Better plain ViT baselines for ImageNet-1k": positions are fixed sines and cosines (which no
    optimizer and no initialiser touches), and the mean over tokens stands for a class token.

    The activation is that of the feed-forward parts; the softmax of the attention stays. The
    initialiser draws every matrix, those of the attention too, Q, K and V as one.

    Args:
        shape: (C, L), (C, H, W) or (C, D, H, W), the shape of one data point.
        num_outputs: K, classes or regression targets.
        activation: makes phi, one instance for each layer.
        patch_size: positions of a patch, which is a token, in each dimension.
        dim: F, a multiple of num_heads and of 2 for each dimension.
        depth: encoder layers.
        num_heads: N.
        dim_feedforward: features of the hidden layer of a feed-forward part.
        dropout: of attention weights, hidden features and what is added, in training.
        phi_out: identity, sigmoid, softmax or log_softmax.

    Shapes: (B, *shape) -> (B, K).

    >>> from torch import nn
    >>> net = Transformer((1, 28, 28), 10, nn.GELU, patch_size=7, dim=32, depth=1,
    ...                   dim_feedforward=64)
    >>> net(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    takes_dimensions: ClassVar = (1, 3, "a transformer takes patches of 1 to 3 dimensions")

    def __init__(
        self,
        shape: tuple[int, ...],
        num_outputs: int,
        activation: Activation,
        *,
        patch_size: int = 4,
        dim: int = 64,
        depth: int = 4,
        num_heads: int = 4,
        dim_feedforward: int = 128,
        dropout: float = 0.0,
        phi_out: str = "identity",
    ) -> None:
        super().__init__()
        channels, *sizes = shape
        for key, value, instead in (
            ("depth", depth, 4),
            ("num_heads", num_heads, 4),
            ("dim_feedforward", dim_feedforward, 128),
        ):
            at_least(f"model.{key}", value, [value], 1, instead)
        check_patch(patch_size, sizes)
        check_dim(dim, num_heads, len(sizes))
        [rate] = dropout_rates(dropout, 1)
        self.patches = CONVOLUTIONS[len(sizes) - 1](channels, dim, patch_size, stride=patch_size)
        numbers = [size // patch_size for size in sizes]
        self.register_buffer("positions", positions(numbers, dim), persistent=False)
        self.layers = nn.ModuleList(
            EncoderLayer(dim, num_heads, dim_feedforward, activation, rate) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, num_outputs)
        self.phi_out = output_activation(phi_out)

    def forward(self, x: Tensor) -> Tensor:
        h = self.patches(x).flatten(2).transpose(1, 2) + self.positions  # (B, T, F)
        for layer in self.layers:
            h = layer(h)
        return self.phi_out(self.head(self.norm(h).mean(1)))


def check_patch(patch_size: int, sizes: list[int]) -> None:
    """Raise UserError for patches that do not fill the points, with the nearest size that does."""
    common = math.gcd(*sizes)
    divisors = [size for size in range(1, common + 1) if common % size == 0]
    nearest = min(divisors, key=lambda size: abs(size - patch_size))
    allowed = f"a divisor of {' and '.join(map(str, dict.fromkeys(sizes)))} (the points' size)"
    refuse_unless(patch_size in divisors, "model.patch_size", patch_size, allowed, nearest)


def check_dim(dim: int, num_heads: int, num_dims: int) -> None:
    """Raise UserError for features that cannot be shared out among heads and positions."""
    step = math.lcm(num_heads, 2 * num_dims)
    allowed = (
        f"a multiple of {step}, of model.num_heads={num_heads} and of the sines and cosines of "
        f"{num_dims} dimension{'s' * (num_dims > 1)}"
    )
    nearest = max(1, round(dim / step)) * step
    refuse_unless(dim > 0 and dim % step == 0, "model.dim", dim, allowed, nearest)


def positions(numbers: list[int], dim: int) -> Tensor:
    """Return sines and cosines of each token's place: sin(p / 10000^(i / f)), cos of the same.

    Vaswani et al. 2017, section 3.5. Each of n dimensions has 2 f = F / n features, and i counts
    from 0 to f - 1.

    Args:
        numbers: of tokens in each dimension; T is their product.
        dim: F.

    Shapes: (T, F).

    >>> positions([2], 2)
    tensor([[0.0000, 1.0000],
            [0.8415, 0.5403]])
    """
    num_frequencies = dim // len(numbers) // 2
    steps = torch.arange(num_frequencies, dtype=torch.float64)
    frequencies = 10000.0 ** (-steps / num_frequencies)
    places = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in numbers), indexing="ij")
    angles = [place.flatten()[:, None] * frequencies for place in places]
    waves = [wave(angle) for angle in angles for wave in (torch.sin, torch.cos)]
    return torch.cat(waves, dim=1).to(torch.get_default_dtype())
