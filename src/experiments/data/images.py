"""Images of any size, decoded once into one tensor.

Shape letters: N images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from experiments.errors.messages import UserError, user_error


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
    """Return `num` images (C, H, W) as one (N, C, H, W) tensor, which is filled as they come.

    Raises:
        UserError: the first image that differs in size from those before it, by its name.
    """
    result = torch.empty(0, dtype=torch.uint8)
    for i, image in enumerate(images):
        if i == 0:
            result = torch.empty((num, *image.shape), dtype=torch.uint8)
        if image.shape != result.shape[1:]:
            sizes = ((x.shape[-1], x.shape[-2]) for x in (image, result))
            raise other_size(name_of(i), *sizes)
        result[i] = image
    return result


def other_size(path: object, size: tuple[int, int], before: tuple[int, int]) -> UserError:
    """Return what is said of an image whose width and height are not those before it."""
    given, expected = (f"{width}x{height}" for width, height in (size, before))
    return user_error("image_size", path=path, given=given, expected=expected, instead=64)
