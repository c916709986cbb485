"""Images of any size, decoded once into one tensor.

Shape letters: N images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from experiments.errors import user_error


def as_tensor(image: Any, size: int | None, grey: bool) -> Tensor:
    """Return one PIL image as (C, H, W) bytes.

    Args:
        image: of any mode.
        size: pixels: the shorter edge is resized to it (bilinear, antialiased), and the middle
            cut out of the longer one; None leaves the image as it is.
        grey: one channel instead of red, green, blue.
    """
    from torchvision.transforms.v2 import functional

    image = image.convert("L" if grey else "RGB")
    if size is not None:
        image = functional.center_crop(functional.resize(image, [size]), [size, size])
    tensor: Tensor = functional.pil_to_tensor(image)
    return tensor


def stacked(images: Iterable[Tensor], num: int, name_of: Callable[[int], object]) -> Tensor:
    """Return `num` images as one (N, C, H, W) tensor, which is filled as they come.

    Args:
        images: (C, H, W) each.
        num: how many.
        name_of: names an image, for the message.

    Raises:
        UserError: the first image that differs in size from those before it.
    """
    result = torch.empty(0, dtype=torch.uint8)
    for i, image in enumerate(images):
        if i == 0:
            result = torch.empty((num, *image.shape), dtype=torch.uint8)
        if image.shape != result.shape[1:]:
            raise user_error(
                "image_size",
                path=name_of(i),
                given=pixels(image),
                expected=pixels(result),
                instead=64,
            )
        result[i] = image
    return result


def pixels(image: Tensor) -> str:
    """Return width x height."""
    return f"{image.shape[-1]}x{image.shape[-2]}"
