"""A user's own arrays: what they become, and what is said of those that do not fit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.data.arrays import npz
from experiments.data.sources import DataSet
from experiments.errors.messages import UserError

N = 20
X = np.random.default_rng(0).normal(size=(N, 3))
Y = np.arange(N) % 2


def write(**arrays: object) -> str:
    np.savez("own.npz", **{name: np.asarray(array) for name, array in arrays.items()})
    return "own.npz"


def rejoined(data: DataSet) -> torch.Tensor:
    """Return all inputs, sorted by their first number."""
    x = torch.cat([data.train.inputs, data.test.inputs])
    return x[x.flatten(1)[:, 0].argsort()]


def in_order(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x[x.reshape(len(x), -1)[:, 0].argsort()])


def test_without_a_test_part_a_fifth_is_held_out_by_class() -> None:
    data = npz(write(x=X, y=Y))
    assert (len(data.train), len(data.test)) == (16, 4)
    assert torch.bincount(data.test.targets).tolist() == [2, 2]
    assert torch.equal(rejoined(data), in_order(X.astype(np.float32)))
    assert data.train.inputs.dtype == torch.float32
    assert data.train.targets.dtype == torch.int64
    assert (data.task, data.class_names) == ("classification", ("0", "1"))


@pytest.mark.parametrize("names", [("x", "y"), ("x_train", "y_train")])
def test_a_test_part_is_the_test_set(names: tuple[str, str]) -> None:
    arrays = {names[0]: X, names[1]: Y, "x_test": X[:7] + 1, "y_test": Y[:7]}
    data = npz(write(**arrays))
    assert torch.equal(data.train.inputs, torch.from_numpy(X).float())
    assert torch.equal(data.test.inputs, torch.from_numpy(X[:7] + 1).float())
    assert data.test.targets.tolist() == Y[:7].tolist()


@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float32, np.float64, np.int64, bool])
def test_bytes_stay_bytes_and_all_else_becomes_float32(kind: type) -> None:
    x = np.random.default_rng(0).integers(0, 2, (N, 2, 4)).astype(kind)
    data = npz(write(x=x, y=Y))
    assert data.train.inputs.dtype == (torch.uint8 if kind is np.uint8 else torch.float32)
    assert data.train.inputs.shape[1:] == (2, 4)


@pytest.mark.parametrize(
    ("shape", "values", "expected"),
    [
        ((N, 5), {}, (5,)),
        ((N, 2, 5), {}, (2, 5)),
        ((N, 4, 5), {"images": True}, (1, 4, 5)),
        ((N, 5, 2), {"channels_last": True}, (2, 5)),
        ((N, 4, 5, 3), {"channels_last": True}, (3, 4, 5)),
        ((N, 3, 4, 5), {}, (3, 4, 5)),
        ((N, 1, 2, 4, 5), {}, (1, 2, 4, 5)),
    ],
)
def test_shapes(shape: tuple[int, ...], values: dict, expected: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    data = npz(write(x=x, y=Y), **values)
    assert data.spec.shape == expected
    if values.get("channels_last"):
        x = np.moveaxis(x, -1, 1)
    assert torch.equal(rejoined(data), in_order(x).view(N, *expected))


@pytest.mark.parametrize(
    ("y", "task", "shape"),
    [
        (X[:, 0], "auto", (1,)),
        (X[:, :2], "auto", (2,)),
        (Y, "regression", (1,)),
    ],
)
def test_floats_are_values_to_predict(y: np.ndarray, task: str, shape: tuple[int, ...]) -> None:
    data = npz(write(x=X, y=y), task=task)
    assert data.task == "regression"
    assert data.train.targets.dtype == torch.float32
    assert data.train.targets.shape[1:] == shape
    pairs = torch.cat([torch.cat([p.inputs, p.targets], 1) for p in (data.train, data.test)])
    expected = np.concatenate([X, y.reshape(N, -1)], 1).astype(np.float32)
    assert torch.equal(pairs[pairs[:, 0].argsort()], in_order(expected))


@pytest.mark.parametrize("y", [Y.astype(np.uint8), Y[:, None], Y.astype(bool), Y.astype(float)])
def test_classes_in_any_type_of_whole_numbers(y: np.ndarray) -> None:
    data = npz(write(x=X, y=y), task="classification")
    assert torch.bincount(torch.cat([data.train.targets, data.test.targets])).tolist() == [10, 10]


def test_named_classes_may_lack_points() -> None:
    data = npz(write(x=X, y=Y * 2, class_names=["cat", "dog", "fox"]))
    assert data.class_names == ("cat", "dog", "fox")
    assert data.spec.num_outputs == 3
    assert sorted(set(data.train.targets.tolist())) == [0, 2]


def changed(array: np.ndarray, at: object, value: object) -> np.ndarray:
    array = np.array(array)
    array[at] = value
    return array


@pytest.mark.parametrize(
    ("arrays", "values", "said"),
    [
        ({"x": X}, {}, "own.npz: there is no array y; the file holds x."),
        ({"arr_0": X, "y": Y}, {}, "there is no array x; the file holds arr_0, y."),
        ({"x": X, "y": Y, "x_test": X}, {}, "there is no array y_test"),
        ({"x": X, "y": Y, "y_test": Y}, {}, "there is no array x_test"),
        ({"x": X, "y": Y[:-1]}, {}, "own.npz: x has 20 rows, y has 19."),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y[:3]}, {}, "x_test has 20 rows, y_test has 3."),
        ({"x": X[:, 0], "y": Y}, {}, "x has the shape (20,); allowed is (N, F)"),
        ({"x": X[:, :0], "y": Y}, {}, "x has the shape (20, 0); allowed is (N, F)"),
        ({"x": X[:0], "y": Y}, {}, "own.npz: 0 data points, and at least 1 are needed"),
        ({"x": X[:0], "y": Y[:0]}, {}, "own.npz: 0 data points"),
        ({"x": X[:4], "y": Y[:4]}, {}, "own.npz: 4 data points, and at least 5 are needed"),
        (
            {"x": changed(X, (7, 1), np.nan), "y": Y},
            {},
            "own.npz, x[7]: nan is no finite number of up to 4e307",
        ),
        ({"x": changed(X, (7, 1), 1e308), "y": Y}, {}, "x[7]: 1e+308 is no finite number of up"),
        (
            {"x": X, "y": Y, "x_test": changed(X, (3, 0), -np.inf), "y_test": Y},
            {},
            "x_test[3]: -inf is no finite",
        ),
        ({"x": X, "y": changed(X[:, 0], 5, np.inf)}, {}, "own.npz, y[5]: inf is no finite"),
        (
            {"x": X, "y": changed(Y, 3, 2) + 1},
            {},
            "own.npz, y[3]: 3 is none of the classes; allowed is 0 to 2",
        ),
        ({"x": X, "y": changed(Y, 3, -1)}, {}, "y[3]: -1 is none of the classes"),
        ({"x": X, "y": Y * 5}, {}, "y[1]: 5 is none of the classes; allowed is 0 to 1"),
        (
            {"x": X, "y": Y, "x_test": X, "y_test": changed(Y, 9, 2)},
            {},
            "own.npz, y_test[9]: 2 is none of the classes; allowed is 0 to 1",
        ),
        ({"x": X, "y": Y + 1, "class_names": ["a", "b"]}, {}, "y[1]: 2 is none of the classes"),
        (
            {"x": X, "y": Y * 0 + 4},
            {},
            "own.npz: all data points are of one class, 4; at least two",
        ),
        ({"x": X, "y": Y, "class_names": [1, 2]}, {}, "class_names is of type int64"),
        (
            {"x": X, "y": X.round().astype(int)},
            {},
            "y has the shape (20, 3); allowed is (N,), or one",
        ),
        ({"x": X, "y": Y.astype(str)}, {}, "y is of type <U21; allowed is whole numbers from 0"),
        (
            {"x": X, "y": X[:, 0]},
            {"task": "classification"},
            "y is of type float64; allowed is whole",
        ),
        ({"x": X, "y": X[:, 0] * np.inf}, {"task": "classification"}, "y is of type float64"),
        (
            {"x": X, "y": Y.astype(str)},
            {"task": "regression"},
            "y is of type <U21; allowed is numbers",
        ),
        (
            {"x": X, "y": X[:, :, None]},
            {},
            "y has the shape (20, 3, 1); allowed is (N,), or (N, K)",
        ),
        ({"x": X.astype(complex), "y": Y}, {}, "x is of type complex128; allowed is numbers"),
        (
            {"x": np.arange(60).reshape(3, 20).T + 2**53, "y": Y},
            {},
            "x is of type int64, with numbers that differ and would be one as 64-bit floats; allowed",
        ),
        (
            {"x": X, "y": Y, "x_test": X[:, :2], "y_test": Y},
            {},
            "x_test has the shape (2,) in each row, of numbers; allowed is that of x, (3,)",
        ),
        (
            {"x": X.astype(np.uint8), "y": Y, "x_test": X, "y_test": Y},
            {},
            "of numbers; allowed is that of x, (3,) of bytes",
        ),
        (
            {"x": X, "y": Y},
            {"images": True},
            "data.images=true has no effect with x of shape (20, 3)",
        ),
        ({"x": X, "y": Y}, {"channels_last": True}, "data.channels_last=true has no effect with x"),
        (
            {"x": X[:, None], "y": Y},
            {"channels_last": True, "images": True},
            "data.channels_last=true has no effect with x of shape (20, 1, 3) that is images",
        ),
        (
            {"x": X, "y": Y},
            {"task": "clustering"},
            "data.task=clustering: there is no such data.task",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_told(arrays: dict, values: dict, said: str) -> None:
    path = write(**arrays)
    with np.errstate(all="raise"), pytest.raises(UserError, match=re.escape(said)):
        npz(path, **values)


def test_files_that_are_no_npz_are_told() -> None:
    with pytest.raises(UserError, match="data=npz needs to know .* Type data.path=FILE.npz."):
        npz()
    with pytest.raises(UserError, match=r"data.path=no.npz: there is no such file \(/.*no.npz\)"):
        npz("no.npz")
    Path("folder").mkdir()
    with pytest.raises(UserError, match="data.path=folder: there is no such file"):
        npz("folder")
    np.save("one.npy", X)
    with pytest.raises(UserError, match="one.npy: .*it holds a single array, as numpy.save"):
        npz("one.npy")
    Path("text.npz").write_text("x,y\n1,2\n")
    with pytest.raises(UserError, match="text.npz: this cannot be read as an .npz file"):
        npz("text.npz")
    Path("empty.npz").write_bytes(b"")
    with pytest.raises(UserError, match="empty.npz: this cannot be read as an .npz file"):
        npz("empty.npz")
    Path("half.npz").write_bytes(Path(write(x=X, y=Y)).read_bytes()[:300])
    with pytest.raises(UserError, match="half.npz: this cannot be read as an .npz file"):
        npz("half.npz")
    np.savez("objects.npz", x=X, y=np.array([None] * N))
    with pytest.raises(UserError, match="objects.npz: .*allow_pickle=False.* of numbers and words"):
        npz("objects.npz")


def test_arrays_that_are_not_used_are_told(caplog: pytest.LogCaptureFixture) -> None:
    npz(write(x=X, y=Y, x_tset=X))
    assert "own.npz: x_tset is not used" in caplog.text


def test_a_second_start_reads_the_cache_unless_the_file_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = npz(write(x=X, y=Y)).checksum()
    with monkeypatch.context() as patch:
        patch.setattr(np, "load", lambda *a, **k: pytest.fail("read again"))
        assert npz("own.npz").checksum() == first
    assert npz(write(x=X + 1, y=Y)).checksum() != first
    assert npz("own.npz", task="regression").task == "regression"


def test_a_home_is_understood() -> None:
    Path("home").mkdir()
    np.savez("home/own.npz", x=X, y=Y)
    assert len(npz("~/own.npz").train) == 16


def test_new_names_of_the_same_numbers_are_seen() -> None:
    checksums = set()
    for names in (["a", "b", "c"], ["cat", "dog", "bird"], ["cat", "dog", "bird", "cow"]):
        np.savez("own.npz", x=X, y=Y % 3, class_names=np.array(names))
        data = npz("own.npz")
        assert data.class_names == tuple(names)
        assert npz("own.npz").class_names == tuple(names)  # from the cache
        checksums.add(data.checksum())
    # Another number of classes is another network, and so another run.
    assert len(checksums) == 3


def test_a_key_without_effect_is_told_with_the_shape_that_it_has() -> None:
    np.savez("own.npz", x=np.zeros((20, 5), dtype=np.float32), y=np.arange(20) % 2)
    with pytest.raises(
        UserError, match=r"data.images=true has no effect with x of shape \(20, 5\)\."
    ):
        npz("own.npz", images=True)
