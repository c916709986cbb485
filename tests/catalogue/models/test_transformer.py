"""The transformer: torch's encoder layer of the same weights, and tokens in any dimension."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from experiments.catalogue.activations import Maxout
from experiments.catalogue.models.transformer import EncoderLayer, Transformer, positions
from experiments.errors.messages import UserError

TINY = {"patch_size": 2, "dim": 8, "depth": 1, "num_heads": 2, "dim_feedforward": 6}


def transformer(shape: tuple[int, ...] = (1, 4, 4), **values: object) -> Transformer:
    return Transformer(shape, 3, nn.GELU, **{**TINY, **values})


def twin_of(layer: EncoderLayer, rate: float = 0.0) -> nn.TransformerEncoderLayer:
    """Return torch's layer with the weights of ours."""
    twin = nn.TransformerEncoderLayer(
        8, 2, 6, dropout=rate, activation="gelu", batch_first=True, norm_first=True
    )
    weights = {
        "self_attn.in_proj_weight": layer.attention.in_proj.weight,
        "self_attn.in_proj_bias": layer.attention.in_proj.bias,
        "self_attn.out_proj.weight": layer.attention.out_proj.weight,
        "self_attn.out_proj.bias": layer.attention.out_proj.bias,
        "linear1.weight": layer.hidden.affine.weight,
        "linear1.bias": layer.hidden.affine.bias,
    }
    shared = ("linear2", "norm1", "norm2")
    weights |= {
        f"{name}.{word}": getattr(getattr(layer, name), word)
        for name in shared
        for word in ("weight", "bias")
    }
    twin.load_state_dict(weights)
    return twin


def test_a_layer_equals_torch_s_of_the_same_weights() -> None:
    layer = EncoderLayer(8, 2, 6, nn.GELU, 0.0)
    twin, x = twin_of(layer), torch.randn(3, 5, 8, requires_grad=True)
    ours, theirs = layer(x), twin(x)
    torch.testing.assert_close(ours, theirs)
    cotangent = torch.randn_like(ours)
    [ours_back] = torch.autograd.grad(ours, x, cotangent)
    [theirs_back] = torch.autograd.grad(theirs, x, cotangent)
    torch.testing.assert_close(ours_back, theirs_back)


def test_dropout_is_where_torch_has_it() -> None:
    layer = EncoderLayer(8, 2, 6, nn.GELU, 0.5)
    rates = [m.p for m in layer.modules() if isinstance(m, nn.Dropout)]
    twin = twin_of(layer, 0.5)
    # Torch's attention has its rate as a number.
    theirs = [m.p for m in twin.modules() if isinstance(m, nn.Dropout)] + [twin.self_attn.dropout]
    assert sorted(rates) == sorted(theirs)


def test_it_is_its_parts_one_after_the_other() -> None:
    net, x = transformer(), torch.randn(2, 1, 4, 4)
    patches = [x[:, :, i : i + 2, j : j + 2] for i in (0, 2) for j in (0, 2)]
    weight = net.patches.weight.flatten(1)
    tokens = torch.stack([p.flatten(1) @ weight.T + net.patches.bias for p in patches], dim=1)
    h = twin_of(net.layers[0])(tokens + net.positions)
    torch.testing.assert_close(net(x), net.head(net.norm(h).mean(1)))


def test_positions_of_a_signal_and_of_an_image() -> None:
    of_signal = positions([3], 4)
    for p in range(3):
        angles = [p, p / 100]  # 10000^0 and 10000^(1/2)
        expected = [*map(math.sin, angles), *map(math.cos, angles)]
        torch.testing.assert_close(of_signal[p], torch.tensor(expected))
    of_image = positions([2, 3], 8)
    rows, columns = positions([2], 4), positions([3], 4)
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(of_image[3 * i + j], torch.cat([rows[i], columns[j]]))


def test_positions_are_no_parameters_and_need_no_file() -> None:
    net = transformer()
    assert "positions" not in dict(net.named_parameters())
    assert "positions" not in net.state_dict()
    assert net.double().positions.dtype == torch.float64


def test_without_positions_the_order_of_patches_would_not_matter() -> None:
    net, x = transformer((1, 4)), torch.randn(2, 1, 4)
    turned = x.unflatten(2, (2, 2)).flip(2).flatten(2)
    assert not torch.allclose(net(x), net(turned))
    net.positions.zero_()
    torch.testing.assert_close(net(x), net(turned))


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 40), (3, 6, 4), (1, 4, 4, 4)])
def test_it_takes_signals_images_and_volumes(shape: tuple[int, ...]) -> None:
    net = transformer(shape, dim=12)
    assert net(torch.randn(2, *shape)).shape == (2, 3)


def test_an_activation_with_pieces_has_a_wider_feed_forward_part() -> None:
    net = Transformer((1, 4, 4), 3, Maxout, **TINY)
    assert net.layers[0].hidden.affine.out_features == 12
    assert net(torch.randn(2, 1, 4, 4)).shape == (2, 3)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"patch_size": 3}, "model.patch_size=3: allowed is a divisor of 4 (the points' size). Try model.patch_size=2"),
        ({"dim": 6}, "model.dim=6: allowed is a multiple of 4, of model.num_heads=2 and of the sines"),
        ({"dim": 0}, "model.dim=0: allowed is a multiple of 4"),
        ({"num_heads": 0}, "model.num_heads=0: allowed is whole numbers of at least 1"),
        ({"depth": 0}, "model.depth=0: allowed is whole numbers of at least 1"),
        ({"dropout": 1.0}, "model.dropout=1.0: allowed is a probability"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_built_are_told(values: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        transformer(**values)
    assert said in str(caught.value)
