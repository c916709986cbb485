"""A user's own images, in one folder for each class.

Decoded images are cached like downloaded ones. Its sources are all files and folders there: to list
100,000 files and ask for their sizes and times takes 1.5 s (measured on 2 cores), to decode them
many minutes. The folders count too, since renaming a class changes nothing in the files.
"""

from __future__ import annotations

import collections
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import torch

from experiments.data import checks
from experiments.data.cache import cached, own_name
from experiments.data.decoding import decoded
from experiments.data.layouts import (
    EXTENSIONS,
    PartFolders,
    class_folders,
    closed,
    entries,
    is_image,
    is_ours,
    layout_of,
    subfolders,
)
from experiments.data.sources import DataSet, Points, data_set_of
from experiments.errors.error_table import TABLE
from experiments.errors.messages import user_error
from experiments.errors.wording import listed

log = logging.getLogger(__name__)

EXAMPLE = "FOLDER (with one folder of images for each class)"
READING = 2
"""Counted up when the same files give other tensors, so that none of the old ones is taken."""
FILES_OF_SYSTEMS = ("thumbs.db", "ehthumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Part:
    """The images of one part: files with their class numbers, and the folders they lie in.

    `unread` counts the other files by the ends of their names.
    """

    files: list[Path] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    unread: collections.Counter[str] = field(default_factory=collections.Counter)


def folder(
    path: str | None = None, size: int | None = None, grey: bool = False, root: str = "data"
) -> DataSet:
    """Images in class folders, as torchvision's ImageFolder takes them.

    Either PATH/CLASS/*, of which a stratified fifth is the test set, or PATH/train/CLASS/* with
    PATH/test/CLASS/*, PATH/val/CLASS/* or both, in the ways that people name them
    (data/layouts.py); val then validates. Classes are numbered in the order of their names; folders
    below them count too; what is hidden (.name) does not. An image is read as it is seen
    (data/image_files.py): upright, on white, 8 bits.

    Args:
        path: the folder.
        size: pixels: the shorter edge is resized to it, and the middle cut out of the longer one;
            None where all images agree in size.
        grey: one channel instead of red, green, blue.
        root: where the decoded images are kept.

    Raises:
        UserError: no such folder, folders that cannot be told to be classes, a class without
            images, images that cannot be read, that differ in size, or that take more memory than
            there is.

    Shapes: inputs (N, 3 or 1, H, W).
    """
    size = checks.checked_size(size)
    top = checks.existing("folder", path, "folder", EXAMPLE)
    layout = layout_of(top)
    class_names = class_folders(layout.train)
    parts = listings(layout, class_names)
    tell_unread(top, list(parts.values()), has_parts=layout.train != top)
    sources = [path for part in parts.values() for path in (*part.folders, *part.files)]
    name = own_name("folder", top, READING, size, grey)

    def decode() -> DataSet:
        num = sum(len(part.files) for part in parts.values())
        files = {role: part.files for role, part in parts.items()}
        log.info(TABLE["decoding"].format(num=num, data=top, place=Path(root) / "cache"))
        inputs, notes = decoded(top, files, size, grey, is_cut="test" not in parts)
        points = {
            role: Points(inputs[role], torch.tensor(part.labels)) for role, part in parts.items()
        }
        val = points.pop("val", None)
        data = data_set_of(list(points.values()), class_names, val)
        data.facts.values["understood"] = {"images": described(top, parts), "notes": notes}
        return data

    return cached(name, Path(root), sources, decode)


def listings(layout: PartFolders, class_names: tuple[str, ...]) -> dict[str, Part]:
    """Return the files of each part, of which there must be some."""
    parts = {"train": listing(layout.train, class_names)}
    for role, place in (("test", layout.test), ("val", layout.val)):
        if place is not None:
            parts[role] = other_listing(place, class_names)
    for role, part in parts.items():
        is_cut = role == "train" and layout.test is None
        checks.check_number(part.folders[0], len(part.files), checks.LEAST_POINTS if is_cut else 1)
    return parts


def described(top: Path, parts: dict[str, Part]) -> str:
    """Return how many images of each part were read: `60 in Training, 20 in Testing`."""
    places = {role: part.folders[0].relative_to(top) for role, part in parts.items()}
    return listed(
        f"{len(part.files):,} files" + (f" in {places[role]}" if places[role].parts else "")
        for role, part in parts.items()
    )


def other_listing(top: Path, class_names: tuple[str, ...]) -> Part:
    """Return the files of a part whose classes must be among those of training."""
    unknown = [name for name in subfolders(top) if name not in class_names]
    if unknown:
        location, allowed = f"folder {unknown[0]}", listed(class_names)
        instead = "Name the folders as those in train are named"
        raise checks.no_class(top, location, unknown[0], allowed, instead)
    return listing(top, class_names, may_lack=True)


def listing(top: Path, class_names: tuple[str, ...], may_lack: bool = False) -> Part:
    """Return all images below the class folders, class by class, in the order of their paths."""
    part = Part(folders=[top])
    part.unread.update(loose(top, "beside the class folders"))
    for label, name in enumerate(class_names):
        before, skipped = len(part.files), collections.Counter[str]()
        for at, files in walk(top / name):
            part.folders.append(at)
            part.files.extend(at / word for word in files if is_image(word))
            skipped.update(ending(word) for word in files if not is_image(word))
        if len(part.files) == before and not may_lack:
            instead = f"Remove the folder, or add images ({listed(EXTENSIONS)})"
            reason = "no image is in it" + (f", only {counted(skipped)}" if skipped else "")
            raise user_error("class_folders", path=top / name, reason=reason, instead=instead)
        part.labels.extend([label] * (len(part.files) - before))
        part.unread.update(skipped)
    return part


def walk(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder from `top` on, if it is there, and its files.

    A folder comes once, however many links lead to it.
    """
    if not top.is_dir():  # a class without points to test
        return
    seen = set()
    for at, folders, files in os.walk(top, followlinks=True, onerror=refuse):
        state = os.stat(at)
        if (state.st_dev, state.st_ino) in seen:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        folders[:] = sorted(filter(is_ours, folders))
        yield Path(at), sorted(filter(counts, files))


def counts(name: str) -> bool:
    """Return whether a file is one that somebody put there: not hidden, and not a system's."""
    return not name.startswith(".") and name.lower() not in FILES_OF_SYSTEMS


def refuse(error: OSError) -> NoReturn:
    raise closed(error) from error


def loose(top: Path, where: str) -> list[str]:
    """Return the ends of names of files in a folder of folders, and links that lead nowhere."""
    links = [e for e in entries(top) if counts(e.name) and not e.is_dir()]
    return [f"{ending(e.name) if e.is_file() else 'broken link'} {where}" for e in links]


def ending(name: str) -> str:
    return Path(name).suffix.lower() or "without an ending"


def counted(endings: collections.Counter[str]) -> str:
    """Return how many there are of each, the most first: `7 .heic, 2 .txt`."""
    return listed(f"{number} {name}" for name, number in endings.most_common())


def tell_unread(top: Path, parts: list[Part], has_parts: bool) -> None:
    unread = sum((part.unread for part in parts), collections.Counter[str]())
    if has_parts:
        unread.update(loose(top, "beside the parts"))
    if unread:
        values = {"number": unread.total(), "kinds": counted(unread), "read": listed(EXTENSIONS)}
        log.warning(TABLE["unread_files"].format(path=top, **values))
