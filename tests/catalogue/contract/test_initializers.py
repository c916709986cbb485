"""What holds for every initialiser, found by its file: the signal's variance passes 20 layers."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from running import choices, plain
from scipy import integrate
from torch import Tensor

from experiments.catalogue.activations import Activation
from experiments.catalogue.gains import gain_of
from experiments.catalogue.initializers import initialize
from experiments.catalogue.models.mlp import MLP
from experiments.config.entries import entry
from experiments.training.build import initializer_of

DEPTH, WIDTH = 20, 128

# An initialiser whose gain is that of any activation is tried with these; the others are made for
# some: xavier and lecun without a gain for what keeps variance by itself, siren for the sine;
# kaiming has the gain in its first layer too, which only rectifiers pass on as it is.
RECTIFIERS = ("identity", "relu")
WITH_ANY = ("relu", "tanh")
MADE_FOR = {
    "xavier": ("identity",),
    "lecun": ("identity", "selu"),
    "siren": ("sine",),
    "kaiming": ("relu",),
}
FALLS = {"default"}
"""Torch's own: a third of the variance in each layer, by its formula 1 / (3 fan_in)."""

DEAR = {("orthogonal", "relu"), ("truncated_normal", "relu")}
"""Six seconds each; with tanh, which takes fewer seeds, they are tried in every case."""

PAIRS = [
    pytest.param(init, activation, marks=[pytest.mark.slow] if (init, activation) in DEAR else [])
    for init in choices("init")
    if init not in FALLS
    for activation in MADE_FOR.get(init, WITH_ANY)
]


@functools.cache
def activation_of(name: str) -> Activation:
    return entry(plain(f"activation={name}"), "activation")


def squares_by_layer(init: str, activation: str, num_seeds: int) -> Tensor:
    """Return the mean square of each layer's pre-activations for each seed, (DEPTH, seeds)."""
    config = plain(f"init={init}", f"activation={activation}")
    phi = activation_of(activation)
    initializer = initializer_of(config, phi)
    network = MLP((WIDTH,), 1, phi, hidden=[WIDTH] * DEPTH)
    squares: list[list[float]] = [[] for _ in range(DEPTH)]
    for i, layer in enumerate(network.layers):
        layer.affine.register_forward_hook(
            lambda _, __, z, i=i: squares[i].append(z.square().mean().item())
        )
    for seed in range(num_seeds):
        initialize(network, initializer, seed)
        with torch.no_grad():
            generator = torch.Generator().manual_seed(seed)
            network(torch.randn(16, WIDTH, generator=generator))
    return torch.tensor(squares)


def kept(squares: Tensor, activation: str) -> float:
    """Return how much of the variance of the first layer the last one has, in the mean over seeds.

    Rectifiers multiply whatever comes, each layer by a factor of its own weights: the mean of the
    product is the product of the means, known to sqrt(5 DEPTH / (WIDTH seeds)) of itself, and the
    plain mean over seeds much worse. What saturates comes back to its fixed point by itself.
    """
    if activation in RECTIFIERS:
        return (squares[1:] / squares[:-1]).mean(dim=1).prod().item()
    return (squares[-1].mean() / squares[0].mean()).item()


@pytest.mark.parametrize(("init", "activation"), PAIRS)
def test_the_variance_is_kept_through_20_layers(init: str, activation: str) -> None:
    squares = squares_by_layer(init, activation, 400 if activation in RECTIFIERS else 50)
    # The first layer of siren maps coordinates to many periods of the sine.
    squares = squares[1:] if init == "siren" else squares
    assert kept(squares, activation) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("activation", choices("activation"))
def test_with_its_gain_every_activation_keeps_it_that_can(activation: str) -> None:
    gain = gain_of(activation_of(activation))
    low, high = (gain**2 * moment(activation, v) for v in (0.95, 1.05))
    slope = (high - low) / 0.1
    if slope > 1.01:
        # A layer multiplies whatever deviates from 1: no weights drawn at random can keep it.
        assert slope == pytest.approx(GROWS.get(activation, slope), abs=0.03)
    elif slope > 0.99:
        # Rectifiers pass any variance on as it is, through any number of layers.
        for variance in (0.25, 4.0):
            by_one = gain**2 * moment(activation, variance) / variance
            assert by_one**DEPTH == pytest.approx(1, abs=0.1)
    else:
        squares = squares_by_layer("orthogonal", activation, num_seeds=20)
        assert kept(squares, activation) == pytest.approx(1, abs=0.1)


