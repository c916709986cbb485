"""Sets that torchvision holds as one array: all images of one size, read at once.

Torchvision's own classes do the loading and the downloading; whatever goes wrong becomes one
message. (Sets of images of many sizes: torchvision_sets.py.)

Shape letters: N images, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from experiments.data.cache import cached
from experiments.data.sources import DataSet, Points
from experiments.errors import UserError, user_error

OFFLINE_CHOICES = (
    "data=digits, data=moons, data=xor, data=spirals, data=circles, data=mnist1d, and for "
    "regression data=diabetes, data=sine"
)
DIGITS = tuple("0123456789")
PERMUTATIONS = {"NHW": None, "NWH": (0, 2, 1), "NHWC": (0, 3, 1, 2), "NCHW": (0, 1, 2, 3)}


@dataclass(frozen=True)
class ArraySet:
    """How torchvision holds a set.

    Attributes:
        class_name: of torchvision's class.
        folder: where its files lie below the root.
        files: which those are.
        train: what its class is told for the training part.
        test: the same for the test part.
        layout: the order of the dimensions of its `data`; NHW is grey and NWH lies on its side.
        labels: the attribute that holds the class numbers.
        first_label: the number of the first class.
        class_names: where the class of torchvision knows none.
        other_place: where else the files were looked for, for messages.
    """

    class_name: str
    folder: str
    files: tuple[str, ...]
    train: dict[str, Any] = field(default_factory=lambda: {"train": True})
    test: dict[str, Any] = field(default_factory=lambda: {"train": False})
    layout: str = "NHW"
    labels: str = "targets"
    first_label: int = 0
    class_names: tuple[str, ...] = DIGITS
    other_place: Path | None = None


def load(name: str, array_set: ArraySet, root: str, variant: str = "") -> DataSet:
    """Return both parts of a set as tensors, from the cache where there is one.

    Args:
        name: the choice of the group `data`.
        array_set: how torchvision holds it.
        root: the folder that torchvision is given.
        variant: what tells it from other sets of that name, in the cache.

    Raises:
        UserError: files that are missing and cannot be downloaded, or cannot be read.
    """
    sources = [Path(root) / array_set.folder / file for file in array_set.files]
    return cached(
        name + variant, Path(root), sources, lambda: decode(name, array_set, root, sources)
    )


def decode(name: str, array_set: ArraySet, root: str, sources: list[Path]) -> DataSet:
    """Let torchvision read the set, and download it where it is missing; see `load`."""
    # Inside the function: where the cache serves, torchvision's data sets are not needed.
    from torchvision import datasets

    dataset_class = getattr(datasets, array_set.class_name)
    is_there = all(path.is_file() for path in sources)
    try:
        train = dataset_class(root, download=True, **array_set.train)
        test = dataset_class(root, download=True, **array_set.test)
        parts = [as_points(train, array_set), as_points(test, array_set)]
    except Exception as error:  # torchvision raises whatever its readers and urllib raise
        raise not_loaded(name, sources, is_there, error, array_set.other_place) from error
    class_names = getattr(train, "classes", array_set.class_names)[array_set.first_label :]
    for points in parts:
        check_labels(name, sources[0].parent, points, len(class_names))
    return DataSet(parts[0], parts[1], "classification", tuple(str(word) for word in class_names))


def not_loaded(
    name: str, sources: list[Path], is_there: bool, error: Exception, other_place: Path | None
) -> UserError:
    """Return what is said of files that are missing, or are there and cannot be read."""
    reason = shortened(" ".join(str(error).split())) or type(error).__name__
    folder = sources[0].parent
    if is_there:
        return user_error("corrupt_data", data=name, path=folder, reason=reason)
    return user_error(
        "missing_data",
        data=name,
        reason=reason,
        looked_for=", ".join(path.name for path in sources),
        places=f"{folder}" + (f" and {other_place} (Debian)" if other_place else ""),
        offline=OFFLINE_CHOICES,
    )


def shortened(text: str, longest: int = 200) -> str:
    """Return the beginning of a text, with dots where something was left out."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def as_points(dataset: Any, array_set: ArraySet) -> Points:
    """Return a torchvision set as (N, C, H, W) uint8 images and (N,) class numbers from 0."""
    images = torch.as_tensor(dataset.data)
    order = PERMUTATIONS[array_set.layout]
    images = images if order is None else images.permute(order)
    images = images.unsqueeze(1) if images.dim() == 3 else images
    targets = torch.as_tensor(getattr(dataset, array_set.labels)).long()
    # QMNIST's targets are (N, 8), of which the first is the class.
    targets = targets[:, 0] if targets.dim() == 2 else targets
    return Points(images.contiguous(), (targets - array_set.first_label).contiguous())


def check_labels(name: str, folder: Path, points: Points, num_classes: int) -> None:
    """Raise UserError unless there is one label in range for every image."""
    num_images, labels = len(points.inputs), points.targets
    if num_images != len(labels) or num_images == 0:
        reason = f"{num_images} images but {len(labels)} labels"
    elif int(labels.min()) < 0 or int(labels.max()) >= num_classes:
        reason = (
            f"labels from {int(labels.min())} to {int(labels.max())}, not 0 to {num_classes - 1}"
        )
    else:
        return
    raise user_error("corrupt_data", data=name, path=folder, reason=reason)
