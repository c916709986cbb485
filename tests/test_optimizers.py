"""Optimizers: step for step what their formulas say, on a quadratic."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from running import plain
from torch import nn

from experiments.entries import entry
from experiments.errors import UserError
from experiments.optimizers import NOT_ARGUMENTS, build_optimizer, check_values

A = [1.0, 4.0]
START = [1.0, -2.0]


def path(name: str, num_steps: int = 5) -> list[list[float]]:
    """Return theta after each step on f = 1/2 sum a_i theta_i^2, in float64."""
    config = plain(f"optim={name}")
    bound = entry(config, "optim", NOT_ARGUMENTS, 1)
    theta = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = build_optimizer([theta], bound.func, bound.keywords)
    result = []
    for _ in range(num_steps):
        optimizer.zero_grad()
        (0.5 * torch.tensor(A, dtype=torch.float64) * theta**2).sum().backward()
        optimizer.step()
        result.append(theta.detach().tolist())
    return result


def by_hand(update: Callable[[dict, float, int], float], num_steps: int = 5) -> list[list[float]]:
    """Return the same from a scalar formula: update(state, gradient, step) -> change of theta."""
    theta, states = list(START), [{}, {}]
    result = []
    for step in range(1, num_steps + 1):
        for i, a in enumerate(A):
            theta[i] += update(states[i], a * theta[i], step)
        result.append(list(theta))
    return result


def sgd(state: dict, g: float, step: int) -> float:
    return -0.1 * g


def momentum(state: dict, g: float, step: int) -> float:
    state["v"] = 0.9 * state.get("v", 0.0) + g
    return -0.01 * state["v"]


def nesterov(state: dict, g: float, step: int) -> float:
    state["v"] = 0.9 * state.get("v", 0.0) + g
    return -0.01 * (g + 0.9 * state["v"])


def adagrad(state: dict, g: float, step: int) -> float:
    state["s"] = state.get("s", 0.0) + g * g
    return -0.01 * g / (math.sqrt(state["s"]) + 1e-10)


def rmsprop(state: dict, g: float, step: int) -> float:
    state["s"] = 0.9 * state.get("s", 0.0) + 0.1 * g * g
    return -0.001 * g / (math.sqrt(state["s"]) + 1e-8)


def adam(state: dict, g: float, step: int) -> float:
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    m, v = state["m"] / (1 - 0.9**step), state["v"] / (1 - 0.999**step)
    return -0.001 * m / (math.sqrt(v) + 1e-8)


FORMULAS = {
    "sgd": sgd,
    "gd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_equals_its_formula_step_for_step(name: str) -> None:
    got, want = path(name), by_hand(FORMULAS[name])
    for a, b in zip(got, want, strict=True):
        assert a == pytest.approx(b, rel=1e-9)


def test_adamw_decays_the_weights_apart_from_the_gradient() -> None:
    # theta <- theta (1 - lr lambda), then Adam's step at the old gradient.
    theta, states = list(START), [{}, {}]
    for (got_0, got_1), step in zip(path("adamw"), range(1, 6), strict=True):
        for i, a in enumerate(A):
            gradient = a * theta[i]
            theta[i] = theta[i] * (1 - 0.001 * 0.01) + adam(states[i], gradient, step)
        assert [got_0, got_1] == pytest.approx(theta, rel=1e-9)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"lr": -0.1}, "optim.lr=-0.1: allowed is a number above 0. Try optim.lr=0.001"),
        ({"lr": 0}, "optim.lr=0: allowed is a number above 0"),
        ({"lr": math.nan}, "optim.lr=nan: allowed is a number above 0"),
        ({"momentum": -1}, "optim.momentum=-1: allowed is a number of at least 0"),
        ({"weight_decay": -1}, "optim.weight_decay=-1: allowed is a number of at least 0"),
    ],
)
def test_numbers_that_no_optimizer_can_use_are_refused(values: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_values(values)


FORMS = {"adam": "fused", "adamw": "fused", "sgd": "fused", "momentum": "fused"}
FORMS |= {"nesterov": "fused", "adagrad": "fused", "gd": "fused", "rmsprop": "foreach"}


@pytest.mark.parametrize(("name", "form"), FORMS.items())
def test_the_fastest_form_is_taken_and_equals_the_plain_one(name: str, form: str) -> None:
    bound = entry(plain(f"optim={name}"), "optim", NOT_ARGUMENTS, 1)
    results = []
    for choice in ({}, {"foreach": False}):
        weights = [nn.Parameter(torch.linspace(-1, 1, 12).view(4, 3)), nn.Parameter(torch.ones(3))]
        optimizer = build_optimizer(weights, bound.func, bound.keywords | choice)
        assert bool(optimizer.param_groups[0][form]) is not bool(choice)
        generator = torch.Generator().manual_seed(0)
        for _ in range(20):
            for weight in weights:
                weight.grad = torch.randn(weight.shape, generator=generator)
            optimizer.step()
        results.append(torch.cat([w.detach().flatten() for w in weights]))
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)
