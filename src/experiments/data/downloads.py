"""Image sets of torchvision by names of our own: each one array, loaded from `data.root`.

Each function takes `root`, the folder that holds the set's files, or will. Torchvision's own
classes do the loading, and the downloading where files are missing; whatever goes wrong becomes one
message. (Any other set of torchvision, by its class: torchvision_sets.py.)

Shape letters: N images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.data import debian
from experiments.data.cache import cached
from experiments.data.sources import DataSet, Points, data_set_of
from experiments.errors.messages import UserError, check_choice, user_error
from experiments.errors.wording import listed

OFFLINE_CHOICES = (
    "data=digits, data=moons, data=xor, data=spirals, data=circles, data=mnist1d, and for "
    "regression data=diabetes, data=sine"
)
DIGITS = tuple("0123456789")
PERMUTATIONS = {"NHW": None, "NWH": (0, 2, 1), "NHWC": (0, 3, 1, 2), "NCHW": (0, 1, 2, 3)}
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
EMNIST_SPLITS = ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")
QMNIST_FILES = tuple(
    f"qmnist-{part}-{kind}"
    for part in ("train", "test")
    for kind in ("images-idx3-ubyte", "labels-idx2-int")
)
CIFAR10_FILES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")
STL10_FILES = ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "class_names.txt")
BY_SPLIT: dict[str, Any] = {
    "train": {"split": "train"},
    "test": {"split": "test"},
    "layout": "NCHW",
    "labels": "labels",
}


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


def mnist(root: str) -> DataSet:
    """MNIST: 60,000 + 10,000 handwritten digits, 28x28 grey, ten classes.

    LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document
    recognition".
    """
    return load("mnist", ArraySet("MNIST", "MNIST/raw", IDX_FILES), root)


def fashion_mnist(root: str) -> DataSet:
    """Fashion-MNIST: 60,000 + 10,000 images of clothes, 28x28 grey, ten classes.

    Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms". Where there is no network, also from Debian's package.
    """
    folder = "FashionMNIST/raw"
    debian.unpack(debian.FASHION_MNIST, Path(root) / folder, IDX_FILES)
    array_set = ArraySet("FashionMNIST", folder, IDX_FILES, other_place=debian.FASHION_MNIST)
    return load("fashion_mnist", array_set, root)


def kmnist(root: str) -> DataSet:
    """Kuzushiji-MNIST: 60,000 + 10,000 characters of cursive Japanese, 28x28 grey, ten classes.

    Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto, Ha 2018, "Deep learning for classical
    Japanese literature".
    """
    return load("kmnist", ArraySet("KMNIST", "KMNIST/raw", IDX_FILES), root)


def emnist(root: str, split: str = "balanced") -> DataSet:
    """EMNIST: handwritten letters and digits, 28x28 grey.

    Cohen, Afshar, Tapson, van Schaik 2017, "EMNIST: an extension of MNIST to handwritten letters".
    The files, and torchvision, have rows and columns swapped; here the letters stand upright, as
    in MNIST. Classes count from 0, in `letters` too, where the files begin at 1.

    Args:
        split: which of the authors' sets: `balanced` (112,800 + 18,800, 47 classes), `byclass`
            (697,932 + 116,323, 62), `bymerge` (697,932 + 116,323, 47), `letters` (124,800 +
            20,800, 26), `digits` (240,000 + 40,000, 10), `mnist` (60,000 + 10,000, 10).

    Raises:
        UserError: another word for `split`.
    """
    check_choice("data.split", split, EMNIST_SPLITS)
    kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
    array_set = ArraySet(
        "EMNIST",
        "EMNIST/raw",
        tuple(f"emnist-{split}-{part}-{kind}" for part in ("train", "test") for kind in kinds),
        train={"split": split, "train": True},
        test={"split": split, "train": False},
        layout="NWH",
        first_label=1 if split == "letters" else 0,
    )
    return load("emnist", array_set, root, variant=f"_{split}")


def qmnist(root: str) -> DataSet:
    """QMNIST: MNIST made anew from NIST's scans, with all 60,000 test digits; 28x28 grey.

    Yadav & Bottou 2019, "Cold case: the lost MNIST digits". 60,000 + 60,000 digits, ten classes;
    the first 10,000 of the test are MNIST's.
    """
    return load("qmnist", ArraySet("QMNIST", "QMNIST/raw", QMNIST_FILES), root)


def usps(root: str) -> DataSet:
    """USPS: 7,291 + 2,007 digits from envelopes, 16x16 grey, ten classes.

    Hull 1994, "A database for handwritten text recognition research".
    """
    return load("usps", ArraySet("USPS", "", ("usps.bz2", "usps.t.bz2")), root)


def cifar10(root: str) -> DataSet:
    """CIFAR-10: 50,000 + 10,000 photographs, 32x32 in colour, ten classes.

    Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    array_set = ArraySet("CIFAR10", "cifar-10-batches-py", CIFAR10_FILES, layout="NHWC")
    return load("cifar10", array_set, root)


