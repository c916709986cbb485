"""What is measured of units, gradients and steps: pure functions of tensors.

Shape letters: B points of a probe batch, C units (the features of a dense layer, the channels of a
convolution), * positions. z is what enters an activation phi, h = phi(z) what leaves it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

SATURATED = 0.99
"""The part of the way from the middle of the bounds to one of them that counts as saturated."""
FLAT = 1e-3
"""A derivative of smaller size passes hardly anything on."""
FAR = (1e3, 1e6)
"""Where an activation that saturates has come to its bounds, and further out still has them."""

Bounds = tuple[float, float]


def dead_fraction(h: Tensor) -> Tensor:
    """Return the part of the units that are 0 at every point, and every position, of a batch.

    |{c : h_bc* = 0 for all b and *}| / C

    No gradient reaches the weights of such a unit where phi is flat there, as a ReLU is. A unit of
    a convolution is a channel.

    Shapes: (B, C, *) -> ().

    >>> dead_fraction(torch.tensor([[0.0, 0.0], [0.0, 2.0]]))
    tensor(0.5000)
    """
    is_zero = (h == 0).transpose(0, 1).flatten(1).all(dim=1)
    return is_zero.float().mean()


def saturated_fraction(h: Tensor, bounds: Bounds) -> Tensor:
    """Return the part of the outputs that are near a bound of phi.

    |{h : |h - c| > 0.99 r}| / |h|, c = (low + high) / 2, r = (high - low) / 2

    over all points, units and positions. For tanh that is |h| > 0.99; for a sigmoid, which is
    (1 + tanh(z/2)) / 2, it is h < 0.005 or h > 0.995, so that both saturate at the same place.
    Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
    networks", section 3, look at the same outputs.

    Shapes: any -> ().

    >>> saturated_fraction(torch.tensor([0.001, 0.5, 0.999, 0.9]), (0.0, 1.0))
    tensor(0.5000)
    """
    low, high = bounds
    middle, half = (low + high) / 2, (high - low) / 2
    return ((h - middle).abs() > SATURATED * half).float().mean()


def flat_fraction(derivative: Tensor) -> Tensor:
    """Return the part of the outputs at which |phi'| < 0.001, over points, units and positions.

    For an activation that has no two bounds. Of a ReLU it is the part that is off, about a half
    in a network that is well.

    Shapes: any -> ().
    """
    return (derivative.abs() < FLAT).float().mean()


def derivative(phi: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Return by how much each output moves where all that enters phi moves alike.

    dh_i = sum_j (dh_i / dz_j) * 1, which is phi'(z) of an activation of each number by itself.

    One with pieces (maxout) or gates (GLU) has several z_j for an output. Its sum is differentiated
    by the weights of a backward pass: J 1 = d(1' J' v) / dv.

    Shapes: (B, C', *) -> (B, C, *).

    >>> derivative(torch.tanh, torch.tensor([[0.0]]))
    tensor([[1.]])
    """
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        h = phi(z.clone())  # which one that works in place may change
        if h.shape == z.shape:
            return torch.autograd.grad(h.sum(), z)[0]
        v = torch.ones_like(h, requires_grad=True)
        back = torch.autograd.grad(h, z, v, create_graph=True)[0]
        return torch.autograd.grad(back.sum(), v)[0]


@torch.no_grad()
def bounds_of(phi: Callable[[Tensor], Tensor], z: Tensor) -> Bounds | None:
    """Return the two values at which phi saturates, or None where it does not have both.

    They are phi(-1e6) and phi(1e6), if phi has come to within a hundredth of their distance
    already at -1e3 and 1e3: a sine is bounded, and has no place where it stays.

    Args:
        phi: of each number by itself; of another nothing is said.
        z: for its shape (B, C, *) and type.

    >>> bounds_of(torch.sigmoid, torch.zeros(1, 1)), bounds_of(torch.relu, torch.zeros(1, 1))
    ((0.0, 1.0), None)
    """
    near, far = FAR
    ends = [phi(torch.full_like(z[:1], x)) for x in (-far, far, -near, near)]
    if ends[0].shape != z[:1].shape:
        return None
    low, high, near_low, near_high = (float(h.flatten()[0]) for h in ends)
    size = abs(high - low)
    if not 0 < size < near:
        return None
    is_there = max(abs(near_low - low), abs(near_high - high)) < (1 - SATURATED) * size
    return (min(low, high), max(low, high)) if is_there else None


def norm(tensors: Iterable[Tensor]) -> Tensor:
    """Return the Euclidean norm of all numbers of some tensors together, in float32 at least.

    >>> norm([torch.tensor([3.0]), torch.tensor([[4.0]])])
    tensor(5.)
    """
    return get_total_norm([t.detach().float() for t in tensors])


def update_ratio(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """Return ||w' - w|| / ||w||, the size of a step against that of the weights.

    About 0.001 is usual; inf where the weights were 0.

    >>> update_ratio([torch.tensor([3.0, 4.0])], [torch.tensor([3.0, 4.5])])
    tensor(0.1000)
    """
    return norm([b - a for a, b in zip(before, after, strict=True)]) / norm(before)


def cosine(first: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """Return g'h / (||g|| ||h||) of two gradients; nan where one of them is 0.

    >>> cosine([torch.tensor([1.0, 0.0])], [torch.tensor([1.0, 1.0])])
    tensor(0.7071)
    """
    product = torch.stack(
        [(a.float() * b.float()).sum() for a, b in zip(first, other, strict=True)]
    ).sum()
    return product / (norm(first) * norm(other))


def noise_scale(small: float, big: float, num_small: int, num_big: int) -> float | None:
    """Return the simple noise scale B = tr(Sigma) / |G|^2, in data points.

    |G|^2     = (num_big big - num_small small) / (num_big - num_small)
    tr(Sigma) = (small - big) / (1 / num_small - 1 / num_big)

    where Sigma is the covariance of the gradient of one point and G its mean. Batches much smaller
    than B have gradients that are mostly noise; much larger ones gain little. McCandlish, Kaplan,
    Amodei and the OpenAI Dota Team 2018, "An empirical model of large-batch training", equation
    2.9, and appendix A.1 for the two unbiased estimates.

    Args:
        small: the squared norm of the gradient of a batch of `num_small` points, or its mean over
            several batches.
        big: that of a batch of `num_big` points.

    Returns:
        None where one of the estimates is not above 0, as chance may have it.

    >>> noise_scale(small=1 + 8 / 2, big=1 + 8 / 4, num_small=2, num_big=4)
    8.0
    """
    squared = (num_big * big - num_small * small) / (num_big - num_small)
    trace = (small - big) / (1 / num_small - 1 / num_big)
    if not (squared > 0 and trace > 0 and math.isfinite(trace / squared)):
        return None
    return trace / squared
