"""California housing, in the format in which scikit-learn keeps it."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn.datasets._california_housing as sklearn_housing
import torch

from experiments.data.housing import california_housing
from experiments.data.sources import DataSpec
from experiments.errors.messages import UserError

FILE = Path("data/cal_housing_py3.pkz")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **values: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(sklearn_housing, "_fetch_remote", refuse)


def districts(num: int = 25) -> np.ndarray:
    """Value, income, age, rooms, bedrooms, people, households, latitude, longitude of each."""
    table = np.random.default_rng(0).uniform(1, 100, (num, 9))
    table[:, 0] *= 1000
    return table


def test_the_columns_become_those_of_scikit_learn() -> None:
    FILE.parent.mkdir()
    table = districts()
    joblib.dump(table, FILE, compress=6)
    data = california_housing("data")
    assert data.spec == DataSpec((8,), 1, "regression")
    assert (len(data.train), len(data.test)) == (20, 5)
    value, income, age, rooms, bedrooms, people, households, latitude, longitude = table.T
    per_household = [rooms / households, bedrooms / households, people, people / households]
    expected = np.stack([income, age, *per_household, latitude, longitude, value / 1e5], 1)
    points = (data.train, data.test)
    got = torch.cat([torch.cat([p.inputs, p.targets], 1) for p in points]).double().numpy()
    order = lambda a: a[a[:, 0].argsort()]  # noqa: E731
    np.testing.assert_allclose(order(got), order(expected), rtol=1e-6)


def test_a_second_start_reads_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    FILE.parent.mkdir()
    joblib.dump(districts(), FILE, compress=6)
    first = california_housing("data").checksum()
    monkeypatch.setattr(joblib, "load", lambda path: pytest.fail("read again"))
    assert california_housing("data").checksum() == first


def test_a_missing_file_is_told() -> None:
    said = r"data=california_housing: .*\(no network\). Looked for cal_housing_py3.pkz in data[.]"
    with pytest.raises(UserError, match=said):
        california_housing("data")


def test_a_broken_file_is_told() -> None:
    FILE.parent.mkdir()
    FILE.write_bytes(b"no pickle")
    with pytest.raises(UserError, match="data=california_housing: data cannot be read"):
        california_housing("data")
