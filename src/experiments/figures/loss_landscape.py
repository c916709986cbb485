"""The loss around a trained run, and the path of its training on its own principal plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.data.sources import DataSet, Points
from experiments.errors.messages import check_choice, refuse_unless, user_error
from experiments.figures.drawn.landscape_pictures import (
    PATH_INCHES,
    PathOnPlane,
    Plane,
    draw_landscape,
    draw_training,
)
from experiments.figures.measured.network_losses import (
    PrincipalPlane,
    Weights,
    loss_over,
    principal_plane,
    random_direction,
    step_along,
    weights_of,
)
from experiments.figures.measured.retracing import weights_along
from experiments.figures.measured.surfaces import plane_points
from experiments.figures.page.composing import Composition
from experiments.figures.page.drawing import Draw, Drawing
from experiments.figures.page.making import figure_folder
from experiments.record.folder import write_atomic
from experiments.record.same_data import change_of, is_other_data
from experiments.training.build import build_datamodule, load_data
from experiments.training.callbacks.snapshots import flat
from experiments.training.load import Run, load_run

OF_TRAINING = ("model", "activation", "init", "loss", "data", "trainer", "scheduler", "optim")
MARGIN = 0.3
"""Of the picture of a path, on each side, at least, as a part of the path's extent."""


@dataclass(frozen=True)
class Site:
    """A trained network, theta being its weights, and its loss over fixed points at any weights."""

    run: Run
    weights: Weights
    loss: Callable[[Weights], Tensor]

    def over(self, a: Tensor, b: Tensor, directions: tuple[Weights, Weights]) -> Tensor:
        """Return L(theta + a d1 + b d2): A values of a, B values of b -> (B, A)."""
        points = plane_points(a, b)
        with torch.no_grad():
            losses = [self.loss(step_along(self.weights, p, directions)) for p in points]
        return torch.stack(losses).view(len(b), len(a)).double()


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
    if run is None:
        trained = composition.run(*composition.hidden_unless_typed(hidden))
    else:
        trained = load_run(run)
    module = trained.module(weights)
    data = load_data(trained.config)
    check_same_data(trained, data)
    train = build_datamodule(trained.config, data).train
    site = Site(trained, weights_of(module), loss_over(module, some_of(train, num_points, seed)))
    plane = random_plane(site, seed, radius, resolution)
    title = title_of(trained, num_points, len(train))
    numbers: dict[str, Any] = {"run": str(trained.folder), "weights": weights, "plane": vars(plane)}
    numbers["title"] = title
    pictures: dict[str, Draw] = {"loss_landscape": partial(draw_landscape, plane, title)}
    said = [f"The run: {trained.folder}"]
    if run is not None:
        said += composition.without_effect(OF_TRAINING, f"run={run}")
    if path:
        cache = figure_folder(composition.config())
        training, why_not = training_path(site, cache, every, resolution)
        if training is None:
            said.append(why_not)
        else:
            numbers["path"] = vars(training)
            pictures["loss_landscape-path"] = partial(draw_training, training, title)
    return Drawing(
        numbers=numbers,
        pictures=pictures,
        description=f"{title}. Contours of the training loss around trained weights, in a plane "
        "of two filter-normalised directions, and the loss along each of the two.",
        said=said,
    )


def title_of(trained: Run, num_points: int | None, num_train: int) -> str:
    """Return which network this is, of which data, and over how many points L is a mean."""
    model, data = trained.config["model"], trained.config["data"]["name"]
    widths = model.get("hidden") or model.get("channels") or []
    layers = f" of {', '.join(map(str, widths))}" if widths else ""
    shown = min(num_points or num_train, num_train)
    return f"{model['name']}{layers} on {data}: L over {shown:,} training points"


def framed(path: Tensor) -> list[tuple[float, float]]:
    """Return the ranges of a picture of a path, (S, 2): in its middle, in one unit for both axes.

    The plane's directions are orthonormal, so that in one unit the valleys have their own shape.
    """
    low, high = path.min(0).values, path.max(0).values
    extents = (1 + 2 * MARGIN) * (high - low)
    unit = max(float(e) / inches for e, inches in zip(extents, PATH_INCHES, strict=True)) or 1.0
    middles = ((low + high) / 2).tolist()
    reaches = [unit * inches / 2 for inches in PATH_INCHES]
    return [(m - r, m + r) for m, r in zip(middles, reaches, strict=True)]


def check_same_data(trained: Run, data: DataSet) -> None:
    """Raise UserError where the loss would be one over points that the run has never seen."""
    if is_other_data(trained.record, data.checksum()):
        num_points = len(data.train) + len(data.val or ()) + len(data.test)
        change = change_of(trained.record, num_points, data.checksum())
        raise user_error("landscape_data", path=trained.folder, change=change)


def check_numbers(num_points: int | None, radius: float, resolution: int, every: int) -> None:
    """Raise UserError for numbers that nothing can be drawn with."""
    for key, given, fits, allowed, instead in (
        ("num_points", num_points, num_points is None or num_points >= 1, "at least 1", 1000),
        ("radius", radius, 0 < radius < float("inf"), "a number above 0", 1),
        ("resolution", resolution, 3 <= resolution <= 501, "a whole number, 3 to 501", 31),
        ("every", every, every >= 1, "a whole number of at least 1", 1),
    ):
        refuse_unless(fits, key, given, allowed, instead)


def some_of(train: Any, number: int | None, seed: int) -> Points:
    """Return `number` of the training points as they are, drawn from `seed`, or all of them."""
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
    site: Site, cache: Path, every: int, resolution: int
) -> tuple[PathOnPlane | None, str]:
    """Return the path of training on its principal plane, or none and why."""
    snapshots = snapshots_of(site.run, cache, every)
    end = flat(site.run.module("last").evaluated)
    if len(snapshots) < 3:
        return None, "The path of training is left out: it has fewer than three snapshots."
    if not torch.equal(snapshots[-1], end):
        gap = float((snapshots[-1] - end).abs().max())
        return None, (
            "The path of training is left out: trained again, the run did not end at its own "
            f"weights (largest difference {gap:.2g}), as on another machine or after a break."
        )
    losses = [float(site.loss(as_weights(snapshot, site.weights))) for snapshot in snapshots]
    last = replace(site, weights=as_weights(end, site.weights))
    return on_plane(last, principal_plane(snapshots), losses, resolution, every), ""


def snapshots_of(run: Run, cache: Path, every: int) -> Tensor:
    """Return the weights of a run along its training, (S, P), kept beside the figure."""
    file = cache / f"path-{run.record['identity'][:8]}-{every}.pt"
    if file.is_file():
        kept: Tensor = torch.load(file, weights_only=True)
        return kept
    snapshots = weights_along(run.config, every=every)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, partial(torch.save, snapshots), is_synced=False)
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
    first, second = (as_weights(direction, site.weights) for direction in plane.directions)
    axes = [torch.linspace(low, high, resolution) for low, high in framed(plane.path)]
    return PathOnPlane(
        a=axes[0].double().numpy(),
        b=axes[1].double().numpy(),
        loss=site.over(axes[0], axes[1], (first, second)).numpy(),
        points=plane.path.numpy(),
        losses=losses,
        explained=plane.explained.tolist(),
        every=every,
    )
