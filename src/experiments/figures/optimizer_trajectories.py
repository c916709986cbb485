"""Optimizers on a surface: the paths of those of the catalogue, and how fast they come down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from experiments.errors.messages import check_choice, refuse_unless
from experiments.figures.drawn.trajectory_pictures import Course, draw_step, draw_trajectories
from experiments.figures.measured.network_losses import NUM_SEARCHED, network_surface
from experiments.figures.measured.paths import Trajectory, follow, recipe_of
from experiments.figures.measured.surfaces import SURFACES, Surface, axis_values
from experiments.figures.page.composing import Composition
from experiments.figures.page.drawing import Animation, Drawing, Live
from experiments.figures.page.limits import is_finite_number

NAMES = [*(surface.name for surface in SURFACES), "network"]
OF_NETWORK = ("model", "activation", "init", "loss", "data", "trainer", "scheduler")
NOT_OF_RULE = ("_target_", "name", "search", "no_decay")


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
    for key, count in (("steps", steps), ("frames", frames)):
        refuse_unless(count >= 1, key, count, "a whole number of at least 1", 50)
    configs = [
        optimizer_config(composition, choice, (lr or {}).get(surface, {}))
        for choice in composition.choices("optim")
    ]
    recipes = [recipe_of(config) for config in configs]
    if surface == "network":
        chosen = network_surface(composition, hidden, seed)
    else:
        chosen = next(known for known in SURFACES if known.name == surface)
    chosen = with_ranges(chosen, {"start": start, "x_range": x_range, "y_range": y_range})
    theta = torch.tensor(chosen.start, dtype=torch.float64)
    paths = [
        follow(chosen, recipe, config["optim"], theta, steps)
        for recipe, config in zip(recipes, configs, strict=True)
    ]
    said: list[str] = []
    if surface == "network":  # whose minimum no formula knows
        lowest = min(chosen.lowest, *(float(path.values.min()) for path in paths))
        chosen = replace(chosen, lowest=lowest)
    else:
        said = composition.without_effect(OF_NETWORK, f"surface={surface}")
    num_points = NUM_SEARCHED if surface == "network" else 201
    x, y = axis_values((chosen.x_range, chosen.y_range), num_points)
    course = Course(chosen, paths, x.numpy(), y.numpy(), chosen.over(x, y).numpy())
    return Drawing(
        numbers=numbers_of(course),
        pictures={"optimizer_trajectories": partial(draw_trajectories, course)},
        animations={"optimizer_trajectories": animation(course, frames)},
        description=f"Contours of {chosen.name} with the paths of "
        f"{', '.join(path.name for path in paths)} from {chosen.start}, and f against the step.",
        said=[*results_in_words(chosen, paths), *said],
        live=None if surface == "network" else live_page(course, configs, lr or {}, steps),
    )


def live_page(
    course: Course,
    configs: Sequence[dict[str, Any]],
    rates: Mapping[str, Mapping[str, float]],
    steps: int,
) -> Live:
    """Return what a page needs to draw torch's paths, and to compute others by the same rules."""
    chosen = course.surface
    known = [chosen if one.name == chosen.name else one for one in SURFACES]
    keys = ("name", "title", "start", "x_range", "y_range", "minima", "lowest")
    optimizers = []
    for config, path in zip(configs, course.paths, strict=True):
        module, _, rule = str(config["optim"]["_target_"]).rpartition(".")
        kept = {key: value for key, value in config["optim"].items() if key not in NOT_OF_RULE}
        optimizers.append(
            {
                "name": path.name,
                "rule": rule if module == "torch.optim" else None,
                "options": kept,
                "torch": path.points,
            }
        )
    return Live(
        "Optimizers on a surface",
        {
            "surface": chosen.name,
            "surfaces": [{key: getattr(one, key) for key in keys} for one in known],
            "rates": {name: dict(own) for name, own in rates.items()},
            "optimizers": optimizers,
            "steps": steps,
        },
    )


def optimizer_config(
    composition: Composition, choice: str, rates: Mapping[str, float]
) -> dict[str, Any]:
    """Return the config of an optimizer: a typed optim.lr, else the surface's, else its own."""
    config = composition.config(f"optim={choice}")
    name = config["optim"]["name"]  # of a collection that of the one chosen from it
    if name in rates and not composition.has_typed("optim.lr"):
        config["optim"]["lr"] = rates[name]
    return config


def with_ranges(surface: Surface, given: Mapping[str, Sequence[float] | None]) -> Surface:
    """Return a surface with the start and the ranges that were given, or raise UserError."""
    for key, pair in given.items():
        if pair is None:
            continue
        fits = isinstance(pair, list | tuple) and len(pair) == 2
        fits = fits and all(map(is_finite_number, pair)) and (key == "start" or pair[0] < pair[1])
        allowed = "a point [x,y]" if key == "start" else "a range [low,high]"
        refuse_unless(fits, key, pair, allowed, list(getattr(surface, key)))
        changed: dict[str, Any] = {key: (float(pair[0]), float(pair[1]))}
        surface = replace(surface, **changed)
    (x, y), x_range, y_range = surface.start, surface.x_range, surface.y_range
    refuse_unless(
        x_range[0] <= x <= x_range[1] and y_range[0] <= y <= y_range[1],
        "start",
        [x, y],
        f"a point of the picture, x from {x_range[0]:g} to {x_range[1]:g} and y from "
        f"{y_range[0]:g} to {y_range[1]:g}",
        f"[{sum(x_range) / 2:g},{sum(y_range) / 2:g}], or give x_range and y_range",
    )
    return surface


def numbers_of(course: Course) -> dict[str, Any]:
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
    return Animation([partial(draw_step, course, step) for step in shown], seconds=0.12)


def results_in_words(surface: Surface, paths: Sequence[Trajectory]) -> list[str]:
    """Return a line for each optimizer."""
    lines = []
    for path in paths:
        x, y = path.points[-1].tolist()
        reached = f"f - f* = {float(path.values[-1]) - surface.lowest:.3g} at ({x:.3f}, {y:.3f})"
        end = f"; {path.end}" if path.end else ""
        lines.append(f"{path.name} (lr {path.lr:g}): {reached}, {len(path.points) - 1} steps{end}")
    return lines
