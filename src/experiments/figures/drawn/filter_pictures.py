"""Pictures of a CNN's first filters over the feature maps that they make."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from experiments.figures.page.slide import slide
from experiments.figures.page.themes import Theme

COLUMNS = 8
MOST_SIGNS = 5
"""The size of a filter up to which there is room for the signs of its weights."""


@dataclass(frozen=True)
class FeatureMaps:
    """The first layer of a trained CNN at work.

    Attributes:
        title: of which run and image.
        label: class of the image.
        image: as the network sees it, (C, ...).
        filters: those shown, (K, C, F[, F]).
        maps: what each finds, (K, O[, O]).
        num_filters: how many the layer has.
    """

    title: str
    label: str
    image: Tensor
    filters: Tensor
    maps: Tensor
    num_filters: int


def draw_feature_maps(seen: FeatureMaps, theme: Theme) -> Figure:
    """Draw the image, then each filter over its feature map."""
    columns = min(COLUMNS, len(seen.maps))
    rows = math.ceil(len(seen.maps) / columns)
    figure = slide()
    figure.suptitle(seen.title, x=0.01, ha="left", fontsize=12)
    grid = figure.subplots(2 * rows, columns + 1, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    draw_values(grid[0, 0], seen.image, "image", theme)
    bound = float(seen.filters.abs().max())
    for number, (weight, feature_map) in enumerate(zip(seen.filters, seen.maps, strict=True)):
        row, column = divmod(number, columns)
        above, below = grid[2 * row : 2 * row + 2, column + 1]
        draw_values(above, weight, f"w {number + 1}", theme, bound)
        draw_values(below, feature_map[None], f"h {number + 1}", theme)
    return figure


def draw_values(
    axes: Axes, values: Tensor, name: str, theme: Theme, bound: float | None = None
) -> None:
    """Draw (C, H, W) as an image, or (C, L) as lines; of several channels of a filter the mean.

    Args:
        values: of an image, a filter or a feature map.
        bound: of a filter, whose values have signs: the largest of all filters.
    """
    axes.set_title(name, fontsize=9, loc="center")
    if values.dim() == 2:
        for channel in values.numpy():
            axes.plot(channel, color=theme.colours[0], linewidth=1.2)
        axes.axhline(0, color=theme.faint, linewidth=0.8)
        return
    if len(values) == 3 and bound is None:
        low, high = float(values.min()), float(values.max())
        axes.imshow(((values - low) / max(high - low, 1e-9)).permute(1, 2, 0).numpy())
        return
    averaged = values.mean(dim=0).numpy()
    if bound is None:
        axes.imshow(averaged, cmap=theme.colormap(theme.ramp))
        return
    axes.imshow(averaged, cmap=theme.colormap(theme.diverging), norm=Normalize(-bound, bound))
    if len(averaged) <= MOST_SIGNS:
        for (row, column), value in np.ndenumerate(averaged):
            sign = "+" if value > 0 else "−"
            axes.text(column, row, sign, fontsize=8.5, ha="center", va="center", color=theme.ink)
