"""Optimizers on a surface: the paths of those of the catalogue, and how fast they come down."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from experiments.errors import check_choice, user_error
from experiments.figures.composing import Composition
from experiments.figures.drawing import Animation, Drawing
from experiments.figures.network_surface import NUM_SEARCHED, network_surface
from experiments.figures.paths import Path, follow, recipe_of
from experiments.figures.surfaces import SURFACES, Surface
from experiments.figures.trajectory_pictures import Course, frame, paths_and_losses

NAMES = [*(one.name for one in SURFACES), "network"]
NUM_POINTS = {"network": NUM_SEARCHED}
"""Points along each axis of the grid, where it is not 201."""
OF_NETWORK = ("model", "activation", "init", "loss", "data", "trainer", "scheduler")


def optimizer_trajectories(
    composition: Composition,
    seed: int = 0,
    surface: str = "beale",
    start: Sequence[float] | None = None,
    steps: int = 200,
    x_range: Sequence[float] | None = None,
    y_range: Sequence[float] | None = None,
    lr: Mapping[str, Mapping[str, float]] | None = None,
    hidden: Sequence[int] = (16, 16),
    frames: int = 40,
) -> Drawing:
    """Draw the paths of optimizers over the contours of a surface, and f against the step.

    Args:
        composition: of the figure; its `optim` says which.
        seed: of the network of surface=network, and of the directions.
        surface: one of surfaces.py, or network.
        start: theta_0; the surface's own for none.
        steps: of each optimizer.
        x_range: [low, high] of the picture; the surface's own for none.
        y_range: the same of y.
        lr: learning rates by surface and optimizer.
        hidden: features of the network's hidden layers, where model.hidden was not typed.
        frames: pictures of the animation.

    Raises:
        UserError: an unknown surface, a start outside the picture, an optimizer of matrices.
    """
    check_choice("surface", surface, NAMES)
    check_counts(steps=steps, frames=frames)
    configs = [
        optimizer_config(composition, choice, (lr or {}).get(surface, {}))
        for choice in composition.choices("optim")
    ]
    recipes = [recipe_of(config, name_of(config)) for config in configs]
    chosen = surface_of(composition, surface, hidden, seed)
    chosen = with_ranges(chosen, {"start": start, "x_range": x_range, "y_range": y_range})
    theta = torch.tensor(chosen.start, dtype=torch.float64)
    paths = [
        follow(chosen, recipe, name_of(config), config["optim"]["lr"], theta, steps)
        for recipe, config in zip(recipes, configs, strict=True)
    ]
    if surface == "network":  # whose minimum no formula knows
        reached = [float(path.values.min()) for path in paths]
        chosen = replace(chosen, lowest=min(chosen.lowest, *reached))
    course = course_of(chosen, paths)
    return Drawing(
        numbers=numbers_of(course),
        pictures={"optimizer_trajectories": lambda theme: paths_and_losses(course, theme)},
        animations={"optimizer_trajectories": animation(course, frames)},
        description=f"Contours of {chosen.name} with the paths of "
        f"{', '.join(path.name for path in paths)} from {chosen.start}, and f against the step.",
        said=[*said_of(chosen, paths), *without_effect(composition, surface)],
    )


def check_counts(**counts: int) -> None:
    """Raise UserError for a number of steps or frames below 1."""
    for key, given in counts.items():
        if given < 1:
            raise user_error(
                "not_allowed",
                key=key,
                given=given,
                allowed="a whole number of at least 1",
                instead=50,
            )


def optimizer_config(
    composition: Composition, choice: str, rates: Mapping[str, float]
) -> dict[str, Any]:
    """Return the config of an optimizer: a typed optim.lr, else the surface's, else its own."""
    config = composition.config(f"optim={choice}")
    name = name_of(config)
    if name in rates and not composition.has_typed("optim.lr"):
        config["optim"]["lr"] = rates[name]
    return config


