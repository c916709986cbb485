"""A user's own images, in one folder for each class.

Decoded images are cached like downloaded ones. Its sources are all files and folders there: to list
100,000 files and ask for their sizes and times takes 1.5 s (measured on 2 cores), to decode them
many minutes. The folders count too, since renaming a class changes nothing in the files.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.data import checks
from experiments.data.cache import cached, own_name
from experiments.data.images import as_tensor, stacked
from experiments.data.sources import DataSet, Points, classification
from experiments.errors import TABLE, listed, user_error

log = logging.getLogger(__name__)

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""Of the files that torchvision's ImageFolder takes for images."""
PENDING = 256
EXAMPLE = "FOLDER (with one folder of images for each class)"


@dataclass(frozen=True)
class Part:
    """The images of one part: files with their class numbers, and the folders they lie in."""

    files: list[Path]
    labels: list[int]
    folders: list[Path]


def folder(
    path: str | None = None, size: int | None = None, grey: bool = False, root: str = "data"
) -> DataSet:
    """Images in class folders, as torchvision's ImageFolder takes them.

    Either PATH/CLASS/*, of which a stratified fifth is the test set, or PATH/train/CLASS/* and
    PATH/test/CLASS/*. Classes are numbered in the order of their names; folders below them count
    too; what is hidden (.name) does not.

    Args:
        path: the folder.
        size: pixels: the shorter edge is resized to it, and the middle cut out of the longer one;
            None where all images agree in size.
        grey: one channel instead of red, green, blue.
        root: where the decoded images are kept.

    Raises:
        UserError: no such folder, a class without images, an image that cannot be read or that
            differs in size.

    Shapes: inputs (N, 3 or 1, H, W).
    """
    size = checks.checked_size(size)
    top = checks.existing("folder", path, "folder", EXAMPLE)
    train_top, test_top = parts_of(top)
    class_names = class_folders(train_top)
    train = listing(train_top, class_names)
    test = None if test_top is None else test_listing(test_top, class_names)
    parts = [train] if test is None else [train, test]
    for part, place in zip(parts, (train_top, test_top), strict=False):
        checks.check_number(place or top, len(part.files), checks.LEAST_POINTS if not test else 1)
    sources = [path for part in parts for path in (*part.folders, *part.files)]
    name = own_name("folder", top, size, grey)

    def decode() -> DataSet:
        num, place = sum(len(part.files) for part in parts), Path(root) / "cache"
        log.info(TABLE["decoding"].format(num=num, data=top, place=place))
        points = [decoded(part, size, grey) for part in parts]
        if len(points) == 1:
            return classification(points[0].inputs, points[0].targets, class_names)
        check_same_size(points[0], points[1], test.files[0] if test else top)
        return DataSet(points[0], points[1], "classification", class_names)

    return cached(name, Path(root), sources, decode)


def parts_of(top: Path) -> tuple[Path, Path | None]:
    """Return the folders of the training and the test classes; None where a fifth is cut."""
    names = subfolders(top)
    if {"train", "test"} <= set(names):
        others = [name for name in names if name not in ("train", "test")]
        if others:
            used = "the classes are those in train and test"
            log.warning(TABLE["unused_data"].format(path=top, given=listed(others), used=used))
        return top / "train", top / "test"
    if "train" in names and subfolders(top / "train"):
        raise user_error(
            "class_folders",
            path=top,
            reason="there is a folder train with classes in it, and no folder test",
            instead=f"Add one, or have a fifth of train held out: data.path={top / 'train'}",
        )
    return top, None


def subfolders(place: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted, without hidden ones."""
    with os.scandir(place) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def class_folders(place: Path) -> tuple[str, ...]:
    """Return the names of the classes, of which there must be several."""
    names = subfolders(place)
    instead = "Give a folder that holds one folder of images for each class"
    if not names:
        raise user_error("class_folders", path=place, reason="no folder is in it", instead=instead)
    checks.check_several_classes(place, names, instead)
    return tuple(names)


def test_listing(place: Path, class_names: tuple[str, ...]) -> Part:
    """Return the files of the test part, whose classes must be among those of training."""
    unknown = [name for name in subfolders(place) if name not in class_names]
    if unknown:
        raise user_error(
            "label_range",
            path=place,
            place=f"folder {unknown[0]}",
            given=unknown[0],
            allowed=listed(class_names),
            instead="Name the folders as those in train are named",
        )
    return listing(place, class_names, may_lack=True)


def listing(place: Path, class_names: tuple[str, ...], may_lack: bool = False) -> Part:
    """Return all images below the class folders, class by class, in the order of their paths."""
    part = Part([], [], [place])
    for label, name in enumerate(class_names):
        before = len(part.files)
        for at, folders, files in os.walk(place / name, followlinks=True):
            folders[:] = sorted(word for word in folders if not word.startswith("."))
            part.folders.append(Path(at))
            found = (word for word in sorted(files) if not word.startswith("."))
            part.files.extend(Path(at, w) for w in found if w.lower().endswith(EXTENSIONS))
        if len(part.files) == before and not may_lack:
            raise user_error(
                "class_folders",
                path=place / name,
                reason="no image is in it",
                instead=f"Remove the folder, or add images ({listed(EXTENSIONS)})",
            )
        part.labels.extend([label] * (len(part.files) - before))
    return part


def decoded(part: Part, size: int | None, grey: bool) -> Points:
    """Return the images of a part with their class numbers."""
    images = decoded_images(part.files, size, grey)
    inputs = stacked(images, len(part.files), lambda i: part.files[i])
    return Points(inputs, torch.tensor(part.labels))


def decoded_images(files: list[Path], size: int | None, grey: bool) -> Iterator[Tensor]:
    """Decode in threads: PIL's decoders let others run meanwhile."""
    # Here, so that no thread finds the module half imported.
    from torchvision.datasets.folder import default_loader

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # A part at a time: what is waiting when an image cannot be read would be decoded still.
        for start in range(0, len(files), PENDING):
            part = files[start : start + PENDING]
            yield from pool.map(lambda path: read_image(path, size, grey, default_loader), part)


def read_image(path: Path, size: int | None, grey: bool, loader: Callable[[str], Any]) -> Tensor:
    """Return the image of a file, or raise UserError with the file's name."""
    try:
        return as_tensor(loader(str(path)), size, grey)
    except Exception as error:  # PIL raises OSError, SyntaxError, ValueError, EOFError and others
        reason = " ".join(str(error).split()) or type(error).__name__
        raise user_error(
            "unreadable_file",
            path=path,
            kind="an image",
            reason=reason,
            instead="Replace it by a good copy, or remove it",
        ) from error


def check_same_size(train: Points, test: Points, first: Path) -> None:
    """Raise UserError where the test images are of another size than those of training."""
    if train.inputs.shape[1:] != test.inputs.shape[1:]:
        given, expected = (f"{p.inputs.shape[-1]}x{p.inputs.shape[-2]}" for p in (test, train))
        raise user_error("image_size", path=first, given=given, expected=expected, instead=64)
