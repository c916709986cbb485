"""The loss around a trained run, and the path of its training on its own principal plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.building import build_datamodule, load_data
from experiments.callbacks.snapshots import flat
from experiments.data.sources import Points
from experiments.errors import check_choice, user_error
from experiments.figures.composing import Composition
from experiments.figures.directions import PrincipalPlane, principal_plane, random_direction
from experiments.figures.drawing import Drawing
from experiments.figures.landscape_pictures import PathOnPlane, Plane, draw_landscape, draw_training
from experiments.figures.making import folder_of
from experiments.figures.network_losses import Weights, evaluated, loss_over, moved, weights_of
from experiments.figures.retracing import weights_along
from experiments.runs import Run, load_run

OF_TRAINING = ("model", "activation", "init", "loss", "data", "trainer", "scheduler", "optim")
MARGIN = 0.2
"""Of the picture of a path, on each side, as a part of the path's extent."""


@dataclass(frozen=True)
class Site:
    """A trained network and the points over which its loss is looked at.

    Attributes:
        run: the run.
        weights: theta, by name.
        loss: of any weights.
    """

    run: Run
    weights: Weights
    loss: Callable[[Weights], Tensor]

    def over(self, a: Tensor, b: Tensor, directions: tuple[Weights, Weights]) -> Tensor:
        """Return L(theta + a d1 + b d2): A values of a, B values of b -> (B, A)."""
        with torch.no_grad():
            rows = [
                torch.stack(
                    [self.loss(moved(self.weights, torch.stack([x, y]), directions)) for x in a]
                )
                for y in b
            ]
        return torch.stack(rows).double()


def loss_landscape(
    composition: Composition,
    seed: int = 0,
    run: str | None = None,
    weights: str = "last",
    hidden: Sequence[int] = (32, 32),
    num_points: int | None = 1000,
    radius: float = 1.0,
    resolution: int = 31,
    path: bool = True,
    every: int = 1,
) -> Drawing:
    """Draw the loss of a trained run in the plane of two directions, and along each of them.

    L(theta + a d1 + b d2), d1 and d2 random and filter-normalised; and the path of training on the
    plane of its two first principal components. Li, Xu, Taylor, Studer, Goldstein 2018,
    "Visualizing the loss landscape of neural nets", sections 4 and 7.2.

    Args:
        composition: of the figure.
        seed: of the directions, of the points, and of the run that is trained for run=null.
        run: a run folder.
        weights: last or best.
        hidden: features of the hidden layers for run=null, where model.hidden was not typed.
        num_points: training points over which the loss is a mean; all for none.
        radius: how far along each direction.
        resolution: points along each axis of the contours.
        path: also the path of training.
        every: epochs from one snapshot of that to the next.

    Raises:
        UserError: a folder that is no run, or has no weights; a value that cannot be drawn with.
    """
    check_choice("weights", weights, ("last", "best"))
    check_numbers(num_points, radius, resolution, every)
    trained = load_run(run) if run is not None else small_run(composition, hidden)
    site = site_of(trained, weights, num_points, seed)
    plane = random_plane(site, seed, radius, resolution)
    numbers: dict[str, Any] = {"run": str(trained.folder), "weights": weights}
    numbers["plane"] = vars(plane)
    pictures = {"loss_landscape": lambda theme: draw_landscape(plane, theme)}
    said = [f"The run: {trained.folder}", *without_effect(composition, run)]
    if path:
        cache = folder_of(composition.config())
        found, why_not = training_path(site, trained, cache, every, resolution)
        said.append(why_not)
        if found is not None:
            numbers["path"] = vars(found)
            pictures["loss_landscape-path"] = lambda theme: draw_training(found, theme)
    return Drawing(
        numbers=numbers,
        pictures=pictures,
        description="Contours of the training loss around trained weights, in a plane of two "
        "filter-normalised directions, and the loss along each of the two.",
        said=[line for line in said if line],
    )


def check_numbers(num_points: int | None, radius: float, resolution: int, every: int) -> None:
    """Raise UserError for numbers that nothing can be drawn with."""
    rules = (
        ("num_points", num_points, num_points is None or num_points >= 1, "at least 1", 1000),
        ("radius", radius, 0 < radius < float("inf"), "a number above 0", 1),
        ("resolution", resolution, 3 <= resolution <= 501, "a whole number, 3 to 501", 31),
        ("every", every, every >= 1, "a whole number of at least 1", 1),
    )
    for key, given, fits, allowed, instead in rules:
        if not fits:
            raise user_error("not_allowed", key=key, given=given, allowed=allowed, instead=instead)


