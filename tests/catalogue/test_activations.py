"""Activations against formulas and published numbers; what holds for all is in the contract."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from running import CONF, plain
from torch import nn

from experiments.catalogue.activations import (
    PHI_OUT,
    CReLU,
    Maxout,
    Sine,
    Snake,
    pre_activation_features,
)
from experiments.config.entries import entry
from experiments.errors.messages import UserError
from experiments.training.build import build_module, load_data

X = [-7.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0, 7.0]


def s(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def normal(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


def gelu_tanh(x: float) -> float:
    # Hendrycks & Gimpel 2016, section 2.
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


# The two constants as Klambauer et al. 2017 print them, section 2.
ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

FORMULAS: dict[str, Callable[[float], float]] = {
    "identity": lambda x: x,
    "sigmoid": s,
    "tanh": lambda x: (math.exp(x) - math.exp(-x)) / (math.exp(x) + math.exp(-x)),
    "relu": lambda x: max(0.0, x),
    "leaky_relu": lambda x: max(0.1 * x, x),
    "prelu": lambda x: max(0.0, x) + 0.25 * min(0.0, x),
    # In evaluation the mean of the slopes 1/8 to 1/3.
    "rrelu": lambda x: x if x >= 0 else x * (1 / 8 + 1 / 3) / 2,
    "elu": lambda x: x if x >= 0 else math.exp(x) - 1,
    "selu": lambda x: SCALE * (x if x > 0 else ALPHA * (math.exp(x) - 1)),
    "celu": lambda x: max(0.0, x) + min(0.0, math.exp(x) - 1),
    "gelu": lambda x: x * normal(x),
    "gelu_tanh": gelu_tanh,
    "silu": lambda x: x * s(x),
    "swish": lambda x: x * s(x),
    "mish": lambda x: x * math.tanh(math.log(1 + math.exp(x))),
    "softplus": lambda x: math.log(1 + math.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "hardtanh": lambda x: min(1.0, max(-1.0, x)),
    "hardsigmoid": lambda x: min(1.0, max(0.0, x / 6 + 0.5)),
    "hardswish": lambda x: x * min(6.0, max(0.0, x + 3)) / 6,
    "relu6": lambda x: min(6.0, max(0.0, x)),
    "squared_relu": lambda x: max(0.0, x) ** 2,
    "sine": lambda x: math.sin(30 * x),
    "snake": lambda x: x + math.sin(x) ** 2,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_equals_its_formula(name: str) -> None:
    activation = entry(plain(f"activation={name}"), "activation")().double().eval()
    got = activation(torch.tensor([X], dtype=torch.float64))
    want = torch.tensor([[FORMULAS[name](x) for x in X]], dtype=torch.float64)
    torch.testing.assert_close(got, want)


GATES: dict[str, Callable[[float, float], float]] = {
    "glu": lambda a, b: a * s(b),
    "geglu": lambda a, b: a * normal(a) * b,
    "swiglu": lambda a, b: a * s(a) * b,
    "maxout": max,
}


@pytest.mark.parametrize("name", GATES)
def test_units_of_two_pieces_equal_their_formula(name: str) -> None:
    activation = entry(plain(f"activation={name}"), "activation")().double()
    pairs = [(a, b) for a in X for b in X]
    got = activation(torch.tensor(pairs, dtype=torch.float64)).flatten()
    want = torch.tensor([GATES[name](a, b) for a, b in pairs], dtype=torch.float64)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize(
    ("name", "x", "value", "digits"),
    [
        # Printed in the papers: GELU's and SiLU's minima, Mish's (Misra 2019: about -0.31 at
        # -1.19), and SELU's lower end -ALPHA SCALE = -1.7581.
        ("gelu", -0.7517915, -0.1699712, 6),
        ("silu", -1.2784645, -0.2784645, 6),
        ("mish", -1.1924288, -0.3088, 4),
        ("selu", -50.0, -1.7580993, 6),
    ],
)
def test_published_numbers(name: str, x: float, value: float, digits: int) -> None:
    activation = entry(plain(f"activation={name}"), "activation")().double()
    got = activation(torch.tensor([[x]], dtype=torch.float64)).item()
    assert got == pytest.approx(value, abs=0.5 * 10**-digits)


def test_every_activation_has_its_formula_here() -> None:
    # A new file is held by the contract alone until its formula stands here; ours all have one.
    here = set(FORMULAS) | set(GATES) | {"crelu"}
    in_docs = {path.stem for path in (CONF / "activation").glob("*.yaml")}
    assert here <= in_docs


def test_crelu_returns_both_halves() -> None:
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    got = CReLU()(x)
    assert got.shape == (2, 6, 4)
    torch.testing.assert_close(got[:, :3] - got[:, 3:], x)
    assert got.min() >= 0


def test_maxout_is_the_largest_of_its_affine_pieces() -> None:
    # h = max(w1' x + b1, w2' x + b2), by hand from the rows of one affine layer.
    torch.manual_seed(0)
    layer, x = nn.Linear(5, 6), torch.randn(4, 5)
    pieces = layer(x)
    want = torch.stack([torch.maximum(pieces[:, 2 * i], pieces[:, 2 * i + 1]) for i in range(3)], 1)
    torch.testing.assert_close(Maxout(2)(pieces), want)


def test_maxout_works_over_channels_of_images() -> None:
    x = torch.randn(2, 6, 5, 5)
    got = Maxout(3)(x)
    assert got.shape == (2, 2, 5, 5)
    torch.testing.assert_close(got[:, 0], x[:, :3].amax(1))


def test_pre_activation_features_follow_the_multiplier() -> None:
    assert pre_activation_features(nn.Tanh, 7) == 7
    assert pre_activation_features(lambda: Maxout(3), 7) == 21
    assert pre_activation_features(CReLU, 8) == 4
    with pytest.raises(ValueError, match="7/2 features"):
        pre_activation_features(CReLU, 7)


SIZES = {  # of layers 4-6-6 with 3 outputs: weights and biases of each layer, and their own
    "relu": 30 + 42 + 21,
    "maxout": 60 + 84 + 21,
    "swiglu": 60 + 84 + 21,
    "crelu": 15 + 21 + 21,
    "prelu": 30 + 42 + 21 + 2,
    "swish": 30 + 42 + 21 + 2,
}


@pytest.mark.parametrize("name", SIZES)
def test_the_record_says_what_an_activation_adds(name: str, train_run: Callable) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(60, 4), torch.arange(60) % 3
    import numpy as np

    np.savez("data.npz", x=x.numpy(), y=y.numpy())
    run = train_run(
        "data=npz",
        "data.path=data.npz",
        "data.batch_size=10",
        "model=mlp",
        "model.hidden=[6,6]",
        f"activation={name}",
        "trainer.max_epochs=1",
    )
    assert run.record["num_parameters"] == SIZES[name]
    assert run.record["num_activation_parameters"] == SIZES[name] - SIZES["relu"]


@pytest.mark.parametrize("data", ["mnist1d", "digits"])
@pytest.mark.parametrize("name", ["maxout", "glu", "geglu", "swiglu", "crelu", "prelu"])
def test_widening_and_doubling_go_through_convolutions(name: str, data: str) -> None:
    overrides = ["model.channels=[4,8]", "model.dense=[6]", f"activation={name}"]
    config = plain("data=digits", *overrides)
    spec = load_data(config).spec
    if data == "mnist1d":  # its shape; the data themselves are not needed
        spec = type(spec)((1, 40), 10, "classification", spec.class_names)
    network = build_module(config, spec).network
    factor = {"prelu": Fraction(1), "crelu": Fraction(1, 2)}.get(name, Fraction(2))
    wanted = [int(factor * n) for n in (4, 8)]
    assert [conv.affine.out_channels for conv in network.convs] == wanted
    assert [conv.affine.in_channels for conv in network.convs] == [1, 4]
    assert network(torch.zeros(2, *spec.shape)).shape == (2, 10)


def test_a_width_that_cannot_be_halved_is_told() -> None:
    config = plain("model=mlp", "model.hidden=[7]", "activation=crelu")
    with pytest.raises(UserError, match=r"model.hidden=7: 7 features need 7/2.*model.hidden=8"):
        build_module(config, load_data(config).spec)


@pytest.mark.parametrize(("make", "said"), [(Sine, "omega_0=0"), (Snake, "a=0")])
def test_a_frequency_is_above_0(make: type, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(0)


def test_phi_out_gives_probabilities_where_it_says_so() -> None:
    z = torch.randn(4, 3)
    torch.testing.assert_close(PHI_OUT["softmax"].build()(z).sum(1), torch.ones(4))
    torch.testing.assert_close(PHI_OUT["log_softmax"].build()(z).exp().sum(1), torch.ones(4))
    torch.testing.assert_close(PHI_OUT["sigmoid"].build()(z), 1 / (1 + (-z).exp()))
    torch.testing.assert_close(PHI_OUT["identity"].build()(z), z)
