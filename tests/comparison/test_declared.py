"""What sweeps declare, against what lies on disk."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from comparison.sweeps import declare, write_run, write_sweep

from experiments.comparison.declared import combinations
from experiments.comparison.design import Request
from experiments.comparison.reading import read_runs
from experiments.comparison.verdict import compared

Verdict = dict[str, Any]


def verdict(*places: Path, **typed: Any) -> Verdict:
    found, _ = compared(read_runs(places), Request(**typed), name="mine", command="compare")
    return found


def pairs(found: Verdict) -> dict[str, Verdict]:
    [task] = found["tasks"]
    names = {one["id"]: one["name"] for one in task["settings"]}
    return {names[pair["a"]]: pair for pair in task["pairs"]}


def test_declared_levels_without_any_run_are_missing_and_in_the_family(tmp_path: Path) -> None:
    arms = {"relu": lambda s: 0.9 + s / 1000, "elu": lambda s: 0.8 + s / 1000}
    sweep = write_sweep(tmp_path / "a", "activation", arms)
    alone = pairs(verdict(sweep))["elu"]
    assert (alone["p"], alone["p_holm"]) == pytest.approx((2 / 2**10, 2 / 2**10))
    declare(sweep, values={"activation": ["tanh", "relu", "elu", "'selu'"]})
    found = verdict(sweep)
    assert found["design"]["family"] == 3
    assert found["missing"] == ["tanh: seeds 0 to 9", "'selu': seeds 0 to 9"]
    said = pairs(found)
    assert list(said) == ["tanh", "elu", "'selu'"]
    assert said["elu"]["p_holm"] == pytest.approx(3 * 2 / 2**10)
    assert said["tanh"]["reason"] == "there is no finished run of tanh"
    assert any("no finished run of tanh: tanh against relu" in line for line in found["headline"])
    assert found["missing_command"] == "python train.py sweeps=mine"


def test_numbers_are_found_however_they_are_spelled_and_null_is_no_level(tmp_path: Path) -> None:
    arms = {0.1: lambda s: 0.9, 0.001: lambda s: 0.8}
    sweep = write_sweep(tmp_path / "a", "optim.lr", arms, range(2), declares=False)
    values = {"optim.lr": ["1e-3", "0.10", "null", "${seed}"]}
    declare(sweep, factor=["optim.lr"], control=["0.1"], values=values, seeds=[0, 1])
    assert verdict(sweep)["missing"] == []


def test_a_level_that_is_called_otherwise_than_it_was_asked_for_is_there(tmp_path: Path) -> None:
    # optim=pytorch_optimizer is lion, by its name.
    sweep = tmp_path / "a"
    for name, word in (("sgd", "sgd"), ("lion", "pytorch_optimizer")):
        write_run(sweep, {"optim": name}, 0, 0.9, overrides=[f"optim={word}", "seed=0"])
    values = {"optim": ["sgd", "pytorch_optimizer"]}
    declare(sweep, factor=["optim"], control=["sgd"], values=values, seeds=[0])
    assert verdict(sweep)["missing"] == []


def test_a_matrix_knows_the_cells_that_are_to_come(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    grid = {"activation": ["relu", "elu"], "optim": ["sgd", "adam", "lion"]}
    cells = list(itertools.product(*grid.values()))
    for (activation, optim), seed in itertools.product(cells[:-2], range(3)):
        write_run(sweep, {"activation": activation, "optim": optim}, seed, 0.9)
    declare(
        sweep, factor=["activation", "optim"], control=["relu", "sgd"], values=grid, seeds=[0, 1, 2]
    )
    found = verdict(sweep)
    assert found["missing"] == ["elu, adam: seeds 0 to 2", "elu, lion: seeds 0 to 2"]
    assert found["design"]["family"] == 5


def test_rows_and_conditions_of_a_declaration() -> None:
    said = {
        "values": {"model": ["mlp", "cnn"], "seed": ["0"]},
        "cases": [
            {"loss": ["mse"], "data": ["digits"]},
            {"+loss": ["hinge", "focal"], "data": ["moons"]},
        ],
        "when": {"model=cnn": {"model.norm": ["batch"]}, "optim=sgd": {"model.norm": ["group"]}},
    }
    of = lambda *factor, task="moons", own=None: list(  # noqa: E731
        combinations(said, factor, task, own or {})
    )
    assert of("loss") == [("hinge",), ("focal",)]
    assert of("loss", task="digits") == [("mse",)]
    assert of("model", "model.norm", task="digits") == [("cnn", "batch")]
    assert of("model", "optim", task="digits", own={"optim": ["sgd"]}) == [
        ("mlp", "sgd"),
        ("cnn", "sgd"),
    ]
    assert set(of("data")) == {("digits",), ("moons",)}


MIXED = {
    "trainer.max_epochs": (3, 6),
    "trainer.max_steps": (100, 200),
    "data.batch_size": (32, 64),
    "data.num_samples": (500, 1000),
    "data.val_fraction": (0.1, 0.2),
    "trainer.limit_train_batches": (0.5, 1.0),
    "optim.lr": (0.1, 0.2),
}
ARMS = ("relu", "elu")


def two_sweeps(place: Path, key: str, values: tuple[Any, Any], declares: bool = True) -> list[Path]:
    """Return two sweeps over the same settings and seeds with another value of a key."""
    for name, value in zip("ab", values, strict=True):
        for activation, seed in itertools.product(ARMS, range(6)):
            score = 0.8 + 0.1 * (activation == "relu") + seed / 1000
            write_run(place / name, {"activation": activation, key: value}, seed, score)
        if declares:
            said = {"values": {"activation": list(ARMS)}, "fixed": [f"{key}={value}"]}
            declare(place / name, **said, seeds=list(range(6)))
    return [place / "a", place / "b"]


@pytest.mark.parametrize("key", MIXED)
def test_sweeps_of_other_budgets_are_not_averaged(tmp_path: Path, key: str) -> None:
    sweeps = two_sweeps(tmp_path, key, MIXED[key])
    found = verdict(*sweeps)
    low, high = MIXED[key]
    named = f"{key}: relu, elu {low:g} and {high:g}"
    assert found["confounds"] == {"withholding": [named], "listed": [], "allowed": []}
    pair = pairs(found)["elu"]
    assert pair["verdict"] == "withheld"
    assert f"no sweep declares together: {key} ({low:g}, {high:g})" in pair["reason"]


def test_unless_that_is_allowed_or_asked(tmp_path: Path) -> None:
    sweeps = two_sweeps(tmp_path, "trainer.max_epochs", (3, 6))
    assert pairs(verdict(sweeps[0]))["elu"]["verdict"] == "worse"
    allowed = verdict(*sweeps, allow=("trainer.max_epochs",))
    assert pairs(allowed)["elu"]["verdict"] == "worse"
    assert allowed["confounds"]["allowed"] == ["trainer.max_epochs: relu, elu 3 and 6"]
    # As what is asked after they are settings of their own.
    factor, control = ["activation", "trainer.max_epochs"], ["relu", "3"]
    [task] = verdict(*sweeps, factor=factor, control=control)["tasks"]
    assert [one["n"] for one in task["settings"]] == [6] * 4


def test_runs_that_nobody_declared_neither(tmp_path: Path) -> None:
    sweeps = two_sweeps(tmp_path, "trainer.max_epochs", (3, 6), declares=False)
    found = verdict(*sweeps, factor=["activation"], control=["relu"])
    assert pairs(found)["elu"]["verdict"] == "withheld"


def test_what_a_sweep_varies_on_purpose_is_averaged_and_told(tmp_path: Path) -> None:
    sweeps = two_sweeps(tmp_path, "trainer.max_epochs", (3, 6), declares=False)
    values = {"activation": list(ARMS), "trainer.max_epochs": ["3", "6"]}
    for sweep in sweeps:
        declare(sweep, values=values, seeds=list(range(6)))
    found = verdict(*sweeps)
    assert pairs(found)["elu"]["verdict"] == "worse"
    assert found["confounds"]["listed"] == ["trainer.max_epochs: 3 and 6"]
    assert "Scores are means over what else varies: trainer.max_epochs." in found["notes"]


def test_a_mixture_of_two_settings_of_three_withholds_those_two(tmp_path: Path) -> None:
    sweeps = two_sweeps(tmp_path, "data.batch_size", (32, 64))
    for seed in range(6):
        write_run(sweeps[0], {"activation": "tanh", "data.batch_size": 32}, seed, 0.7)
    said = pairs(verdict(*sweeps))
    assert "no sweep declares together" in said["elu"]["reason"]
    assert said["tanh"]["reason"] == "the two also differ in data.batch_size"


def test_a_key_that_follows_the_seed_belongs_to_it(tmp_path: Path) -> None:
    # data.split_seed=${seed}: each seed with a split of its own, alike for all settings.
    sweep = tmp_path / "a"
    for activation, seed in itertools.product(ARMS, range(6)):
        score = 0.8 + 0.1 * (activation == "relu") + seed / 1000
        write_run(sweep, {"activation": activation, "data.split_seed": seed}, seed, score)
    values = {"activation": list(ARMS)}
    declare(sweep, values=values, fixed=["data.split_seed=${seed}"], seeds=list(range(6)))
    found = verdict(sweep)
    assert (found["missing"], found["confounds"]["listed"]) == ([], [])
    assert pairs(found)["elu"]["verdict"] == "worse"
    # One split for all seeds is another question.
    for activation, seed in itertools.product(ARMS, range(6)):
        write_run(tmp_path / "b", {"activation": activation, "data.split_seed": 3}, seed, 0.9)
    found = verdict(sweep, tmp_path / "b", control=["relu"])
    assert pairs(found)["elu"]["verdict"] == "withheld"