GROWS = {"gelu": 1.14, "gelu_tanh": 1.14, "silu": 1.17, "swish": 1.17, "mish": 1.08}
GROWS |= {"hardswish": 1.22, "squared_relu": 2.0, "glu": 1.1, "geglu": 2.15, "swiglu": 2.15}
"""The slopes that gains.py and the README speak of."""


def test_torchs_default_loses_it() -> None:
    # To a third in each layer; in the end biases of variance 1 / (3 fan_in) are what is left.
    squares = squares_by_layer("default", "identity", num_seeds=20).mean(dim=1)
    assert (squares[1] / squares[0]).item() == pytest.approx(1 / 3, rel=0.1)
    assert squares[-1] / squares[0] < 0.05


@functools.cache
def moment(activation: str, variance: float) -> float:
    """Return E[phi(z)^2] for z ~ N(0, variance) in each feature, by scipy or numpy."""
    phi = activation_of(activation)().double().eval()
    multiplier = getattr(phi, "multiplier", 1)
    scale = math.sqrt(variance)

    def square(z: float) -> float:
        with torch.no_grad():
            return float(phi(torch.tensor([[z * scale]], dtype=torch.float64)).square().mean())

    if multiplier in (2,):
        rng = np.random.default_rng(0)
        z = torch.from_numpy(rng.standard_normal((2_000_000, 2)) * scale)
        with torch.no_grad():
            return float(phi(z).square().mean())
    density = functools.partial(lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi))
    value, _ = integrate.quad(
        lambda z: square(z) * density(z), -10, 10, points=[0], limit=500, epsabs=1e-9
    )
    return value


@pytest.mark.parametrize("activation", choices("activation"))
def test_a_gain_brings_the_second_moment_back_to_1(activation: str) -> None:
    gain = gain_of(activation_of(activation))
    # 2 million draws of pairs leave an error of a tenth of a percent.
    is_pair = getattr(activation_of(activation)(), "multiplier", 1) == 2
    assert gain**2 * moment(activation, 1.0) == pytest.approx(1, rel=0.005 if is_pair else 1e-4)


CLOSED_FORMS = {
    "identity": 1.0,
    "relu": math.sqrt(2),
    "leaky_relu": math.sqrt(2 / (1 + 0.1**2)),
    "prelu": math.sqrt(2 / (1 + 0.25**2)),
    "crelu": math.sqrt(2),
    "selu": 1.0,
    # E[z^4] / 2 = 3/2.
    "squared_relu": math.sqrt(2 / 3),
    # E[sin^2(w z)] = (1 - exp(-2 w^2)) / 2.
    "sine": math.sqrt(2 / (1 - math.exp(-2 * 30**2))),
    # E[max(z1, z2)^2] = var + mean^2 = (1 - 1/pi) + 1/pi.
    "maxout": 1.0,
    # E[(z + sin^2 z)^2] = 1 + E[sin^4 z] = 1 + 3/8 - e^-2 / 2 + e^-8 / 8.
    "snake": 1 / math.sqrt(1 + 3 / 8 - math.exp(-2) / 2 + math.exp(-8) / 8),
}


@pytest.mark.parametrize("activation", CLOSED_FORMS)
def test_gains_of_closed_form(activation: str) -> None:
    got = gain_of(activation_of(activation))
    exact = activation not in ("maxout",)
    assert got == pytest.approx(CLOSED_FORMS[activation], rel=1e-6 if exact else 1e-3)


def test_an_activation_that_passes_nothing_has_no_gain() -> None:
    dead: Callable[[], torch.nn.Module] = lambda: torch.nn.Threshold(100.0, 0.0)  # noqa: E731
    with pytest.raises(ValueError, match="second moment of Threshold is 0"):
        gain_of(dead)
