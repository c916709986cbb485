"""The loss over all training points as a function of one weight or two, with its minimum."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from experiments.building import build_datamodule, build_module, fit_normalization, load_data
from experiments.errors import user_error
from experiments.figures.composing import Composition
from experiments.figures.drawing import Drawing
from experiments.figures.minima import minimum_of
from experiments.figures.minimum_pictures import Descent, Landscape, draw_curve, draw_map
from experiments.figures.network_losses import loss_over
from experiments.figures.retracing import weights_along
from experiments.module import ExperimentModule

NAMES = ("head.weight", "head.bias")
MARGIN = 0.35
"""Around the paths, as a part of their extent."""


def loss_minimum(
    composition: Composition,
    bias: bool = True,
    sine: Mapping[str, float] | None = None,
    resolution: int = 121,
) -> Drawing:
    """Draw L(theta) = 1/|D| sum over D of l(theta; x, y), its argmin, and two paths to it.

    Of y = w x + b, theta = (w, b); or of y = w x, theta = w, the bias then being 0 and not trained.
    One path is that of full batches, the other that of mini-batches, both of the figure's optimizer
    and with as many passes over the data.

    Args:
        composition: of the figure.
        bias: two weights; else one.
        sine: values of data=sine that were not typed.
        resolution: points along each axis.

    Raises:
        UserError: a model of more weights, a resolution that nothing can be drawn with.
    """
    if not 3 <= resolution <= 1001:
        allowed = "a whole number, 3 to 1001"
        raise user_error(
            "not_allowed", key="resolution", given=resolution, allowed=allowed, instead=121
        )
    own = own_values(composition, sine or {})
    config = composition.training(*own)
    loss, num_points = loss_of_weights(config, bias)
    is_full = config["data"]["batch_size"] in ("full", num_points)
    configs = {"full batch": composition.training(*own, "data.batch_size=full")}
    if not is_full:
        configs[f"mini-batches of {config['data']['batch_size']}"] = config
    descents = [descent(name, one, loss, num_points, bias) for name, one in configs.items()]
    argmin = minimum_of(loss, torch.zeros(2 if bias else 1, dtype=torch.float64))
    landscape = landscape_of(loss, descents, argmin, resolution)
    draw = draw_map if bias else draw_curve
    spec = f"{config['model']['name']} on {config['data']['name']}"
    return Drawing(
        numbers=numbers_of(landscape, num_points),
        pictures={"loss_minimum": lambda theme: draw(landscape, theme)},
        description=f"The training loss of {spec} over its weights, with its minimum and the "
        "paths of full-batch and mini-batch descent.",
        said=[f"argmin L = {landscape.argmin.tolist()}, L = {landscape.lowest:.6g}"],
    )


def own_values(composition: Composition, sine: Mapping[str, float]) -> list[str]:
    """Return the overrides of data=sine that were not typed."""
    if composition.choices("data") != ["sine"]:
        return []
    keys = {f"data.{key}": value for key, value in sine.items()}
    return [f"{k}={value}" for k, value in keys.items() if not composition.has_typed(k)]


def loss_of_weights(config: dict[str, Any], bias: bool) -> tuple[Callable[[Tensor], Tensor], int]:
    """Return L(theta) over the training points in float64, and how many they are."""
    data = load_data(config)
    datamodule = build_datamodule(config, data)
    module = build_module(config, data.spec)
    names = [name for name, p in module.network.named_parameters() if p.numel() == 1]
    if tuple(names) != NAMES or len(names) != len(list(module.network.parameters())):
        number = sum(p.numel() for p in module.network.parameters())
        model, given = config["model"]["name"], config["data"]["name"]
        raise user_error("two_weights", model=model, given=number, data=given)
    fit_normalization(module, datamodule, config["data"]["normalize"])
    points = datamodule.train
    loss = loss_over(module.double(), points.inputs.double(), points.targets.double())

    def of_theta(theta: Tensor) -> Tensor:
        b = theta[1] if bias else torch.zeros_like(theta[0])
        return loss(dict(zip(NAMES, (theta[0].view(1, 1), b.view(1)), strict=True)))

    return of_theta, len(points)


def without_bias(module: ExperimentModule) -> None:
    """Set the bias to 0 and train it no more."""
    for name, parameter in module.named_parameters():
        if name.endswith("head.bias"):
            parameter.detach().zero_()
            parameter.requires_grad_(False)


def descent(
    name: str,
    config: dict[str, Any],
    loss: Callable[[Tensor], Tensor],
    num_points: int,
    bias: bool,
) -> Descent:
    """Return the path of a training, with L at each of its steps."""
    weights = weights_along(config, each_step=True, change=None if bias else without_bias)
    theta = weights[:, : 2 if bias else 1].double()
    values = torch.stack([loss(one) for one in theta])
    batch_size = config["data"]["batch_size"]
    num_batches = 1 if batch_size == "full" else math.ceil(num_points / batch_size)
    passes = torch.arange(len(theta), dtype=torch.float64) / num_batches
    return Descent(name, theta.numpy(), values.numpy(), passes.numpy())


def landscape_of(
    loss: Callable[[Tensor], Tensor], descents: list[Descent], argmin: Tensor, resolution: int
) -> Landscape:
    """Return L around the paths and the argmin."""
    shown = torch.cat([*(torch.from_numpy(one.theta) for one in descents), argmin[None]])
    axes: list[Tensor] = []
    for along in shown.T:
        # Symmetric about the argmin, so that it stands in the middle.
        reach = (1 + MARGIN) * float((along - argmin[len(axes)]).abs().max()) or 1.0
        middle = float(argmin[len(axes)])
        axes.append(torch.linspace(middle - reach, middle + reach, resolution, dtype=torch.float64))
    grid = torch.cartesian_prod(*axes).view(-1, len(axes))
    with torch.no_grad():
        values = torch.func.vmap(loss, chunk_size=1024)(grid)
    # (w, b) -> rows of b, columns of w.
    shaped = values if len(axes) == 1 else values.view(len(axes[0]), len(axes[1])).T
    return Landscape(
        [one.numpy() for one in axes],
        shaped.numpy(),
        argmin.numpy(),
        float(loss(argmin)),
        descents,
    )


def numbers_of(landscape: Landscape, num_points: int) -> dict[str, Any]:
    """Return what is drawn, as numbers."""
    return {
        "axes": landscape.axes,
        "loss": landscape.loss,
        "argmin": landscape.argmin,
        "lowest": landscape.lowest,
        "num_points": num_points,
        "paths": {one.name: vars(one) for one in landscape.descents},
    }
