"""Classes, or numbers to predict: what was typed decides, then how many values there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from experiments.data.sources import DataSet
from experiments.data.tables import table
from experiments.errors.messages import UserError


def read(cells: Sequence[object], **values: object) -> DataSet:
    """Return the data set of a table with these targets."""
    rows = [f'{i / 7},"{cell}"' for i, cell in enumerate(cells)]
    Path("own.csv").write_text("\n".join(["x,y", *rows]) + "\n", encoding="utf-8")
    return table("own.csv", **values)  # type: ignore[arg-type]


def decimals(*changes: tuple[int, str], num: int = 120) -> list[str]:
    """Return decimal numbers, some of them replaced."""
    cells = [f"{20 + i / 8:.3f}" for i in range(num)]
    for row, cell in changes:
        cells[row] = cell
    return cells


PRICES = [100_000 + 731 * i for i in range(500)]


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["cat", "dog"] * 10, ("cat", "dog")),
        ([0, 1] * 10, ("0", "1")),
        (["0.0", "1.0"] * 10, ("0", "1")),
        (["1.0", "2.0", "3.0"] * 10, ("1", "2", "3")),
        ([3, 4, 5, 6, 7, 8, 9] * 30, tuple("3456789")),
        (["true", "false"] * 10, ("false", "true")),
        (["+", "-"] * 10, ("+", "-")),
        (["<=50K", ">50K"] * 10, ("<=50K", ">50K")),
        # Many classes, each of them frequent.
        ([i % 47 for i in range(47 * 20)], tuple(map(str, range(47)))),
        (["n", "7", "m"] * 9, ("7", "m", "n")),
    ],
)
def test_few_different_values_are_classes(cells: Sequence[object], names: tuple[str, ...]) -> None:
    data = read(cells)
    assert data.class_names == names
    labels = torch.cat([data.train.targets, data.test.targets])
    counts = [sum(str(c).removesuffix(".0") == name for c in cells) for name in names]
    assert labels.bincount().tolist() == counts


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        (decimals(), "auto"),
        ([0.5, 1, 1.5, 2] * 10, "auto"),
        (["1,5", "2,25", "3"] * 10, "auto"),
        (["$5.10", "$7.25"] * 10, "auto"),
        (PRICES, "regression"),
        # A loss of numbers asks for this.
        (PRICES, "numbers"),
        ([3, 4, 5, 6, 7] * 30, "numbers"),
    ],
)
def test_other_numbers_are_predicted(cells: Sequence[object], task: str) -> None:
    data = read(cells, task=task)
    assert data.spec.task == "regression"
    assert data.class_names == ()
    assert len(data.train) + len(data.test) == len(cells)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (PRICES, "column y has 500 different whole numbers in 500 rows. Type data.task=classificat"),
        (PRICES, "data.task=regression loss=mse to predict the number"),
        ([i % 28 for i in range(300)], "28 different whole numbers in 300 rows"),
        ([f"1{i}.0" for i in range(90)], "90 different whole numbers in 90 rows"),
        ([f"name {i}" for i in range(90)], "90 different words in 90 rows. Type data.task=classifi"),
        ([f"2020-01-{i + 1:02d}" for i in range(28)], "28 different words in 28 rows"),
    ],
)  # fmt: skip
def test_nearly_as_many_values_as_points_are_asked_about(cells: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        read(cells)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (decimals((50, "NA")), "row 52, column y: NA stands for a missing value. Fill it, or leave such"),
        (decimals((50, "")), "row 52, column y: the cell is empty"),
        (decimals((50, "75,942")), "row 52, column y: 75,942 may be 75.942 or 75942"),
        (decimals((50, "$5")), "row 52, column y: $5 breaks the pattern of its column"),
        (decimals((50, "50.1%")), "row 52, column y: 50.1% breaks the pattern of its column"),
        (decimals((50, "50,1")), "row 52, column y: 50,1 breaks the pattern of its column"),
        (decimals((50, "about 50")), "row 52, column y: about 50 is no number, as most cells of"),
        (decimals((0, "l.5"), (9, "x")), "row 2, column y: l.5 is no number, as most cells of"),
        (["0", "1"] * 20 + ["O"], "row 42, column y: O is no number, as most cells of the column"),
        # A class column that misses some.
        (["a", "b", "NA"] * 9, "row 4, column y: NA may be a class, or stand for a missing value, "),
        (["a", "b", "?"] * 9, "Leave such rows out: data.missing=drop; make it a class: data.missi"),
        (["a", "b", "-"] * 9, "row 4, column y: - may be a class"),
        (["a", "b", "None"] * 9, "row 4, column y: None may be a class"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("task", ["auto", "numbers"])
def test_a_cell_that_breaks_the_pattern_is_named_with_its_row(
    cells: list[str], said: str, task: str
) -> None:
    with pytest.raises(UserError) as caught:
        read(cells, task=task)
    assert said in str(caught.value)


def test_missing_classes_are_left_out_or_are_a_class_where_that_is_typed() -> None:
    cells = ["a", "b", "NA"] * 9
    assert read(cells, missing="drop").class_names == ("a", "b")
    assert read(cells, missing="class").class_names == ("NA", "a", "b")
    with pytest.raises(UserError, match="NA may be a class"):
        read(cells, task="classification")


def test_the_task_that_is_typed_decides() -> None:
    data = read(PRICES[:20] * 2, task="classification")
    assert data.class_names == tuple(map(str, PRICES[:20]))
    assert read([0.5, 1.0, 1.5] * 9, task="classification").class_names == ("0.5", "1", "1.5")
    assert read(["a", "b"] * 9, task="numbers").class_names == ("a", "b")
    with pytest.raises(UserError, match="row 2, column y: a is no number"):
        read(["a", "b"] * 9, task="regression")


def test_minus_is_a_class_beside_plus_also_where_rows_are_left_out() -> None:
    rows = [f"{'?' if i == 5 else i},{'+-'[i % 2]}" for i in range(20)]
    Path("own.csv").write_text("\n".join(["x,y", *rows]), encoding="utf-8")
    data = table("own.csv", missing="drop")
    assert data.class_names == ("+", "-")
    assert data.facts.values["understood"]["target"] == "y, 2 classes: + 10, - 9"


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("auto", "the whole numbers of y are 3 classes; type data.task=regression loss=mse to"),
        ("numbers", "the loss is one of numbers, so the 3 different ones of y are predicted; type"),
        ("classification", ""),
        ("regression", ""),
    ],
)
def test_a_choice_between_classes_and_numbers_is_told(task: str, said: str) -> None:
    notes = read([3, 4, 5] * 9, task=task).facts.values["understood"]["notes"]
    assert [note.startswith(said) for note in notes] == [True] * bool(said)
    assert read([0, 1] * 9).facts.values["understood"]["notes"] == []


def test_classes_that_differ_in_capitals_alone_are_told() -> None:
    notes = read(["Yes", "yes", "no"] * 9).facts.values["understood"]["notes"]
    assert notes == ["classes that differ in capitals alone: Yes, yes"]


def test_what_was_understood_is_known_at_the_second_start_too() -> None:
    first, second = (read(["cat", "dog"] * 10).facts.values["understood"] for _ in range(2))
    assert first == second
    assert first["target"] == "y, 2 classes: cat 10, dog 10"
    assert read(decimals()).facts.values["understood"]["target"] == "y, numbers from 20 to 34.875"
