"""The sweeps of sweeps/, and the one that docs/sweeps.md shows, are what they declare."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import yaml
from composers import composer_of
from omegaconf import OmegaConf
from running import ROOT, choices, plain

from experiments.comparison.statistics.planning import fewest_seeds
from experiments.config.overrides import is_within
from experiments.record.identity import flat
from experiments.sweep.declaration import Declaration, seeds_of
from experiments.sweep.grid import Cell, Grid, grid_of

NAMES = sorted(path.stem for path in (ROOT / "sweeps").glob("*.yaml") if path.stem != "none")
SIZES = {
    "activations": 7,
    "activations_x_optimizers": 30,
    "batch_sizes": 6,
    "depth": 5,
    "initialisers": 6,
    "learning_rates": 9,
    "losses": 7,
    "optimizers": 5,
}
CROSS_VALIDATION = "cross_validation"
"""Its differences are tested over folds, so that one seed will do."""


def read(*typed: str) -> tuple[Grid, list[Cell], Declaration, list[dict[str, Any]]]:
    """Return what a command asks for: its grid, jobs, declaration, and the first seed's configs."""
    with composer_of(*typed) as composer:
        sweeper: Any = OmegaConf.to_container(composer.master.hydra.sweeper)
        node: Any = OmegaConf.to_container(composer.master.sweep)
        given = sweeper["params"] or {}, sweeper["cases"], sweeper["when"]
        grid = grid_of(list(typed), *given, seeds_of(node["seeds"]))
        said = Declaration.of(
            node, composer.master.protocol, grid, lambda k: composer.value_of(grid.fixed, k)
        )
        cells = grid.cells(composer.value_of)
        # Seeds are the outermost loop: these are the jobs of the first one.
        first = cells[: len(cells) // max(1, len(said.seeds))]
        return grid, cells, said, [composer.config(cell.overrides) for cell in first]


def test_the_issue_has_a_file_for_each_question() -> None:
    assert set(NAMES) == {*SIZES, CROSS_VALIDATION}


@pytest.mark.parametrize("name", SIZES)
def test_a_named_sweep_is_what_it_declares(name: str) -> None:
    _, cells, said, configs = read(f"sweeps={name}")
    assert len({config["seed"] for config in configs}) == 1
    assert len({str(config) for config in configs}) == len(configs) == SIZES[name]
    assert len(set(cells)) == len(cells) == SIZES[name] * len(said.seeds)
    assert said.control is not None
    assert said.delta == 0.005
    assert said.protocol == "fixed"
    # Holm's sharpest step: 2 * 2^-S <= 0.05 / m, with m comparisons against the control.
    assert len(said.seeds) >= 1 + math.log2((SIZES[name] - 1) / 0.05)


def test_a_cross_validation_has_each_fold_of_each_setting() -> None:
    _, cells, said, configs = read(f"sweeps={CROSS_VALIDATION}")
    blocks = {(config["model"]["name"], config["data"]["fold"]) for config in configs}
    assert len(cells) == len(configs) == len(blocks) == 3 * 5
    assert {config["data"]["folds"] for config in configs} == {5}
    assert (said.factor, said.control, said.seeds) == (["model"], ["linear"], [0])
    # Folds are blocks, as seeds are: outermost, and no factor.
    assert [config["data"]["fold"] for config in configs] == sorted([*range(5)] * 3)
    _, again, _, _ = read(f"sweeps={CROSS_VALIDATION}", "sweep.seeds=2", "data.split_seed=${seed}")
    assert len(again) == 30


IDEAS = {
    "cnn_vs_mlp": 2,
    "full_batch": 2,
    "nonlinearity": 2,
    "optimizers": 5,
    "shifted_images": 4,
    "sigmoid_in_depth": 4,
}


@pytest.mark.parametrize("name", IDEAS)
def test_an_idea_of_the_lecture_declares_all_that_decides_it(name: str) -> None:
    _, cells, said, configs = read(f"experiment={name}")
    assert len(configs) == IDEAS[name]
    assert len(cells) == IDEAS[name] * len(said.seeds)
    assert said.control is not None
    assert len(said.control) == len(said.factor)
    assert said.delta is not None
    assert said.delta >= 0.02
    assert len(said.seeds) >= fewest_seeds(family=IDEAS[name] - 1)
    # Nothing differs that was not declared, so that nothing withholds.
    every = [flat(config) for config in configs]
    differing = {k for each in every for k in each if len({str(one.get(k)) for one in every}) > 1}
    assert not {key for key in differing if not is_within(key, (*said.factor, *said.allow))}


@pytest.mark.parametrize("optim", ["sgd", "momentum", "adagrad", "rmsprop", "adam"])
def test_learning_rates_are_those_of_the_optimizers_own_file(optim: str) -> None:
    _, _, said, configs = read("sweeps=learning_rates", f"optim={optim}", "seed=0")
    node = plain(f"optim={optim}")["optim"]
    assert [config["optim"]["lr"] for config in configs] == node["search"]["lr"]
    assert said.control is not None
    assert float(said.control[0]) == node["lr"]
    assert not any(config["test"] for config in configs)


def test_every_loss_has_the_output_that_it_takes() -> None:
    _, _, _, configs = read("sweeps=losses", "seed=0")
    pairs = {config["loss"]["name"]: config["model"]["phi_out"] for config in configs}
    assert pairs.keys() == set(choices("loss")) - {"mae", "huber"}
    assert (pairs["nll"], pairs["brier"], pairs["focal"]) == ("log_softmax", "softmax", "identity")


def test_the_sweep_that_the_page_shows() -> None:
    page = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    [text] = re.findall(r"```yaml\n(# @package _global_.*?)```", page, re.S)
    node = yaml.safe_load(text)
    sweeper = node["hydra"]["sweeper"]
    with composer_of() as composer:
        grid = grid_of([], sweeper["params"], sweeper["cases"], sweeper["when"], seeds_of(10))
        cells = grid.cells(composer.value_of)
        assert len({str(composer.config(cell.overrides)) for cell in cells}) == len(cells)
    # Two activations; sgd with two rates, adam and rmsprop with their own; ten seeds.
    assert len(cells) == 2 * (2 + 1 + 1) * 10
    said = Declaration.of(
        {"metric": "auto", "comparisons": "control", **node["sweep"]}, "fixed", grid, lambda _: None
    )
    assert said.control == ["sgd"]
