"""Any set of torchvision whose images have one class each, by the name of its class.

Shape letters: N images, C channels, H height, W width.
"""

from __future__ import annotations

import inspect
import logging
import operator
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.data import checks
from experiments.data.cache import cached
from experiments.data.images import as_tensor, stacked
from experiments.data.sources import DataSet, Points, classification
from experiments.data.torchvision_arrays import OFFLINE_CHOICES, shortened
from experiments.data.torchvision_parts import open_parts
from experiments.errors import TABLE, UserError, check_choice, listed, user_error

log = logging.getLogger(__name__)

DEFAULT_SIZE = 64
FLOW, STEREO, VIDEO = "optical flow", "pairs of stereo images", "videos"
BOXES, MASKS, CAPTIONS = "boxes around objects", "a class for each pixel", "captions"
NOT_CLASSIFICATION = {
    **dict.fromkeys(("FlyingChairs", "FlyingThings3D", "HD1K", "KittiFlow", "Sintel"), FLOW),
    **dict.fromkeys(("CarlaStereo", "CREStereo", "ETH3DStereo", "FallingThingsStereo"), STEREO),
    **dict.fromkeys(("InStereo2k", "Kitti2012Stereo", "Kitti2015Stereo"), STEREO),
    **dict.fromkeys(("Middlebury2014Stereo", "SceneFlowStereo", "SintelStereo"), STEREO),
    **dict.fromkeys(("HMDB51", "Kinetics", "MovingMNIST", "UCF101"), VIDEO),
    **dict.fromkeys(("CocoDetection", "Kitti", "VOCDetection", "WIDERFace"), BOXES),
    **dict.fromkeys(("Cityscapes", "SBDataset", "VOCSegmentation"), MASKS),
    **dict.fromkeys(("CocoCaptions", "Flickr30k", "Flickr8k", "SBU"), CAPTIONS),
    **dict.fromkeys(("LFWPairs", "PhotoTour"), "pairs of images"),
    "CelebA": "40 attributes for each image",
}
NOT_SETS = {"DatasetFolder", "ImageFolder", "LSUNClass", "VisionDataset"}
"""Classes that read a user's own files (data=folder does), or that others build on."""
PLACES: dict[str, tuple[str, ...]] = {
    "Caltech101": ("caltech101",),
    "Caltech256": ("caltech256",),
    "CIFAR10": ("cifar-10-batches-py",),
    "CIFAR100": ("cifar-100-python",),
    "CLEVRClassification": ("clevr",),
    "Country211": ("country211",),
    "DTD": ("dtd",),
    "EMNIST": ("EMNIST/raw",),
    "EuroSAT": ("eurosat",),
    "FashionMNIST": ("FashionMNIST/raw",),
    "FER2013": ("fer2013",),
    "FGVCAircraft": ("fgvc-aircraft-2013b",),
    "Flowers102": ("flowers-102",),
    "Food101": ("food-101",),
    "GTSRB": ("gtsrb",),
    "ImageNet": ("train", "val", "meta.bin"),
    "Imagenette": ("imagenette2",),
    "INaturalist": ("2021_train",),
    "KMNIST": ("KMNIST/raw",),
    "LFWPeople": ("lfw-py",),
    "MNIST": ("MNIST/raw",),
    "Omniglot": ("omniglot-py",),
    "OxfordIIITPet": ("oxford-iiit-pet",),
    "PCAM": ("pcam",),
    "Places365": ("data_256_standard", "val_256"),
    "QMNIST": ("QMNIST/raw",),
    "RenderedSST2": ("rendered-sst2",),
    "SEMEION": ("semeion.data",),
    "StanfordCars": ("stanford_cars",),
    "STL10": ("stl10_binary",),
    "SUN397": ("SUN397",),
    "SVHN": ("train_32x32.mat", "test_32x32.mat"),
    "USPS": ("usps.bz2", "usps.t.bz2"),
}
"""What lies below the root; a set that is not here is decoded at each start."""


def torchvision(
    name: str = "FashionMNIST",
    root: str = "data",
    size: int | str | None = "auto",
    grey: bool = False,
) -> DataSet:
    """Any classification set of torchvision, its images resized and decoded once.

    The makers' test part is the test set; where it has no labels, their validation part is; where
    there is neither, a stratified fifth. A validation part beside a test part joins the training
    points, from which data.val_fraction cuts the validation.

    Args:
        name: of torchvision's class, such as FGVCAircraft, Flowers102 or Food101.
        root: the folder that torchvision is given.
        size: pixels: the shorter edge is resized to it, and the middle cut out of the longer one;
            None leaves the images as they are; `auto` does so where torchvision holds them as one
            array, and takes 64 elsewhere.
        grey: one channel instead of red, green, blue.

    Raises:
        UserError: a name that is none, or of a set that is not for classification; files that are
            missing and cannot be downloaded, or cannot be read.

    Shapes: inputs (N, 3 or 1, H, W).
    """
    is_auto = size == "auto"
    pixels = None if is_auto else checks.checked_size(size)
    return cached(
        f"torchvision-{name}-{size}{'-grey' if grey else ''}",
        Path(root),
        lambda: sources_of(name, Path(root)),
        lambda: decode(name, Path(root), pixels, is_auto, grey),
    )