def cifar100(root: str) -> DataSet:
    """CIFAR-100: 50,000 + 10,000 photographs, 32x32 in colour, 100 classes.

    Krizhevsky 2009, "Learning multiple layers of features from tiny images"; the fine labels.
    """
    array_set = ArraySet("CIFAR100", "cifar-100-python", ("train", "test", "meta"), layout="NHWC")
    return load("cifar100", array_set, root)


def svhn(root: str) -> DataSet:
    """SVHN: 73,257 + 26,032 digits of house numbers, 32x32 in colour, ten classes.

    Netzer, Wang, Coates, Bissacco, Wu, Ng 2011, "Reading digits in natural images with
    unsupervised feature learning". Without the 531,131 easier digits of its part `extra`.
    """
    array_set = ArraySet("SVHN", "", ("train_32x32.mat", "test_32x32.mat"), **BY_SPLIT)
    return load("svhn", array_set, root)


def stl10(root: str) -> DataSet:
    """STL-10: 5,000 + 8,000 photographs, 96x96 in colour, ten classes.

    Coates, Lee, Ng 2011, "An analysis of single-layer networks in unsupervised feature learning".
    Without its 100,000 images that have no label.
    """
    return load("stl10", ArraySet("STL10", "stl10_binary", STL10_FILES, **BY_SPLIT), root)


def load(name: str, array_set: ArraySet, root: str, variant: str = "") -> DataSet:
    """Return both parts of a set as tensors, from the cache where there is one.

    In the cache `variant` tells it from other sets of that name.

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
        parts = [as_points(dataset, array_set) for dataset in (train, test)]
    except Exception as error:  # torchvision raises whatever its readers and urllib raise
        raise not_loaded(name, sources, is_there, error, array_set.other_place) from error
    class_names = getattr(train, "classes", array_set.class_names)[array_set.first_label :]
    for points in parts:
        check_labels(name, sources[0].parent, points, len(class_names))
    return data_set_of(parts, tuple(map(str, class_names)))


def not_loaded(
    name: str, sources: list[Path], is_there: bool, error: Exception, other_place: Path | None
) -> UserError:
    """Return what is said of files that are missing, or are there and cannot be read."""
    folder = sources[0].parent
    if is_there:
        return user_error("corrupt_data", data=name, path=folder, reason=reason_of(error))
    places = f"{folder} and {other_place} (Debian)" if other_place else folder
    return missing(name, error, [path.name for path in sources], places)


def missing(data: str, error: Exception, looked_for: Iterable[str], places: object) -> UserError:
    """Return what is said of files that are not there and cannot be downloaded."""
    values = {"reason": reason_of(error), "looked_for": listed(looked_for), "places": places}
    return user_error("missing_data", data=data, offline=OFFLINE_CHOICES, **values)


def reason_of(error: object) -> str:
    """Return what an error says in one line, or what it is called where it says nothing."""
    return shortened(" ".join(str(error).split())) or type(error).__name__


def shortened(text: str, longest: int = 200) -> str:
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
    num_images, num_labels = len(points.inputs), len(points.targets)
    if num_images != num_labels or num_images == 0:
        reason = f"{num_images} images but {num_labels} labels"
    else:
        reason = outside(points.targets, num_classes)
    if reason:
        raise user_error("corrupt_data", data=name, path=folder, reason=reason)


def outside(labels: Tensor, num_classes: int) -> str:
    """Return what is said of labels of which some are not one of 0 to K - 1; empty for none."""
    low, high = int(labels.min()), int(labels.max())
    is_good = low >= 0 and high < num_classes
    return "" if is_good else f"labels from {low} to {high}, not 0 to {num_classes - 1}"
