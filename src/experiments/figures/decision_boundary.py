"""Decision boundaries: trained networks asked for the class of every point of the plane."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence

import torch

from experiments.building import load_data
from experiments.data.sources import DataSet
from experiments.errors import check_choice, user_error
from experiments.figures.boundary_pictures import Field, draw_grid
from experiments.figures.composing import Composition
from experiments.figures.drawing import Drawing
from experiments.folders import key_of
from experiments.runs import Run

MARGIN = 0.12
"""Around the points, as a part of their extent."""


def decision_boundary(
    composition: Composition,
    models: Sequence[str] = ("linear", "mlp", "depth"),
    hidden: Mapping[str, Sequence[int]] | None = None,
    resolution: int = 121,
    num_points: int = 200,
) -> Drawing:
    """Draw the regions of classes as trained networks see them: models by data sets.

    Args:
        composition: of the figure; its `data` says which sets.
        models: linear, or names of `hidden`.
        hidden: features of the hidden layers by name; a typed model.hidden is that of mlp.
        resolution: points along each axis at which the class is asked for.
        num_points: test points that are drawn at most.

    Raises:
        UserError: a model that is none of those, data that are no classes in the plane.
    """
    known = {"mlp": [16], **(hidden or {})}
    for model in models:
        check_choice("models", model, ["linear", *known])
    if not models or not 2 <= resolution <= 1001:
        key, given = ("models", "[]") if not models else ("resolution", resolution)
        allowed, instead = ("some of linear, " + ", ".join(known), "[mlp]")
        if models:
            allowed, instead = "a whole number, 2 to 1001", "121"
        raise user_error("not_allowed", key=key, given=given, allowed=allowed, instead=instead)
    names = composition.choices("data")
    sets = {name: plane_data(composition, name) for name in names}
    fields = [
        [
            field_of(composition, model, known, name, sets[name], resolution, num_points)
            for name in names
        ]
        for model in models
    ]
    return Drawing(
        numbers={"fields": {f"{f.model} {f.data}": vars(f) for row in fields for f in row}},
        pictures={"decision_boundary": lambda theme: draw_grid(fields, theme)},
        description="The plane divided into the regions of classes, as "
        f"{', '.join(models)} (rows) learned them from {', '.join(names)} (columns).",
        said=[
            f"{f.model} on {f.data}: {100 * f.accuracy:.1f} % of the test points, "
            f"{f.num_parameters} parameters"
            for row in fields
            for f in row
        ],
    )


def plane_data(composition: Composition, name: str) -> DataSet:
    """Return a data set, or raise UserError where its points are no classes in the plane."""
    data = load_data(composition.config(f"data={name}"))
    if data.spec.shape != (2,) or data.spec.task != "classification":
        raise user_error("not_in_the_plane", data=name, shape=data.spec.shape, task=data.spec.task)
    return data


def field_of(
    composition: Composition,
    model: str,
    hidden: Mapping[str, Sequence[int]],
    data_name: str,
    data: DataSet,
    resolution: int,
    num_points: int,
) -> Field:
    """Return what a model says of the plane, trained on a data set now or before."""
    shown, overrides = variant(composition, model, hidden)
    run = shown.run(*overrides, f"data={data_name}")
    module = run.module()
    inputs = data.train.inputs
    low, high = inputs.min(0).values, inputs.max(0).values
    margin = MARGIN * (high - low)
    x, y = (
        torch.linspace(float(a), float(b), resolution, dtype=torch.float64)
        for a, b in zip(low - margin, high + margin, strict=True)
    )
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    plane = torch.stack([columns.flatten(), rows.flatten()], dim=1).float()
    points, targets = data.test.inputs[:num_points], data.test.targets[:num_points]
    return Field(
        model,
        data_name,
        test_accuracy(run),
        x.numpy(),
        y.numpy(),
        module.predict(plane).view(resolution, resolution).numpy(),
        points.double().numpy(),
        targets.numpy(),
        module.predict(points).numpy(),
        run.record["num_parameters"],
    )


def test_accuracy(run: Run) -> float:
    """Return the accuracy on the test set; nan where test=false was typed."""
    found = run.record["metrics"].get("test/accuracy")
    return math.nan if found is None else found


def variant(
    composition: Composition, model: str, hidden: Mapping[str, Sequence[int]]
) -> tuple[Composition, list[str]]:
    """Return the composition in which a model is trained, and the overrides that choose it.

    Keys of hidden layers, which were typed for the others, are none of the linear model.
    """
    if model == "linear":
        shown = copy.copy(composition)
        shown.typed = [
            one
            for one in composition.typed
            if not key_of(one).startswith("model.") or key_of(one) == "model.phi_out"
        ]
        return shown, ["model=linear"]
    if model == "mlp" and composition.has_typed("model.hidden"):
        return composition, ["model=mlp"]
    widths = ",".join(str(one) for one in hidden[model])
    return composition, ["model=mlp", f"model.hidden=[{widths}]"]
