"""Activation functions and their derivatives, each computed by the module that networks use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from experiments.building import activation_of
from experiments.errors import user_error
from experiments.figures.composing import Composition
from experiments.figures.drawing import Drawing
from experiments.figures.themes import Theme

NUM_POINTS = 1001
COLUMNS = 5
SECOND_PIECE = -0.5
"""Slope of a second affine piece, the first being x itself."""
OF_SEVERAL = {
    "maxout": ("max(x, -x/2)", SECOND_PIECE),
    "glu": ("both halves are x", 1.0),
    "geglu": ("both halves are x", 1.0),
    "swiglu": ("both halves are x", 1.0),
}
"""Of activations that take two features: what the curve is of, and the second one's slope."""


@dataclass(frozen=True)
class Curve:
    """An activation over a line.

    Attributes:
        name: in the catalogue.
        x: (N,).
        values: phi(x), (N, 1), or (N, 2) where one feature gives two (crelu).
        slopes: phi'(x), of the same shape.
        note: what x means where the activation takes several features.
    """

    name: str
    x: Tensor
    values: Tensor
    slopes: Tensor
    note: str = ""


def activation_curves(
    composition: Composition,
    low: float = -5.0,
    high: float = 5.0,
    ranges: Mapping[str, Sequence[float]] | None = None,
) -> Drawing:
    """Draw phi and phi' of each chosen activation.

    Args:
        composition: of the figure; its `activation` says which, all of the catalogue for none.
        low: where x begins.
        high: where x ends.
        ranges: for some activations a range of their own, as [low, high].

    Raises:
        UserError: a range that is none.
    """
    curves = []
    for name in composition.choices("activation"):
        ends = (ranges or {}).get(name, [low, high])
        if len(ends) != 2 or not -math.inf < ends[0] < ends[1] < math.inf:
            key = f"ranges.{name}" if name in (ranges or {}) else "low"
            raise user_error(
                "not_allowed", key=key, given=ends, allowed="a range from low to high", instead=-5
            )
        make = activation_of(composition.config(f"activation={name}"))
        curves.append(curve(name, make(), *ends))
    names = ", ".join(one.name for one in curves)
    return Drawing(
        numbers={"curves": {one.name: as_numbers(one) for one in curves}},
        pictures={"activation_curves": lambda theme: grid(curves, theme)},
        description=f"Curves of {names}: the activation as a solid line, its derivative dashed.",
        said=[f"{one.name}: {one.note}" for one in curves if one.note],
    )


def curve(name: str, activation: nn.Module, low: float, high: float) -> Curve:
    """Return an activation over [low, high], with its derivative by autograd.

    One that takes two features gets x and a multiple of x: `OF_SEVERAL` says which.
    """
    note, slope = OF_SEVERAL.get(name, ("", 0.0))
    x = torch.linspace(low, high, NUM_POINTS, dtype=torch.float64, requires_grad=True)
    features = torch.stack([x, slope * x], dim=1) if note else x[:, None]
    values = activation.double().eval()(features)
    slopes = [torch.autograd.grad(v.sum(), x, retain_graph=True)[0] for v in values.unbind(1)]
    return Curve(name, x.detach(), values.detach(), torch.stack(slopes, dim=1), note)


def as_numbers(one: Curve) -> dict[str, Any]:
    """Return what is drawn of a curve."""
    return {"x": one.x, "phi": one.values.T, "derivative": one.slopes.T, "note": one.note}


def grid(curves: Sequence[Curve], theme: Theme) -> Figure:
    """Draw all curves, each in axes of its own."""
    columns = min(COLUMNS, len(curves))
    rows = math.ceil(len(curves) / columns)
    figure = Figure(figsize=(max(4.2, 2.3 * columns), 2.05 * rows + 0.6), layout="constrained")
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, one in zip(places, curves, strict=False):
        draw_curve(axes, one, theme)
    for axes in places[len(curves) :]:
        axes.set_axis_off()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles[:2], labels[:2], loc="outside upper left", ncols=2)
    return figure


def draw_curve(axes: Axes, one: Curve, theme: Theme) -> None:
    """Draw phi as a solid line and phi' as a dashed one."""
    axes.axhline(0, color=theme.faint, linewidth=0.8, zorder=0)
    axes.axvline(0, color=theme.faint, linewidth=0.8, zorder=0)
    colours = theme.colours
    for values, width in zip(one.values.T, (2.2, 1.2), strict=False):
        axes.plot(one.x, values, color=colours[0], linewidth=width, label="φ(x)")
    for slopes, width in zip(one.slopes.T, (1.6, 1.0), strict=False):
        axes.plot(
            one.x,
            slopes,
            color=colours[1],
            linestyle=(0, (4, 2)),
            linewidth=width,
            label="its derivative",
        )
    axes.set_title(one.name, fontsize=11)
    axes.set_xlim(float(one.x[0]), float(one.x[-1]))
    # A steep derivative may leave the picture; the activation itself has the room.
    low, high = max(float(one.values.min()), -6.0), min(float(one.values.max()), 6.0)
    low, high = (
        min(low, max(float(one.slopes.min()), -1.5)),
        max(high, min(float(one.slopes.max()), 1.5)),
    )
    axes.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
    axes.locator_params(axis="both", nbins=4)
