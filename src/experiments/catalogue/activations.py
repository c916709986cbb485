"""Activation functions: the hidden phi and the output phi_out of a network.

Torch's own classes are used wherever there is one; the classes of this module are what torch lacks.
An activation may want more pre-activation features than it returns, or fewer. Features are
dimension 1.

Shape letters: B batch, C channels or features, k pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Callable[[], nn.Module]


def pre_activation_features(activation: Activation, num_features: int) -> int:
    """Return how many features must enter `activation` for it to return `num_features`.

    An activation that changes the number of features carries the attribute `multiplier`, the
    number it takes for each that it returns: k for maxout, 1/2 for one that doubles. Torch's
    own classes have none, and take as many as they return.

    Raises:
        ValueError: no whole number of features gives `num_features`.

    >>> pre_activation_features(nn.ReLU, 10), pre_activation_features(Maxout, 10)
    (10, 20)
    """
    needed = num_features * Fraction(getattr(activation(), "multiplier", 1))
    if needed.denominator != 1:
        raise ValueError(f"{num_features} features need {needed} features before the activation")
    return int(needed)


class Maxout(nn.Module):
    """The largest of k affine pieces.

    h_i(x) = max_j (w_ij' x + b_ij), j = 1..k

    Goodfellow, Warde-Farley, Mirza, Courville, Bengio 2013, "Maxout networks", ICML, section 3.
    The affine pieces belong to the layer before, which is therefore k times as wide and has k
    times the weights; piece j of unit i is its feature i * k + j.

    Args:
        num_pieces: k, at least 2.

    Shapes: (B, k * C, *) -> (B, C, *).

    >>> Maxout(2)(torch.tensor([[1.0, 3.0, -2.0, -5.0]]))
    tensor([[ 3., -2.]])
    """

    def __init__(self, num_pieces: int = 2) -> None:
        super().__init__()
        if num_pieces < 2:
            raise ValueError(f"num_pieces={num_pieces}: at least 2 pieces are needed")
        self.multiplier = num_pieces

    def forward(self, pieces: Tensor) -> Tensor:
        return pieces.unflatten(1, (-1, self.multiplier)).amax(dim=2)

    def extra_repr(self) -> str:
        return f"num_pieces={self.multiplier}"


class SquaredReLU(nn.Module):
    """phi(x) = max(0, x)^2.

    So, Manke, Liu, Dai, Shazeer, Le 2021, "Primer: searching for efficient transformers for
    language modeling", NeurIPS, section 3.

    Shapes: any, kept.

    >>> SquaredReLU()(torch.tensor([-2.0, 3.0]))
    tensor([0., 9.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).square()


class Swish(nn.Module):
    """phi(x) = x sigmoid(beta x), with a beta that is trained.

    Ramachandran, Zoph, Le 2017, "Searching for activation functions", section 4. With beta fixed
    at 1 it is torch's SiLU.

    Args:
        beta: where training begins; one number for all features of a layer.

    Shapes: any, kept.

    >>> Swish()(torch.tensor([0.0, 2.0])).detach()
    tensor([0.0000, 1.7616])
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.tensor(float(beta)))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.beta * x)


class Sine(nn.Module):
    """phi(x) = sin(omega_0 x), to be used with init=siren.

    Sitzmann, Martel, Bergman, Lindell, Wetzstein 2020, "Implicit neural representations with
    periodic activation functions", NeurIPS, section 3.2.

    Args:
        omega_0: frequency, above 0; 30 in the paper.

    Shapes: any, kept.

    >>> Sine(omega_0=1.0)(torch.tensor([0.0, torch.pi / 2]))
    tensor([0., 1.])
    """

    def __init__(self, omega_0: float = 30.0) -> None:
        super().__init__()
        if not omega_0 > 0:
            raise ValueError(f"omega_0={omega_0}: give a frequency above 0")
        self.omega_0 = omega_0

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.omega_0 * x)

    def extra_repr(self) -> str:
        return f"omega_0={self.omega_0}"


class Snake(nn.Module):
    """phi(x) = x + sin^2(a x) / a: monotonic and periodic at once.

    Ziyin, Hartwig, Ueda 2020, "Neural networks fail to learn periodic functions and how to fix
    it", NeurIPS, equation 3.

    Args:
        a: frequency, above 0.

    Shapes: any, kept.

    >>> Snake()(torch.tensor([0.0, torch.pi]))
    tensor([0.0000, 3.1416])
    """

    def __init__(self, a: float = 1.0) -> None:
        super().__init__()
        if not a > 0:
            raise ValueError(f"a={a}: give a frequency above 0")
        self.a = a

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sin(self.a * x).square() / self.a

    def extra_repr(self) -> str:
        return f"a={self.a}"


class CReLU(nn.Module):
    """phi(x) = [max(0, x), max(0, -x)]: returns twice the features that it gets.

    Shang, Sohn, Almeida, Lee 2016, "Understanding and improving convolutional neural networks via
    concatenated rectified linear units", ICML, definition 2.1. The layer before has half as many
    features, and so half the weights.

    Shapes: (B, C / 2, *) -> (B, C, *).

    >>> CReLU()(torch.tensor([[1.0, -2.0]]))
    tensor([[1., 0., 0., 2.]])
    """

    multiplier: ClassVar[Fraction] = Fraction(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([F.relu(x), F.relu(-x)], dim=1)


class GLU(nn.GLU):
    """phi(a, b) = a sigmoid(b): torch's gated linear unit, over the features.

    Dauphin, Fan, Auli, Grangier 2017, "Language modeling with gated convolutional networks", ICML,
    equation 1. Both halves come from the layer before, which is therefore twice as wide.

    Shapes: (B, 2 C, *) -> (B, C, *).

    >>> GLU()(torch.tensor([[3.0, 0.0]]))
    tensor([[1.5000]])
    """

    multiplier: ClassVar[int] = 2

    def __init__(self) -> None:
        super().__init__(dim=1)


class GEGLU(nn.Module):
    """phi(a, b) = gelu(a) b.

    Shazeer 2020, "GLU variants improve transformer", equation 5.

    Shapes: (B, 2 C, *) -> (B, C, *).

    >>> GEGLU()(torch.tensor([[100.0, 0.5]]))
    tensor([[50.]])
    """

    multiplier: ClassVar[int] = 2

    def forward(self, x: Tensor) -> Tensor:
        gate, value = x.chunk(2, dim=1)
        return F.gelu(gate) * value


class SwiGLU(nn.Module):
    """phi(a, b) = silu(a) b: swish of beta 1 as the gate.

    Shazeer 2020, "GLU variants improve transformer", equation 5.

    Shapes: (B, 2 C, *) -> (B, C, *).

    >>> SwiGLU()(torch.tensor([[100.0, 0.5]]))
    tensor([[50.]])
    """

    multiplier: ClassVar[int] = 2

    def forward(self, x: Tensor) -> Tensor:
        gate, value = x.chunk(2, dim=1)
        return F.silu(gate) * value


class PhiOut(NamedTuple):
    """An output activation, and what a loss may read its result as."""

    build: Callable[[], nn.Module]
    gives: tuple[str, ...]


PHI_OUT: dict[str, PhiOut] = {
    "identity": PhiOut(nn.Identity, ("logits", "values")),
    "softmax": PhiOut(lambda: nn.Softmax(dim=1), ("probabilities", "values")),
    "sigmoid": PhiOut(nn.Sigmoid, ("probabilities", "values")),
    "log_softmax": PhiOut(lambda: nn.LogSoftmax(dim=1), ("log-probabilities",)),
}
"""Output activations by name. `logits` are unnormalised log-probabilities, `values` real numbers
to be compared with targets. Softmax runs over the classes, dimension 1."""
