"""Optimizers: step for step what their formulas say, on a quadratic."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from running import plain
from torch import nn

from experiments.catalogue.optimizer_needs import is_switched
from experiments.catalogue.optimizers import build_optimizer, check_values
from experiments.config.entries import entry
from experiments.errors.messages import UserError

A = [1.0, 4.0]
START = [1.0, -2.0]


def path(name: str, num_steps: int = 5) -> list[list[float]]:
    """Return theta after each step on f = 1/2 sum a_i theta_i^2, in float64."""
    config = plain(f"optim={name}")
    bound = entry(config, "optim")
    theta = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = build_optimizer([theta], bound.func, bound.keywords)
    if is_switched(optimizer):
        optimizer.train()
    result = []
    for _ in range(num_steps):
        optimizer.zero_grad()
        (0.5 * torch.tensor(A, dtype=torch.float64) * theta**2).sum().backward()
        optimizer.step()
        result.append(theta.detach().tolist())
    return result


def by_hand(update: Callable[[dict, float, int], float], num_steps: int = 5) -> list[list[float]]:
    """Return the same from a scalar formula: update(state, gradient, step) -> change of theta."""
    theta, states = list(START), [{"a": a} for a in A]
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


def amsgrad(state: dict, g: float, step: int) -> float:
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    state["largest"] = max(state.get("largest", 0.0), state["v"])
    m, v = state["m"] / (1 - 0.9**step), state["largest"] / (1 - 0.999**step)
    return -0.001 * m / (math.sqrt(v) + 1e-8)


def adamax(state: dict, g: float, step: int) -> float:
    # Kingma & Ba 2015, algorithm 2; torch adds eps to the gradient's size.
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["u"] = max(0.999 * state.get("u", 0.0), abs(g) + 1e-8)
    return -0.002 / (1 - 0.9**step) * state["m"] / state["u"]


def nadam(state: dict, g: float, step: int) -> float:
    # Dozat 2016: mu_t = beta_1 (1 - 0.5 * 0.96^(t * momentum_decay)).
    mu, ahead = (0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)) for t in (step, step + 1))
    state["product"] = state.get("product", 1.0) * mu
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    m = ahead * state["m"] / (1 - state["product"] * ahead)
    m += (1 - mu) * g / (1 - state["product"])
    return -0.002 * m / (math.sqrt(state["v"] / (1 - 0.999**step)) + 1e-8)


def adadelta(state: dict, g: float, step: int) -> float:
    # Zeiler 2012, algorithm 1.
    state["g"] = 0.9 * state.get("g", 0.0) + 0.1 * g * g
    change = -math.sqrt(state.get("x", 0.0) + 1e-6) / math.sqrt(state["g"] + 1e-6) * g
    state["x"] = 0.9 * state.get("x", 0.0) + 0.1 * change * change
    return change


def radam(state: dict, g: float, step: int) -> float:
    # Liu et al. 2020, algorithm 2: below a length of 5 the second moment is not trusted.
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    m = state["m"] / (1 - 0.9**step)
    whole = 2 / (1 - 0.999) - 1
    length = whole - 2 * step * 0.999**step / (1 - 0.999**step)
    if length <= 5:
        return -0.001 * m
    above, below = (length - 4) * (length - 2) * whole, (whole - 4) * (whole - 2) * length
    root = math.sqrt(1 - 0.999**step) / (math.sqrt(state["v"]) + 1e-8)
    return -0.001 * m * math.sqrt(above / below) * root


def qhadam(state: dict, g: float, step: int) -> float:
    # Ma & Yarats 2019, equation 8 with nu = (0.7, 1): a weighted mean of gradient and momentum.
    state["m"] = 0.995 * state.get("m", 0.0) + 0.005 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    m, v = state["m"] / (1 - 0.995**step), state["v"] / (1 - 0.999**step)
    return -0.001 * (0.3 * g + 0.7 * m) / (math.sqrt(v) + 1e-8)


def aggmo(state: dict, g: float, step: int) -> float:
    # Lucas et al. 2019, equation 4, as its v <- beta v - g with theta + lr/K sum v.
    state["v"] = [beta * v - g for beta, v in zip(BETAS, state.get("v", [0.0] * 3), strict=True)]
    return 0.01 / 3 * sum(state["v"])


BETAS = (0.0, 0.9, 0.99)


def rprop(state: dict, g: float, step: int) -> float:
    # Riedmiller & Braun 1993: a turn of sign halves the step, and its gradient is forgotten.
    before, size = state.get("g", 0.0), state.get("size", 0.01)
    factor = 1.2 if before * g > 0 else 0.5 if before * g < 0 else 1.0
    state["size"] = min(50.0, max(1e-6, size * factor))
    state["g"] = 0.0 if before * g < 0 else g
    return -math.copysign(state["size"], state["g"]) if state["g"] else 0.0


def schedulefree_sgd(state: dict, g: float, step: int) -> float:
    """Defazio et al. 2024, equations 3 to 5; y, where gradients are taken, is theta."""
    start = state.setdefault("start", None)
    if start is None:
        state["start"] = state["x"] = state["z"] = state["y"] = g / state.pop("a", 1.0)
    state["z"] -= 0.1 * g
    # Equal rates: x is the plain mean of z.
    state["x"] += (state["z"] - state["x"]) / step
    y = 0.1 * state["z"] + 0.9 * state["x"]
    change, state["y"] = y - state["y"], y
    return change


def asgd(state: dict, g: float, step: int) -> float:
    # torch's: lambd decays the weights, and lr falls as 1 / (1 + lambd lr t)^alpha.
    lr = 0.01 / (1 + 1e-4 * 0.01 * (step - 1)) ** 0.75 if step > 1 else 0.01
    theta = g / state["a"]
    return -1e-4 * lr * theta - lr * g


def schedulefree_adamw(state: dict, g: float, step: int) -> float:
    """Defazio et al. 2024, algorithm 1; v starts at the first step's y, weights are equal."""
    if step == 1:
        state["x"] = state["z"] = state["y"] = g / state["a"]
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    scaled = g / (math.sqrt(state["v"] / (1 - 0.999**step)) + 1e-8)
    state["z"] -= 0.0025 * scaled
    state["x"] += (state["z"] - state["x"]) / step
    y = 0.1 * state["z"] + 0.9 * state["x"]
    change, state["y"] = y - state["y"], y
    return change


