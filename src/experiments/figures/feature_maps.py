"""The first filters of a trained CNN, and the feature maps that they make of a test image."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor, nn

from experiments.building import load_data
from experiments.errors import user_error
from experiments.figures.drawing import Drawing
from experiments.figures.lettering import sizes
from experiments.figures.themes import Theme
from experiments.runs import load_run

MOST_FILTERS = 16
COLUMNS = 8
MOST_SIGNS = 5
"""The size of a filter up to which there is room for the signs of its weights."""


def feature_maps(folder: str, image: int) -> Drawing:
    """Draw the first layer of a trained CNN at work.

    Args:
        folder: of the run.
        image: which point of its test set.

    Raises:
        UserError: no run, one without weights, another model, or no such image.
    """
    run = load_run(folder)
    data_name, model_name = run.config["data"]["name"], run.config["model"]["name"]
    module: Any = run.module()
    num_dims = len(module.spec.shape) - 1
    if model_name != "cnn" or num_dims > 2:
        what = f"model={model_name} on data={data_name}"
        raise user_error("no_filters", path=folder, what=what)
    data = load_data(run.config)
    if not 0 <= image < len(data.test):
        raise user_error(
            "not_allowed",
            key="image",
            given=image,
            allowed=f"0 to {len(data.test) - 1} (the test points of {data_name})",
            instead=0,
        )
    point = data.test.take(torch.tensor([image]))
    layer = module.network.convs[0]
    with torch.no_grad():
        seen = module.normalize(point.inputs)
        maps = before_pool(layer, seen)[0]
    weight, label = layer.affine.weight.detach(), label_of(data, point.targets[0])
    kept = min(MOST_FILTERS, len(maps), len(weight))
    title = f"{data_name}, test point {image} ({label}): {kept} of {len(maps)} feature maps"
    if num_dims == 2 and weight.shape[1] > 1:
        title += f", filters averaged over {weight.shape[1]} channels"
    numbers = {
        "image": seen[0],
        "filters": weight[:kept],
        "feature_maps": maps[:kept],
        "num_filters": len(weight),
        "label": label,
    }
    return Drawing(
        numbers=numbers,
        pictures={"convolution": partial(draw, title, seen[0], weight[:kept], maps[:kept])},
        description=f"{title} of the first layer of a trained CNN, with the filters above them.",
        said=[
            title,
            f"The first layer has {len(weight)} filters of {sizes(tuple(weight.shape[1:]))}.",
        ],
    )


def before_pool(layer: nn.Module, x: Tensor) -> Tensor:
    """Return what a layer finds at each position: all of it but pool and dropout."""
    for name, part in layer.named_children():
        if name in ("pool", "dropout"):
            break
        x = part(x)
    return x


def label_of(data: Any, target: Tensor) -> str:
    """Return the class of a point, or its value."""
    if data.task == "regression":
        return f"{float(target.flatten()[0]):.3g}"
    return str(data.class_names[int(target)])


def draw(title: str, image: Tensor, filters: Tensor, maps: Tensor, theme: Theme) -> Figure:
    """Draw the image, then each filter over its feature map."""
    columns = min(COLUMNS, len(maps))
    rows = math.ceil(len(maps) / columns)
    size = (max(7.0, 1.15 * (columns + 1) + 0.6), 0.7 + 2.1 * rows)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    grid = figure.subplots(2 * rows, columns + 1, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    show(grid[0, 0], image, "image", theme, is_signed=False)
    bound = float(filters.abs().max())
    for number, (one, found) in enumerate(zip(filters, maps, strict=True)):
        row, column = divmod(number, columns)
        show(grid[2 * row, column + 1], one, f"w {number + 1}", theme, is_signed=True, bound=bound)
        show(grid[2 * row + 1, column + 1], found[None], f"h {number + 1}", theme, is_signed=False)
    return figure


def show(
    axes: Axes, values: Tensor, name: str, theme: Theme, is_signed: bool, bound: float = 0.0
) -> None:
    """Draw (C, H, W) as an image, or (C, L) as lines; of several channels of a filter the mean."""
    axes.set_title(name, fontsize=9, loc="center")
    if values.dim() == 2:
        for channel in values.numpy():
            axes.plot(channel, color=theme.colours[0], linewidth=1.2)
        axes.axhline(0, color=theme.faint, linewidth=0.8)
        return
    if len(values) == 3 and not is_signed:
        low, high = float(values.min()), float(values.max())
        axes.imshow(((values - low) / max(high - low, 1e-9)).permute(1, 2, 0).numpy())
        return
    colours = theme.diverging if is_signed else theme.ramp
    norm = Normalize(-bound, bound) if is_signed else None
    averaged = values.mean(dim=0).numpy()
    axes.imshow(averaged, cmap=theme.colormap(colours), norm=norm)
    if is_signed and len(averaged) <= MOST_SIGNS:
        for (row, column), value in np.ndenumerate(averaged):
            sign = "+" if value > 0 else "−"
            axes.text(column, row, sign, fontsize=6, ha="center", va="center", color=theme.ink)
