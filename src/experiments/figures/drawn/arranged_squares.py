"""Where the squares of a convolution stand on a slide: inputs, filters and outputs.

Lengths are in points: an inch has 72.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from torch import Tensor
from torch.nn import functional

from experiments.figures.page.slide import HEIGHT, WIDTH

CELL = 20.0
SPACE = 30.0
GAP = 12.0
CHANNEL = 44.0
"""How wide a filter's channel is at least: its name stands above it."""
NAME = 17.0
"""How high the line above a square is, which names it."""


@dataclass(frozen=True)
class Convolved:
    """An input, filters, and what comes out.

    Shapes: inputs (C, W, W) without padding, weight (K, C, F, F), bias (K,), outputs (K, O, O).
    """

    inputs: Tensor
    weight: Tensor
    bias: Tensor
    outputs: Tensor
    stride: int
    padding: int

    @property
    def padded(self) -> Tensor:
        return functional.pad(self.inputs, (self.padding,) * 4)

    @property
    def num_uncovered(self) -> int:
        """How many of the last rows, and of the last columns, no window covers."""
        num_positions, kernel = self.outputs.shape[-1], self.weight.shape[-1]
        return int(self.padded.shape[-1] - ((num_positions - 1) * self.stride + kernel))


@dataclass(frozen=True)
class Arrangement:
    """Where the squares of a convolution stand, from the upper left corner of the sheet.

    Inputs are above, outputs to their right, filters below: so many of each in a row.
    """

    result: Convolved
    inputs: int
    filters: int
    outputs: int

    @property
    def sides(self) -> tuple[float, float, float]:
        """How long the side of an input, of a filter and of an output is."""
        sizes = (self.result.padded, self.result.weight, self.result.outputs)
        padded, kernel, num = (size.shape[-1] * CELL for size in sizes)
        return padded, max(kernel, CHANNEL), max(num, CELL)

    @property
    def upper(self) -> float:
        """How high inputs and outputs are."""
        padded, _, num = self.sides
        channels, num_filters = len(self.result.inputs), len(self.result.outputs)
        heights = (padded + NAME) * math.ceil(channels / self.inputs)
        return max(heights, (num + NAME) * math.ceil(num_filters / self.outputs))

    @property
    def block(self) -> float:
        """How wide a filter with all its channels is."""
        channels = len(self.result.inputs)
        return channels * self.sides[1] + (channels - 1) * GAP

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of all."""
        padded, kernel, num = self.sides
        above = self.inputs * (padded + GAP) - GAP + SPACE + self.outputs * (num + GAP) - GAP
        below = self.filters * (self.block + SPACE) - SPACE
        rows = math.ceil(len(self.result.weight) / self.filters)
        return max(above, below), self.upper + GAP + rows * (kernel + 2 * NAME)

    def input_at(self, c: int) -> tuple[float, float]:
        row, column = divmod(c, self.inputs)
        return column * (self.sides[0] + GAP), row * (self.sides[0] + NAME)

    def output_at(self, k: int) -> tuple[float, float]:
        row, column = divmod(k, self.outputs)
        left = self.inputs * (self.sides[0] + GAP) - GAP + SPACE
        return left + column * (self.sides[2] + GAP), row * (self.sides[2] + NAME)

    def filter_at(self, k: int, c: int) -> tuple[float, float]:
        row, column = divmod(k, self.filters)
        x = column * (self.block + SPACE) + c * (self.sides[1] + GAP)
        return x, self.upper + GAP + row * (self.sides[1] + 2 * NAME)


def arrange_squares(result: Convolved, width: float, height: float) -> Arrangement:
    """Return the arrangement that is largest on a slide, beside so much width and height."""

    def needed(arrangement: Arrangement) -> float:
        wide, high = arrangement.size
        return max(max(wide, width) / WIDTH, (high + height) / HEIGHT)

    channels, num_filters = len(result.inputs), len(result.weight)
    rows = product(*(range(1, n + 1) for n in (channels, num_filters, num_filters)))
    return min((Arrangement(result, *numbers) for numbers in rows), key=needed)
