"""Initialisers: each tensor drawn from a generator of its own.

The generator of a tensor is seeded by (seed, parameter name), so that two settings which agree
in a tensor's name and shape start from the same numbers there, whatever else they differ in.
One stream for all tensors would not do: a wider first layer would change the last.

Where an initialiser takes a `gain`, weights are that many times as large as for a linear layer.
`gain: auto` is the gain of the activation (gains.py), with which the variance of the signal stays
what it is from one layer to the next.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

Initializer = Callable[..., None]


class Place(NamedTuple):
    """Where a tensor stands in the network.

    Attributes:
        is_bias: a bias, else a matrix or a kernel.
        is_first: of the first layer, which reads the data and not an activation's output.
        fan_in: numbers that one output of the layer is computed from.
        fan_out: output channels times the positions of a kernel.
    """

    is_bias: bool
    is_first: bool
    fan_in: int
    fan_out: int


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
    that they were made with, and so do weights that are not to be trained, recurrent ones
    (torch.nn.GRU calls none of its own `weight`), and those that the module names in its
    `taught_parameters`. Each tensor's generator is seeded by `seed` and its name among the
    module's `named_parameters`.
    """
    is_first = True
    taught: frozenset[str] = getattr(module, "taught_parameters", frozenset())
    for prefix, layer in module.named_modules():
        weight = getattr(layer, "weight", None)
        if not isinstance(weight, nn.Parameter) or weight.dim() < 2 or not weight.numel():
            continue
        fan_in = weight[0].numel()
        fan_out = weight.shape[0] * weight[0, 0].numel()
        for name, tensor in layer.named_parameters(recurse=False):
            if name not in ("weight", "bias") or not tensor.requires_grad:
                continue
            full_name = f"{prefix}.{name}" if prefix else name
            if full_name in taught:
                continue
            # Drawn on the CPU, so that every device starts from the same weights.
            values = torch.empty(tensor.shape, dtype=tensor.dtype)
            generator = torch.Generator().manual_seed(tensor_seed(seed, full_name))
            initializer(values, Place(name == "bias", is_first, fan_in, fan_out), generator)
            tensor.copy_(values)
        is_first = False


def default(tensor: Tensor, place: Place, generator: torch.Generator) -> None:
    """Torch's own: weights and biases from U(-b, b), b = 1 / sqrt(fan_in).

    LeCun, Bottou, Orr, Müller 1998, "Efficient BackProp", section 4.6, up to the constant;
    torch writes it as kaiming_uniform with a = sqrt(5). The variance of the signal falls from
    layer to layer, to a third where the activation keeps it.
    """
    bound = 1 / math.sqrt(place.fan_in)
    tensor.uniform_(-bound, bound, generator=generator)


def xavier(tensor: Tensor, place: Place, generator: torch.Generator, *, gain: float = 1.0) -> None:
    """Weights from U(-b, b), b = gain sqrt(6 / (fan_in + fan_out)); biases 0.

    Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS, equation 16, which has no gain. A compromise between the signal and its
    gradient: where fan_in and fan_out differ, neither's variance is quite kept.

    Args:
        gain: above 0, or auto: the activation's; 1 in the first layer.
    """
    if place.is_bias:
        tensor.zero_()
    else:
        bound = inner(gain, place) * math.sqrt(6 / (place.fan_in + place.fan_out))
        tensor.uniform_(-bound, bound, generator=generator)


def kaiming(
    tensor: Tensor, place: Place, generator: torch.Generator, *, gain: float = math.sqrt(2)
) -> None:
    """Weights from N(0, gain^2 / fan_in), in the first layer too; biases 0.

    He, Zhang, Ren, Sun 2015, "Delving deep into rectifiers", ICCV, equation 10, where gain^2 is 2
    for ReLU, and equation 15 for leaky ones.

    Args:
        gain: above 0, or auto: the activation's.
    """
    if place.is_bias:
        tensor.zero_()
    else:
        tensor.normal_(0, gain / math.sqrt(place.fan_in), generator=generator)


