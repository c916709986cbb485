"""The loss around a trained run, against the run's own record and a loop by hand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from figure_drawings import drawing_of
from overlap import LAST_ROW, assert_legible, smallest_letters
from running import plain
from torch import nn

from experiments.errors.messages import UserError
from experiments.figures.drawn.landscape_pictures import PATH_INCHES
from experiments.figures.measured.network_losses import random_direction
from experiments.record.record import read_record, write_record
from experiments.training.build import build_datamodule, load_data
from experiments.training.load import load_run

FIGURE = "figure=loss_landscape"
SMALL = ["data=moons", "data.num_samples=200", "trainer.max_epochs=4", "model.hidden=[5]"]
QUICK = ["resolution=5", "log_full_loss=true"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("landscape")
    return folder, drawing_of(folder, FIGURE, *SMALL, *QUICK, "num_points=null")


def test_the_centre_is_the_runs_training_loss(made: tuple[Path, Any]) -> None:
    numbers = made[1].numbers
    run = load_run(numbers["run"])
    recorded = run.history[-1]["train/full_loss"]
    assert numbers["plane"]["centre"] == pytest.approx(recorded, rel=1e-5)
    assert numbers["plane"]["loss"][2, 2] == pytest.approx(recorded, rel=1e-5)
    assert numbers["path"]["losses"][-1] == pytest.approx(recorded, rel=1e-5)


def test_a_point_of_the_plane_by_hand(made: tuple[Path, Any]) -> None:
    numbers = made[1].numbers
    run = load_run(numbers["run"])
    module = run.module("last")
    train = build_datamodule(run.config, load_data(run.config)).train
    weights = {name: p.detach() for name, p in module.network.named_parameters()}
    first, second = random_direction(weights, 0), random_direction(weights, 1)
    with torch.no_grad():
        for name, parameter in module.network.named_parameters():
            parameter += 0.5 * first[name] - 1.0 * second[name]
        x = (train.inputs - train.inputs.mean(0)) / train.inputs.std(0, correction=0)
        outputs = module.network(x)
        expected = float(nn.functional.cross_entropy(outputs, train.targets))
    plane = numbers["plane"]
    assert (plane["a"][3], plane["b"][0]) == (0.5, -1.0)
    assert plane["loss"][0, 3] == pytest.approx(expected, rel=1e-4)
    assert plane["along_first"][[0, -1]] == pytest.approx(plane["loss"][2, [0, -1]], rel=1e-5)
    assert plane["along_second"][[0, -1]] == pytest.approx(plane["loss"][[0, -1], 2], rel=1e-5)


def test_the_path_is_framed_in_one_unit_and_the_network_named(made: tuple[Path, Any]) -> None:
    numbers = made[1].numbers
    assert numbers["title"] == "mlp of 5 on moons: L over 144 training points"
    path = numbers["path"]
    extents = [path[key][-1] - path[key][0] for key in ("a", "b")]
    assert extents[0] / extents[1] == pytest.approx(PATH_INCHES[0] / PATH_INCHES[1])
    inside = path["points"] - [path["a"][0], path["b"][0]]
    assert (inside > 0.1 * np.array(extents)).all()
    assert (inside < 0.9 * np.array(extents)).all()
    assert smallest_letters(made[1]) >= LAST_ROW


def test_the_path_is_that_of_the_run(made: tuple[Path, Any]) -> None:
    folder, drawing = made
    path, run = drawing.numbers["path"], load_run(drawing.numbers["run"])
    [file] = (folder / "figures" / "loss_landscape").glob("path-*.pt")
    snapshots = torch.load(file, weights_only=True)
    last = [p.detach().flatten() for p in run.module("last").network.parameters()]
    assert torch.equal(snapshots[-1], torch.cat(last))
    # The loss at each epoch's end, as the run itself has logged it.
    logged = [row["train/full_loss"] for row in run.history if row.get("train/full_loss")]
    assert path["losses"][1:] == pytest.approx(logged, rel=1e-5)
    differences = (snapshots - snapshots[-1]).double().numpy()
    centred = differences - differences.mean(0)
    values = np.linalg.svd(centred, compute_uv=False) ** 2
    assert path["explained"] == pytest.approx(values[:2] / values.sum())
    distances = np.linalg.norm(path["points"], axis=1)
    assert (distances <= np.linalg.norm(differences, axis=1) + 1e-6).all()


def test_a_run_folder_and_what_then_has_no_effect(made: tuple[Path, Any], tmp_path: Path) -> None:
    run = made[1].numbers["run"]
    given = [FIGURE, f"run='{run}'", *QUICK[:1], "num_points=null", "path=false", "model=linear"]
    drawing = drawing_of(tmp_path, *given)
    assert "path" not in drawing.numbers
    np.testing.assert_array_equal(
        drawing.numbers["plane"]["loss"], made[1].numbers["plane"]["loss"]
    )
    assert drawing.said[-1].startswith("model=linear has no effect with run=")


def test_a_run_that_ends_elsewhere_has_no_path(made: tuple[Path, Any], tmp_path: Path) -> None:
    source = Path(made[1].numbers["run"])
    changed = tmp_path / "changed"
    changed.mkdir()
    for name in ("config.yaml", "record.json", "history.csv"):
        (changed / name).write_bytes((source / name).read_bytes())
    saved = torch.load(source / "checkpoints" / "last.ckpt", weights_only=True)
    saved["state_dict"]["network.head.bias"] += 1
    (changed / "checkpoints").mkdir()
    torch.save(saved, changed / "checkpoints" / "last.ckpt")
    drawing = drawing_of(tmp_path, FIGURE, f"run='{changed}'", *QUICK[:1])
    assert "path" not in drawing.numbers
    assert "did not end at its own weights (largest difference 1)" in drawing.said[-1]


def test_labels_do_not_overlap(made: tuple[Path, Any]) -> None:
    assert_legible(made[1])


def test_a_convolutional_run_with_normalisation(tmp_path: Path) -> None:
    given = ["model=cnn", "model.channels=[3]", "model.norm=batch", "trainer.max_epochs=3"]
    given += ["resolution=3", "num_points=20", "trainer.limit_train_batches=2", "path=true"]
    numbers = drawing_of(tmp_path, FIGURE, *given).numbers
    assert len(numbers["path"]["losses"]) == 4
    assert numbers["plane"]["loss"][1, 1] == pytest.approx(numbers["plane"]["centre"], rel=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["run=nowhere"], "nowhere is not a run folder: there is no such folder"),
        (["run=empty"], "empty is not a run folder: it has no record.json"),
        (["run=bare"], "bare: there is no checkpoint last.ckpt to load. Present: none"),
        (["run=elsewhere"], "run=elsewhere: its data have changed since: as many points, of other"),
        (["weights=first"], "weights=first: there is no such weights. Choices: last, best"),
        (["radius=0"], "radius=0: allowed is a number above 0"),
        (["num_points=0"], "num_points=0: allowed is at least 1"),
        (["resolution=2"], "resolution=2: allowed is a whole number, 3 to 501"),
    ],
)
def test_bad_input(made: tuple[Path, Any], tmp_path: Path, given: list[str], message: str) -> None:
    source = Path(made[1].numbers["run"])
    Path("empty").mkdir()
    Path("bare").mkdir()
    for name in ("config.yaml", "record.json", "history.csv"):
        (Path("bare") / name).write_bytes((source / name).read_bytes())
    shutil.copytree(source, "elsewhere")
    write_record(Path("elsewhere"), {**read_record(source), "data_checksum": "0" * 32})
    with pytest.raises(UserError, match=message):
        drawing_of(tmp_path, FIGURE, *given)


def test_the_config_of_a_figure_is_one_of_train(made: tuple[Path, Any]) -> None:
    """Its run is what train.py would have trained, key by key."""
    run = load_run(made[1].numbers["run"])
    config = plain("model=mlp", *SMALL, "log_full_loss=true", "logger=none")
    for key in ("model", "optim", "trainer", "data", "loss", "seed"):
        assert run.config[key] == config[key]
