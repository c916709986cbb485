"""Decision boundaries, against the runs that they are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from figure_drawings import drawing_of
from matplotlib.colors import to_hex
from matplotlib.contour import QuadContourSet
from overlap import LAST_ROW, assert_legible, smallest_letters

from experiments.errors.messages import UserError
from experiments.figures.decision_boundary import Field, draw_fields
from experiments.figures.page.themes import LIGHT
from experiments.training.build import load_data
from experiments.training.load import Run, load_run

FIGURE = "figure=decision_boundary"
QUICK = ["trainer.max_epochs=1", "resolution=9", "data.num_samples=200", "model.hidden=[6]"]


def runs(folder: Path) -> dict[str, Run]:
    found = map(load_run, (path.parent for path in folder.glob("**/record.json")))
    return {f"{name_of(run)} {run.config['data']['name']}": run for run in found}


def name_of(run: Run) -> str:
    if run.config["model"]["name"] == "linear":
        return "linear"
    return "mlp" if len(run.config["model"]["hidden"]) == 1 else "depth"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("boundary")
    return folder, drawing_of(folder, FIGURE, "data=[xor,spirals]", *QUICK)


def test_models_by_data_sets_as_their_runs_have_them(made: tuple[Path, Any]) -> None:
    folder, drawing = made
    fields, trained = drawing.numbers["fields"], runs(folder)
    sets = ("xor", "spirals")
    assert list(fields) == [f"{m} {d}" for m in ("linear", "mlp", "depth") for d in sets]
    assert set(trained) == set(fields)
    for name, field in fields.items():
        run = trained[name]
        assert field["accuracy"] == run.record["metrics"]["test/accuracy"]
        test = load_data(run.config).test
        with torch.no_grad():
            module = run.module()
            expected = module(test.inputs).argmax(1)
            # Rows of the grid are y, columns x.
            corner = torch.tensor([[field["x"][-1], field["y"][0]]], dtype=torch.float32)
            assert field["classes"][0, -1] == int(module(corner).argmax())
        assert field["accuracy"] == pytest.approx(float((expected == test.targets).double().mean()))
        np.testing.assert_array_equal(field["said"], expected[:200])
    assert trained["mlp xor"].config["model"]["hidden"] == [6]
    assert trained["depth xor"].config["model"]["hidden"] == [16, 16, 16, 16]


def test_the_linear_models_boundary_is_a_line(made: tuple[Path, Any]) -> None:
    """Along each row of the grid the class changes at most once."""
    for name in ("linear xor", "linear spirals"):
        classes = made[1].numbers["fields"][name]["classes"]
        for lines in (classes, classes.T):
            assert (np.abs(np.diff(lines, axis=1)).sum(axis=1) <= 1).all()


def test_labels_do_not_overlap(made: tuple[Path, Any]) -> None:
    assert_legible(made[1])
    assert smallest_letters(made[1]) >= LAST_ROW


def test_each_region_has_its_classs_colour_and_each_row_its_layers() -> None:
    line, points = np.linspace(-1, 1, 5), np.zeros((1, 2))
    classes = np.tile([0, 0, 1, 1, 2], (5, 1))
    one, zero = np.array([1]), np.array([0])
    field = Field("depth", "moons", 0.5, line, line, classes, points, one, zero, 9, (16, 16))
    figure = draw_fields([[field]], LIGHT)
    [axes] = figure.axes
    [regions] = [c for c in axes.collections if isinstance(c, QuadContourSet) and c.filled]
    found = [to_hex(colour) for colour in regions.get_facecolor()]
    assert found == [LIGHT.washed(colour) for colour in LIGHT.colours[:3]]
    assert axes.get_ylabel().split() == ["MLP,", "2", "hidden", "layers", "of", "16"]


def test_the_lectures_point_a_hidden_layer_solves_xor(tmp_path: Path) -> None:
    given = ["models=[linear,mlp]", "data=[xor]", "trainer.max_epochs=15", "resolution=5"]
    fields = drawing_of(tmp_path, FIGURE, *given, "data.num_samples=1000").numbers["fields"]
    # No line is right on 3/4 of the four squares (but for chance in the sample).
    assert fields["linear xor"]["accuracy"] < 0.78
    assert fields["mlp xor"]["accuracy"] > 0.95


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["models=[cnn]"], "models=cnn: there is no such models. Choices: linear, mlp, depth"),
        (["models=[]"], r"models=\[\]: allowed is some of linear, mlp, depth"),
        (["data=[xor,digits]"], "data=digits has points of shape"),
        (["resolution=1"], "resolution=1: allowed is a whole number, 2 to 1001"),
    ],
)
def test_bad_input(tmp_path: Path, given: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        drawing_of(tmp_path, FIGURE, *given)
