"""Any set of torchvision whose images have one class each, by the name of its class.

Shape letters: N images, C channels, H height, W width.
"""

from __future__ import annotations

import inspect
import logging
import operator
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.data import checks
from experiments.data.cache import cached
from experiments.data.downloads import missing, outside, reason_of, shortened
from experiments.data.images import as_tensor, stacked
from experiments.data.sources import DataSet, Points, data_set_of
from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, check_choice, user_error
from experiments.errors.wording import listed

log = logging.getLogger(__name__)

Arguments = dict[str, Any]
SetClass = Callable[..., Any]

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
PATHS: dict[str, tuple[str, ...]] = {
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
TEST_WORDS = ("test", "val", "valid")
PARTS: dict[str, list[Arguments]] = {
    "EMNIST": [{"split": "balanced", "train": True}, {"split": "balanced", "train": False}],
    # The images of its part `test` have no labels, but come with 0 as if they had.
    "LSUN": [{"classes": "train"}, {"classes": "val"}],
    # Nobody is in both its parts for training and testing.
    "LFWPeople": [{"split": "10fold"}],
    "Places365": [{"split": "train-standard", "small": True}, {"split": "val", "small": True}],
}
"""What classes are told for training and testing where asking would not find it."""


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
    for top in (root / path for path in PATHS.get(name, ())):
        sources.append(top)
        if top.is_dir():
            sources += sorted(path for path in top.iterdir() if path.is_file())
            sources += sorted(Path(at, f) for at, folders, _ in os.walk(top) for f in folders)
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
        parts = open_parts(name, getattr(datasets, name), root)
    except Exception as error:  # whatever readers of lists, or of what is no list, raise
        is_there = any((root / path).exists() for path in PATHS.get(name, ()))
        if is_there and not isinstance(error, RuntimeError | OSError | ImportError):
            raise broken(name, root, "its files", error) from error
        looked_for = PATHS.get(name, ("its files",))
        raise missing(f"torchvision data.name={name}", error, looked_for, root) from error
    first = parts[0][0]
    if is_auto and not hasattr(getattr(first, "data", None), "shape"):
        size = DEFAULT_SIZE
    num = sum(len(dataset) for part in parts for dataset in part)
    log.info(TABLE["decoding"].format(num=num, data=name, place=root / "cache"))
    points = [decoded(name, root, part, size, grey) for part in parts]
    class_names = names_of(first) or [str(k) for k in range(int(points[0].targets.max()) + 1)]
    for part_points in points:
        reason = outside(part_points.targets, len(class_names))
        if reason:
            raise broken(name, root, "its labels", reason)
    return data_set_of(points, tuple(class_names))


def open_parts(name: str, set_class: SetClass, root: Path) -> list[list[Any]]:
    """Return the data sets that are trained on and, where there is one, the one for testing.

    The test part is `test`, or the validation part where the former has no labels. What else has
    labels is for training, since the validation points are cut from that by data.val_fraction.
    """
    parameters = inspect.signature(set_class).parameters
    if name not in PARTS and "train" not in parameters and "split" in parameters:
        return open_splits(set_class, root)
    usual: list[Arguments] = [{"train": True}, {"train": False}] if "train" in parameters else [{}]
    return [[open_part(set_class, root, arguments)] for arguments in PARTS.get(name, usual)]


def open_splits(set_class: SetClass, root: Path) -> list[list[Any]]:
    """Return the same for a class whose argument `split` takes words."""
    words = list(TEST_WORDS)
    test = None
    while words and test is None:
        part = open_split(set_class, root, words.pop(0))
        has_labels = part is not None and len(part) and part[0][1] is not None
        test = part if has_labels else None
    whole = open_split(set_class, root, "trainval")
    train = [whole]
    if whole is None:
        train = [open_split(set_class, root, word) for word in ("train", *words)]
    parts = [[part for part in train if part is not None]]
    return parts if test is None else [*parts, [test]]


def open_split(set_class: SetClass, root: Path, word: str) -> Any | None:
    """Return a part by its word, or None where the class does not know the word."""
    try:
        return open_part(set_class, root, {"split": word})
    except ValueError as error:
        if "Unknown value" in str(error):  # of torchvision's verify_str_arg
            return None
        raise


def open_part(set_class: SetClass, root: Path, arguments: Arguments) -> Any:
    """Return one part, downloaded where it is not there.

    Not all classes that can be downloaded look first whether they have been.
    """
    parameters = inspect.signature(set_class).parameters
    values = dict(arguments)
    if "root" in parameters:
        values["root"] = str(root)
    takes_more = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if "download" not in parameters and not takes_more:
        return set_class(**values)
    try:
        return set_class(**values, **({"download": False} if "download" in parameters else {}))
    except (RuntimeError, OSError) as error:
        try:
            return set_class(**values, download=True)
        except TypeError:  # its other arguments go to a class that does not download
            raise error from None


def broken(name: str, root: Path, what: str, error: object) -> UserError:
    """Return what is said of a set that is there and cannot be read."""
    path = f"{what} below {listed(root / path for path in PATHS.get(name, ('',)))}"
    data = f"torchvision data.name={name}"
    return user_error("corrupt_data", data=data, path=path, reason=reason_of(error))


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
