"""A convolution in numbers: the window on the input, the filters, the sums; or those of a run."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from experiments.entries import check_type
from experiments.errors import user_error
from experiments.figures.drawing import Animation, Drawing
from experiments.figures.feature_maps import feature_maps
from experiments.figures.sliding_window import Window, draw_window

MOST = {
    "size": (1, 12),
    "channels": (1, 4),
    "num_filters": (1, 4),
    "kernel_size": (1, 5),
    "stride": (1, 12),
    "padding": (0, 3),
}
"""From the least to the most that a picture with every number can hold."""


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
        """The inputs with the zeros around them."""
        return functional.pad(self.inputs, (self.padding,) * 4)

    @property
    def num_uncovered(self) -> int:
        """How many of the last rows, and of the last columns, no window covers."""
        num_positions, kernel = self.outputs.shape[-1], self.weight.shape[-1]
        return int(self.padded.shape[-1] - ((num_positions - 1) * self.stride + kernel))


def convolution(
    size: int = 5,
    channels: int = 3,
    num_filters: int = 2,
    kernel_size: int = 3,
    stride: int = 2,
    padding: int = 1,
    seed: int = 0,
    seconds: float = 1.0,
    run: str | None = None,
    image: int = 0,
) -> Drawing:
    """Draw a window sliding over an input, each output with its sum.

    o[k, i, j] = b[k] + sum over c, m, n of w[k, c, m, n] x[c, i S + m - P, j S + n - P], of size
    (W - F + 2P)/S + 1, computed by torch's conv2d as in the models. The default sizes are those
    of the demo in Stanford's course CS231n; the numbers are our own.

    Args:
        size: W, of a square input.
        channels: C of the input.
        num_filters: K, which are the channels of the output.
        kernel_size: F.
        stride: S.
        padding: P.
        seed: of the whole numbers: inputs 0 to 2, weights -1 to 1, biases 0 or 1.
        seconds: how long each position is shown.
        run: a run folder of a CNN: its first filters and feature maps instead.
        image: which point of the run's test set.

    Raises:
        UserError: a window that does not fit, or sizes that no picture can hold; of a run, no
            weights, no CNN, or no such image.
    """
    given = {
        "size": size,
        "channels": channels,
        "num_filters": num_filters,
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
    }
    refuse_unused({**given, "seed": seed, "image": image}, is_of_a_run=run is not None)
    if run is not None:
        return feature_maps(str(run), image)
    check_sizes(given, seed, seconds)
    one = convolved(**given, seed=seed)
    num = one.outputs.shape[-1]
    windows = [Window(k, i, j) for k in range(num_filters) for i in range(num) for j in range(num)]
    title = (
        f"({size} − {kernel_size} + 2·{padding})/{stride} + 1 = {num}: "
        f"input {channels} × {size} × {size}, output {num_filters} × {num} × {num}"
    )
    return Drawing(
        numbers=as_numbers(one),
        pictures={"convolution": partial(draw_window, one, title, windows[-1])},
        description=f"A convolution with every number. {title.capitalize()}.",
        animations={
            "sliding_window": Animation(
                [partial(draw_window, one, title, window) for window in windows], seconds
            )
        },
        said=said(one, title),
    )


def convolved(
    size: int,
    channels: int,
    num_filters: int,
    kernel_size: int,
    stride: int,
    padding: int,
    seed: int,
) -> Convolved:
    """Return a convolution of whole numbers that the seed chooses."""
    generator = torch.Generator().manual_seed(seed)

    def numbers(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high + 1, shape, generator=generator).float()

    inputs = numbers(0, 2, channels, size, size)
    weight = numbers(-1, 1, num_filters, channels, kernel_size, kernel_size)
    bias = numbers(0, 1, num_filters)
    outputs = functional.conv2d(inputs[None], weight, bias, stride=stride, padding=padding)[0]
    return Convolved(inputs, weight, bias, outputs, stride, padding)


def refuse_unused(given: dict[str, int], is_of_a_run: bool) -> None:
    """Raise UserError for a size beside a run, which has its own, or for an image without one."""
    parameters = inspect.signature(convolution).parameters
    for key, value in given.items():
        if value != parameters[key].default and (key == "image") != is_of_a_run:
            with_ = "run=FOLDER" if is_of_a_run else "run=null"
            raise user_error("no_effect", given=f"{key}={value}", with_=with_)


def check_sizes(given: dict[str, int], seed: int, seconds: float) -> None:
    """Raise UserError for sizes that do not fit into the picture, or into each other."""
    check_type("seed", seed, int)
    limits: dict[str, tuple[float, float]] = {**MOST, "seed": (0, 2**32 - 1), "seconds": (0.05, 60)}
    for key, value in {**given, "seed": seed, "seconds": seconds}.items():
        low, high = limits[key]
        if not low <= value <= high:
            raise user_error(
                "not_allowed",
                key=key,
                given=value,
                allowed=f"{low} to {high}",
                instead=min(max(value, low), high),
            )
    size, kernel, padding = given["size"], given["kernel_size"], given["padding"]
    if kernel > size + 2 * padding:
        raise user_error(
            "window", kernel=kernel, size=size, padding=padding, padded=size + 2 * padding
        )


def as_numbers(one: Convolved) -> dict[str, Any]:
    """Return what is drawn."""
    return {
        "inputs": one.inputs,
        "padded": one.padded,
        "weight": one.weight,
        "bias": one.bias,
        "outputs": one.outputs,
        "stride": one.stride,
        "padding": one.padding,
        "num_uncovered": one.num_uncovered,
    }


def said(one: Convolved, title: str) -> list[str]:
    """Return the lines for the terminal."""
    lines = [title]
    if one.num_uncovered:
        which = "row and column" if one.num_uncovered == 1 else "rows and columns"
        number = "" if one.num_uncovered == 1 else f" {one.num_uncovered}"
        lines.append(
            f"The stride leaves a remainder: no window covers the last{number} {which} of the "
            "padded input (crossed out)."
        )
    return lines
