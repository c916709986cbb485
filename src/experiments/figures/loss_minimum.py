"""The loss over all training points as a function of one weight or two, with its minimum."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from experiments.errors.messages import refuse_unless, user_error
from experiments.figures.drawn.axes_panels import (
    Array,
    add_to_legend,
    draw_contours,
    draw_marked_line,
    draw_path,
    mark_every,
    mark_minimum,
    mark_start,
    name_axes,
    two_panels,
)
from experiments.figures.drawn.labels import Label, place_labels, point_label
from experiments.figures.measured.network_losses import loss_over
from experiments.figures.measured.retracing import weights_along
from experiments.figures.measured.surfaces import axis_values, minimum_of, plane_points
from experiments.figures.page.composing import Composition
from experiments.figures.page.drawing import Drawing
from experiments.figures.page.themes import Theme
from experiments.training.build import build_datamodule, build_module, fit_normalization, load_data
from experiments.training.module import ExperimentModule

NAMES = ("head.weight", "head.bias")
MARGIN = 0.35
"""Around the paths, as a part of their extent."""
FLOOR = 1e-12


@dataclass(frozen=True)
class Descent:
    """The path of a training.

    Attributes:
        theta: before training and after each step, (S, 1) or (S, 2).
        loss: L over all training points at each, (S,).
        passes: over the data until then, (S,).
    """

    name: str
    theta: Array
    loss: Array
    passes: Array


@dataclass(frozen=True)
class Landscape:
    """L over one weight w, or over w and b; lowest at the argmin.

    Shapes: axes (W,) and (B,), loss (W,) or (B, W), argmin (1,) or (2,).
    """

    axes: Sequence[Array]
    loss: Array
    argmin: Array
    lowest: float
    descents: Sequence[Descent]


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
        bias: two weights; else one.
        sine: values of data=sine that were not typed.
        resolution: points along each axis.

    Raises:
        UserError: a model of more weights, a resolution that nothing can be drawn with.
    """
    fits = 3 <= resolution <= 1001
    refuse_unless(fits, "resolution", resolution, "a whole number, 3 to 1001", 121)
    is_sine = composition.choices("data") == ["sine"]
    keys = {f"data.{key}": value for key, value in (sine or {}).items() if is_sine}
    typed = composition.unless_typed(keys)
    config = composition.training(*typed)
    loss, num_points = loss_of_weights(config, bias)
    configs = {"full batch": composition.training(*typed, "data.batch_size=full")}
    batch_size = config["data"]["batch_size"]
    if batch_size != "full" and batch_size < num_points:
        configs[f"mini-batches of {batch_size}"] = config
    descents = [descend(name, own, loss, num_points, bias) for name, own in configs.items()]
    argmin = minimum_of(loss, torch.zeros(2 if bias else 1, dtype=torch.float64))
    landscape = landscape_of(loss, descents, argmin, resolution)
    return Drawing(
        numbers={
            "axes": landscape.axes,
            "loss": landscape.loss,
            "argmin": landscape.argmin,
            "lowest": landscape.lowest,
            "num_points": num_points,
            "paths": {path.name: vars(path) for path in descents},
        },
        pictures={"loss_minimum": partial(draw_loss_map if bias else draw_loss_curve, landscape)},
        description=f"The training loss of {config['model']['name']} on {config['data']['name']} "
        "over its weights, with its minimum and the paths of full-batch and mini-batch descent.",
        said=[f"argmin L = {landscape.argmin.tolist()}, L = {landscape.lowest:.6g}"],
    )


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
    loss = loss_over(module.double(), datamodule.train)

    def of_theta(theta: Tensor) -> Tensor:
        b = theta[1] if bias else torch.zeros_like(theta[0])
        return loss(dict(zip(NAMES, (theta[0].view(1, 1), b.view(1)), strict=True)))

    return of_theta, len(datamodule.train)


def without_bias(module: ExperimentModule) -> None:
    """Set the bias to 0 and train it no more."""
    for name, parameter in module.named_parameters():
        if name.endswith("head.bias"):
            parameter.detach().zero_()
            parameter.requires_grad_(False)


