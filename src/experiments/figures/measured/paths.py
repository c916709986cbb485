"""Optimizers of the catalogue on a surface, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from experiments.errors.messages import user_error
from experiments.figures.measured.surfaces import Surface
from experiments.training.recipe import OptimizerRecipe, optimizer_of
from experiments.training.steps import UpdateRules


class PlanePoint(nn.Module):
    """A network of which theta = (x, y) are all the weights."""

    def __init__(self, start: Sequence[float]) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(list(start), dtype=torch.float64))


@dataclass(frozen=True)
class Trajectory:
    """Where an optimizer went, in float64.

    Attributes:
        points: theta_0, theta_1, ..., (S + 1, 2).
        values: f at each, (S + 1,).
        end: where it left the picture for good, and why it ends before its last step; else empty.
    """

    name: str
    lr: float
    points: Tensor
    values: Tensor
    end: str = ""


def recipe_of(config: dict[str, Any]) -> OptimizerRecipe:
    """Return what makes an optimizer, or raise UserError for one that moves only matrices."""
    recipe = optimizer_of(config)
    if recipe.needs.form != "plain":
        raise user_error("matrices_on_a_plane", name=config["optim"]["name"])
    return recipe


def follow(
    surface: Surface, recipe: OptimizerRecipe, optim: dict[str, Any], start: Tensor, steps: int
) -> Trajectory:
    """Return the path of an optimizer from `start`: theta_{k+1} from theta_k and grad f(theta_k).

    It ends at the step before one that is no finite number, and nowhere else: of one that leaves
    the picture, all points are kept.

    Args:
        optim: the keys that the recipe was made of.
        start: theta_0, (2,).
        steps: at most.
    """
    point = PlanePoint(start.tolist())
    optimizer: Any = recipe.make(point)
    rules = UpdateRules(closure=recipe.needs.closure, switched=recipe.needs.switched)

    def closure() -> Tensor:
        point.theta.grad = surface.gradient(point.theta)
        return surface.value(point.theta.detach())

    points, end = [start.double()], ""
    values = [surface.value(points[0])]
    for step in range(1, steps + 1):
        if rules.switched:
            optimizer.train()
        point.theta.grad = surface.gradient(point.theta)
        rules.step(optimizer, [point.theta], None, None, closure if rules.closure else None)
        if rules.switched:  # to the weights that it is evaluated with
            optimizer.eval()
        theta = point.theta.detach().clone()
        value = surface.value(theta)
        if not theta.isfinite().all() or not value.isfinite():
            end = f"no finite number at step {step}"
            break
        points.append(theta)
        values.append(value)
    path = torch.stack(points)
    left = end_of(surface, path)
    end = ", ".join(word for word in (left, end) if word)
    return Trajectory(optim["name"], optim["lr"], path, torch.stack(values), end)


def end_of(surface: Surface, points: Tensor) -> str:
    """Return at which step a path left the picture for good; empty where its end is inside."""
    ranges = torch.tensor([surface.x_range, surface.y_range], dtype=points.dtype)
    low, high = ranges.T
    is_outside = ((points < low) | (points > high)).any(dim=1)
    if not is_outside[-1]:
        return ""
    inside = (~is_outside).nonzero().flatten()
    return f"left the picture at step {int(inside[-1]) + 1}"
