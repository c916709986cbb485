"""What is told of points after the cut: nothing to learn, nothing to tell, R2 of one value."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from experiments.data.after_cut import check_learnable, check_monitored, remarks
from experiments.data.datamodule import DataModule
from experiments.data.normalization import Standardize
from experiments.data.sources import DataSet, Points
from experiments.errors.messages import UserError
from experiments.training.check import check_bits
from experiments.training.load import Run

DRAWS = torch.Generator().manual_seed(0)
X = torch.randn(20, 3, generator=DRAWS)
Y = torch.randn(20, 2, generator=DRAWS)
CLASSES = torch.arange(20) % 2


def with_value(x: torch.Tensor, column: int, value: float) -> torch.Tensor:
    x = x.clone()
    x[:, column] = value
    return x


def made(
    x: torch.Tensor = X, y: torch.Tensor = Y, test: Points | None = None, **options: Any
) -> DataModule:
    """Return the data of a run, named a, b, c and y, z."""
    classes = () if y.is_floating_point() else ("cat", "dog", "emu")
    task = "classification" if classes else "regression"
    val = options.pop("val", Points(X[:4], Y[:4] if not classes else CLASSES[:4]))
    data = DataSet(
        *(Points(x, y), test or val, task, classes, val),
        ("a", "b", "c"),
        () if classes else ("y", "z"),
    )
    return DataModule(data, "own", batch_size=5, **options)


def said(data: DataModule, how: str = "standardize") -> list[str]:
    inputs = Standardize(data.spec.shape[0], len(data.spec.shape) - 1)
    inputs.fit(data.train.inputs, how)
    targets = None
    if data.spec.task == "regression":
        targets = Standardize(data.spec.num_outputs).fit(data.train.targets, "standardize")
    return list(remarks(data, inputs, targets, how))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (made(y=with_value(Y, 1, 3.5)), "data=own: z is 3.5 at all 20 training points"),
        (made(y=torch.full((20, 2), 0.1)), "y, z is 0.1"),
        (made(y=torch.full((20, 2), 1e12 + 1, dtype=torch.float64)), "y, z is 1000000000001.0 at"),
        (made(y=CLASSES * 0 + 2), "all 20 training points are of one class, emu"),
        (made(X * 0, CLASSES), "all 20 training points are the same"),
        (made(X[:1].expand(20, 3), Y), "all 20 training points are the same"),
        (
            made(torch.full((20, 1, 4, 4), 7, dtype=torch.uint8), CLASSES),
            "were all images empty, or all columns constant?",
        ),
    ],
)
def test_what_cannot_be_learned_is_refused(data: DataModule, words: str) -> None:
    with pytest.raises(UserError) as caught:
        check_learnable(data)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        made(),
        made(y=CLASSES),
        made(with_value(X, 0, 1.0)),
        made(y=with_value(Y, 0, 0.1) + torch.eye(20, 2)),  # one point tells
        made(torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1).expand(20, 1, 2, 2), CLASSES),
    ],
)
def test_what_can_be_learned_is_not(data: DataModule) -> None:
    check_learnable(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (made(with_value(X, 1, 0.1)), ["Data: own: b: the same at every training point"]),
        (made(with_value(with_value(X, 0, 1.0), 2, 0.0)), ["Data: own: a, c: the same at every"]),
        (made(y=CLASSES), ["Data: own: emu: no training point, so it cannot be learned; 0 val"]),
        (
            made(y=CLASSES, test=Points(X[:3], torch.tensor([2, 2, 1]))),
            ["emu: no training point, so it cannot be learned; 2 validation and test points"],
        ),
        (made(test=Points(X[:1], Y[:1])), ["test/r2 is not defined on one point, and is left"]),
        (
            made(test=Points(X[:3], with_value(Y, 0, 2.0)[:3])),
            ["test/r2 is not defined on 3 points with one value"],
        ),
        (made(val=Points(X[:1], Y[:1]), test=Points(X, Y)), ["val/r2 is not defined on one point"]),
        (
            made(y=CLASSES, test=Points(X[:1], CLASSES[:1])),
            ["emu: no training", "test/accuracy can only be 0 or 1"],
        ),
        (made(), []),
    ],
)
def test_what_tells_nothing_is_said(data: DataModule, words: list[str]) -> None:
    got = said(data)
    assert len(got) == len(words)
    assert all(part in line for part, line in zip(words, got, strict=True))


@pytest.mark.parametrize(
    ("column", "how", "words"),
    [
        ([0.0, *(1e9 + i for i in range(19))], "standardize", "b: 32 bits keep"),
        ([1.7e9 + i for i in range(20)], "none", "b: 32 bits keep 1 of 20 different values. Try"),
        ([1.7e9 + i for i in range(20)], "unit", "data.normalize=standardize"),
        ([1.7e9 + i for i in range(20)], "standardize", None),
        ([1e-40 * i for i in range(20)], "standardize", None),
    ],
)
def test_a_column_that_32_bits_merge_is_named(
    column: list[float], how: str, words: str | None
) -> None:
    x = X.double()
    x[:, 1] = torch.tensor(column, dtype=torch.float64)
    got = said(made(x), how)
    assert len(got) == (words is not None)
    assert words is None or words in got[0]


def test_a_target_that_32_bits_merge_is_named() -> None:
    y = Y.double()
    y[:, 1] = torch.tensor([-1e12, *(i * 1.0 for i in range(19))], dtype=torch.float64)
    assert any("own: z: 32 bits keep" in line for line in said(made(y=y)))


def test_an_r2_that_is_not_defined_selects_nothing() -> None:
    alone = made(val=Points(X[:1], Y[:1]))
    with pytest.raises(UserError, match=r"Try checkpoint\.monitor=val/loss"):
        check_monitored(alone, "val/r2")
    check_monitored(alone, "val/loss")
    check_monitored(made(), "val/r2")


def test_apples_gpus_are_told_to_lack_64_bits() -> None:
    layer = Standardize(1).fit(1e12 + X[:, :1].double(), "standardize")
    with pytest.raises(UserError, match=r"data=own: these numbers need 64 bits"):
        check_bits(layer, "mps", "own")
    check_bits(layer, "cpu", "own")
    check_bits(Standardize(1), "mps", "own")


def test_one_test_row_ends_as_any_run(
    train_run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    x = np.random.default_rng(0).standard_normal((40, 2))
    np.savez("own.npz", x=x, y=x[:, 0], x_test=x[:1], y_test=x[:1, 0])
    with caplog.at_level(logging.WARNING):
        run = train_run(
            "data=npz", "data.path=own.npz", "model=mlp", "loss=mse", "data.batch_size=9"
        )
    assert "test/r2 is not defined on one point" in caplog.text
    assert run.record["status"] == "completed"
    assert run.record["metrics"]["test/r2"] is None
    outputs = run.module().predict(torch.from_numpy(x[:1]).float())
    expected = abs(float(outputs) - x[0, 0])
    assert run.record["metrics"]["test/mae"] == pytest.approx(expected, rel=1e-4)
