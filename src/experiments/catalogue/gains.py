"""How much larger weights must be for the variance of a signal to pass an activation.

For pre-activations z ~ N(0, 1), the outputs of an activation have the second moment E[phi(z)^2].
Weights of variance gain^2 / fan_in with gain = 1 / sqrt(E[phi(z)^2]) bring the next
pre-activations back to variance 1 (He et al. 2015, equations 7 to 10, for any phi).

What deviates from 1 is multiplied by the slope of q -> gain^2 E[phi(sqrt(q) z)^2] at 1 in each
layer. It is 1 for rectifiers and less for what saturates; but 1.08 for mish, 1.14 for gelu, 1.17
for silu, 1.2 for hardswish, 1.1 to 2.2 for gated units and 2 for squared_relu, whose signals
leave 1 after some layers, as chance has it, and need normalisation in deep networks.

Shape letters: B points, C features, k pre-activation features per unit.
"""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor

from experiments.catalogue.activations import Activation

REACH = 12.0
PANELS = 96
NODES = 16
NUM_POINTS = 2**17


@torch.no_grad()
def gain_of(activation: Activation) -> float:
    """Return 1 / sqrt(E[phi(z)^2]), z of independent N(0, 1) features.

    A closed form is taken where torch's class has one that keeps the variance (relu, leaky_relu,
    identity); the rest is integrated: over one feature by Gauss-Legendre quadrature, over several
    (maxout, gated units) by quasi-Monte Carlo.

    >>> import math
    >>> from torch import nn
    >>> gain_of(nn.ReLU) == math.sqrt(2), round(gain_of(nn.Tanh), 4)
    (True, 1.5925)
    """
    phi = activation().double().eval()
    multiplier = Fraction(getattr(phi, "multiplier", 1))
    # Of a homogeneous activation, phi(c z) = c phi(z) for c > 0, two numbers say all.
    if multiplier == 1:
        ends = phi(torch.tensor([[-128.0], [-1.0], [1.0], [128.0]]).double()).flatten().tolist()
        if ends[0] == 128 * ends[1] and ends[3] == 128 * ends[2] and any(ends):
            return math.sqrt(2 / (ends[1] ** 2 + ends[2] ** 2))
    points, weights = normal_points(multiplier.numerator)
    moment = float((phi(points).square().mean(dim=1) * weights).sum())
    if not (math.isfinite(moment) and moment > 0):
        raise ValueError(f"the second moment of {type(phi).__name__} is {moment}: give a number")
    return math.sqrt(1 / moment)


def normal_points(num_features: int) -> tuple[Tensor, Tensor]:
    """Return points and weights whose weighted sums are means over N(0, 1) in each feature.

    Shapes: (B, k) and (B,).
    """
    if num_features == 1:
        return quadrature()
    uniform = torch.quasirandom.SobolEngine(num_features).draw(NUM_POINTS + 1, dtype=torch.float64)
    points = torch.special.ndtri(uniform[1:])  # its first point is 0, the end of the distribution
    return points, torch.full((NUM_POINTS,), 1 / NUM_POINTS, dtype=torch.float64)


def quadrature() -> tuple[Tensor, Tensor]:
    """Return Gauss-Legendre points on panels of 1/4, so that kinks at whole numbers are at ends."""
    # Golub & Welsch 1969: nodes and weights are eigenvalues and -vectors of a Jacobi matrix.
    i = torch.arange(1, NODES, dtype=torch.float64)
    off_diagonal = i / (4 * i.square() - 1).sqrt()
    jacobi = torch.diag(off_diagonal, 1) + torch.diag(off_diagonal, -1)
    nodes, vectors = torch.linalg.eigh(jacobi)
    weights = 2 * vectors[0].square()
    width = 2 * REACH / PANELS
    centres = -REACH + width * (torch.arange(PANELS, dtype=torch.float64) + 0.5)
    points = (centres[:, None] + width / 2 * nodes).flatten()
    density = torch.exp(-points.square() / 2) / math.sqrt(2 * math.pi)
    return points[:, None], (width / 2 * weights).repeat(PANELS) * density
