"""Activation functions: the hidden phi and the output phi_out of a network.

Torch's own classes are used wherever there is one (`conf/activation/*.yaml` name them); this
module holds what torch lacks, and what a model must know of any activation: how many
pre-activation features it wants for each feature that it returns.

Shape letters: B batch, C channels or features, k pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

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

    >>> import torch
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


class PhiOut(NamedTuple):
    """An output activation, and what a loss may read its result as."""

    build: Callable[[], nn.Module]
    gives: tuple[str, ...]


PHI_OUT: dict[str, PhiOut] = {
    "identity": PhiOut(nn.Identity, ("logits", "values")),
    "sigmoid": PhiOut(nn.Sigmoid, ("probabilities", "values")),
    "softmax": PhiOut(lambda: nn.Softmax(dim=1), ("probabilities", "values")),
    "log_softmax": PhiOut(lambda: nn.LogSoftmax(dim=1), ("log-probabilities",)),
}
"""Output activations by name. `logits` are unnormalised log-probabilities, `values` real numbers
to be compared with targets. Softmax runs over the classes, dimension 1."""
