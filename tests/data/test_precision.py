"""Numbers stay in 64 bits exactly where 32 would lose what tells points apart."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.data.arrays import npz
from experiments.data.normalization import Standardize, moments
from experiments.data.precision import in_fewest_bits, num_merged
from experiments.data.tables import table

RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal(200)
SECONDS = 1_700_000_000 + np.arange(60.0)


@pytest.mark.parametrize(
    "values",
    [
        SECONDS,
        1e9 + np.arange(337),
        2460310 + 50 * NOISE,
        1e12 + NOISE,
        1e-38 * NOISE,
        1e39 * NOISE,
        np.array([0.0, 1e9, 1e9 + 1, 1e9 + 2]),
        1e300 * NOISE,
    ],
)
def test_columns_that_32_bits_would_spoil_stay_in_64(values: np.ndarray) -> None:
    (kept,) = in_fewest_bits([values[:, None]])
    assert kept.dtype == np.float64
    assert len(np.unique(kept)) == len(np.unique(values))


@pytest.mark.parametrize(
    "values",
    [NOISE, 100 + NOISE, np.arange(2000.0, 2020.0), np.full(9, 0.1), 1e-20 * NOISE, 1e20 * NOISE],
)
def test_usual_columns_take_32_bits(values: np.ndarray) -> None:
    assert in_fewest_bits([values[:, None]])[0].dtype == np.float32


def test_both_parts_are_of_one_type() -> None:
    parts = in_fewest_bits([NOISE[:, None], SECONDS[:, None]])
    assert [part.dtype for part in parts] == [np.float64, np.float64]
    assert in_fewest_bits([SECONDS[:, None].astype(np.float32)])[0].dtype == np.float32


def test_chance_collisions_are_no_loss() -> None:
    many = np.random.default_rng(1).standard_normal(50_000)
    rounded = many.astype(np.float32)
    assert len(np.unique(many)) > len(np.unique(rounded))
    assert num_merged(many, rounded) == 0
    assert num_merged(SECONDS, SECONDS.astype(np.float32)) > 50


def test_a_table_keeps_every_second() -> None:
    text = "time,y\n" + "".join(f"{t:.0f},{i / 7}\n" for i, t in enumerate(SECONDS))
    Path("own.csv").write_text(text, encoding="utf-8")
    data = table("own.csv")
    x = torch.cat([data.train.inputs, data.test.inputs])
    assert x.dtype == torch.float64
    assert len(x.unique()) == 60
    assert (data.feature_names, data.target_names) == (("time",), ("y",))
    again = table("own.csv")  # from the cache
    assert again.train.inputs.dtype == torch.float64
    assert again.feature_names == ("time",)
    z = Standardize(1).fit(data.train.inputs, "standardize")(x)
    assert z.dtype == torch.float32
    assert len(z.unique()) == 60


def test_arrays_of_whole_numbers_keep_every_id() -> None:
    ids = (10**9 + np.arange(337)).reshape(-1, 1)
    np.savez("own.npz", x=ids, y=NOISE[np.arange(337) % 200] * 1e-4 + 1e12)
    data = npz("own.npz")
    assert data.train.inputs.dtype == data.train.targets.dtype == torch.float64
    assert len(torch.cat([data.train.inputs, data.test.inputs]).unique()) == 337
    assert data.feature_names == ("x[:, 0]",)


@pytest.mark.parametrize(("offset", "scale"), [(1e12, 1), (1e-30, 1e-33), (0, 1e200), (-3e9, 7)])
def test_moments_are_those_of_fractions(offset: float, scale: float) -> None:
    x = offset + scale * NOISE
    exact = [Fraction(v) for v in x.tolist()]
    mean = sum(exact) / len(exact)
    variance = sum((v - mean) ** 2 for v in exact) / len(exact)
    got_mean, got_std = (float(m) for m in moments(torch.from_numpy(x)[:, None], chunk=33))
    assert got_mean == pytest.approx(float(mean), rel=1e-14)
    # The root of a fraction that no float holds.
    unit = Fraction(scale)
    assert got_std / scale == pytest.approx(float(variance / unit**2) ** 0.5, rel=1e-6)


@pytest.mark.parametrize("value", [0.1, 1e9 + 1, 1e-300, 3.7e20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_has_a_deviation_of_0(value: float, dtype: torch.dtype) -> None:
    x = torch.full((10, 1), value, dtype=torch.float64).to(dtype)
    assert float(moments(x)[1]) == 0
    assert torch.equal(Standardize(1).fit(x, "standardize")(x), torch.zeros(10, 1))


def test_statistics_survive_a_checkpoint_and_a_network_in_fewer_bits() -> None:
    x = torch.from_numpy(2460310 + 50 * NOISE)[:, None]
    layer = Standardize(1).fit(x, "standardize")
    expected = (x - x.mean()) / x.std(correction=0)
    other = Standardize(1)
    other.load_state_dict(layer.state_dict())
    torch.testing.assert_close(other(x), expected.float())
    torch.testing.assert_close(other.inverse(expected.float()), x, rtol=0, atol=1e-4)
    low = other.to(torch.bfloat16)
    assert low(x).dtype == torch.bfloat16
    assert low.mean.dtype == torch.float64
    torch.testing.assert_close(low.float().double()(x), expected)


def test_32_bit_data_far_from_0_are_centred_in_64() -> None:
    x = torch.arange(2**24 - 200, 2**24, dtype=torch.float32)[:, None]
    z = Standardize(1).fit(x, "standardize")(x)
    assert z.dtype == torch.float32
    assert len(z.unique()) == 200
    assert float(z.double().mean()) == pytest.approx(0, abs=1e-7)
