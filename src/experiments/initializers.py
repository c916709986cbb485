"""Initialisers: each tensor drawn from a generator of its own.

The generator of a tensor is seeded by (seed, parameter name), so that two settings which agree
in a tensor's name and shape start from the same numbers there, whatever else they differ in.
One stream for all tensors would not do: a wider first layer would change the last.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

Initializer = Callable[..., None]


def tensor_seed(seed: int, name: str) -> int:
    """Return the seed of the generator for the tensor `name`: 32 bits of BLAKE2b.

    32, because torch's CPU generator (a Mersenne twister) reads no more of a seed than that.
    """
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big")


@torch.no_grad()
def initialize(module: nn.Module, initializer: Initializer, seed: int) -> None:
    """Draw every weight matrix, every kernel and their biases anew, in place.

    Modules without a weight of two or more dimensions (normalisation, PReLU) keep the constants
    that they were made with.

    Args:
        module: the network; the names are those of its `named_parameters`.
        initializer: one of this module's functions.
        seed: the run's seed.
    """
    for prefix, layer in module.named_modules():
        weight = getattr(layer, "weight", None)
        if not isinstance(weight, Tensor) or weight.dim() < 2:
            continue
        fan_in = weight[0].numel()
        fan_out = weight.shape[0] * weight[0, 0].numel()
        for name, tensor in layer.named_parameters(recurse=False):
            full_name = f"{prefix}.{name}" if prefix else name
            # Drawn on the CPU, so that every device starts from the same weights.
            values = torch.empty(tensor.shape, dtype=tensor.dtype)
            generator = torch.Generator().manual_seed(tensor_seed(seed, full_name))
            initializer(values, name == "bias", fan_in, fan_out, generator)
            tensor.copy_(values)


def default(
    tensor: Tensor, is_bias: bool, fan_in: int, fan_out: int, generator: torch.Generator
) -> None:
    """Torch's own: weights and biases from U(-b, b), b = 1 / sqrt(fan_in).

    LeCun, Bottou, Orr, Müller 1998, "Efficient BackProp", section 4.6, up to the constant;
    torch writes it as kaiming_uniform with a = sqrt(5).
    """
    bound = 1 / math.sqrt(fan_in)
    tensor.uniform_(-bound, bound, generator=generator)


def xavier(
    tensor: Tensor, is_bias: bool, fan_in: int, fan_out: int, generator: torch.Generator
) -> None:
    """Weights from U(-b, b), b = sqrt(6 / (fan_in + fan_out)); biases 0.

    Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS, equation 16.
    """
    if is_bias:
        tensor.zero_()
    else:
        bound = math.sqrt(6 / (fan_in + fan_out))
        tensor.uniform_(-bound, bound, generator=generator)


def kaiming(
    tensor: Tensor, is_bias: bool, fan_in: int, fan_out: int, generator: torch.Generator
) -> None:
    """Weights from N(0, 2 / fan_in); biases 0.

    He, Zhang, Ren, Sun 2015, "Delving deep into rectifiers", ICCV, equation 10.
    """
    if is_bias:
        tensor.zero_()
    else:
        tensor.normal_(0, math.sqrt(2 / fan_in), generator=generator)
