"""Image sets of torchvision: loaded from `data.root`, downloaded where they are missing.

Torchvision's own classes do the loading and the downloading. What is added: where there is no
network, Fashion-MNIST is also taken from Debian's package dataset-fashion-mnist, and whatever
goes wrong becomes one message.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.data.cache import cached
from experiments.data.sources import DataSet, Points
from experiments.errors import UserError, user_error

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CIFAR10_FILES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")
OFFLINE_CHOICES = "data=digits, data=moons, data=xor, data=spirals, data=diabetes"


def fashion_mnist(root: str) -> DataSet:
    """Fashion-MNIST: 60,000 + 10,000 images of clothes, 28x28 grey, ten classes.

    Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms".
    """
    raw = Path(root) / "FashionMNIST" / "raw"
    unpack(DEBIAN_FASHION_MNIST, raw, IDX_FILES)
    return load("fashion_mnist", "FashionMNIST", root, raw, IDX_FILES, debian=True)


def mnist(root: str) -> DataSet:
    """MNIST: 60,000 + 10,000 handwritten digits, 28x28 grey, ten classes.

    LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document
    recognition".
    """
    return load("mnist", "MNIST", root, Path(root) / "MNIST" / "raw", IDX_FILES)


def cifar10(root: str) -> DataSet:
    """CIFAR-10: 50,000 + 10,000 photographs, 32x32 in colour, ten classes.

    Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    return load("cifar10", "CIFAR10", root, Path(root) / "cifar-10-batches-py", CIFAR10_FILES)


def load(
    name: str,
    class_name: str,
    root: str,
    folder: Path,
    file_names: Sequence[str],
    debian: bool = False,
) -> DataSet:
    """Return both parts of a torchvision set as tensors, from the cache where there is one.

    Args:
        name: the choice of the group `data`.
        class_name: of torchvision's class.
        root: the folder that torchvision is given.
        folder: where its files lie below the root.
        file_names: those files.
        debian: whether Debian's package was looked for too.

    Raises:
        UserError: files that are missing and cannot be downloaded, or cannot be read.
    """
    sources = [folder / file for file in file_names]
    return cached(
        name, Path(root), sources, lambda: decode(name, class_name, root, sources, debian)
    )


def decode(name: str, class_name: str, root: str, sources: list[Path], debian: bool) -> DataSet:
    """Let torchvision read the set, and download it where it is missing; see `load`."""
    # Inside the function: where the cache serves, torchvision's data sets are not needed.
    from torchvision import datasets

    dataset_class = getattr(datasets, class_name)
    folder, file_names = sources[0].parent, [path.name for path in sources]
    is_there = all(path.is_file() for path in sources)
    try:
        train = dataset_class(root, train=True, download=True)
        test = dataset_class(root, train=False, download=False)
        parts = [as_points(train), as_points(test)]
    except UserError:
        raise
    except Exception as error:  # torchvision raises whatever its readers and urllib raise
        reason = shortened(" ".join(str(error).split())) or type(error).__name__
        if is_there:
            raise user_error("corrupt_data", data=name, path=folder, reason=reason) from error
        places = f"{folder}" + (f" and {DEBIAN_FASHION_MNIST} (Debian)" if debian else "")
        raise user_error(
            "missing_data",
            data=name,
            reason=reason,
            looked_for=", ".join(file_names),
            places=places,
            offline=OFFLINE_CHOICES,
        ) from error
    for points in parts:
        check_labels(name, folder, points, len(train.classes))
    return DataSet(parts[0], parts[1], "classification", tuple(str(c) for c in train.classes))


def shortened(text: str, longest: int = 200) -> str:
    """Return the beginning of a text, with dots where something was left out."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def as_points(dataset: Any) -> Points:
    """Return a torchvision set as (N, C, H, W) uint8 images and (N,) class numbers."""
    images: Tensor = torch.as_tensor(dataset.data)
    # Grey images come as (N, H, W), colour ones as (N, H, W, C).
    images = images.unsqueeze(1) if images.dim() == 3 else images.permute(0, 3, 1, 2)
    return Points(images.contiguous(), torch.as_tensor(dataset.targets).long())


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


def unpack(source: Path, target: Path, file_names: Sequence[str]) -> None:
    """Unpack the gzipped `file_names` of `source` into `target`, each in one atomic step.

    Nothing happens to files that are there already, nor where `source` lacks any.
    """
    if not all((source / f"{name}.gz").is_file() for name in file_names):
        return
    for name in file_names:
        if not (target / name).is_file():
            unpack_one(source / f"{name}.gz", target / name)


def unpack_one(packed: Path, path: Path) -> None:
    """Unpack one gzipped file; nothing is left where that fails."""
    part = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(packed) as source, part.open("wb") as target:
            shutil.copyfileobj(source, target)
        os.replace(part, path)
    except (gzip.BadGzipFile, EOFError) as error:
        raise user_error("corrupt_data", data="fashion_mnist", path=packed, reason=error) from error
    except OSError as error:
        reason = error.strerror or error
        raise user_error("unwritable_data", path=path.parent, reason=reason) from error
    finally:
        part.unlink(missing_ok=True)
