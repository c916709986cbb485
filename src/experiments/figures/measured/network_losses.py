"""L(theta) of a network over fixed points, along directions and in a plane through its weights.

Shape letters: S snapshots, P weights of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from experiments.data.sources import Points, Subset
from experiments.figures.measured.surfaces import Surface, axis_values, minimum_of
from experiments.figures.page.composing import Composition
from experiments.training.build import build_datamodule, load_data
from experiments.training.module import ExperimentModule

Weights = Mapping[str, Tensor]
NUM_SEARCHED = 61
"""Points along each axis of the picture, among which the search for the minimum begins."""


def weights_of(module: ExperimentModule) -> dict[str, Tensor]:
    """Return the weights of the network that a module evaluates with, by name."""
    return {name: weight.detach() for name, weight in module.evaluated.named_parameters()}


def loss_over(module: ExperimentModule, points: Points | Subset) -> Callable[[Weights], Tensor]:
    """Return L(theta) = 1/|D| sum over D of l(theta; x, y), differentiable.

    The network evaluates: no dropout, and a batch norm has the running statistics that it came
    with, whatever the weights are. It computes in the precision that the module has.

    Args:
        module: trained or not.
        points: D, as the data set gives them: targets in the unit of the data.
    """
    module.eval()
    network, targets = module.evaluated, points.targets
    x = module.normalize(points.inputs)

    def loss(weights: Weights) -> Tensor:
        outputs = torch.func.functional_call(network, dict(weights), (x,))
        return module.loss_of(outputs, targets)

    return loss


def step_along(weights: Weights, steps: Tensor, directions: tuple[Weights, Weights]) -> Weights:
    """Return theta + a d1 + b d2 for steps = (a, b)."""
    first, second = directions
    return {
        name: value + steps[0] * first[name] + steps[1] * second[name]
        for name, value in weights.items()
    }


def random_direction(weights: Weights, seed: int) -> dict[str, Tensor]:
    """Return a Gaussian direction each of whose filters has the norm of the network's own.

    d_ij <- d_ij |theta_ij| / |d_ij| for filter j of layer i, drawn from N(0, 1). Li, Xu, Taylor,
    Studer, Goldstein 2018, "Visualizing the loss landscape of neural nets", section 4: a step of 1
    then means the same for every network, though ReLU networks may scale their layers against each
    other. A filter is what makes one output: a row of a dense layer, a kernel with all its input
    channels. Biases, the scale and shift of normalisations, and weights of activations have no
    filters: they stay as they are (direction 0).
    """
    generator = torch.Generator().manual_seed(seed)
    return {name: filter_normalized(value, generator) for name, value in weights.items()}


def filter_normalized(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Return the direction of one parameter."""
    if weight.dim() < 2:
        return torch.zeros_like(weight)
    drawn = torch.randn(weight.shape, generator=generator).to(weight.dtype)
    dims = tuple(range(1, weight.dim()))
    own, new = (torch.linalg.vector_norm(w, dim=dims, keepdim=True) for w in (weight, drawn))
    return drawn * (own / new)


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


def network_surface(composition: Composition, hidden: Sequence[int], seed: int) -> Surface:
    """Return L(theta* + a d1 + b d2) over all training points, of (a, b).

    theta* are the last weights of a run of the figure's model on its data, trained with Adam;
    d1 and d2 are random and filter-normalised (directions.py). In float64.

    Args:
        hidden: features of the hidden layers of model=mlp, where model.hidden was not typed.
        seed: of the run and of the directions.
    """
    hidden_layers = composition.hidden_unless_typed(hidden)
    run = composition.run("optim=adam", "optim.lr=0.01", *hidden_layers)
    module = run.module("last").double()
    loss = loss_over(module, build_datamodule(run.config, load_data(run.config)).train)
    weights = weights_of(module)
    directions = (random_direction(weights, seed), random_direction(weights, seed + 1))
    name, data = run.config["model"]["name"], run.config["data"]["name"]
    surface = Surface(
        "network",
        f"L(θ* + a d₁ + b d₂), {name} on {data}",
        lambda theta: loss(step_along(weights, theta, directions)),
        start=(-0.8, 0.8),
        x_range=(-1.0, 1.0),
        y_range=(-1.0, 1.0),
        minima=(),
        chunk=64,
        axes=("a", "b"),
    )
    return with_minimum(surface)


def with_minimum(surface: Surface) -> Surface:
    """Return a surface with its lowest point, by L-BFGS from the lowest point of a grid."""
    x, y = axis_values((surface.x_range, surface.y_range), NUM_SEARCHED)
    row, column = divmod(int(surface.over(x, y).argmin()), NUM_SEARCHED)
    lowest_of_grid = torch.stack([x[column], y[row]])
    theta = minimum_of(surface.value, lowest_of_grid)
    if not (x[0] <= theta[0] <= x[-1] and y[0] <= theta[1] <= y[-1]):
        theta = lowest_of_grid
    minimum = (float(theta[0]), float(theta[1]))
    return replace(surface, minima=(minimum,), lowest=float(surface.value(theta)))
