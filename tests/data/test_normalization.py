"""Normalisation: statistics of the training points, kept as buffers."""

from __future__ import annotations

import pytest
import torch

from experiments.data.normalization import Standardize, moments
from experiments.errors.messages import UserError


@pytest.mark.parametrize("shape", [(500, 3), (500, 3, 7), (500, 3, 5, 5)])
def test_moments_are_torchs(shape: tuple[int, ...]) -> None:
    x = torch.randint(0, 256, shape, dtype=torch.uint8)
    dims = [d for d in range(x.dim()) if d != 1]
    mean, std = moments(x, chunk=64)
    torch.testing.assert_close(mean, x.double().mean(dims))
    torch.testing.assert_close(std, x.double().std(dims, correction=0))


def test_standardised_points_have_mean_0_and_variance_1() -> None:
    x = torch.randint(0, 256, (400, 2, 6, 6), dtype=torch.uint8)
    layer = Standardize(2, 2).fit(x, "standardize")
    z = layer(x)
    assert z.dtype == torch.float32
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.var((0, 2, 3), correction=0), torch.ones(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(layer.inverse(z), x.float(), atol=1e-3, rtol=0)


def test_a_constant_feature_becomes_0() -> None:
    x = torch.cat([torch.full((10, 1), 3.0), torch.randn(10, 1)], 1)
    z = Standardize(2).fit(x, "standardize")(x)
    assert torch.equal(z[:, 0], torch.zeros(10))


def test_unit_divides_by_the_largest() -> None:
    x = torch.tensor([[0, 51], [255, 102]], dtype=torch.uint8)
    torch.testing.assert_close(Standardize(2).fit(x, "unit")(x), x / 255)


def test_none_only_changes_the_type() -> None:
    x = torch.tensor([[0, 51]], dtype=torch.uint8)
    assert torch.equal(Standardize(2).fit(x, "none")(x), x.float())


def test_an_unknown_normalisation_is_told() -> None:
    with pytest.raises(UserError, match=r"Did you mean data.normalize=standardize\?"):
        Standardize(1).fit(torch.zeros(2, 1), "standardise")
