"""Arrays that are given in Python are read as those of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.data.arrays import npz
from experiments.data.given_arrays import GIVEN, GivenArrays, parts_of
from experiments.errors.messages import UserError

DRAWN = np.random.default_rng(0)
X = DRAWN.normal(size=(40, 3)).astype(np.float32)
Y = np.arange(40) % 2
IMAGES = DRAWN.integers(0, 256, size=(40, 8, 8), dtype=np.uint8)


def arrays_of(value: Any) -> GivenArrays:
    parts = parts_of(value)
    assert parts is not None
    return GivenArrays.of(parts[0])


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ({"x": X, "y": Y}, "classification"),
        ({"x": torch.from_numpy(X), "y": torch.from_numpy(Y)}, "classification"),
        ({"x": X.tolist(), "y": Y.tolist()}, "classification"),
        ({"x": X, "y": X[:, 0] * 1.5}, "regression"),
        ({"x": X, "y": X[:, :2]}, "regression"),
        ({"images": IMAGES, "labels": Y}, "classification"),
        ({"x": X, "y": Y, "x_test": X[:9], "y_test": Y[:9]}, "classification"),
        ({"x": X, "y": Y, "class_names": ["a", "b"]}, "classification"),
    ],
)
def test_they_are_what_a_file_of_them_is(values: dict[str, Any], task: str, tmp_path: Path) -> None:
    arrays = arrays_of(values)
    file = tmp_path / "mine.npz"
    np.savez(file, **{name: np.asarray(value) for name, value in values.items()})
    read = npz(str(file), root=str(tmp_path))
    with arrays.found():
        given = npz(arrays.path)
    assert given.task == read.task == task
    assert given.class_names == read.class_names
    for part in ("train", "test"):
        of_file, own = getattr(read, part), getattr(given, part)
        torch.testing.assert_close(own.inputs, of_file.inputs, rtol=0, atol=0)
        torch.testing.assert_close(own.targets, of_file.targets, rtol=0, atol=0)
    assert given.checksum() == read.checksum()
    assert not GIVEN


def test_what_is_written_is_what_was_given_once_on_disk(tmp_path: Path) -> None:
    arrays = arrays_of((X, Y))
    first, second, third = (tmp_path / name for name in ("a.npz", "b.npz", "c.npz"))
    arrays.write(first)
    arrays.write(second)
    assert first.samefile(second)
    first.unlink()
    arrays.write(third)  # the file that was written before is gone
    for file in (second, third):
        with np.load(file) as kept:
            np.testing.assert_array_equal(kept["x"], X)
            np.testing.assert_array_equal(kept["y"], Y)


def test_the_path_stands_for_the_content() -> None:
    path = arrays_of((X, Y)).path
    assert arrays_of((torch.from_numpy(X.copy()), Y)).path == path
    assert arrays_of((np.asfortranarray(X), Y)).path == path
    changed = X.copy()
    changed[0, 0] += 1
    for other in ((changed, Y), (X, 1 - Y), (X.astype(np.float64), Y), (X.reshape(20, 6), Y)):
        assert arrays_of(other).path != path


def test_what_may_not_be_written_to_is_copied() -> None:
    fixed = IMAGES.copy()
    fixed.flags.writeable = False
    arrays = arrays_of((fixed, Y))
    with arrays.found():  # torch would warn, which is an error here
        assert npz(arrays.path).train.inputs.shape[1:] == (1, 8, 8)


def test_values_that_torch_alone_has() -> None:
    x = torch.from_numpy(X).to(torch.bfloat16).requires_grad_()
    array = arrays_of((x, Y)).arrays["x"]
    np.testing.assert_array_equal(array, x.detach().float().numpy())


@pytest.mark.parametrize("value", ["digits", {"batch_size": 3}, None, {"x": 3}, ["a", "b"]])
def test_all_else_are_words(value: Any) -> None:
    assert parts_of(value) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (X, r"one ndarray is given.*data=\(x, y\)"),
        ({"x": X, "x_test": X}, "x, x_test without targets y is given"),
        (torch.utils.data.TensorDataset(torch.ones(3)), "one TensorDataset is given"),
        ((X, Y, X), "3 parts"),
        ((X, [[1], [2, 3]]), "y is given as list"),
        (({"a": 1}, Y), "x is given as dict"),
        ({"x": X, "y": np.array([object()] * 40)}, "y is given as ndarray of object"),
    ],
)
def test_what_are_no_arrays(value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        arrays_of(value)


def test_mistakes_in_them_name_them_as_they_were_given() -> None:
    arrays = arrays_of((X, Y[:30]))
    with arrays.found(), pytest.raises(UserError, match=r"^data=\(x, y\): x has 40 rows, y has 30"):
        npz(arrays.path)
    wrong = X.copy()
    wrong[7, 1] = np.nan
    arrays = arrays_of((wrong, Y))
    with arrays.found(), pytest.raises(UserError, match=r"data=\(x, y\), x\[7\]: nan"):
        npz(arrays.path)
