"""A convolution of members against torch's own, one after the other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from experiments.training.population.stacked_convolution import (
    ConvolutionOfMembers,
    Windows,
    num_patch_numbers,
    windows_of,
)

CONVOLUTIONS: list[tuple[Any, tuple[int, ...]]] = [
    (nn.Conv1d(2, 4, 3, stride=2, padding=1), (9,)),
    (nn.Conv1d(2, 4, 1, bias=False), (5,)),
    (nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(0, 1)), (8, 7)),
    (nn.Conv3d(2, 3, 2, stride=2), (4, 5, 6)),
]


@pytest.mark.parametrize(("convolution", "sizes"), CONVOLUTIONS)
def test_outputs_and_gradients_are_those_of_torch(convolution: Any, sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    windows = windows_of(convolution)
    assert windows is not None
    shapes = [(6, 2, *sizes), (3, *convolution.weight.shape)]
    shapes += [] if convolution.bias is None else [(3, *convolution.bias.shape)]
    tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def outputs(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return ConvolutionOfMembers.apply(x, weight, bias, windows)

    def in_turn(x: Tensor, *weights: Tensor) -> Tensor:
        names = ["weight", "bias"][: len(weights)]
        return torch.cat(
            [
                torch.func.functional_call(convolution, dict(zip(names, own, strict=True)), (part,))
                for part, *own in zip(x.split(2), *weights, strict=True)
            ]
        )

    got, expected = outputs(*tensors), in_turn(*tensors)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    g = torch.randn_like(expected)
    for one, other in zip(
        torch.autograd.grad(got, tensors, g), torch.autograd.grad(expected, tensors, g), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_only_plain_convolutions_have_windows() -> None:
    assert windows_of(nn.Conv1d(2, 4, 3)) == Windows((3,), (1,), (0,))
    for other in (
        nn.Conv1d(2, 4, 3, groups=2),
        nn.Conv1d(2, 4, 3, dilation=2),
        nn.Conv1d(2, 4, 3, padding=1, padding_mode="circular"),
        nn.Conv1d(2, 4, 3, padding="same"),
    ):
        assert windows_of(other) is None


def test_patches_are_counted_for_one_point() -> None:
    network = nn.Sequential(nn.Conv1d(1, 25, 5, stride=2, padding=1), nn.Conv1d(25, 25, 3))
    # 19 positions of 5 numbers, then 17 of 75.
    assert num_patch_numbers(network, (1, 40)) == 19 * 5 + 17 * 75
