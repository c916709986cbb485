"""Which folders of a tree of images are its parts, and which its classes.

People name parts in many ways: train and test, Training and Testing, training_set and test_set,
seg_train and seg_test; with valid, val or dev beside them, or in place of a test part.
"""

from __future__ import annotations

import collections
import logging
import os
import re
from pathlib import Path
from typing import NamedTuple

from experiments.data import checks
from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, user_error
from experiments.errors.wording import few, listed

log = logging.getLogger(__name__)

EXTENSIONS = (
    *(".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"),
    *(".gif", ".jfif"),
)
"""Of files that are read: those of torchvision's ImageFolder, and two more that people have."""
ROLES = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "val": ("val", "valid", "validation", "validate", "dev"),
}
FILLING = {
    "",
    "set",
    "sets",
    "data",
    "dataset",
    "split",
    "folder",
    "images",
    "image",
    "imgs",
    "img",
}
"""Words in a folder's name that say nothing about what is in it."""
OF_SYSTEMS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
"""Folders that archives and disks bring along."""


class PartFolders(NamedTuple):
    """The folders that hold the class folders of each part; None for a part that is not there."""

    train: Path
    test: Path | None = None
    val: Path | None = None


def layout_of(top: Path) -> PartFolders:
    """Return the parts of a tree; where no folder is named as one, all of it is for training.

    Raises:
        UserError: two folders for one part, a training part without another, or a part whose
            images lie in no class folders.
    """
    names = subfolders(top)
    parts = named_parts(top, names)
    if not parts:
        check_no_lone_part(top, names)
        return PartFolders(top)
    unused = [name for name in names if name not in parts.values()]
    if unused:
        used = f"the classes are those in {listed(parts.values())}"
        log.warning(TABLE["unused_data"].format(path=top, given=listed(unused), used=used))
    places = {role: inner(top / name, role) for role, name in parts.items()}
    for role, place in places.items():
        if role != "train" and not subfolders(place):
            raise without_classes(top, parts, role, place)
    return PartFolders(**places)


def named_parts(top: Path, names: list[str]) -> dict[str, str]:
    """Return the names of the parts by their roles; none unless there is more than training."""
    groups: dict[tuple[str, ...], dict[str, list[str]]] = collections.defaultdict(dict)
    for name in names:
        role, rest = role_of(name)
        if role:
            groups[rest].setdefault(role, []).append(name)
    groups = {rest: roles for rest, roles in groups.items() if "train" in roles and len(roles) > 1}
    roles = groups[min(groups)] if groups else {}
    twice = [words for words in roles.values() if len(words) > 1]
    if twice or len(groups) > 1:
        several = twice[0] if twice else [w for roles in groups.values() for w in roles["train"]]
        raise user_error(
            "class_folders",
            path=top,
            reason=f"{listed(several)} could each be the same part",
            instead="Leave one of them, or give the folder of one alone by data.path",
        )
    return {role: roles[role][0] for role in ROLES if role in roles}


def role_of(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the part that a folder's name says it is, or '', and the other words in the name.

    >>> role_of("training_set"), role_of("TestImages"), role_of("seg_train"), role_of("latest")
    (('train', ()), ('test', ()), ('train', ('seg',)), ('', ('latest',)))
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = [word.lower() for word in re.split(r"[^\w]+|_", spaced)]
    roles = [role_of_word(word) for word in words]
    more = (word for word, role in zip(words, roles, strict=True) if not role)
    rest = tuple(word for word in more if word not in FILLING and not word.isdecimal())
    found = {role for role in roles if role}
    return (found.pop(), rest) if len(found) == 1 else ("", rest)


def role_of_word(word: str) -> str:
    for role, stems in ROLES.items():
        if any(word.startswith(stem) and word[len(stem) :] in FILLING for stem in stems):
            return role
    return ""


def inner(part: Path, role: str) -> Path:
    """Return the folder that holds a part's classes: archives nest, as seg_test/seg_test/CLASS."""
    names = subfolders(part)
    if len(names) == 1 and role_of(names[0])[0] == role:
        return part / names[0]
    return part


def without_classes(top: Path, parts: dict[str, str], role: str, place: Path) -> UserError:
    """Return what is said of a part for testing or validation without class folders."""
    instead = f"Make them, or have a fifth of {parts['train']} held out"
    instead += (
        f": data.path={top / parts['train']}"
        if len(parts) == 2
        else f" for testing: move {parts[role]} elsewhere"
    )
    reason = "its images are in no class folders" if has_images(place) else "no folder is in it"
    return user_error("class_folders", path=place, reason=reason, instead=instead)


def check_no_lone_part(top: Path, names: list[str]) -> None:
    """Raise UserError where a folder of classes is named as the training part, and no other is."""
    for name in names:
        if role_of(name) == ("train", ()) and subfolders(top / name):
            reason = f"there is a folder {name} with classes in it, and no folder test"
            instead = f"Add one, or have a fifth of {name} held out: data.path={top / name}"
            raise user_error("class_folders", path=top, reason=reason, instead=instead)


def subfolders(top: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted, without hidden ones."""
    return sorted(e.name for e in entries(top) if e.is_dir() and is_ours(e.name))


def entries(top: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, or raise UserError where it may not be looked into."""
    try:
        with os.scandir(top) as found:
            return list(found)
    except OSError as error:
        raise closed(error) from error


def closed(error: OSError) -> UserError:
    """Return what is said of a folder that cannot be listed."""
    reason = f"it cannot be listed ({error.strerror})"
    instead = "Give yourself the right to, or move it elsewhere"
    return user_error("class_folders", path=error.filename, reason=reason, instead=instead)


def is_ours(name: str) -> bool:
    return not name.startswith(".") and name not in OF_SYSTEMS


def has_images(top: Path) -> bool:
    return any(is_image(e.name) and e.is_file() for e in entries(top))


def is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(EXTENSIONS)


def class_folders(top: Path) -> tuple[str, ...]:
    """Return the names of the classes, of which there must be several."""
    names = subfolders(top)
    instead = "Give a folder that holds one folder of images for each class"
    if not names:
        lie_open = has_images(top)
        reason = "its images are in no class folders" if lie_open else "no folder is in it"
        raise user_error("class_folders", path=top, reason=reason, instead=instead)
    if len(names) == 1 and len(subfolders(top / names[0])) > 1:
        instead = f"If its folders are the classes or parts: data.path={top / names[0]}"
    checks.check_several_classes(top, names, instead)
    check_are_classes(top, names)
    return tuple(names)


def check_are_classes(top: Path, names: list[str]) -> None:
    """Raise UserError where folders hold folders of the same names, as parts or years do.

    One folder with a name that says nothing is let pass: Tiny ImageNet has CLASS/images.
    """
    inside = {name: subfolders(top / name) for name in names}
    counts = collections.Counter(word for words in inside.values() for word in words)
    shared = [w for w, n in sorted(counts.items()) if n > 1 and w.lower() not in FILLING]
    are_alike = all(words == inside[names[0]] for words in inside.values())
    if not shared or not all(inside.values()):
        return
    if are_alike or not any(has_images(top / name) for name in names):
        are_parts = all(role_of(word)[0] for word in shared)
        instead = (
            "Turn it round: train/CLASS and test/CLASS"
            if are_parts
            else "If they are parts, name them train, test and val; or give one of them: "
            f"data.path={top / names[0]}"
        )
        reason = f"{few(names)} hold folders of the same names, {few(shared)}, "
        reason += "so that they cannot be told to be classes"
        raise user_error("class_folders", path=top, reason=reason, instead=instead)
