"""The training loss of a real network in a plane through its weights, as a surface."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from experiments.building import build_datamodule, load_data
from experiments.figures.composing import Composition
from experiments.figures.directions import random_direction
from experiments.figures.minima import minimum_of
from experiments.figures.network_losses import evaluated, loss_over, moved, weights_of
from experiments.figures.surfaces import Surface

NUM_SEARCHED = 61
"""Points along each axis of the picture, among which the search for the minimum begins."""


def network_surface(composition: Composition, hidden: Sequence[int], seed: int) -> Surface:
    """Return L(theta* + a d1 + b d2) over all training points, of (a, b).

    theta* are the last weights of a run of the figure's model on its data, trained with Adam;
    d1 and d2 are random and filter-normalised (directions.py). In float64.

    Args:
        composition: of the figure.
        hidden: features of the hidden layers of model=mlp, where model.hidden was not typed.
        seed: of the run and of the directions.
    """
    overrides = ["optim=adam", "optim.lr=0.01"]
    if composition.choices("model") == ["mlp"] and not composition.has_typed("model.hidden"):
        overrides.append(f"model.hidden={list(hidden)}".replace(" ", ""))
    run = composition.run(*overrides)
    module = run.module("last").double()
    points = build_datamodule(run.config, load_data(run.config)).train
    targets = points.targets.double() if points.targets.is_floating_point() else points.targets
    loss = loss_over(module, points.inputs.double(), targets)
    weights = weights_of(evaluated(module))
    directions = (random_direction(weights, seed), random_direction(weights, seed + 1))

    def value(theta: Tensor) -> Tensor:
        return loss(moved(weights, theta, directions))

    name, data = run.config["model"]["name"], run.config["data"]["name"]
    surface = Surface(
        "network",
        f"L(θ* + a d₁ + b d₂), {name} on {data}",
        value,
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
    x, y = (
        torch.linspace(*ends, NUM_SEARCHED, dtype=torch.float64)
        for ends in (surface.x_range, surface.y_range)
    )
    row, column = divmod(int(surface.over(x, y).argmin()), NUM_SEARCHED)
    theta = minimum_of(surface.value, torch.stack([x[column], y[row]]))
    if not (x[0] <= theta[0] <= x[-1] and y[0] <= theta[1] <= y[-1]):
        theta = torch.stack([x[column], y[row]])  # the lowest of the picture
    point: tuple[float, float] = (float(theta[0]), float(theta[1]))
    lowest = float(surface.value(theta))
    return Surface(**{**vars(surface), "minima": (point,), "lowest": lowest})
