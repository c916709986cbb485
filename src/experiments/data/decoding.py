"""Many image files into one tensor: measured first, then decoded by threads into their places.

A tensor is filled row by row, so that beside it only as many images are in memory as threads read.
What is wrong is gathered, and told of all files at once.

Shape letters: N images, C channels, H height, W width.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import UnidentifiedImageError
from torch import Tensor

from experiments.data.image_files import Unfit, read_picture, upright_size
from experiments.data.images import as_tensor, other_size
from experiments.data.unpacked import in_units
from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, user_error
from experiments.errors.wording import and_more, few
from experiments.record.host import free_memory, num_cores

log = logging.getLogger(__name__)

PENDING = 256
BYTES_PER_PIXEL = 24
"""Of an image that is being read: with its layers, or as 64-bit numbers."""
MOST_NAMED = 200
USUAL_SIZE = 224
"""Pixels of ImageNet's networks, above which nobody needs to go who did not ask."""
LEAST_LEVEL, FEW_LEVELS = 2**8, 2**13
"""Where no image of 16 bits has more, nothing is left in 8 bits, or less than 32 of 256 levels."""

IMPOSTORS = {
    b"ftypavif": "AVIF, which is not read; save it as JPEG or PNG",
    b"ftyp": "HEIC, as phones write it, or a video; save it as JPEG or PNG",
    b"<svg": "an SVG drawing, which has no pixels",
    b"<?xml": "an XML file, perhaps a drawing, which has no pixels",
    b"<!doctype": "a web page, perhaps of a download that failed",
    b"<html": "a web page, perhaps of a download that failed",
    b"https://git-lfs": "a pointer of Git LFS; git lfs pull fetches the image",
}
"""What else people have under an image's name, by what stands in its first bytes."""


@dataclass
class Survey:
    """What the headers of files say, and what reading them found: faults by place, in any order."""

    sizes: dict[Path, tuple[int, int]] = field(default_factory=dict)
    faults: dict[Path, str] = field(default_factory=dict)
    largest: dict[Path, int] = field(default_factory=dict)