def small_run(composition: Composition, hidden: Sequence[int]) -> Run:
    """Return a run of the figure's own keys, trained now or before."""
    is_own = composition.choices("model") == ["mlp"] and not composition.has_typed("model.hidden")
    return composition.run(*([f"model.hidden={list(hidden)}".replace(" ", "")] if is_own else []))


def site_of(run: Run, weights: str, num_points: int | None, seed: int) -> Site:
    """Return the network of a run with the loss over some of its training points, as they are."""
    module = run.module(weights)
    train = build_datamodule(run.config, load_data(run.config)).train
    points = some_of(train, num_points, seed)
    loss = loss_over(module, points.inputs, points.targets)
    return Site(run, weights_of(evaluated(module)), loss)


def some_of(train: Any, number: int | None, seed: int) -> Points:
    """Return `number` of the training points, drawn from `seed`, or all of them."""
    if number is None or number >= len(train):
        rows = torch.arange(len(train))
    else:
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randperm(len(train), generator=generator)[:number].sort().values
    chosen: Points = train.take(rows)
    return chosen


def random_plane(site: Site, seed: int, radius: float, resolution: int) -> Plane:
    """Return the loss over the plane of two random directions, and along each."""
    directions = (
        random_direction(site.weights, 2 * seed),
        random_direction(site.weights, 2 * seed + 1),
    )
    grid = torch.linspace(-radius, radius, resolution)
    line, zero = torch.linspace(-radius, radius, 4 * (resolution // 2) + 1), torch.zeros(1)
    return Plane(
        a=grid.double().numpy(),
        b=grid.double().numpy(),
        loss=site.over(grid, grid, directions).numpy(),
        line=line.double().numpy(),
        along_first=site.over(line, zero, directions)[0].numpy(),
        along_second=site.over(zero, line, directions)[:, 0].numpy(),
        centre=float(site.loss(site.weights)),
    )


def training_path(
    site: Site, run: Run, cache: Path, every: int, resolution: int
) -> tuple[PathOnPlane | None, str]:
    """Return the path of training on its principal plane, or none and why."""
    snapshots = snapshots_of(run, cache, every)
    end = flat(evaluated(run.module("last")))
    if len(snapshots) < 3:
        return None, "The path of training is left out: it has fewer than three snapshots."
    if not torch.equal(snapshots[-1], end):
        gap = float((snapshots[-1] - end).abs().max())
        return None, (
            "The path of training is left out: trained again, the run did not end at its own "
            f"weights (largest difference {gap:.2g}), as on another machine or after a break."
        )
    plane = principal_plane(snapshots)
    named = as_weights(end, site.weights)
    losses = [float(site.loss(as_weights(one, site.weights))) for one in snapshots]
    last = Site(run, named, site.loss)
    return on_plane(last, plane, losses, resolution, every), ""


def snapshots_of(run: Run, cache: Path, every: int) -> Tensor:
    """Return the weights of a run along its training, (S, P), kept beside the figure."""
    file = cache / f"path-{run.record['identity'][:8]}-{every}.pt"
    if file.is_file():
        kept: Tensor = torch.load(file, weights_only=True)
        return kept
    snapshots = weights_along(run.config, every=every)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    torch.save(snapshots, part)
    part.replace(file)
    return snapshots


def as_weights(vector: Tensor, weights: Weights) -> dict[str, Tensor]:
    """Return a vector (P,) as weights with the names and shapes of others."""
    parts = vector.split([value.numel() for value in weights.values()])
    return {
        name: part.view(value.shape).to(value.dtype)
        for (name, value), part in zip(weights.items(), parts, strict=True)
    }


def on_plane(
    site: Site, plane: PrincipalPlane, losses: list[float], resolution: int, every: int
) -> PathOnPlane:
    """Return a path with the loss over the part of its plane where it lies."""
    first, second = (as_weights(one, site.weights) for one in plane.directions)
    axes = []
    for along in plane.path.T:
        low, high = float(along.min()), float(along.max())
        margin = MARGIN * (high - low) or 1.0
        axes.append(torch.linspace(low - margin, high + margin, resolution))
    return PathOnPlane(
        a=axes[0].double().numpy(),
        b=axes[1].double().numpy(),
        loss=site.over(axes[0], axes[1], (first, second)).numpy(),
        points=plane.path.numpy(),
        losses=losses,
        explained=plane.explained.tolist(),
        every=every,
    )


def without_effect(composition: Composition, run: str | None) -> list[str]:
    """Return what was typed of a training, where the run is trained already."""
    typed = composition.typed_within(OF_TRAINING) if run is not None else []
    return [f"{one} has no effect with run={run}." for one in typed]
