"""Activation functions and their derivatives, each computed by the module that networks use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from experiments.errors.messages import refuse_unless
from experiments.figures.drawn.activation_formulas import by_kind, formula_of, kind_of
from experiments.figures.page.composing import Composition
from experiments.figures.page.drawing import Draw, Drawing, Live
from experiments.figures.page.sheet import text_width
from experiments.figures.page.slide import WIDTH, slide
from experiments.figures.page.themes import DASHES, Theme
from experiments.training.build import activation_of

NUM_POINTS = 1001
ON_ONE_SLIDE = 8
SECOND_PIECE = -0.5
"""Slope of a second affine piece, the first being x itself."""
OF_SEVERAL = {
    "maxout": ("max(x, −x/2)", SECOND_PIECE),
    "glu": ("both halves are x", 1.0),
    "geglu": ("both halves are x", 1.0),
    "swiglu": ("both halves are x", 1.0),
}
"""Of activations that take two features: what the curve is of, and the second one's slope."""


@dataclass(frozen=True)
class Curve:
    """An activation over a line.

    Attributes:
        x: (N,).
        values: phi(x), (N, 1), or (N, 2) where one feature gives two (crelu).
        slopes: phi'(x), of the same shape.
        note: what x means where the activation takes several features.
        formula: as it is written; empty where none is known.
    """

    name: str
    x: Tensor
    values: Tensor
    slopes: Tensor
    note: str = ""
    formula: str = ""

    @property
    def lines(self) -> list[str]:
        """What is written above the curve."""
        note = f"here {self.note}" if self.note else ""
        return [line for line in (*self.formula.split("; "), note) if line]


