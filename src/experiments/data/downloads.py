"""Image sets of torchvision: loaded from `data.root`, downloaded where they are missing."""

from __future__ import annotations

from pathlib import Path

from experiments.data import debian
from experiments.data.sources import DataSet
from experiments.data.torchvision_arrays import ArraySet, load
from experiments.errors import check_choice

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
EMNIST_SPLITS = ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")
SETS = {
    "mnist": ArraySet("MNIST", "MNIST/raw", IDX_FILES),
    "kmnist": ArraySet("KMNIST", "KMNIST/raw", IDX_FILES),
    "qmnist": ArraySet(
        "QMNIST",
        "QMNIST/raw",
        tuple(
            f"qmnist-{part}-{kind}"
            for part in ("train", "test")
            for kind in ("images-idx3-ubyte", "labels-idx2-int")
        ),
    ),
    "usps": ArraySet("USPS", "", ("usps.bz2", "usps.t.bz2")),
    "cifar10": ArraySet(
        "CIFAR10",
        "cifar-10-batches-py",
        (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"),
        layout="NHWC",
    ),
    "cifar100": ArraySet("CIFAR100", "cifar-100-python", ("train", "test", "meta"), layout="NHWC"),
    "svhn": ArraySet(
        "SVHN",
        "",
        ("train_32x32.mat", "test_32x32.mat"),
        train={"split": "train"},
        test={"split": "test"},
        layout="NCHW",
        labels="labels",
    ),
    "stl10": ArraySet(
        "STL10",
        "stl10_binary",
        ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "class_names.txt"),
        train={"split": "train"},
        test={"split": "test"},
        layout="NCHW",
        labels="labels",
    ),
}


def mnist(root: str) -> DataSet:
    """MNIST: 60,000 + 10,000 handwritten digits, 28x28 grey, ten classes.

    LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document
    recognition".

    Args:
        root: the folder that holds MNIST/raw, or will.
    """
    return load("mnist", SETS["mnist"], root)


def fashion_mnist(root: str) -> DataSet:
    """Fashion-MNIST: 60,000 + 10,000 images of clothes, 28x28 grey, ten classes.

    Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms". Where there is no network, also from Debian's package.

    Args:
        root: the folder that holds FashionMNIST/raw, or will.
    """
    folder = "FashionMNIST/raw"
    debian.unpack(debian.FASHION_MNIST, Path(root) / folder, IDX_FILES)
    array_set = ArraySet("FashionMNIST", folder, IDX_FILES, other_place=debian.FASHION_MNIST)
    return load("fashion_mnist", array_set, root)


def kmnist(root: str) -> DataSet:
    """Kuzushiji-MNIST: 60,000 + 10,000 characters of cursive Japanese, 28x28 grey, ten classes.

    Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto, Ha 2018, "Deep learning for classical
    Japanese literature".

    Args:
        root: the folder that holds KMNIST/raw, or will.
    """
    return load("kmnist", SETS["kmnist"], root)


def emnist(root: str, split: str = "balanced") -> DataSet:
    """EMNIST: handwritten letters and digits, 28x28 grey.

    Cohen, Afshar, Tapson, van Schaik 2017, "EMNIST: an extension of MNIST to handwritten letters".
    The files, and torchvision, have rows and columns swapped; here the letters stand upright, as
    in MNIST. Classes count from 0, in `letters` too, where the files begin at 1.

    Args:
        root: the folder that holds EMNIST/raw, or will.
        split: which of the authors' sets: `balanced` (112,800 + 18,800, 47 classes), `byclass`
            (697,932 + 116,323, 62), `bymerge` (697,932 + 116,323, 47), `letters` (124,800 +
            20,800, 26), `digits` (240,000 + 40,000, 10), `mnist` (60,000 + 10,000, 10).

    Raises:
        UserError: another word for `split`.
    """
    check_choice("data.split", split, EMNIST_SPLITS)
    return load("emnist", emnist_set(split), root, variant=f"_{split}")


def emnist_set(split: str) -> ArraySet:
    """Return how torchvision holds one of EMNIST's sets."""
    kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
    return ArraySet(
        "EMNIST",
        "EMNIST/raw",
        tuple(f"emnist-{split}-{part}-{kind}" for part in ("train", "test") for kind in kinds),
        train={"split": split, "train": True},
        test={"split": split, "train": False},
        layout="NWH",
        first_label=1 if split == "letters" else 0,
    )


def qmnist(root: str) -> DataSet:
    """QMNIST: MNIST made anew from NIST's scans, with all 60,000 test digits; 28x28 grey.

    Yadav & Bottou 2019, "Cold case: the lost MNIST digits". 60,000 + 60,000 digits, ten classes;
    the first 10,000 of the test are MNIST's.

    Args:
        root: the folder that holds QMNIST/raw, or will.
    """
    return load("qmnist", SETS["qmnist"], root)


def usps(root: str) -> DataSet:
    """USPS: 7,291 + 2,007 digits from envelopes, 16x16 grey, ten classes.

    Hull 1994, "A database for handwritten text recognition research".

    Args:
        root: the folder that holds usps.bz2 and usps.t.bz2, or will.
    """
    return load("usps", SETS["usps"], root)


def cifar10(root: str) -> DataSet:
    """CIFAR-10: 50,000 + 10,000 photographs, 32x32 in colour, ten classes.

    Krizhevsky 2009, "Learning multiple layers of features from tiny images".

    Args:
        root: the folder that holds cifar-10-batches-py, or will.
    """
    return load("cifar10", SETS["cifar10"], root)


def cifar100(root: str) -> DataSet:
    """CIFAR-100: 50,000 + 10,000 photographs, 32x32 in colour, 100 classes.

    Krizhevsky 2009, "Learning multiple layers of features from tiny images"; the fine labels.

    Args:
        root: the folder that holds cifar-100-python, or will.
    """
    return load("cifar100", SETS["cifar100"], root)


def svhn(root: str) -> DataSet:
    """SVHN: 73,257 + 26,032 digits of house numbers, 32x32 in colour, ten classes.

    Netzer, Wang, Coates, Bissacco, Wu, Ng 2011, "Reading digits in natural images with
    unsupervised feature learning". Without the 531,131 easier digits of its part `extra`.

    Args:
        root: the folder that holds train_32x32.mat and test_32x32.mat, or will.
    """
    return load("svhn", SETS["svhn"], root)


def stl10(root: str) -> DataSet:
    """STL-10: 5,000 + 8,000 photographs, 96x96 in colour, ten classes.

    Coates, Lee, Ng 2011, "An analysis of single-layer networks in unsupervised feature learning".
    Without its 100,000 images that have no label.

    Args:
        root: the folder that holds stl10_binary, or will.
    """
    return load("stl10", SETS["stl10"], root)