def decoded(
    top: Path, parts: Mapping[str, list[Path]], size: int | None, grey: bool, is_cut: bool
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the images of each part, (N, C, H, W) bytes, and what is to be told of them.

    Args:
        top: the folder that messages name.
        size: as in `as_tensor`.
        is_cut: a copy is made of them, as a part of them becomes the test set.

    Raises:
        UserError: files that cannot be read, all of them by name; one that differs in size; more
            bytes than fit in memory.
    """
    # Pillow warns of many pixels, which are counted here, and of EXIF that it cannot read.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        files = [path for part in parts.values() for path in part]
        survey = surveyed(files)
        channels = 1 if grey else 3
        height, width = (size, size) if size else common_size(survey)
        num_bytes = len(files) * channels * height * width * (2 if is_cut else 1)
        num_threads = checked_memory(top, len(files), num_bytes, survey, (channels, size))
        inputs = {}
        with ThreadPoolExecutor(num_threads) as pool:
            for role, part in parts.items():
                inputs[role] = torch.empty((len(part), channels, height, width), dtype=torch.uint8)
                fill(inputs[role], part, size, grey, survey, pool)
    if survey.faults:
        raise unreadable(top, [path for path in files if path in survey.faults], len(files), survey)
    return inputs, notes_of_depth(top, survey)


def surveyed(files: list[Path]) -> Survey:
    survey = Survey()
    for path in files:
        try:
            survey.sizes[path] = upright_size(path)
        except Exception as error:  # PIL raises OSError, SyntaxError, ValueError and others
            survey.faults[path] = reason_of(path, error)
    return survey


def reason_of(path: Path, error: Exception) -> str:
    if isinstance(error, Unfit):
        return str(error)
    if path.is_symlink() and not path.exists():
        return "a link to what is not there"
    if path.is_file() and not path.stat().st_size:
        return "it is empty"
    if isinstance(error, UnidentifiedImageError):
        with path.open("rb") as content:
            start = content.read(64).lstrip().lower()
        known = (what for sign, what in IMPOSTORS.items() if sign in start)
        return f"cannot identify image file: it is {next(known, 'of no format known here')}"
    return " ".join(str(error).replace(str(path), path.name).split()) or type(error).__name__


def common_size(survey: Survey) -> tuple[int, int]:
    """Return height and width of all images, or raise UserError at the first of another size."""
    first = next(iter(survey.sizes.values()), (1, 1))
    for path, size in survey.sizes.items():
        if size != first:
            raise other_size(path, size, first)
    return first[1], first[0]


def checked_memory(
    top: Path, num: int, num_bytes: int, survey: Survey, how: tuple[int, int | None]
) -> int:
    """Say what images will take, and return how many threads may read at once.

    Args:
        how: channels and the size that they are resized to, if any.

    Raises:
        UserError: all images together are more than the memory that is free.
    """
    log.info(TABLE["image_memory"].format(path=top, size=in_units(num_bytes)))
    free, cores = free_memory(), num_cores()
    if free is None:
        return cores
    per_thread = BYTES_PER_PIXEL * max((w * h for w, h in survey.sizes.values()), default=1)
    if num_bytes + per_thread <= free:
        return int(min(cores, max(1, (free - num_bytes) // per_thread)))
    channels, size = how
    fitting = int((free / 2 / (2 * num * channels)) ** 0.5)
    instead = min(USUAL_SIZE, max(1, fitting // 16 * 16 or fitting))
    values = {"num": num, "need": in_units(num_bytes + per_thread), "free": in_units(free)}
    is_one = per_thread > free / 2  # a single image, which no size makes smaller while it is read
    name = "image_too_large" if is_one else "too_many_images"
    largest = max(survey.sizes, key=lambda path: survey.sizes[path][0] * survey.sizes[path][1])
    given = f" at data.size={size}" if size else ""
    raise user_error(name, path=largest if is_one else top, given=given, instead=instead, **values)


def fill(
    result: Tensor,
    files: list[Path],
    size: int | None,
    grey: bool,
    survey: Survey,
    pool: ThreadPoolExecutor,
) -> None:
    """Decode in threads, each image into its row: PIL's decoders let others run meanwhile."""

    def read(i: int) -> None:
        path = files[i]
        if path in survey.faults:
            return
        try:
            picture = read_picture(path)
            result[i] = checked_shape(as_tensor(picture.image, size, grey), result.shape[1:])
        except Exception as error:  # as above
            survey.faults[path] = reason_of(path, error)
        else:
            survey.largest |= {} if picture.largest is None else {path: picture.largest}

    # A part at a time: all that is waiting would be decoded still when Ctrl-C comes.
    for start in range(0, len(files), PENDING):
        list(pool.map(read, range(start, min(start + PENDING, len(files)))))


def checked_shape(image: Tensor, shape: torch.Size) -> Tensor:
    if image.shape != shape:
        raise Unfit("its pixels are not as many as its header says")
    return image


def unreadable(top: Path, files: list[Path], total: int, survey: Survey) -> UserError:
    """Return what is said of files that cannot be read."""
    if len(files) == 1:
        [path] = files
        values = {"kind": "an image", "reason": survey.faults[path]}
        instead = "Replace it by a good copy, or remove it"
        return user_error("unreadable_file", path=path, instead=instead, **values)
    each = [f"  {path}: {survey.faults[path]}" for path in files[:MOST_NAMED]]
    each += [f" {more}"] if (more := and_more(len(files) - MOST_NAMED)) else []
    return user_error(
        "unreadable_images", path=top, number=len(files), total=total, each="\n".join(each)
    )


def notes_of_depth(top: Path, survey: Survey) -> list[str]:
    """Return what became of images of 16 bits, or raise UserError where nothing is left of them."""
    if not survey.largest:
        return []
    number, largest = len(survey.largest), max(survey.largest.values())
    black = sorted(str(path) for path, most in survey.largest.items() if 0 < most < LEAST_LEVEL)
    if 0 < largest < LEAST_LEVEL:
        values = {"number": number, "names": few(black), "largest": largest}
        raise user_error("dark_images", path=top, **values)
    note = f"{number} images have 16 bits; 0 to 65535 became 0 to 255"
    if largest < FEW_LEVELS:
        note += f", and of those only {(largest >> 8) + 1} levels are left, as no number is above "
        note += f"{largest}: spread them out, or try data=npz"
    if black:
        note += f"; black became {few(black)}, without a number above 255"
    return [note]
