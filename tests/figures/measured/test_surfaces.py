"""Surfaces at their published minima, and their gradients against finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from experiments.figures.measured.surfaces import SURFACES, Surface

BY_NAME = {one.name: one for one in SURFACES}


def f(name: str, x: float, y: float) -> float:
    return float(BY_NAME[name].value(torch.tensor([x, y], dtype=torch.float64)))


def test_values_from_the_literature() -> None:
    assert f("beale", 3, 0.5) == 0
    assert f("beale", 1, 1) == pytest.approx(1.5**2 + 2.25**2 + 2.625**2)
    # At (0, y) for any y, as Beale's constants give it.
    assert f("beale", 0, -7) == pytest.approx(14.203125)
    assert f("rosenbrock", 1, 1) == 0
    # The value at Rosenbrock's own start.
    assert f("rosenbrock", -1.2, 1) == pytest.approx(24.2)
    assert f("saddle", 0, 1) == f("saddle", 0, -1) == -0.25
    assert f("ravine", 0, 0) == 0
    assert f("six_hump_camel", 0.0898, -0.7126) == pytest.approx(-1.0316, abs=5e-5)
    assert f("six_hump_camel", -0.0898, 0.7126) == pytest.approx(-1.0316, abs=5e-5)
    assert f("six_hump_camel", 1.7036, -0.7961) == pytest.approx(-0.2155, abs=5e-5)


@pytest.mark.parametrize("surface", SURFACES, ids=lambda one: one.name)
def test_minima_are_minima(surface: Surface) -> None:
    assert surface.minima
    for minimum in surface.minima:
        theta = torch.tensor(minimum, dtype=torch.float64)
        assert float(surface.value(theta)) == pytest.approx(surface.lowest, abs=1e-9)
        assert surface.gradient(theta).abs().max() < 1e-7
        hessian = torch.autograd.functional.hessian(surface.value, theta)
        assert torch.linalg.eigvalsh(hessian).min() > 0
    x, y = (
        torch.linspace(*ends, 151, dtype=torch.float64)
        for ends in (surface.x_range, surface.y_range)
    )
    assert surface.over(x, y).min() >= surface.lowest - 1e-9


@pytest.mark.parametrize("surface", SURFACES, ids=lambda one: one.name)
def test_gradients_are_differences(surface: Surface) -> None:
    generator = np.random.default_rng(0)
    for x, y in generator.uniform(-1.5, 1.5, (5, 2)):
        found = surface.gradient(torch.tensor([x, y], dtype=torch.float64)).tolist()
        h = 1e-6
        dx = (f(surface.name, x + h, y) - f(surface.name, x - h, y)) / (2 * h)
        dy = (f(surface.name, x, y + h) - f(surface.name, x, y - h)) / (2 * h)
        np.testing.assert_allclose(found, [dx, dy], rtol=1e-6, atol=1e-6)


def test_the_saddle_is_one() -> None:
    hessian = torch.autograd.functional.hessian(BY_NAME["saddle"].value, torch.zeros(2).double())
    assert torch.linalg.eigvalsh(hessian).tolist() == [-1, 1]


def test_the_ravine_has_its_condition_number() -> None:
    hessian = torch.autograd.functional.hessian(BY_NAME["ravine"].value, torch.zeros(2).double())
    assert float(torch.linalg.cond(hessian)) == pytest.approx(100)


def test_a_grid_is_the_function_at_each_point() -> None:
    x, y = torch.tensor([0.0, 1.0, 2.0]).double(), torch.tensor([-1.0, 0.5]).double()
    grid = BY_NAME["rosenbrock"].over(x, y)
    assert grid.shape == (2, 3)
    for i, row in enumerate(y.tolist()):
        for j, column in enumerate(x.tolist()):
            expected = 100 * (row - column**2) ** 2 + (1 - column) ** 2
            assert math.isclose(float(grid[i, j]), expected)
