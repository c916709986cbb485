"""Generated curves against their formula."""

from __future__ import annotations

import math

import pytest
import torch

from experiments.data.curves import sine
from experiments.data.sources import DataSpec
from experiments.errors.messages import UserError


@pytest.mark.parametrize("frequency", [1.0, 2.5])
def test_without_noise_the_points_lie_on_the_sine(frequency: float) -> None:
    data = sine(num_samples=200, noise=0.0, frequency=frequency)
    x = torch.cat([data.train.inputs, data.test.inputs])
    y = torch.cat([data.train.targets, data.test.targets])
    torch.testing.assert_close(
        y.double(), (2 * math.pi * frequency * x.double()).sin(), atol=1e-5, rtol=0
    )
    assert -1 <= x.min() < -0.9
    assert 0.9 < x.max() <= 1
    assert data.spec == DataSpec((1,), 1, "regression")
    assert (len(data.train), len(data.test)) == (160, 40)


def test_the_noise_has_its_standard_deviation() -> None:
    data = sine(num_samples=20000, noise=0.3)
    error = data.train.targets - (2 * math.pi * data.train.inputs).sin()
    # Five standard errors of a standard deviation from 16,000 draws: 0.3 * 5 / sqrt(32000).
    assert float(error.std()) == pytest.approx(0.3, abs=0.0084)


def test_the_points_depend_on_their_seed_alone() -> None:
    torch.manual_seed(1)
    first = sine(num_samples=50).checksum()
    torch.manual_seed(2)
    assert sine(num_samples=50).checksum() == first != sine(num_samples=50, seed=1).checksum()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"frequency": 0.0}, "data.frequency=0.0: allowed is a number above 0"),
        ({"noise": -1.0}, "data.noise=-1.0: allowed is a standard deviation"),
        ({"num_samples": 2}, "data.num_samples=2: allowed is a whole number"),
    ],
)
def test_values_that_give_no_curve_are_told(values: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        sine(**values)
