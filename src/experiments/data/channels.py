"""Where the channels of an array are: second, last, or nowhere, as in grey images.

Shape letters: N points, C channels, L length, D depth, H height, W width.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors.messages import user_error

Array = NDArray[Any]

KEYS = ("images", "channels_last", "channels_first")
"""What is typed to say it; the array is not looked at then."""
MOST_COLOURS = 4
LEAST_SIDE = 8
"""Of an image, so that few channels of a short signal are not taken for one."""
LONG = 4
"""A signal is at least so many times as long as it has channels, or it is asked for."""


def guessed(shape: tuple[int, ...], has_image_look: bool = False) -> str:
    """Return the key that fits the shape of a single point, or '' where several may.

    Args:
        has_image_look: the array holds bytes, or is called images.

    >>> guessed((28, 28)), guessed((32, 32, 3)), guessed((3, 32, 32)), guessed((28, 28, 28))
    ('images', 'channels_last', 'channels_first', 'images')
    >>> guessed((9, 128)), guessed((100, 3)), guessed((128, 9)), guessed((20, 24, 28))
    ('channels_first', 'channels_last', '', '')
    """
    first, last, others = shape[0], shape[-1], shape[1:-1]
    is_cube = len(set(shape)) == 1
    if len(shape) == 1:
        return "channels_first"
    is_image = is_cube or (has_image_look and len(shape) == 2 and max(shape) < LONG * min(shape))
    if is_image and len(shape) < 4 and min(shape) >= LEAST_SIDE:
        return "images"
    if min(first, last) > MOST_COLOURS:
        return by_sides(shape)
    if first > MOST_COLOURS or last > MOST_COLOURS:
        return "channels_last" if last <= MOST_COLOURS else "channels_first"
    if others:
        return by_sides(shape)
    return "channels_first" if first < last or first == 1 else ""


def by_sides(shape: tuple[int, ...]) -> str:
    """Return the same where the number of channels says nothing, by sides that are equal."""
    if len(shape) == 2:
        return "channels_first" if LONG * shape[0] <= shape[1] else ""
    is_first, is_last = len(set(shape[1:])) == 1, len(set(shape[:-1])) == 1
    if is_first == is_last:
        return "channels_first" if set(shape) == {1} else ""
    return "channels_first" if is_first else "channels_last"


def chosen(file: Path, name: str, x: Array, typed: dict[str, bool]) -> tuple[str, list[str]]:
    """Return how the training inputs (N, *) are read, one of `KEYS`, and what is told of that.

    Args:
        typed: which keys are true.

    Raises:
        UserError: a shape that can be read in several ways, or a key that changes nothing.
    """
    check_typed(name, x, typed)
    for key in KEYS:
        if typed[key]:
            return key, []
    if x.ndim < 3:
        return "channels_first", []
    has_image_look = x.dtype == np.uint8 or bool(re.search("ima?ge?", name.lower()))
    key = guessed(x.shape[1:], has_image_look)
    shape = spelled_shape(x)
    if not key:
        raise user_error("which_dimension", path=file, array=name, shape=shape, ways=ways(x.ndim))
    if key == "channels_first":
        return key, []
    what = "grey images" if x.ndim == 3 else "volumes of one channel"
    read = what if key == "images" else "having its channels last"
    return key, [f"{name} of shape {shape} is read as {read}; {ways(x.ndim, but=key)}"]


def spelled_shape(x: Array) -> str:
    return f"({', '.join(map(str, x.shape))})"


def ways(num_dims: int, but: str = "") -> str:
    """Return what to type for each way of reading so many dimensions, as a sentence."""
    sides = {3: "L", 4: "H, W", 5: "D, H, W"}[num_dims]
    texts = {
        "images": {3: "grey images (N, H, W)", 4: "volumes (N, D, H, W)"}.get(num_dims, ""),
        "channels_last": f"(N, {sides}, C)",
        "channels_first": f"(N, C, {sides})",
    }
    said = [f"data.{key}=true for {text}" for key, text in texts.items() if text and key != but]
    return "type " + ", ".join(said[:-1]) + f" or {said[-1]}"


def check_typed(name: str, x: Array, typed: dict[str, bool]) -> None:
    """Raise UserError for a key that could change nothing, which is told and not passed over."""
    shape = f"{name} of shape {x.shape}"
    has_no_channels = x.ndim == 3 or (x.ndim == 4 and min(x.shape[1], x.shape[3]) > MOST_COLOURS)
    if typed["images"] and not has_no_channels:
        raise user_error("no_effect", given="data.images=true", with_=shape)
    for key in ("channels_last", "channels_first"):
        if typed[key] and typed["images"]:
            raise user_error("no_effect", given=f"data.{key}=true", with_=f"{shape} that is images")
        if typed[key] and x.ndim < 3:
            raise user_error("no_effect", given=f"data.{key}=true", with_=shape)
    if typed["channels_last"] and typed["channels_first"]:
        with_ = "data.channels_last=true"
        raise user_error("no_effect", given="data.channels_first=true", with_=with_)


def with_channels_second(x: Array, key: str) -> Array:
    """Return the array (N, F) or (N, C, *), as `key` says where its channels are."""
    if key == "images":
        return x[:, None]
    return np.moveaxis(x, -1, 1) if key == "channels_last" else x