def sources_of(name: str, root: Path) -> list[Path]:
    """Return what the cache depends on: the folders of a set, and the files in the top one.

    A folder's time changes as files in it come and go. Of the files below, which torchvision
    unpacked and nobody edits, there may be 100,000, for which asking takes a second.
    """
    sources = []
    for place in (root / place for place in PLACES.get(name, ())):
        sources.append(place)
        if place.is_dir():
            sources += sorted(path for path in place.iterdir() if path.is_file())
            sources += sorted(Path(at, f) for at, folders, _ in os.walk(place) for f in folders)
    return sources


def classification_sets() -> list[str]:
    """Return the names of the classes that are allowed."""
    from torchvision import datasets

    names = (name for name in datasets.__all__ if inspect.isclass(getattr(datasets, name)))
    return sorted(set(names) - set(NOT_CLASSIFICATION) - NOT_SETS)


def decode(name: str, root: Path, size: int | None, is_auto: bool, grey: bool) -> DataSet:
    """Let torchvision read a set, downloaded where it is missing, and decode its images."""
    from torchvision import datasets

    choices = classification_sets()
    if name in NOT_CLASSIFICATION:
        what = NOT_CLASSIFICATION[name]
        raise user_error("not_classification", given=name, what=what, choices=listed(choices))
    check_choice("data.name", name, choices)
    try:
        train, test = open_parts(name, getattr(datasets, name), root)
    except Exception as error:  # whatever readers of lists, or of what is no list, raise
        is_there = any((root / place).exists() for place in PLACES.get(name, ()))
        if is_there and not isinstance(error, RuntimeError | OSError | ImportError):
            raise broken(name, root, "its files", error) from error
        raise missing(name, root, error) from error
    if is_auto and not hasattr(getattr(train[0], "data", None), "shape"):
        size = DEFAULT_SIZE
    num, place = sum(map(len, train)) + len(test or ()), root / "cache"
    log.info(TABLE["decoding"].format(num=num, data=name, place=place))
    points = decoded(name, root, train, size, grey)
    class_names = names_of(train[0]) or [str(k) for k in range(int(points.targets.max()) + 1)]
    check_range(name, root, points, len(class_names))
    if test is None:
        return classification(points.inputs, points.targets, tuple(class_names))
    test_points = decoded(name, root, [test], size, grey)
    check_range(name, root, test_points, len(class_names))
    return DataSet(points, test_points, "classification", tuple(class_names))


def missing(name: str, root: Path, error: Exception) -> UserError:
    """Return what is said of a set that is not there and cannot be downloaded."""
    return user_error(
        "missing_data",
        data=f"torchvision data.name={name}",
        reason=shortened(" ".join(str(error).split())) or type(error).__name__,
        looked_for=listed(PLACES.get(name, ("its files",))),
        places=root,
        offline=OFFLINE_CHOICES,
    )


def broken(name: str, root: Path, what: str, error: object) -> UserError:
    """Return what is said of a set that is there and cannot be read."""
    reason = shortened(" ".join(str(error).split())) or type(error).__name__
    path = f"{what} below {listed(root / place for place in PLACES.get(name, ('',)))}"
    return user_error(
        "corrupt_data", data=f"torchvision data.name={name}", path=path, reason=reason
    )


def decoded(name: str, root: Path, parts: list[Any], size: int | None, grey: bool) -> Points:
    """Return the images of some parts, one after the other, with their class numbers."""
    labels: list[int] = []

    def images() -> Iterator[Tensor]:
        for part in parts:
            for i in range(len(part)):
                try:
                    image, target = part[i]
                    tensor = as_tensor(image, size, grey)
                except Exception as error:  # whatever readers of images raise
                    raise broken(name, root, f"image {len(labels)}", error) from error
                labels.append(class_number(name, target))
                # The files of EMNIST have rows and columns swapped.
                yield tensor.transpose(1, 2) if name == "EMNIST" else tensor

    num = sum(map(len, parts))
    if not num:
        raise broken(name, root, "its images", "there are none")
    inputs = stacked(images(), num, lambda i: f"data.name={name}, image {i}")
    return Points(inputs, torch.tensor(labels))


def class_number(name: str, target: Any) -> int:
    """Return the target of an image, which must be a whole number."""
    try:
        return operator.index(target)
    except TypeError as error:
        what = f"targets such as {shortened(str(target), 40)}"
        choices = listed(classification_sets())
        raise user_error("not_classification", given=name, what=what, choices=choices) from error


def names_of(part: Any) -> list[str]:
    """Return the names of the classes, where a data set knows them."""
    for attribute in ("classes", "categories", "all_categories", "class_to_idx"):
        words = list(getattr(part, attribute, ()))
        if words:
            # ImageNet gives a tuple of synonyms.
            return [str(word[0] if isinstance(word, tuple) else word) for word in words]
    return []


def check_range(name: str, root: Path, points: Points, num_classes: int) -> None:
    """Raise UserError for class numbers that no class has."""
    low, high = int(points.targets.min()), int(points.targets.max())
    if low < 0 or high >= num_classes:
        reason = f"labels from {low} to {high}, not 0 to {num_classes - 1}"
        raise broken(name, root, "its labels", reason)
