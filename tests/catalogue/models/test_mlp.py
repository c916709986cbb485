"""The MLP and the linear model: h_i = phi(W_i h_{i-1} + b_i), y = phi_out(W h + b)."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.catalogue.activations import Maxout
from experiments.catalogue.models.linear import Linear
from experiments.catalogue.models.mlp import MLP
from experiments.errors.messages import UserError


def test_equals_the_formula_written_out() -> None:
    net = MLP((4,), 3, nn.Tanh, hidden=[5, 6], phi_out="softmax")
    x = torch.randn(7, 4)
    w1, b1 = net.layers[0].affine.weight, net.layers[0].affine.bias
    w2, b2 = net.layers[1].affine.weight, net.layers[1].affine.bias
    h1 = torch.tanh(x @ w1.T + b1)
    h2 = torch.tanh(h1 @ w2.T + b2)
    y = torch.softmax(h2 @ net.head.weight.T + net.head.bias, dim=1)
    torch.testing.assert_close(net(x), y)


def test_linear_is_one_affine_map() -> None:
    net = Linear((1, 2, 3), 4)
    x = torch.randn(5, 1, 2, 3)
    torch.testing.assert_close(net(x), x.reshape(5, 6) @ net.head.weight.T + net.head.bias)


def test_an_mlp_of_identities_is_linear() -> None:
    net = MLP((4,), 3, nn.Identity, hidden=[8, 8])
    x, y = torch.randn(5, 4), torch.randn(5, 4)
    zero = net(torch.zeros(5, 4))
    torch.testing.assert_close(net(x + y), net(x) + net(y) - zero, atol=1e-5, rtol=1e-5)


def test_parameters_of_the_published_mnist1d_mlp() -> None:
    net = MLP((1, 40), 10, nn.ReLU, hidden=[100, 100], residual=True)
    assert sum(p.numel() for p in net.parameters()) == 15210


def test_residual_adds_the_input_where_the_widths_agree() -> None:
    net = MLP((4,), 2, nn.ReLU, hidden=[8, 8], residual=True)
    plain = MLP((4,), 2, nn.ReLU, hidden=[8, 8])
    plain.load_state_dict(net.state_dict())
    x = torch.randn(3, 4)
    h = plain.layers[0](x)
    torch.testing.assert_close(net(x), net.head(h + plain.layers[1](h)))


def test_normalisation_and_dropout_of_each_layer() -> None:
    net = MLP((4,), 2, nn.ReLU, hidden=[8, 16], norm=["batch", "layer"], dropout=[0.0, 0.5])
    first, second = ([type(m).__name__ for m in layer] for layer in net.layers)
    assert first == ["Linear", "BatchNorm1d", "ReLU"]
    assert second == ["Linear", "LayerNorm", "ReLU", "Dropout"]
    assert [layer.affine.bias is None for layer in net.layers] == [True, True]


def test_maxout_has_twice_the_weights() -> None:
    relu = MLP((4,), 2, nn.ReLU, hidden=[8])
    maxout = MLP((4,), 2, Maxout, hidden=[8])
    assert maxout.layers[0].affine.weight.numel() == 2 * relu.layers[0].affine.weight.numel()
    assert maxout(torch.randn(3, 4)).shape == (3, 2)


def test_no_hidden_layer_is_the_linear_model() -> None:
    assert sum(p.numel() for p in MLP((4,), 3, nn.ReLU, hidden=[]).parameters()) == 15


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"hidden": [8, 0]},
            "model.hidden=[8,0]: allowed is whole numbers of at least 1. Try model.hidden=[8,256].",
        ),
        ({"norm": ["batch"] * 3}, "model.norm=[batch,batch,batch]: give one value for all"),
        ({"dropout": "some"}, "model.dropout=some: allowed is a number"),
        ({"dropout": -0.1}, "model.dropout=-0.1: allowed is a probability"),
    ],
)
def test_values_that_cannot_be_built_are_told(values: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        MLP((4,), 2, nn.ReLU, **{"hidden": [8, 8], **values})
    assert said in str(caught.value)


def test_an_activation_that_cannot_give_the_width_is_told() -> None:
    class Doubling(nn.Module):
        multiplier = 0.5

    with pytest.raises(
        UserError, match=r"model.hidden=7: 7 features need 7/2 .* Try model.hidden=8"
    ):
        MLP((4,), 2, Doubling, hidden=[7])
