"""Activations against the lecture's formulas."""

from __future__ import annotations

import math

import pytest
import torch
from running import plain
from torch import nn

from experiments.activations import PHI_OUT, Maxout, pre_activation_features
from experiments.building import entry

X = [-3.0, -1.0, -0.5, 0.0, 0.5, 2.0]
FORMULAS = {
    "identity": lambda x: x,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": lambda x: (math.exp(x) - math.exp(-x)) / (math.exp(x) + math.exp(-x)),
    "relu": lambda x: max(0.0, x),
    "leaky_relu": lambda x: max(0.1 * x, x),
    "elu": lambda x: x if x >= 0 else math.exp(x) - 1,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_the_lectures_formulas(name: str) -> None:
    activation = entry(plain(f"activation={name}"), "activation")()
    got = activation(torch.tensor([X], dtype=torch.float64))
    want = torch.tensor([[FORMULAS[name](x) for x in X]], dtype=torch.float64)
    torch.testing.assert_close(got, want)


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


def test_maxout_gradients() -> None:
    x = torch.randn(3, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Maxout(2), x)


def test_pre_activation_features_follow_the_multiplier() -> None:
    class Doubling(nn.Module):
        multiplier = 0.5

    assert pre_activation_features(nn.Tanh, 7) == 7
    assert pre_activation_features(lambda: Maxout(3), 7) == 21
    assert pre_activation_features(Doubling, 8) == 4
    with pytest.raises(ValueError, match="7/2 features"):
        pre_activation_features(Doubling, 7)


def test_phi_out_gives_probabilities_where_it_says_so() -> None:
    z = torch.randn(4, 3)
    torch.testing.assert_close(PHI_OUT["softmax"].build()(z).sum(1), torch.ones(4))
    torch.testing.assert_close(PHI_OUT["log_softmax"].build()(z).exp().sum(1), torch.ones(4))
    torch.testing.assert_close(PHI_OUT["sigmoid"].build()(z), 1 / (1 + (-z).exp()))
    torch.testing.assert_close(PHI_OUT["identity"].build()(z), z)
