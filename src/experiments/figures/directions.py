"""Directions in the space of a network's weights, along which its loss is looked at.

Shape letters: S snapshots, P weights of the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.figures.network_losses import Weights


def random_direction(weights: Weights, seed: int) -> dict[str, Tensor]:
    """Return a Gaussian direction each of whose filters has the norm of the network's own.

    d_ij <- d_ij |theta_ij| / |d_ij| for filter j of layer i, drawn from N(0, 1). Li, Xu, Taylor,
    Studer, Goldstein 2018, "Visualizing the loss landscape of neural nets", section 4: a step of 1
    then means the same for every network, though ReLU networks may scale their layers against each
    other. A filter is what makes one output: a row of a dense layer, a kernel with all its input
    channels. Biases, the scale and shift of normalisations, and weights of activations have no
    filters: they stay as they are (direction 0).

    Args:
        weights: theta.
        seed: of the draw.
    """
    generator = torch.Generator().manual_seed(seed)
    return {name: normalized(value, generator) for name, value in weights.items()}


def normalized(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Return the direction of one parameter."""
    if weight.dim() < 2:
        return torch.zeros_like(weight)
    drawn = torch.randn(weight.shape, generator=generator).to(weight.dtype)
    dims = tuple(range(1, weight.dim()))
    norms = [torch.linalg.vector_norm(one, dim=dims, keepdim=True) for one in (weight, drawn)]
    return drawn * (norms[0] / norms[1])


@dataclass(frozen=True)
class PrincipalPlane:
    """The plane in which most of a path's spread lies.

    Attributes:
        directions: orthonormal, (2, P).
        path: coordinates of the snapshots from the last one, (S, 2).
        explained: the parts of the variance that the directions explain, (2,).
    """

    directions: Tensor
    path: Tensor
    explained: Tensor


def principal_plane(snapshots: Tensor) -> PrincipalPlane:
    """Return the principal plane of a path of weights, through its end.

    The two first principal components of theta_0 - theta_n, ..., theta_n - theta_n. Li et al. 2018,
    section 7.2. The sign of a direction means nothing: it is chosen so that the path comes from the
    positive side.

    Args:
        snapshots: (S, P), S >= 3, the last one theta_n.
    """
    differences = snapshots.double() - snapshots[-1].double()
    centred = differences - differences.mean(0)
    _, singular, components = torch.linalg.svd(centred, full_matrices=False)
    directions = components[:2]
    path = differences @ directions.T
    signs = torch.where(path[0] < 0, -1.0, 1.0).double()
    variances = singular.square()
    return PrincipalPlane(
        directions * signs[:, None], path * signs, variances[:2] / variances.sum()
    )
