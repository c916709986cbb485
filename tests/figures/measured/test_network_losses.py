"""Directions through a network's weights, against loops and numpy."""

from __future__ import annotations

import numpy as np
import torch

from experiments.figures.measured.network_losses import principal_plane, random_direction


def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"conv.weight": (4, 3, 5, 5), "conv.bias": (4,), "norm.weight": (4,), "w": (6, 10)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def test_each_filter_of_a_direction_has_the_norm_of_the_networks_own() -> None:
    theta = weights()
    direction = random_direction(theta, seed=3)
    for name in ("conv.weight", "w"):
        for own, drawn in zip(theta[name].numpy(), direction[name].numpy(), strict=True):
            expected = np.sqrt((own.astype(np.float64) ** 2).sum())
            assert np.isclose(np.sqrt((drawn.astype(np.float64) ** 2).sum()), expected, rtol=1e-5)
    assert not direction["conv.bias"].any()
    assert not direction["norm.weight"].any()


def test_a_direction_is_a_function_of_its_seed_and_points_where_it_was_drawn() -> None:
    theta = {"w": torch.ones(2, 3)}
    drawn = torch.randn(2, 3, generator=torch.Generator().manual_seed(5))
    found = random_direction(theta, seed=5)["w"]
    cosines = torch.nn.functional.cosine_similarity(found, drawn)
    torch.testing.assert_close(cosines, torch.ones(2))
    assert not torch.equal(found, random_direction(theta, seed=6)["w"])


def test_a_filter_of_zeros_stays() -> None:
    assert not random_direction({"w": torch.zeros(2, 3)}, seed=0)["w"].any()


def test_the_principal_plane_against_numpys_svd() -> None:
    snapshots = np.random.default_rng(0).normal(size=(7, 30)) * np.linspace(3, 0.1, 30)
    plane = principal_plane(torch.from_numpy(snapshots))
    differences = snapshots - snapshots[-1]
    covariance = np.cov(differences.T)
    values, vectors = np.linalg.eigh(covariance)
    np.testing.assert_allclose(plane.explained, values[::-1][:2] / values.sum(), rtol=1e-9)
    for i in range(2):
        vector = vectors[:, -1 - i]
        direction = plane.directions[i].numpy()
        assert np.isclose(abs(vector @ direction), 1, atol=1e-9)
        np.testing.assert_allclose(plane.path[:, i], differences @ direction, atol=1e-9)
    assert (plane.path[0] >= 0).all()
    assert not plane.path[-1].any()


def test_a_path_in_a_plane_is_all_explained() -> None:
    t = torch.linspace(0, 3, 9, dtype=torch.float64)
    basis = torch.linalg.qr(torch.randn(20, 2, dtype=torch.float64)).Q.T
    snapshots = t.cos()[:, None] * basis[0] + 2 * t.sin()[:, None] * basis[1]
    plane = principal_plane(snapshots)
    assert np.isclose(float(plane.explained.sum()), 1)
    lengths = torch.linalg.vector_norm(plane.path, dim=1)
    torch.testing.assert_close(lengths, torch.linalg.vector_norm(snapshots - snapshots[-1], dim=1))
