"""One image file as its viewer shows it: upright, on white, 8 bits, grey or in colour.

Pillow's `convert` alone does less, and without a word: 16 bits are cut off at 255, what is
transparent gets the colour that happens to lie below, a photo of a turned camera stays turned, and
of several pictures in a file all but the first are lost. What has no one right reading is refused.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ORIENTATION = 0x0112
"""EXIF's tag for how the camera was held: 1 upright, 5 to 8 on its side."""
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SUBFILE_TYPE, BITS_PER_SAMPLE, PHOTOMETRIC = 254, 258, 262
"""Tags of a TIFF: a type of 1 is a smaller copy, a photometric of 0 says that 0 is white."""
PACKED_GREY = {"L;2": 85, "L;4": 17}
"""Greys of 2 and 4 bits, of which Pillow spreads the pixels to 8, but not the transparent one."""


class Unfit(ValueError):
    """A picture that cannot be read in one right way; its text says why."""


class PlainImage(NamedTuple):
    """An image of mode L or RGB, and the largest number of its 16 bits; None where it had 8."""

    image: Image.Image
    largest: int | None


def upright_size(path: Path) -> tuple[int, int]:
    """Return width and height of a file's image as it will be read, from its header alone.

    Raises:
        Unfit: several pictures in one file.
        Exception: whatever Pillow raises for what it cannot read.
    """
    with opened(path) as image:
        width, height = image.size
        # Pillow turns TIFF by itself, and reads all of a PNG to look for what is hardly ever there.
        says_nothing = image.format == "PNG" and not re.search("exif|xmp", str(list(image.info)))
        is_turned = image.format != "TIFF" and not says_nothing and orientation_of(image) >= 5
        return (height, width) if is_turned else (width, height)


def read_picture(path: Path) -> PlainImage:
    """Return a file's image; raises as `upright_size` does, and where pixels are missing."""
    with opened(path) as image:
        return plain(image)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a file of one picture.

    The file is handed over open: of a path Pillow would map a TIFF that is turned with its width
    and height exchanged, and mix up its pixels (found in 13.0).
    """
    with path.open("rb") as content, Image.open(content) as image:
        number = num_pictures(image)
        if number > 1:
            raise Unfit(
                f"it holds {number} pictures; save the one that is meant as a file of its own"
            )
        yield image


def num_pictures(image: Image.Image) -> int:
    """Return how many there are in a file, without copies of the first in other sizes.

    A camera's MPO has its photo first, then previews; a map's TIFF has smaller copies of itself.
    """
    number = getattr(image, "n_frames", 1)
    if image.format == "MPO":
        return 1
    if image.format != "TIFF" or number == 1:
        return int(number)
    copies = 0
    for page in range(1, number):
        image.seek(page)
        copies += image.tag_v2.get(SUBFILE_TYPE, 0) & 1  # type: ignore[attr-defined]
    image.seek(0)
    return int(number) - copies


def plain(image: Image.Image) -> PlainImage:
    """Return an image of any mode as a picture of mode L or RGB."""
    bits, is_inverted = depth_of(image)
    packed = raw_mode(image)  # known only until the pixels are read
    image.load()
    image = turned(image)
    if image.mode == "F":
        return PlainImage(of_floats(image, is_inverted), None)
    if image.mode == "I" or image.mode.startswith("I;16"):
        return of_16_bits(image, bits, is_inverted)
    if image.mode == "La":
        raise Unfit("its greys are multiplied by their opacity; save it as PNG")
    if image.has_transparency_data:
        return PlainImage(on_white(with_right_transparency(image, packed)), None)
    return PlainImage(image.convert("L" if image.mode in ("1", "L") else "RGB"), None)


def raw_mode(image: Image.Image) -> str:
    """Return how the pixels lie in the file, in Pillow's words such as RGB;16B, or ''."""
    tiles: list[Any] = getattr(image, "tile", [])
    arguments = tiles[0][3] if tiles else ""
    word = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return word if isinstance(word, str) else ""


def depth_of(image: Image.Image) -> tuple[int, bool]:
    """Return the bits of a whole number above 8 bits, 0 if unknown, and whether 0 is white.

    Mode I is 32 bits, of which PNG and PGM use 16: Pillow spreads what has fewer.
    """
    tags = getattr(image, "tag_v2", None)
    if image.mode == "I":
        return (16 if image.format in ("PNG", "PPM") else 0), False
    if tags is None:
        return 16, False
    return int(tags.get(BITS_PER_SAMPLE, (16,))[0]), tags.get(PHOTOMETRIC) == 0


def orientation_of(image: Image.Image) -> int:
    """Return EXIF's orientation, 1 where none can be read."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # whatever a damaged EXIF makes of Pillow; the pixels may be whole
        return 1
    return value if value in UPRIGHT else 1


def turned(image: Image.Image) -> Image.Image:
    method = UPRIGHT.get(orientation_of(image))
    if method is None:
        return image
    upright = image.transpose(method)
    upright.info = image.info  # which says what is transparent
    return upright


def of_floats(image: Image.Image, is_inverted: bool) -> Image.Image:
    """Return floats from 0 to 1, the one range that their format agrees on, as 8 bits."""
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        known = f"{np.nanmin(values):g} to {np.nanmax(values):g}"
        raise Unfit(f"its floats, {known}, are not all from 0 to 1; scale them, or try data=npz")
    values = 1 - values if is_inverted else values
    return Image.fromarray(np.rint(255 * values).astype(np.uint8))


def of_16_bits(image: Image.Image, bits: int, is_inverted: bool) -> PlainImage:
    """Return whole numbers of up to 16 bits as 8: their upper bits.

    The range is that of the format, 0 to 65535, and not of the picture, for else pictures that
    differ in brightness would come out alike. Pillow does the same with colours of 16 bits.
    """
    values: NDArray[np.int64] = np.asarray(image).astype(np.int64)
    if not bits:
        known = f"{values.min()} to {values.max()}"
        raise Unfit(f"its range is unknown, as it has 32 bits ({known}); save 8 or 16, or data=npz")
    is_clear = values == image.info.get("transparency", -1)
    values = (2**bits - 1) - values if is_inverted else values
    values[is_clear] = 2**bits - 1
    grey = Image.fromarray((values >> (bits - 8)).astype(np.uint8))
    return PlainImage(grey, int(values[~is_clear].max(initial=0)) << (16 - bits))


def with_right_transparency(image: Image.Image, packed: str) -> Image.Image:
    """Return the image with its transparent colour in the numbers that its pixels have."""
    transparency = image.info.get("transparency")
    if transparency is not None and packed.startswith("RGB;16"):
        raise Unfit("one of its colours of 16 bits is transparent; save it with 8 bits")
    if packed in PACKED_GREY and isinstance(transparency, int):
        image = image.copy()
        image.info["transparency"] = transparency * PACKED_GREY[packed]
    return image


def on_white(image: Image.Image) -> Image.Image:
    """Return what is seen of an image on white paper: opacity * colour + (1 - opacity) * 255."""
    is_grey = image.mode in ("1", "L", "LA")
    layer = image.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(paper, layer).convert("L" if is_grey else "RGB")
