"""Equal parameters by formula, and shifted test points as training itself tests on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from figure_drawings import drawing_of
from overlap import assert_legible
from running import plain, run_folders

from experiments.data.embedded import digits
from experiments.data.sources import DataSpec
from experiments.errors.messages import UserError
from experiments.figures.why_cnn import chance, check_values, num_parameters, widths_for
from experiments.training.load import Run, load_run

TEN = tuple(map(str, range(10)))
SMALL = [
    "figure=why_cnn",
    "data=digits",
    "budgets=[2000]",
    "shifts=[0,1]",
    "seeds=[0,1]",
    "trainer.max_epochs=1",
]


def test_parameters_are_counted_as_by_formula() -> None:
    spec = DataSpec((1, 40), 10, "classification", TEN)
    mlp = plain("model=mlp", "model.hidden=[102]")
    assert num_parameters(mlp, spec) == 40 * 102 + 102 + 102 * 10 + 10
    published = ["model.channels=[25,25,25]", "model.kernel_size=[5,3,3]", "model.stride=2",
                 "model.padding=1", "model.pool=none"]  # fmt: skip
    assert num_parameters(plain("model=cnn", *published), spec) == 5210
    maxout = plain("model=mlp", "model.hidden=[7]", "activation=maxout")
    assert num_parameters(maxout, spec) == 40 * 14 + 14 + 7 * 10 + 10


@pytest.mark.parametrize("budget", [1, 50, 333, 1000, 4321])
def test_the_nearest_widths_are_found(budget: int) -> None:
    def count(widths: list[int]) -> int:
        a, b = widths
        return 3 * a + a * b + b

    scale = min(range(1, 200), key=lambda s: abs(count([s, 2 * s]) - budget))
    assert widths_for(budget, [1, 2], count) == ([scale, 2 * scale], count([scale, 2 * scale]))


def test_shifted_accuracy_is_what_training_with_test_shift_records(
    tmp_path: Path, train_run: Callable[..., Run]
) -> None:
    drawing = drawing_of(tmp_path, *SMALL)
    numbers = drawing.numbers
    assert_legible(drawing)
    [mlp], [cnn] = numbers["mlp"], numbers["cnn"]
    assert abs(mlp["parameters"] - cnn["parameters"]) <= 0.02 * cnn["parameters"]
    assert mlp["parameters"] == (64 + 1 + 10) * mlp["widths"][0] + 10
    for run in map(load_run, run_folders(tmp_path / "figures" / "runs")):
        one = numbers[run.config["model"]["name"]][0]
        recorded = run.record["metrics"]["test/accuracy"]
        is_shuffled = run.config["data"]["pixel_shuffle"]
        found = one["shuffled"] if is_shuffled else one["accuracy"]["0"]
        assert found[run.config["seed"]] == pytest.approx(recorded, abs=1e-6)
    run = train_run(f"model.hidden=[{mlp['widths'][0]}]", "model=mlp", "data=digits", "optim=adam",
                    "optim.lr=0.01", "trainer.max_epochs=1", "seed=1", "data.test_shift=1")  # fmt: skip
    recorded = run.record["metrics"]["test/accuracy"]
    assert mlp["accuracy"]["1"][1] == pytest.approx(recorded, abs=1e-6)


def test_chance_is_that_of_the_most_frequent_class() -> None:
    targets = digits().test.targets
    assert chance(digits()) == pytest.approx(float(torch.bincount(targets).max() / len(targets)))


def test_default_budgets_are_shared_to_two_percent() -> None:
    spec = DataSpec((1, 40), 10, "classification", TEN)
    cnn = {"kernel_size": [5, 3, 3], "stride": 2, "padding": 1, "pool": "none"}
    base = {model: plain(f"model={model}") for model in ("cnn", "mlp")}

    def count(model: str, key: str, more: dict, widths: list[int]) -> int:
        config = base[model]
        return num_parameters(config | {"model": config["model"] | more | {key: widths}}, spec)

    for budget in (1200, 2500, 5000):
        _, theirs = widths_for(budget, [1, 1, 1], lambda w: count("cnn", "channels", cnn, w))
        _, ours = widths_for(theirs, [1], lambda w: count("mlp", "hidden", {}, w))
        assert abs(ours - theirs) <= 0.02 * theirs
        assert abs(theirs - budget) <= 0.1 * budget


LISTS = {"budgets": [2000], "shifts": [0, 1], "seeds": [0]}
PATTERNS = {"channels": [1, 1], "hidden": [1]}


@pytest.mark.parametrize(
    ("key", "given", "message"),
    [
        (
            "budgets",
            [],
            r"budgets=\[\]: allowed is a list of different whole numbers of at least 1",
        ),
        ("shifts", [0, 0], r"shifts=\[0,0\]: allowed is a list of different whole numbers"),
        ("shifts", [9], "data.test_shift=9: allowed is 0"),
        ("seeds", ["a"], r"seeds=\[a\]"),
        ("hidden", [], r"hidden=\[\]: allowed is a list of relative widths"),
        ("channels", [1, 0], r"channels=\[1,0\].*above 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(key: str, given: list, message: str) -> None:
    config, data = plain("data=digits"), digits()
    check_values(config, data, LISTS, PATTERNS)
    lists = LISTS | {key: given} if key in LISTS else LISTS
    patterns = PATTERNS | {key: given} if key in PATTERNS else PATTERNS
    with pytest.raises(UserError, match=message):
        check_values(config, data, lists, patterns)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("budgets=[30]", r"budgets=\[30\]: allowed is what an MLP and a CNN can share to 2%"),
        ("data=diabetes", "data=diabetes: allowed is a set of classes"),
        ("cnn.kernel_size=20", "model: convolution 1 has an input of size 8"),
    ],
)
def test_nothing_is_trained_of_what_does_not_fit(
    tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        drawing_of(tmp_path, *SMALL, override)
    assert not (tmp_path / "figures").exists()