def descend(
    name: str,
    config: dict[str, Any],
    loss: Callable[[Tensor], Tensor],
    num_points: int,
    bias: bool,
) -> Descent:
    """Return the path of a training, with L at each of its steps."""
    weights = weights_along(config, each_step=True, change=None if bias else without_bias)
    theta = weights[:, : 2 if bias else 1].double()
    values = torch.stack([loss(point) for point in theta])
    batch_size = config["data"]["batch_size"]
    num_batches = 1 if batch_size == "full" else math.ceil(num_points / batch_size)
    passes = torch.arange(len(theta), dtype=torch.float64) / num_batches
    return Descent(name, theta.numpy(), values.numpy(), passes.numpy())


def landscape_of(
    loss: Callable[[Tensor], Tensor], descents: list[Descent], argmin: Tensor, resolution: int
) -> Landscape:
    """Return L around the paths and the argmin."""
    shown = torch.cat([*(torch.from_numpy(path.theta) for path in descents), argmin[None]])
    # Symmetric about the argmin, so that it stands in the middle.
    reaches = [
        (1 + MARGIN) * reach or 1.0 for reach in (shown - argmin).abs().max(dim=0).values.tolist()
    ]
    ranges = [(m - r, m + r) for m, r in zip(argmin.tolist(), reaches, strict=True)]
    axes = axis_values(ranges, resolution)
    grid = plane_points(*axes) if len(axes) == 2 else axes[0][:, None]
    with torch.no_grad():
        values = torch.func.vmap(loss, chunk_size=1024)(grid)
    return Landscape(
        [w.numpy() for w in axes],
        values.view([len(w) for w in reversed(axes)]).numpy(),
        argmin.numpy(),
        float(loss(argmin)),
        descents,
    )


def draw_loss_map(landscape: Landscape, theme: Theme) -> Figure:
    """Draw contours over (w, b) with the paths, and L - L* against passes over the data."""
    figure, (left, right) = two_panels((5, 4))
    start, argmin = landscape.descents[0].theta[0], landscape.argmin
    w, b = landscape.axes
    draw_contours(left, w, b, landscape.loss, landscape.lowest, theme)
    labels = [point_label("argmin L", argmin, theme), point_label("start", start, theme)]
    for i, descent in reversed(list(enumerate(landscape.descents))):
        draw_path(left, descent.theta, theme.style(i), theme)
        labels.insert(2, Label(descent.name, descent.theta, theme.style(i).color))
    mark_start(left, start, theme)
    mark_minimum(left, argmin, theme)
    place_labels(left, labels, np.stack([start, argmin]), (3.7, 3.5), theme)
    name_axes(left, "L(w, b) of y = w x + b", "w", "b")
    draw_gaps(right, landscape, theme)
    return figure


def draw_loss_curve(landscape: Landscape, theme: Theme) -> Figure:
    """Draw L over w with the paths on it, and w against passes over the data."""
    figure, (left, right) = two_panels((5, 4))
    argmin = landscape.argmin[0]
    left.plot(landscape.axes[0], landscape.loss, color=theme.faint, linewidth=2.5, zorder=1)
    for i, descent in reversed(list(enumerate(landscape.descents))):
        style, w = theme.style(i), descent.theta[:, 0]
        marks: dict[str, Any] = {"color": style.color, "mfc": style.color, "ms": 3.5}
        if i == 0:
            marks |= {"mfc": theme.paper, "ms": 8}
        left.plot(w, descent.loss, style.marker, **marks, zorder=4 - i)
        left.plot([], [], style.marker, **marks, label=descent.name)
        marked = slice(None, None, mark_every(len(w)))
        draw_marked_line(right, descent.passes, w, style, marked)
    mark_minimum(left, (argmin, landscape.lowest), theme)
    left.legend(loc="upper center")
    name_axes(left, "L(w) of y = w x", "w")
    right.axhline(argmin, color=theme.ink, linewidth=1, linestyle=(0, (1, 2)))
    name_axes(right, f"w; argmin L = {argmin:.3f}, dotted", "passes over the data")
    return figure


def draw_gaps(axes: Axes, landscape: Landscape, theme: Theme) -> None:
    """Draw L - L* against passes over the data."""
    for i, descent in reversed(list(enumerate(landscape.descents))):
        gap = np.maximum(descent.loss - landscape.lowest, FLOOR)
        marked = slice(None, None, mark_every(len(gap)))
        draw_marked_line(axes, descent.passes, gap, theme.style(i), marked, zorder=4)
        add_to_legend(axes, theme.style(i), descent.name)
    axes.set_yscale("log")
    name_axes(axes, "L − min L", "passes over the data")
    axes.grid(True, axis="y")
    axes.legend(loc="upper right", handlelength=3.5)
