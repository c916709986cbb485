"""Arrays as other people's files have them: names, channels, labels; told, asked about or refused."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.data.array_names import meaning
from experiments.data.arrays import npz
from experiments.data.channels import guessed
from experiments.data.sources import DataSet
from experiments.errors.messages import UserError

RANDOM = np.random.default_rng(0)
N = 20
X = RANDOM.normal(size=(N, 3)).astype(np.float32)
Y = np.arange(N) % 2
BYTES = RANDOM.integers(0, 256, (N, 28, 28), dtype=np.uint8)


def read(arrays: dict[str, object], **values: object) -> DataSet:
    np.savez("own.npz", **{name: np.asarray(array) for name, array in arrays.items()})
    return npz("own.npz", **values)


def notes(data: DataSet) -> list[str]:
    return data.facts.values["understood"]["notes"]


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        (("x_train", "y_train"), ("x_val", "y_val"), ("x_test", "y_test")),
        (("X_train", "y_train"), ("X_valid", "y_valid"), ("X_test", "y_test")),
        (
            ("train_images", "train_labels"),
            ("val_images", "val_labels"),
            ("test_images", "test_labels"),
        ),
        (("x", "y"), ("x_validation", "y_validation"), ("x_test", "y_test")),
        (("trainX", "trainY"), ("valX", "valY"), ("testX", "testY")),
        (("Xtrain", "ytrain"), ("Xdev", "ydev"), ("Xtest", "ytest")),
        (
            ("training_data", "training_labels"),
            ("dev_data", "dev_labels"),
            ("test_data", "test_labels"),
        ),
        (("data", "target"), ("data_val", "target_val"), ("data_test", "target_test")),
    ],
)
def test_parts_in_the_names_of_well_known_files(
    train: tuple[str, str], val: tuple[str, str], test: tuple[str, str]
) -> None:
    parts = {train: (X, Y), test: (X[:7] + 1, Y[:7]), val: (X[:5] + 2, Y[:5])}
    arrays = {n: a for names, pair in parts.items() for n, a in zip(names, pair, strict=True)}
    for _ in range(2):  # the second time from the cache
        data = read(arrays)
        assert data.val is not None
        for points, shift, num in ((data.train, 0, N), (data.test, 1, 7), (data.val, 2, 5)):
            assert np.array_equal(points.inputs.numpy(), X[:num] + shift)
            assert points.targets.tolist() == Y[:num].tolist()


def test_without_a_test_part_a_fifth_is_held_out_and_validation_is_whole() -> None:
    data = read({"x": X, "y": Y, "x_val": X[:6], "y_val": Y[:6]})
    assert data.val is not None
    assert (len(data.train), len(data.test), len(data.val)) == (16, 4, 6)


def test_mnist_as_keras_has_it() -> None:
    arrays = {"x_train": BYTES, "y_train": np.arange(N, dtype=np.uint8) % 10}
    data = read(
        {**arrays, "x_test": BYTES[:9], "y_test": arrays["y_train"][:9]}, task="classification"
    )
    assert data.spec.shape == (1, 28, 28)
    assert torch.equal(data.train.inputs[:, 0], torch.from_numpy(BYTES))
    assert notes(data) == [
        "x_train of shape (20, 28, 28) is read as grey images; type data.channels_last=true for "
        "(N, L, C) or data.channels_first=true for (N, C, L)"
    ]


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3), (28, 28, 28)])
def test_medmnist_as_it_is_stored(shape: tuple[int, ...]) -> None:
    images = RANDOM.integers(0, 256, (N, *shape), dtype=np.uint8)
    arrays: dict[str, object] = {}
    for part in ("train", "val", "test"):
        arrays |= {f"{part}_images": images, f"{part}_labels": Y[:, None].astype(np.uint8)}
    data = read(arrays)
    assert data.task == "classification"
    expected = np.moveaxis(images, 3, 1) if shape == (28, 28, 3) else images[:, None]
    for points in (data.train, data.val, data.test):
        assert points is not None
        assert np.array_equal(points.inputs.numpy(), expected)
        assert points.targets.tolist() == Y.tolist()


@pytest.mark.parametrize(
    ("shape", "is_bytes", "expected"),
    [
        ((28, 28), False, "images"),
        ((28, 20), True, "images"),
        ((28, 20), False, ""),
        ((9, 128), True, "channels_first"),
        ((20, 28), False, ""),
        ((4, 4), False, ""),
        ((1, 40), False, "channels_first"),
        ((40, 1), False, "channels_last"),
        ((3, 100), True, "channels_first"),
        ((12, 1000), False, "channels_first"),
        ((1000, 12), False, ""),
        ((48, 64, 3), False, "channels_last"),
        ((48, 64, 1), True, "channels_last"),
        ((32, 32, 4), False, "channels_last"),
        ((4, 32, 32), False, "channels_first"),
        ((1, 4, 4), False, "channels_first"),
        ((16, 8, 8), False, "channels_first"),
        ((8, 8, 16), False, "channels_last"),
        ((3, 32, 3), False, ""),
        ((2, 2, 3), False, "channels_last"),
        ((16, 20, 24), False, ""),
        ((8, 8, 8), False, "images"),
        ((1, 16, 16, 16), False, "channels_first"),
        ((16, 16, 16, 3), False, "channels_last"),
        ((10, 20, 30, 2), False, "channels_last"),
        ((16, 16, 16, 16), False, ""),
    ],
)
def test_shapes_that_say_where_the_channels_are_and_those_that_do_not(
    shape: tuple[int, ...], is_bytes: bool, expected: str
) -> None:
    assert guessed(shape, is_bytes) == expected


@pytest.mark.parametrize(
    ("shape", "key", "expected"),
    [
        ((28, 20), "images", (1, 28, 20)),
        ((28, 20), "channels_last", (20, 28)),
        ((28, 20), "channels_first", (28, 20)),
        ((28, 28), "channels_first", (28, 28)),
        ((16, 20, 24), "images", (1, 16, 20, 24)),
        ((16, 20, 24), "channels_last", (24, 16, 20)),
        ((32, 32, 3), "channels_first", (32, 32, 3)),
    ],
)
def test_what_is_typed_decides(shape: tuple[int, ...], key: str, expected: tuple[int, ...]) -> None:
    x = RANDOM.normal(size=(N, *shape)).astype(np.float32)
    data = read({"x": x, "y": Y, "x_test": x, "y_test": Y}, **{key: True})
    right = {"images": x[:, None], "channels_last": np.moveaxis(x, -1, 1)}.get(key, x)
    assert data.spec.shape == expected
    assert np.array_equal(data.train.inputs.numpy(), right)
    assert np.array_equal(data.test.inputs.numpy(), right)
    assert notes(data) == []


@pytest.mark.parametrize(
    "y", [np.eye(3)[Y], np.eye(3, dtype=np.uint8)[Y], np.eye(3, dtype=bool)[Y]]
)
def test_one_hot_rows_are_classes(y: np.ndarray) -> None:
    data = read({"x": X, "y": y, "x_test": X, "y_test": y})
    assert data.train.targets.tolist() == data.test.targets.tolist() == Y.tolist()
    assert data.class_names == ("0", "1", "2")
    assert "rows of y with a single 1 are read as 3 classes" in notes(data)[0]
    if y.dtype != bool:
        assert read({"x": X, "y": y}, task="regression").spec.num_outputs == 3


@pytest.mark.parametrize("y", [Y.astype(np.float32), Y[:, None].astype(np.float64)])
def test_labels_as_floats_are_classes(y: np.ndarray) -> None:
    data = read({"x": X, "y": y})
    assert data.task == "classification"
    assert notes(data) == [
        "whole numbers of y are read as 2 classes; type data.task=regression loss=mse to predict "
        "the numbers"
    ]
    assert read({"x": X, "y": y}, task="regression").task == "regression"
    assert read({"x": X, "y": y}, task="numbers").task == "regression"


PRICES = np.arange(60) * 100 + 7
SIXTY = np.zeros((60, 2), dtype=np.float32)


@pytest.mark.parametrize("y", [PRICES, PRICES.astype(float), np.arange(60), np.arange(60) // 2])
def test_nearly_as_many_whole_numbers_as_points_are_asked_about(y: np.ndarray) -> None:
    said = f"y has {len(np.unique(y))} different whole numbers for 60 points. Type data.task=class"
    with pytest.raises(UserError, match=re.escape(said)):
        read({"x": SIXTY, "y": y})
    for task in ("regression", "numbers"):  # the typed task, or the typed loss
        assert read({"x": SIXTY, "y": y}, task=task).task == "regression"


def test_a_typed_task_lets_many_classes_be() -> None:
    assert read({"x": SIXTY, "y": np.arange(60) // 2}, task="classification").spec.num_outputs == 30


def test_names_of_classes_are_not_used_where_numbers_are_predicted() -> None:
    data = read({"x": X, "y": Y, "target_names": ["a", "b"]}, task="regression")
    assert notes(data) == ["target_names is not used, as numbers are predicted"]


def test_classes_that_the_file_names_are_classes() -> None:
    names = [f"class {i}" for i in range(30)]
    data = read({"x": SIXTY, "y": np.arange(60) // 2, "class_names": names})
    assert data.class_names == tuple(names)


@pytest.mark.parametrize(
    ("arrays", "values", "said"),
    [
        (
            {"x": np.zeros((N, 28, 20)), "y": Y},
            {},
            "own.npz: x of shape (20, 28, 20) can be read in several ways: type data.images=true for "
            "grey images (N, H, W), data.channels_last=true for (N, L, C) or "
            "data.channels_first=true for (N, C, L).",
        ),
        (
            {"x": np.zeros((N, 16, 20, 24)), "y": Y},
            {},
            "data.images=true for volumes (N, D, H, W), data.channels_last=true for (N, H, W, C) or ",
        ),
        (
            {"x": X, "x_train": X, "y": Y},
            {},
            "x, x_train could each be x. Leave one of them in the",
        ),
        ({"data": X, "images": X, "target": Y}, {}, "data, images could each be x."),
        ({"x": X, "y": Y, "x_val": X}, {}, "there is no array y_val; the file holds x, y, x_val."),
        ({"x": X, "y": Y, "val_labels": Y}, {}, "there is no array x_val"),
        (
            {"x": X, "y": np.eye(3, dtype=int)[Y] | [0, 0, 1]},
            {},
            "y has rows of 0 and 1, of which row 0 has 2 ones; one class for each point",
        ),
        (
            {"x": X, "train_labels": np.zeros((N, 14))},
            {},
            "train_labels has rows of 0 and 1, of which row 0 has 0 ones",
        ),
        (
            {"x": X, "y": np.eye(3)[Y], "x_test": X, "y_test": np.eye(2)[Y]},
            {},
            "y_test has the shape (20, 2); allowed is rows of 3. Treat all parts alike.",
        ),
        (
            {"x": X, "y": np.where(np.arange(N) == 4, np.nan, Y)},
            {"task": "classification"},
            "own.npz, y[4]: nan is no finite",
        ),
        (
            {"x": X, "y": np.where(np.arange(N) == 4, np.nan, Y)},
            {},
            "own.npz, y[4]: nan is no finite",
        ),
        (
            {"x": X, "y": Y, "x_val": X, "y_val": Y + 1},
            {},
            "own.npz, y_val[1]: 2 is none of the classes; allowed is 0 to 1",
        ),
        (
            {"x": X, "y": Y, "x_val": X[:, :2], "y_val": Y},
            {},
            "x_val has the shape (2,) in each row, of numbers; allowed is that of x, (3,)",
        ),
        (
            {"x": X, "y": Y, "x_val": X[:0], "y_val": Y[:0]},
            {},
            "own.npz, x_val: 0 data points, and at least 1 are needed",
        ),
        ({"x": X, "y": Y, "x_val": X, "y_val": Y[:3]}, {}, "x_val has 20 rows, y_val has 3."),
        (
            {"x": X, "y": Y, "x_val": X * np.nan, "y_val": Y},
            {},
            "own.npz, x_val[0]: nan is no finite",
        ),
        ({"x": np.array([None] * N), "y": Y}, {}, "Object arrays cannot be loaded"),
        ({"x": X, "y": np.array([{}] * N)}, {}, "Object arrays cannot be loaded"),
        (
            {"x": np.zeros((N, 32, 32, 3)), "y": Y},
            {"images": True},
            "data.images=true has no effect with x of shape (20, 32, 32, 3)",
        ),
        (
            {"x": X, "y": Y},
            {"channels_first": True},
            "data.channels_first=true has no effect with x",
        ),
        (
            {"x": BYTES, "y": Y},
            {"channels_first": True, "channels_last": True},
            "data.channels_first=true has no effect with data.channels_last=true",
        ),
    ],
)
def test_what_is_asked_and_what_is_refused(
    arrays: dict[str, object], values: dict[str, bool], said: str
) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        read(arrays, **values)


def test_files_of_other_kinds_are_told_by_their_content() -> None:
    for content, said in (
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 99, "it is an HDF5 file, which h5py reads"),
        (b"MATLAB 5.0 MAT-file" + b"\0" * 99, "it is a MATLAB file, which scipy.io.loadmat reads"),
        (pickle.dumps({"x": 1}), "it looks like a pickle, which may run any program"),
    ):
        Path("own.npz").write_bytes(content)
        with pytest.raises(UserError, match=re.escape(said)):
            npz("own.npz")


def test_names_that_mean_nothing_here() -> None:
    for name in (
        "arr_0",
        "x_raw",
        "image_labels",
        "train",
        "x_train_test",
        "weights",
        "max",
        "yes",
    ):
        assert meaning(name) == ""