def activation_curves(
    composition: Composition,
    low: float = -5.0,
    high: float = 5.0,
    ranges: Mapping[str, Sequence[float]] | None = None,
) -> Drawing:
    """Draw phi and phi' of each chosen activation: more than eight on a slide for each kind.

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
        fits = len(ends) == 2 and -math.inf < ends[0] < ends[1] < math.inf
        if name in (ranges or {}):
            allowed, instead = "two numbers, the lower one first", [-5, 5]
            refuse_unless(fits, f"ranges.{name}", ends, allowed, instead)
        is_finite = math.isfinite(high)
        allowed = f"a number below high={high}" if is_finite else "a finite number"
        refuse_unless(fits, "low", low, allowed, high - 10 if is_finite else -5)
        config = composition.config(f"activation={name}")
        formula = formula_of({**config["activation"], "name": name})
        curves.append(curve_of(name, activation_of(config)(), ends[0], ends[1], formula))
    names = ", ".join(curve.name for curve in curves)
    return Drawing(
        numbers={"curves": {curve.name: numbers_of(curve) for curve in curves}},
        pictures=slides_of(curves),
        description=f"Curves of {names}: the activation as a solid line, its derivative dashed.",
        said=[f"{curve.name}: {curve.note}" for curve in curves if curve.note],
        live=Live(
            "Activation functions and their derivatives",
            {"curves": [{"name": curve.name, **numbers_of(curve)} for curve in curves]},
        ),
    )


def numbers_of(curve: Curve) -> dict[str, Any]:
    return {
        "x": curve.x,
        "phi": curve.values.T,
        "derivative": curve.slopes.T,
        "note": curve.note,
        "formula": curve.formula,
        "kind": kind_of(curve.name),
    }


def slides_of(curves: Sequence[Curve]) -> dict[str, Draw]:
    """Return one slide, or of many curves one for each kind."""
    if len(curves) <= ON_ONE_SLIDE:
        return {"activation_curves": partial(draw_curves, curves, "")}
    known = {curve.name: curve for curve in curves}
    slides: dict[str, Draw] = {}
    for kind, names in by_kind(list(known)).items():
        for part in range(0, len(names), ON_ONE_SLIDE):
            shown = [known[name] for name in names[part : part + ON_ONE_SLIDE]]
            word = kind.replace(" ", "_") + (f"_{part // ON_ONE_SLIDE + 1}" if part else "")
            slides[f"activation_curves-{word}"] = partial(draw_curves, shown, kind.capitalize())
    return slides


def curve_of(name: str, activation: nn.Module, low: float, high: float, formula: str = "") -> Curve:
    """Return an activation over [low, high], with its derivative by autograd.

    One that takes two features gets x and a multiple of x: `OF_SEVERAL` says which.
    """
    note, slope = OF_SEVERAL.get(name, ("", 0.0))
    x = torch.linspace(low, high, NUM_POINTS, dtype=torch.float64, requires_grad=True)
    features = torch.stack([x, slope * x], dim=1) if note else x[:, None]
    values = activation.double().eval()(features)
    slopes = [torch.autograd.grad(v.sum(), x, retain_graph=True)[0] for v in values.unbind(1)]
    return Curve(name, x.detach(), values.detach(), torch.stack(slopes, dim=1), note, formula)


def draw_curves(curves: Sequence[Curve], title: str, theme: Theme) -> Figure:
    """Draw all curves, each in axes of its own."""
    columns = math.ceil(len(curves) / 2) if len(curves) > 3 else len(curves)
    rows = math.ceil(len(curves) / columns)
    figure = slide()
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    width = 0.92 * WIDTH * 72 / columns
    for row in range(rows):
        inside = slice(row * columns, (row + 1) * columns)
        num_lines = max(len(curve.lines) for curve in curves[inside])
        for axes, curve in zip(grid[inside], curves[inside], strict=False):
            draw_curve(axes, curve, theme, num_lines, width)
    for axes in grid[len(curves) :]:
        axes.set_axis_off()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    legend = figure.legend(handles[:2], labels[:2], loc="outside upper right", ncols=2)
    if title:
        legend.set(title=title, alignment="right")
        legend.get_title().set(fontsize=12, fontweight="bold")
    return figure


def draw_curve(axes: Axes, curve: Curve, theme: Theme, num_lines: int, width: float) -> None:
    """Draw phi as a solid line and phi' as a dashed one, under so many lines of `width` points."""
    axes.axhline(0, color=theme.faint, linewidth=0.8, zorder=0)
    axes.axvline(0, color=theme.faint, linewidth=0.8, zorder=0)
    line: dict[str, Any] = {"color": theme.colours[0], "label": "φ(x)"}
    for values, thickness in zip(curve.values.T, (2.4, 1.4), strict=False):
        axes.plot(curve.x, values, linewidth=thickness, **line)
    line = {"color": theme.colours[1], "linestyle": DASHES[-1], "label": "its derivative φ′(x)"}
    for slopes, thickness in zip(curve.slopes.T, (1.8, 1.2), strict=False):
        axes.plot(curve.x, slopes, linewidth=thickness, **line)
    axes.set_title(curve.name, fontsize=11, pad=4 + 12.5 * num_lines)
    for number, text in enumerate(curve.lines):
        size = min(9.5, 9.5 * width / text_width(text, size=9.5))
        at = (0, 4 + 12.5 * (num_lines - 1 - number))
        axes.annotate(text, (0, 1), at, "axes fraction", "offset points", fontsize=size)
    axes.set_xlim(float(curve.x[0]), float(curve.x[-1]))
    axes.set_ylim(*height_of(curve))
    axes.locator_params(axis="both", nbins=4, steps=[1, 2, 5, 10])


def height_of(curve: Curve) -> tuple[float, float]:
    """Return from where to where a picture of a curve goes, with some room.

    A steep derivative may leave it; the activation itself has the room.
    """
    low = min(max(float(curve.values.min()), -6.0), max(float(curve.slopes.min()), -1.5))
    high = max(min(float(curve.values.max()), 6.0), min(float(curve.slopes.max()), 1.5))
    return low - 0.08 * (high - low), high + 0.08 * (high - low)
