"""MNIST-1D against the arrays that its authors published.

`mnist1d_published.npz` was made from mnist1d_data.pkl of the repository greydanus/mnist1d (commit
7878d96), never from our own output: every label, every 100th training and 50th test row in full,
and of every row its sum and its product with cos(0), ..., cos(39), all in float64.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.data import mnist1d
from experiments.data.sources import DataSpec
from experiments.errors.messages import UserError

PUBLISHED = np.load(Path(__file__).with_name("mnist1d_published.npz"))


def states() -> list:
    """Return the states of the generators that everyone shares."""
    return [random.getstate(), *np.random.get_state()]


@pytest.fixture(scope="module")
def generated() -> tuple[list, dict[str, np.ndarray], list]:
    """Return the arrays, generated once for all tests, between the states before and after."""
    # Matplotlib, which the package imports, makes its list of fonts anew in each new home.
    before = states()
    return before, mnist1d.mnist1d_arrays(), states()


@pytest.fixture
def arrays(generated: tuple, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Return the arrays, which the set takes too."""
    monkeypatch.setattr(mnist1d, "mnist1d_arrays", lambda *sizes: generated[1])
    return generated[1]


@pytest.mark.parametrize("part", ["", "_test"])
def test_generated_arrays_are_the_published_ones(arrays: dict[str, np.ndarray], part: str) -> None:
    x, y = arrays[f"x{part}"], arrays[f"y{part}"]
    assert x.dtype == np.float64
    assert x.shape == ((1000, 40) if part else (4000, 40))
    assert np.array_equal(y, PUBLISHED[f"y{part}"])
    rows = PUBLISHED[f"rows{part}"]
    assert len(rows) == (20 if part else 40)
    np.testing.assert_allclose(x[rows], PUBLISHED[f"x{part}"], rtol=0, atol=1e-12)
    # Two weighted sums of every row: an error of 1e-12 anywhere would show in one of them.
    sums, cosines = x.sum(1), x @ np.cos(np.arange(40))
    np.testing.assert_allclose(sums, PUBLISHED[f"sums{part}"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(cosines, PUBLISHED[f"cosines{part}"], rtol=0, atol=1e-12)


def test_the_set_is_those_arrays_as_curves_of_one_channel(arrays: dict[str, np.ndarray]) -> None:
    data = mnist1d.mnist1d("data")
    assert data.spec == DataSpec((1, 40), 10, "classification", tuple("0123456789"))
    for points, part in ((data.train, ""), (data.test, "_test")):
        assert points.inputs.dtype == torch.float32
        expected = torch.from_numpy(arrays[f"x{part}"]).float()
        assert torch.equal(points.inputs.squeeze(1), expected)
        assert points.targets.tolist() == PUBLISHED[f"y{part}"].tolist()


@pytest.mark.usefixtures("arrays")
def test_a_second_start_neither_generates_nor_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    first = mnist1d.mnist1d("data").checksum()
    monkeypatch.setattr(mnist1d, "mnist1d_arrays", lambda *sizes: pytest.fail("generated again"))
    imported = set(sys.modules)
    assert mnist1d.mnist1d("data").checksum() == first
    assert set(sys.modules) == imported
    assert [path.name for path in mnist1d.generator_files()] == ["data.py", "transform.py"]
    assert all(path.is_file() for path in mnist1d.generator_files())


def test_the_generators_that_everyone_shares_are_left_as_they_were(generated: tuple) -> None:
    before, _, after = generated
    for then, now in zip(before, after, strict=True):
        assert np.array_equal(then, now) if isinstance(then, np.ndarray) else then == now


@pytest.mark.usefixtures("generated")  # the package is imported by then
def test_other_sizes_are_what_the_package_makes_of_them_and_are_kept_apart() -> None:
    from mnist1d.data import get_dataset_args, make_dataset

    data = mnist1d.mnist1d("data", num_samples=200, train_split=0.25)
    before = states()
    arguments = get_dataset_args()
    arguments.num_samples, arguments.train_split = 200, 0.25
    theirs = make_dataset(arguments)
    np.random.set_state(tuple(before[1:]))
    random.setstate(before[0])
    assert (len(data.train), len(data.test)) == (50, 150)
    for points, part in ((data.train, ""), (data.test, "_test")):
        expected = torch.from_numpy(theirs[f"x{part}"]).float()
        assert torch.equal(points.inputs.squeeze(1), expected)
        assert points.targets.tolist() == theirs[f"y{part}"].tolist()
    kept = {path.stem for path in Path("data/cache").glob("*.json")}
    assert kept == {"mnist1d-200-0.25"}


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"num_samples": 90}, "data.num_samples=90: allowed is a multiple of 10 of at least 100"),
        ({"num_samples": 16_001}, "data.num_samples=16001: allowed is a multiple of 10"),
        ({"train_split": 1.0}, "data.train_split=1.0: allowed is a part above 0 and below 1"),
        ({"train_split": 0.001, "num_samples": 100}, "data.train_split=0.001: allowed is"),
    ],
)
def test_sizes_that_cannot_be_are_told(sizes: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        mnist1d.mnist1d("data", **sizes)
    assert said in str(caught.value)
