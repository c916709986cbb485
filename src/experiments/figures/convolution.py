"""A convolution in numbers: the window on the input, the filters, the sums; or those of a run."""

from __future__ import annotations

import inspect
import math
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.config.entries import check_type
from experiments.errors.messages import refuse_unless, user_error
from experiments.figures.drawn.arranged_squares import Convolved
from experiments.figures.drawn.filter_pictures import FeatureMaps, draw_feature_maps
from experiments.figures.drawn.sliding_window import Window, draw_window
from experiments.figures.page.drawing import Animation, Drawing, Live
from experiments.figures.page.sheet import sizes
from experiments.training.build import load_data
from experiments.training.load import load_run

MOST_FILTERS = 16
MOST_STRIDE = 4
"""Of a page, where no greater one was typed."""
LIMITS: dict[str, tuple[float, float]] = {
    "size": (1, 12),
    "channels": (1, 4),
    "num_filters": (1, 4),
    "kernel_size": (1, 5),
    "stride": (1, 12),
    "padding": (0, 3),
    "seed": (0, 2**32 - 1),
    "seconds": (0.05, 60),
}
"""From the least to the most that a picture with every number can hold."""


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
    chosen = {
        "size": size,
        "channels": channels,
        "num_filters": num_filters,
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "seed": seed,
    }
    refuse_unused({**chosen, "image": image}, is_of_a_run=run is not None)
    if run is not None:
        return filters_of_run(str(run), image)
    check_sizes(chosen, seconds)
    return sliding_window(convolve(**chosen), seconds)


def filters_of_run(folder: str, image: int) -> Drawing:
    """Draw the first layer of a trained CNN at work."""
    seen = feature_maps(folder, image)
    filter_sizes = sizes(tuple(seen.filters.shape[1:]))
    return Drawing(
        numbers={
            "image": seen.image,
            "filters": seen.filters,
            "feature_maps": seen.maps,
            "num_filters": seen.num_filters,
            "label": seen.label,
        },
        pictures={"convolution": partial(draw_feature_maps, seen)},
        description=f"{seen.title} of the first layer of a trained CNN, with the filters above "
        "them.",
        said=[seen.title, f"The first layer has {seen.num_filters} filters of {filter_sizes}."],
    )


def sliding_window(result: Convolved, seconds: float) -> Drawing:
    """Draw a window at each of its positions, filter by filter."""
    channels, size, _ = result.inputs.shape
    num_filters, num, _ = result.outputs.shape
    title = (
        f"({size} − {result.weight.shape[-1]} + 2·{result.padding})/{result.stride} + 1 = {num}: "
        f"input {channels} × {size} × {size}, output {num_filters} × {num} × {num}"
    )
    windows = [Window(*position) for position in product(*map(range, result.outputs.shape))]
    frames = [partial(draw_window, result, title, window) for window in windows]
    return Drawing(
        numbers={
            **vars(result),
            "padded": result.padded,
            "num_uncovered": result.num_uncovered,
        },
        pictures={"convolution": frames[-1]},
        description=f"A convolution with every number. {title.capitalize()}.",
        animations={"sliding_window": Animation(frames, seconds)},
        said=[title, *uncovered_in_words(result.num_uncovered)],
        live=Live("A convolution, window by window", {**live_numbers(result), "seconds": seconds}),
    )


def live_numbers(result: Convolved) -> dict[str, Any]:
    """Return a convolution with its outputs for each stride and padding that a page can choose."""
    size, kernel = result.inputs.shape[-1], result.weight.shape[-1]
    least = max(0, math.ceil((kernel - size) / 2))
    strides = range(1, max(MOST_STRIDE, result.stride) + 1)
    paddings = range(least, int(LIMITS["padding"][1]) + 1)
    outputs = {
        f"{s},{p}": functional.conv2d(result.inputs[None], result.weight, result.bias, s, p)[0]
        for s, p in product(strides, paddings)
    }
    return {
        **{key: getattr(result, key) for key in ("inputs", "weight", "bias", "stride", "padding")},
        "outputs": outputs,
        "most_stride": strides[-1],
        "least_padding": least,
        "most_padding": paddings[-1],
    }


def refuse_unused(chosen: dict[str, int], is_of_a_run: bool) -> None:
    """Raise UserError for a size beside a run, which has its own, or for an image without one."""
    parameters = inspect.signature(convolution).parameters
    for key, value in chosen.items():
        if value != parameters[key].default and (key == "image") != is_of_a_run:
            setting = "run=FOLDER" if is_of_a_run else "run=null"
            raise user_error("no_effect", given=f"{key}={value}", with_=setting)


def check_sizes(chosen: dict[str, int], seconds: float) -> None:
    """Raise UserError for sizes that do not fit into the picture, or into each other."""
    check_type("seed", chosen["seed"], int)
    for key, value in {**chosen, "seconds": seconds}.items():
        low, high = LIMITS[key]
        nearest = min(max(value, low), high)
        refuse_unless(low <= value <= high, key, value, f"{low} to {high}", nearest)
    kernel, size, padding = (chosen[key] for key in ("kernel_size", "size", "padding"))
    padded = size + 2 * padding
    if kernel > padded:
        raise user_error("window", kernel=kernel, size=size, padding=padding, padded=padded)


def uncovered_in_words(num_uncovered: int) -> list[str]:
    """Return a sentence where the stride leaves some of the input out."""
    if not num_uncovered:
        return []
    which = "row and column" if num_uncovered == 1 else "rows and columns"
    number = "" if num_uncovered == 1 else f" {num_uncovered}"
    return [
        f"The stride leaves a remainder: no window covers the last{number} {which} of the "
        "padded input (crossed out)."
    ]


def convolve(
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


def feature_maps(folder: str, image: int) -> FeatureMaps:
    """Return the first filters of a run and what they find in a point of its test set.

    Raises:
        UserError: no run, one without weights, another model, or no such image.
    """
    run = load_run(folder)
    data_name, model_name = run.config["data"]["name"], run.config["model"]["name"]
    module: Any = run.module()
    num_dims = len(module.spec.shape) - 1
    if model_name != "cnn" or num_dims > 2:
        what = f"model={model_name} on data={data_name}"
        raise user_error("no_filters", path=folder, what=what)
    data = load_data(run.config)
    last = len(data.test) - 1
    refuse_unless(
        0 <= image <= last, "image", image, f"0 to {last} (the test points of {data_name})", 0
    )
    point = data.test.take(torch.tensor([image]))
    layer = module.network.convs[0]
    with torch.no_grad():
        seen = module.normalize(point.inputs)
        maps = before_pool(layer, seen)[0]
    weight, target = layer.affine.weight.detach(), point.targets[0]
    is_value = data.task == "regression"
    label = f"{float(target.flatten()[0]):.3g}" if is_value else str(data.class_names[int(target)])
    kept = min(MOST_FILTERS, len(maps), len(weight))
    title = f"{data_name}, test point {image} ({label}): {kept} of {len(maps)} feature maps"
    if num_dims == 2 and weight.shape[1] > 1:
        title += f", filters averaged over {weight.shape[1]} channels"
    return FeatureMaps(title, label, seen[0], weight[:kept], maps[:kept], len(weight))


def before_pool(layer: nn.Module, x: Tensor) -> Tensor:
    """Return what a layer finds at each position: all of it but pool and dropout."""
    for name, part in layer.named_children():
        if name in ("pool", "dropout"):
            break
        x = part(x)
    return x
