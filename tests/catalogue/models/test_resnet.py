"""The ResNet for small images: the paper's numbers, and its formula written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.catalogue.activations import CReLU, Maxout
from experiments.catalogue.models.resnet import ResidualBlock, ResNet
from experiments.errors.messages import UserError

TINY = {"depth": 8, "width": 4}


def resnet(shape: tuple[int, ...] = (1, 6, 6), **values: object) -> ResNet:
    return ResNet(shape, 3, nn.ReLU, **{**TINY, **values})


def num_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)])
def test_the_paper_s_numbers_of_parameters(depth: int, millions: float) -> None:
    # He et al. 2016, table 6.
    with torch.device("meta"):
        network = ResNet((3, 32, 32), 10, nn.ReLU, depth=depth)
    assert round(num_parameters(network) / 1e6, 2) == millions


@pytest.mark.parametrize("depth", [8, 14])
def test_the_depth_counts_layers_with_weights_along_the_longest_path(depth: int) -> None:
    with torch.device("meta"):
        network = ResNet((3, 32, 32), 10, nn.ReLU, depth=depth, shortcut="padding")
    weighty = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(weighty) == depth


def plain_block(block: ResidualBlock, x: Tensor, shortcut: Tensor) -> Tensor:
    """Return phi(W_2 * phi(W_1 * x + b_1) + b_2 + s), by torch's functions."""
    w1, w2 = block.first.affine, block.second.affine
    stride = 2 if w2.out_channels > x.shape[1] else 1
    h = F.relu(F.conv2d(x, w1.weight, w1.bias, stride=stride, padding=1))
    return F.relu(F.conv2d(h, w2.weight, w2.bias, padding=1) + shortcut)


@pytest.mark.parametrize("size", [6, 7])
def test_a_block_equals_the_formula_written_out(size: int) -> None:
    network = resnet((4, size, size), norm="none")
    x = torch.randn(2, 4, size, size)
    same, halved = network.blocks[0], network.blocks[1]
    torch.testing.assert_close(same(x), plain_block(same, x, x))
    padded = torch.cat([x[:, :, ::2, ::2], torch.zeros_like(x[:, :, ::2, ::2])], dim=1)
    torch.testing.assert_close(halved(x), plain_block(halved, x, padded))


def test_a_projection_is_a_convolution_of_one_position() -> None:
    network = resnet((4, 6, 6), norm="none", shortcut="projection")
    block, x = network.blocks[1], torch.randn(2, 4, 6, 6)
    weight, bias = block.shortcut.affine.weight, block.shortcut.affine.bias
    projected = F.conv2d(x, weight, bias, stride=2)
    torch.testing.assert_close(block(x), plain_block(block, x, projected))


def test_without_shortcuts_it_is_a_plain_network() -> None:
    network = resnet((4, 6, 6), norm="none", shortcut="none")
    block, x = network.blocks[0], torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(block(x), plain_block(block, x, torch.zeros_like(x)))


def test_the_head_maps_the_mean_over_positions() -> None:
    network, x = resnet(), torch.randn(2, 1, 6, 6)
    h = network.stem(x)
    for block in network.blocks:
        h = block(h)
    assert h.shape == (2, 16, 2, 2)
    torch.testing.assert_close(network(x), network.head(h.mean(dim=(2, 3))))


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 8, 8), (1, 40), (3, 5, 4, 6), (1, 1)])
@pytest.mark.parametrize("shortcut", ["padding", "projection", "none"])
def test_it_takes_any_size(shape: tuple[int, ...], shortcut: str) -> None:
    network = resnet(shape, shortcut=shortcut).eval()
    assert network(torch.randn(2, *shape)).shape == (2, 3)


@pytest.mark.parametrize(
    ("norm", "kind"),
    [("batch", nn.BatchNorm2d), ("group", nn.GroupNorm), ("layer", nn.GroupNorm), ("none", None)],
)
def test_normalisation_takes_the_place_of_biases(norm: str, kind: type | None) -> None:
    network = resnet(norm=norm, norm_groups=2)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert {m.bias is None for m in convolutions} == {norm != "none"}
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)]
    assert len(norms) == (0 if kind is None else len(convolutions))
    assert all(type(m) is kind for m in norms)


def test_each_layer_has_an_activation_of_its_own() -> None:
    network = ResNet((1, 6, 6), 3, nn.PReLU, **TINY)
    slopes = [m for m in network.modules() if isinstance(m, nn.PReLU)]
    assert len(slopes) == TINY["depth"] - 1  # all layers but the last
    network(torch.randn(4, 1, 6, 6)).sum().backward()
    assert all(m.weight.grad is not None for m in slopes)


@pytest.mark.parametrize(("activation", "ratio"), [(Maxout, "2 features"), (CReLU, "1/2 features")])
def test_an_activation_that_changes_the_number_of_features_wants_projections(
    activation: type, ratio: str
) -> None:
    said = f"activation: it takes {ratio} .* Try model.shortcut=projection"
    with pytest.raises(UserError, match=said):
        ResNet((1, 6, 6), 3, activation)
    network = ResNet((1, 6, 6), 3, activation, shortcut="projection", **TINY)
    assert network(torch.randn(2, 1, 6, 6)).shape == (2, 3)
    block, x = network.blocks[0].eval(), torch.randn(2, 4, 6, 6)
    added = block.second(block.first(x)) + block.shortcut(x)
    torch.testing.assert_close(block(x), activation()(added))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"depth": 18}, "model.depth=18: allowed is 6n + 2"),
        ({"depth": 2}, "Try model.depth=8."),
        ({"width": 0}, "model.width=0: allowed is whole numbers of at least 1. Try model.width=16"),
        ({"norm": "bacth"}, "Did you mean model.norm=batch?"),
        ({"norm": "group", "norm_groups": 3}, "model.norm_groups=3: allowed is a divisor of 4"),
        ({"shortcut": "conv"}, "Did you mean model.shortcut=projection?"),
    ],
)
def test_values_that_cannot_be_built_are_told(values: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        resnet(**values)
    assert said in str(caught.value)
