"""Optimizers of the catalogue on a surface, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from experiments.errors import user_error
from experiments.figures.surfaces import Surface
from experiments.optimization import OptimizerRecipe, optimizer_of
from experiments.updates import UpdateRules


class Point(nn.Module):
    """A network of which theta = (x, y) are all the weights."""

    def __init__(self, start: Sequence[float]) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(list(start), dtype=torch.float64))


@dataclass(frozen=True)
class Path:
    """Where an optimizer went.

    Attributes:
        name: of the optimizer.
        lr: that it went with.
        points: theta_0, theta_1, ..., (S + 1, 2), in float64.
        values: f at each, (S + 1,).
        end: why it ends before its last step; empty where it does not.
    """

    name: str
    lr: float
    points: Tensor
    values: Tensor
    end: str = ""


def recipe_of(config: dict[str, Any], name: str) -> OptimizerRecipe:
    """Return what makes an optimizer, or raise UserError for one that moves only matrices."""
    recipe = optimizer_of(config)
    if recipe.needs.form != "plain":
        raise user_error("matrices_on_a_plane", name=name)
    return recipe


def follow(
    surface: Surface, recipe: OptimizerRecipe, name: str, lr: float, start: Tensor, steps: int
) -> Path:
    """Return the path of an optimizer from `start`: theta_{k+1} from theta_k and grad f(theta_k).

    It ends at the step before one that leaves the picture or is no finite number.

    Args:
        surface: what is minimised.
        recipe: of the optimizer.
        name: of the optimizer.
        lr: its learning rate, for the record; `recipe` has it already.
        start: theta_0, (2,).
        steps: at most.
    """
    point = Point(start.tolist())
    optimizer: Any = recipe.make(point)
    rules = UpdateRules(closure=recipe.needs.closure, switched=recipe.needs.switched)

    def closure() -> Tensor:
        point.theta.grad = surface.gradient(point.theta)
        return surface.value(point.theta.detach())

    points, end = [start.double()], ""
    values = [surface.value(start.double())]
    for step in range(1, steps + 1):
        if rules.switched:
            optimizer.train()
        point.theta.grad = surface.gradient(point.theta)
        rules.step(optimizer, [point.theta], None, None, closure if rules.closure else None)
        if rules.switched:  # to the weights that it is evaluated with
            optimizer.eval()
        reached = point.theta.detach().clone()
        value = surface.value(reached)
        end = end_of(surface, reached, value, step)
        if end:
            break
        points.append(reached)
        values.append(value)
    return Path(name, lr, torch.stack(points), torch.stack(values), end)


def end_of(surface: Surface, theta: Tensor, value: Tensor, step: int) -> str:
    """Return why a path ends before a point; empty where it goes on."""
    if not theta.isfinite().all() or not value.isfinite():
        return f"no finite number at step {step}"
    for coordinate, (low, high) in zip(
        theta.tolist(), (surface.x_range, surface.y_range), strict=True
    ):
        if not low <= coordinate <= high:
            return f"left the picture at step {step}"
    return ""
