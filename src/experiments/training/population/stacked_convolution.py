"""Convolutions of many members as one batched product of matrices.

What a kernel sees at a position is a row of numbers, its patch; the convolution is the product of
all patches with the kernels as a matrix. Patches repeat each number as often as kernels overlap, so
that this pays where they are few and the calls of a convolution for each member cost more.

Shape letters: A members, B batch, C channels in, O channels out, S positions, T positions of a
kernel.
"""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.catalogue.models.cnn import CONVOLUTIONS


class Windows(NamedTuple):
    """How kernels slide over the positions, in each dimension."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]


def windows_of(convolution: Any) -> Windows | None:
    """Return a convolution's windows; None of one with groups, holes, or more than zeros around."""
    is_plain = (
        convolution.groups == 1
        and set(convolution.dilation) == {1}
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
    )
    if not is_plain:
        return None
    return Windows(convolution.kernel_size, convolution.stride, convolution.padding)


def num_patch_numbers(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Return how many numbers the patches of all convolutions have for one point.

    >>> from torch import nn
    >>> num_patch_numbers(nn.Conv1d(2, 7, kernel_size=3, stride=2), (2, 9))
    24
    """
    numbers: list[int] = []

    def count(module: Any, inputs: Any, outputs: Tensor) -> None:
        numbers.append(module.weight[0].numel() * math.prod(outputs.shape[2:]))

    probe = copy.deepcopy(network).eval()
    for module in probe.modules():
        if isinstance(module, CONVOLUTIONS):
            module.register_forward_hook(count)
    first = next(probe.parameters())
    with torch.no_grad():
        probe(torch.zeros(1, *shape, dtype=first.dtype, device=first.device))
    return sum(numbers)


class ConvolutionOfMembers(torch.autograd.Function):
    """y_a = W_a * x_a + b_a of each member, as torch.nn.functional.conv1d, conv2d and conv3d.

    With P_a the patches (B S, T C) and W_a the kernels (O, T C): y_a = P_a W_a' + b_a,
    dL/dW_a = g_a' P_a, and dL/dx_a adds up what g_a W_a says of each number of the patches, one
    position of the kernel after the other.

    Shapes: x (A B, C, *sizes), W (A, O, C, *kernel), b (A, O) -> (A B, O, *positions), with the
    channels innermost in memory.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, windows: Windows
    ) -> Tensor:
        num_members, num_outputs = weight.shape[:2]
        padded = F.pad(x.movedim(1, -1), [0, 0, *around(windows.padding)])
        views = padded
        for i, (size, stride) in enumerate(zip(windows.kernel_size, windows.stride, strict=True)):
            views = views.unfold(1 + i, size, stride)
        num_dims = len(windows.kernel_size)
        positions = views.shape[1 : 1 + num_dims]
        num_numbers = weight[0, 0].numel()
        patches = views.movedim(1 + num_dims, -1).reshape(num_members, -1, num_numbers)
        kernels = weight.movedim(2, -1).reshape(num_members, num_outputs, num_numbers)
        if bias is None:
            y = torch.bmm(patches, kernels.transpose(1, 2))
        else:
            y = torch.baddbmm(bias.unsqueeze(1), patches, kernels.transpose(1, 2))
        ctx.save_for_backward(patches, kernels)
        ctx.windows, ctx.padded, ctx.positions = windows, padded.shape, positions
        return y.view(len(x), *positions, num_outputs).movedim(-1, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        patches, kernels = ctx.saved_tensors
        sizes, channels = ctx.windows.kernel_size, ctx.padded[-1]
        num_members, num_outputs = kernels.shape[:2]
        g = gradients[0].movedim(1, -1).reshape(num_members, -1, num_outputs)
        of_kernels = torch.bmm(g.transpose(1, 2), patches)
        of_weight = of_kernels.view(num_members, num_outputs, *sizes, channels).movedim(-1, 2)
        of_inputs = None
        if ctx.needs_input_grad[0]:
            of_patches = torch.bmm(g, kernels).view(-1, *ctx.positions, *sizes, channels)
            of_inputs = added_up(of_patches, ctx.padded, ctx.windows)
        of_bias = g.sum(1) if ctx.needs_input_grad[2] else None
        return of_inputs, of_weight, of_bias, None


def around(padding: tuple[int, ...]) -> list[int]:
    """Return a padding as torch.nn.functional.pad takes it: last dimension first."""
    return [size for size in reversed(padding) for _ in range(2)]


def added_up(of_patches: Tensor, padded: torch.Size, windows: Windows) -> Tensor:
    """Return for each number the sum over the patches that it stands in.

    Shapes: (A B, *positions, *kernel, C) -> (A B, C, *sizes).
    """
    num_dims = len(windows.kernel_size)
    total = of_patches.new_zeros(padded)
    every: tuple[Any, ...] = (slice(None),) * (1 + num_dims)
    for place in itertools.product(*map(range, windows.kernel_size)):
        seen = [
            slice(start, start + stride * (number - 1) + 1, stride)
            for start, stride, number in zip(
                place, windows.stride, of_patches.shape[1 : 1 + num_dims], strict=True
            )
        ]
        total[(slice(None), *seen)] += of_patches[(*every, *place)]
    inner = [
        slice(size, length - size)
        for size, length in zip(windows.padding, padded[1:-1], strict=True)
    ]
    return total[(slice(None), *inner)].movedim(-1, 1)