def lecun(tensor: Tensor, place: Place, generator: torch.Generator, *, gain: float = 1.0) -> None:
    """Weights from N(0, gain^2 / fan_in); biases 0.

    LeCun, Bottou, Orr, Müller 1998, "Efficient BackProp", equation 16, without a gain; what SELU
    asks for (Klambauer, Unterthiner, Mayr, Hochreiter 2017, "Self-normalizing neural networks").

    Args:
        gain: above 0, or auto: the activation's; 1 in the first layer.
    """
    if place.is_bias:
        tensor.zero_()
    else:
        tensor.normal_(0, inner(gain, place) / math.sqrt(place.fan_in), generator=generator)


def orthogonal(
    tensor: Tensor, place: Place, generator: torch.Generator, *, gain: float = 1.0
) -> None:
    """Weights gain Q, Q uniform among matrices with orthonormal rows or columns; biases 0.

    Saxe, McClelland, Ganguli 2014, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", ICLR, section 3. A kernel counts as the matrix of its output channels
    by fan_in. Where a layer has more outputs than inputs the columns are orthonormal, and Q is
    scaled by sqrt(outputs / fan_in), so that an output's variance is that of an input.

    Args:
        gain: above 0, or auto: the activation's; 1 in the first layer.
    """
    if place.is_bias:
        tensor.zero_()
        return
    nn.init.orthogonal_(tensor, inner(gain, place), generator=generator)
    tensor.mul_(math.sqrt(max(1.0, len(tensor) / place.fan_in)))


TRUNCATED_STD = math.sqrt(
    1 - 2 * 2 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(2 / math.sqrt(2))
)
"""Of N(0, 1) cut off at -2 and 2: sqrt(1 - 2 c phi(c) / (Phi(c) - Phi(-c))) at c = 2, 0.8796."""


def truncated_normal(
    tensor: Tensor,
    place: Place,
    generator: torch.Generator,
    *,
    gain: float = 1.0,
    std: float | None = None,
    bias: float = 0.0,
) -> None:
    """Weights from a normal distribution cut off at two standard deviations; biases constant.

    With `std` it is N(0, std^2) cut off, as TensorFlow's truncated_normal_initializer. Without, the
    scale is such that the variance after the cut is gain^2 / fan_in.

    Args:
        gain: above 0, or auto: the activation's; 1 in the first layer.
        std: before the cut; None for that of `gain`.
        bias: of every bias.
    """
    if std is not None and not std > 0:
        raise ValueError(f"std={std}: give a number above 0, or null for that of the gain")
    if place.is_bias:
        tensor.fill_(bias)
        return
    if std is None:
        std = inner(gain, place) / math.sqrt(place.fan_in) / TRUNCATED_STD
    nn.init.trunc_normal_(tensor, 0, std, -2 * std, 2 * std, generator=generator)


def siren(
    tensor: Tensor, place: Place, generator: torch.Generator, *, omega_0: float = 30.0
) -> None:
    """Weights from U(-b, b), b = sqrt(6 / fan_in) / omega_0, and 1 / fan_in in the first layer.

    Sitzmann, Martel, Bergman, Lindell, Wetzstein 2020, "Implicit neural representations with
    periodic activation functions", NeurIPS, section 3.2 and supplement 1.5; biases as in the
    authors' code, U(-b, b) with b = 1 / sqrt(fan_in).

    Args:
        omega_0: that of activation=sine.
    """
    if not omega_0 > 0:
        raise ValueError(f"omega_0={omega_0}: give that of activation=sine, above 0")
    if place.is_bias:
        bound = 1 / math.sqrt(place.fan_in)
    elif place.is_first:
        bound = 1 / place.fan_in
    else:
        bound = math.sqrt(6 / place.fan_in) / omega_0
    tensor.uniform_(-bound, bound, generator=generator)


def inner(gain: float, place: Place) -> float:
    """Return the gain, or 1 in the first layer: no activation has taken from its inputs."""
    return 1.0 if place.is_first else gain