FORMULAS = {
    "asgd": asgd,
    "schedulefree_adamw": schedulefree_adamw,
    "amsgrad": amsgrad,
    "adamax": adamax,
    "nadam": nadam,
    "adadelta": adadelta,
    "radam": radam,
    "qhadam": qhadam,
    "aggmo": aggmo,
    "rprop": rprop,
    "schedulefree_sgd": schedulefree_sgd,
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
        # torch keeps ASGD's step size in single precision, which moves theta by some 1e-9.
        assert a == pytest.approx(b, rel=1e-8 if name == "asgd" else 1e-9)


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
FORMS |= {"amsgrad": "fused", "adadelta": "foreach", "nadam": "foreach", "radam": "foreach"}
FORMS |= {"adamax": "foreach", "rprop": "foreach"}


@pytest.mark.parametrize(("name", "form"), FORMS.items())
def test_the_fastest_form_is_taken_and_equals_the_plain_one(name: str, form: str) -> None:
    bound = entry(plain(f"optim={name}"), "optim")
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


@pytest.mark.parametrize("name", ["asgd", "adafactor"])
def test_forms_that_are_no_faster_are_not_taken(name: str) -> None:
    bound = entry(plain(f"optim={name}"), "optim")
    optimizer = build_optimizer([nn.Parameter(torch.ones(3))], bound.func, bound.keywords)
    assert not optimizer.param_groups[0]["foreach"]


def test_adafactor_on_a_vector_equals_its_formula() -> None:
    # Shazeer & Stern 2018, algorithm 5 (vectors have no rows and columns), as torch states it.
    theta, a = torch.tensor(START, dtype=torch.float64), torch.tensor(A, dtype=torch.float64)
    second = torch.zeros(2, dtype=torch.float64)
    for step, got in enumerate(path("adafactor"), 1):
        g = a * theta
        second += step**-0.8 * (g.square() - second)
        update = g / second.clamp(min=torch.finfo(torch.float64).eps ** 2).sqrt()
        update /= max(1.0, (update.square().mean().sqrt() / 1.0).item())
        rms = theta.square().mean().sqrt().item()
        theta = theta - max(1e-3, rms) * min(0.01, step**-0.5) * update
        assert got == pytest.approx(theta.tolist(), rel=1e-9)
