"""Decision boundaries: trained networks asked for the class of every point of the plane."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from experiments.config.overrides import key_of, override_of
from experiments.data.sources import DataSet
from experiments.errors.messages import check_choice, refuse_unless, user_error
from experiments.figures.measured.surfaces import axis_values, plane_points
from experiments.figures.page.composing import Composition
from experiments.figures.page.drawing import Drawing
from experiments.figures.page.slide import slide
from experiments.figures.page.themes import MARKERS, Theme
from experiments.training.build import load_data
from experiments.training.load import Run

MARGIN = 0.12
"""Around the points, as a part of their extent."""
RING: dict[str, Any] = {"mfc": "none", "ms": 6.5, "mew": 1.1}
"""Around a point that is taken for another class."""


@dataclass(frozen=True)
class Field:
    """What a trained network says of the plane.

    `said` are the network's own classes of the test points that are drawn. Shapes: x (X,), y (Y,),
    classes of the grid (Y, X), points (N, 2), targets and said (N,).
    """

    model: str
    data: str
    accuracy: float
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    classes: NDArray[np.int64]
    points: NDArray[np.float64]
    targets: NDArray[np.int64]
    said: NDArray[np.int64]
    num_parameters: int
    hidden: tuple[int, ...] = ()

    @property
    def layers(self) -> str:
        """The model in words: its hidden layers.

        >>> Field("depth", "xor", *[None] * 8, hidden=(16, 16)).layers
        'MLP,\\n2 hidden\\nlayers of\\n16'
        """
        if not self.hidden:
            return "linear,\nno hidden\nlayer"
        number = len(self.hidden)
        word = "layer" if number == 1 else "layers"
        widths = ", ".join(map(str, self.hidden if len(set(self.hidden)) > 1 else self.hidden[:1]))
        return f"MLP,\n{number} hidden\n{word} of\n{widths}"


def decision_boundary(
    composition: Composition,
    models: Sequence[str] = ("linear", "mlp", "depth"),
    hidden: Mapping[str, Sequence[int]] | None = None,
    resolution: int = 121,
    num_points: int = 200,
) -> Drawing:
    """Draw the regions of classes as trained networks see them: models by data sets.

    A row is a model, named by its hidden layers: what a deeper one sees beside a flat one.

    Args:
        composition: of the figure; its `data` says which sets.
        models: linear, or names of `hidden`.
        hidden: features of the hidden layers by name; a typed model.hidden is that of mlp.
        resolution: points along each axis at which the class is asked for.
        num_points: test points that are drawn at most.

    Raises:
        UserError: a model that is none of those, data that are no classes in the plane.
    """
    layers = {"mlp": [16], **(hidden or {})}
    for model in models:
        check_choice("models", model, ["linear", *layers])
    refuse_unless(models, "models", "[]", f"some of linear, {', '.join(layers)}", "[mlp]")
    fits = 2 <= resolution <= 1001
    refuse_unless(fits, "resolution", resolution, "a whole number, 2 to 1001", 121)
    sets = {name: plane_data(composition, name) for name in composition.choices("data")}
    rows = []
    for model in models:
        shown, overrides = variant(composition, model, layers)
        row = []
        for name, data in sets.items():
            run = shown.run(*overrides, f"data={name}")
            row.append(field_of(run, model, data, resolution, num_points))
        rows.append(row)
    fields = [field for row in rows for field in row]
    return Drawing(
        numbers={"fields": {f"{field.model} {field.data}": vars(field) for field in fields}},
        pictures={"decision_boundary": partial(draw_fields, rows)},
        description="The plane divided into the regions of classes, as "
        f"{', '.join(models)} (rows) learned them from {', '.join(sets)} (columns).",
        said=[
            f"{field.model} on {field.data}: {100 * field.accuracy:.1f} % of the test points, "
            f"{field.num_parameters} parameters"
            for field in fields
        ],
    )


def plane_data(composition: Composition, name: str) -> DataSet:
    """Return a data set, or raise UserError where its points are no classes in the plane."""
    data = load_data(composition.config(f"data={name}"))
    if data.spec.shape != (2,) or data.spec.task != "classification":
        raise user_error("not_in_the_plane", data=name, shape=data.spec.shape, task=data.spec.task)
    return data


def field_of(run: Run, model: str, data: DataSet, resolution: int, num_points: int) -> Field:
    """Return what a trained network says of the plane."""
    module, inputs = run.module(), data.train.inputs
    low, high = inputs.min(0).values, inputs.max(0).values
    margin = MARGIN * (high - low)
    ranges = torch.stack([low - margin, high + margin], dim=1).tolist()
    x, y = axis_values(ranges, resolution)
    classes = module.predict(plane_points(x, y).float()).view(resolution, resolution)
    points, targets = data.test.inputs[:num_points], data.test.targets[:num_points]
    accuracy = run.record["metrics"].get("test/accuracy")
    return Field(
        model,
        run.config["data"]["name"],
        math.nan if accuracy is None else accuracy,  # test=false was typed
        x.numpy(),
        y.numpy(),
        classes.numpy(),
        points.double().numpy(),
        targets.numpy(),
        module.predict(points).numpy(),
        run.record["num_parameters"],
        tuple(run.config["model"].get("hidden", ())),
    )


def variant(
    composition: Composition, model: str, hidden: Mapping[str, Sequence[int]]
) -> tuple[Composition, list[str]]:
    """Return the composition in which a model is trained, and the overrides that choose it.

    Keys of hidden layers, which were typed for the others, are none of the linear model.
    """
    if model == "linear":
        shown = copy.copy(composition)
        shown.typed = [
            override
            for override in composition.typed
            if not key_of(override).startswith("model.") or key_of(override) == "model.phi_out"
        ]
        return shown, ["model=linear"]
    if model == "mlp" and composition.has_typed("model.hidden"):
        return composition, ["model=mlp"]
    return composition, ["model=mlp", override_of("model.hidden", list(hidden[model]))]


def draw_fields(fields: Sequence[Sequence[Field]], theme: Theme) -> Figure:
    """Draw all fields, those of one model in a row under its hidden layers."""
    rows, columns = len(fields), len(fields[0])
    figure = slide()
    every = [field for row in fields for field in row]
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, field in zip(grid.flat, every, strict=True):
        draw_field(axes, field, theme)
    for axes, field in zip(grid[:, 0], (row[0] for row in fields), strict=True):
        style = {"rotation": 0, "ha": "right", "va": "center", "weight": "bold"}
        axes.set_ylabel(field.layers, color=theme.ink, **style)
    num_classes = 1 + max(int(field.targets.max()) for field in every)
    handles = [
        Line2D([], [], **marker_of(k, theme), label=f"class {k}") for k in range(num_classes)
    ]
    ring = {"marker": "o", "linestyle": "none", "color": theme.ink, **RING}
    handles.append(Line2D([], [], **ring, label="taken for another class"))
    figure.legend(handles=handles, loc="outside upper left", ncols=min(5, len(handles)))
    return figure


def colour_of(number: int, theme: Theme) -> str:
    return theme.colours[number % len(theme.colours)]


def marker_of(number: int, theme: Theme) -> dict[str, Any]:
    """Return how points of a class are drawn: every other class hollow."""
    colour = colour_of(number, theme)
    filling = colour if number % 2 else theme.paper
    marker = {"marker": MARKERS[number % len(MARKERS)], "ms": 3.4, "mew": 0.9}
    return {**marker, "mec": colour, "mfc": filling, "linestyle": "none"}


def draw_field(axes: Axes, field: Field, theme: Theme) -> None:
    """Draw each region in its class's colour, with a line between them, and test points on it."""
    x, y, classes = field.x, field.y, field.classes
    num_classes = 1 + max(int(classes.max()), int(field.targets.max()))
    shades = [theme.washed(colour_of(number, theme)) for number in range(num_classes)]
    edges = np.arange(num_classes + 1) - 0.5
    if classes.min() == classes.max():
        axes.set_facecolor(shades[int(classes.min())])
    else:
        axes.contourf(x, y, classes, levels=edges, colors=shades)
        axes.contour(x, y, classes, levels=edges[1:-1], colors=[theme.ink], linewidths=1.2)
    for number in range(num_classes):
        axes.plot(*field.points[field.targets == number].T, **marker_of(number, theme))
    axes.plot(*field.points[field.targets != field.said].T, "o", **RING, color=theme.ink)
    axes.set_title(f"{field.data}: {100 * field.accuracy:.1f} %", fontsize=10, pad=3)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), xticks=[], yticks=[])