def name_of(config: Mapping[str, Any]) -> str:
    """Return an optimizer's name; of a collection that of the one chosen from it."""
    return str(config["optim"]["name"])


def surface_of(composition: Composition, name: str, hidden: Sequence[int], seed: int) -> Surface:
    """Return a surface by its name."""
    if name == "network":
        return network_surface(composition, hidden, seed)
    return next(one for one in SURFACES if one.name == name)


def with_ranges(surface: Surface, given: Mapping[str, Sequence[float] | None]) -> Surface:
    """Return a surface with the start and the ranges that were given, or raise UserError."""
    for key, pair in given.items():
        if pair is None:
            continue
        is_pair = isinstance(pair, list | tuple) and len(pair) == 2
        is_pair = is_pair and all(
            isinstance(one, int | float) and math.isfinite(one) for one in pair
        )
        if not is_pair or (key != "start" and not pair[0] < pair[1]):
            allowed = "a point [x,y]" if key == "start" else "a range [low,high]"
            instead = list(getattr(surface, key))
            raise user_error("not_allowed", key=key, given=pair, allowed=allowed, instead=instead)
        changed: dict[str, Any] = {key: (float(pair[0]), float(pair[1]))}
        surface = replace(surface, **changed)
    (x, y), x_range, y_range = surface.start, surface.x_range, surface.y_range
    if not (x_range[0] <= x <= x_range[1] and y_range[0] <= y <= y_range[1]):
        raise user_error(
            "not_allowed",
            key="start",
            given=[x, y],
            allowed=f"a point of the picture, x from {x_range[0]:g} to {x_range[1]:g} and y from "
            f"{y_range[0]:g} to {y_range[1]:g}",
            instead=f"[{sum(x_range) / 2:g},{sum(y_range) / 2:g}], or give x_range and y_range",
        )
    return surface


def course_of(surface: Surface, paths: Sequence[Path]) -> Course:
    """Return all that is drawn."""
    number = NUM_POINTS.get(surface.name, 201)
    x, y = (
        torch.linspace(*ends, number, dtype=torch.float64)
        for ends in (surface.x_range, surface.y_range)
    )
    return Course(surface, paths, x.numpy(), y.numpy(), surface.over(x, y).numpy())


def numbers_of(course: Course) -> dict[str, Any]:
    """Return what is drawn, as numbers."""
    surface = course.surface
    return {
        "surface": surface.name,
        "start": surface.start,
        "minima": surface.minima,
        "lowest": surface.lowest,
        "grid": {"x": course.x, "y": course.y, "f": course.f},
        "paths": {
            path.name: {"lr": path.lr, "theta": path.points, "f": path.values, "end": path.end}
            for path in course.paths
        },
    }


def animation(course: Course, frames: int) -> Animation:
    """Return the paths growing: step 0, then equal parts of the longest one."""
    longest = max(len(path.points) for path in course.paths) - 1
    shown = sorted({round(longest * i / max(1, frames - 1)) for i in range(frames)})
    draws = [lambda theme, k=k: frame(course, k, theme) for k in shown]
    return Animation(draws, seconds=0.12)


def said_of(surface: Surface, paths: Sequence[Path]) -> list[str]:
    """Return a line for each optimizer."""
    lines = []
    for path in paths:
        x, y = path.points[-1].tolist()
        reached = f"f - f* = {float(path.values[-1]) - surface.lowest:.3g} at ({x:.3f}, {y:.3f})"
        ended = f"; {path.end}" if path.end else ""
        lines.append(
            f"{path.name} (lr {path.lr:g}): {reached}, {len(path.points) - 1} steps{ended}"
        )
    return lines


def without_effect(composition: Composition, surface: str) -> list[str]:
    """Return what was typed of a network, where the surface is none."""
    typed = composition.typed_within(OF_NETWORK) if surface != "network" else []
    return [f"{one} has no effect with surface={surface}." for one in typed]
