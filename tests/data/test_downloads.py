"""Torchvision's sets, on small files in their true format (real Fashion-MNIST: tests/slow)."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets

from experiments.data import downloads
from experiments.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)
LABELS = np.arange(12, dtype=np.uint8) % 10


def idx(array: np.ndarray) -> bytes:
    """Return an array of bytes in the IDX format of the MNIST files."""
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return header + array.tobytes()


def write_mnist(folder: Path, pack: bool = False, labels: np.ndarray = LABELS) -> None:
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", IMAGES), ("labels-idx1", labels)):
            name, content = f"{part}-{kind}-ubyte", idx(array)
            if pack:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **values: object) -> None:
        raise RuntimeError("Error downloading: no network")

    monkeypatch.setattr(torchvision.datasets.mnist, "download_and_extract_archive", refuse)
    monkeypatch.setattr(torchvision.datasets.cifar, "download_and_extract_archive", refuse)
    monkeypatch.setattr(downloads, "DEBIAN_FASHION_MNIST", Path("nowhere"))


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("make", "folder"),
    [(downloads.mnist, "MNIST/raw"), (downloads.fashion_mnist, "FashionMNIST/raw")],
)
def test_files_under_the_root_are_used(make: Callable, folder: str) -> None:
    write_mnist(Path("data") / folder)
    data = make("data")
    assert torch.equal(data.train.inputs.squeeze(1), torch.from_numpy(IMAGES))
    assert torch.equal(data.test.targets, torch.from_numpy(LABELS).long())
    assert data.train.inputs.shape == (12, 1, 28, 28)
    assert len(data.class_names) == 10


@pytest.mark.usefixtures("no_network")
def test_fashion_mnist_is_also_found_where_debian_puts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(Path("debian"), pack=True)
    monkeypatch.setattr(downloads, "DEBIAN_FASHION_MNIST", Path("debian"))
    data = downloads.fashion_mnist("data")
    assert torch.equal(data.test.inputs.squeeze(1), torch.from_numpy(IMAGES))
    # Unpacked once; the second time the package is not needed.
    monkeypatch.setattr(downloads, "DEBIAN_FASHION_MNIST", Path("nowhere"))
    assert downloads.fashion_mnist("data").checksum() == data.checksum()
    assert sorted(p.name for p in Path("data/FashionMNIST/raw").iterdir()) == [
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
    ]


def test_cifar10_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    cifar = torchvision.datasets.CIFAR10
    folder = Path("data") / cifar.base_folder
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 256, (4, 3 * 32 * 32), dtype=np.uint8)

    def write(name: str, content: object) -> str:
        raw = pickle.dumps(content)
        (folder / name).write_bytes(raw)
        return hashlib.md5(raw).hexdigest()

    batch = {"data": pixels, "labels": [0, 1, 2, 9]}
    parts = {name: write(name, batch) for name in ("data_batch_1", "test_batch")}
    names = [f"class {number}" for number in range(10)]
    meta = write("batches.meta", {"label_names": names})
    monkeypatch.setattr(cifar, "train_list", [["data_batch_1", parts["data_batch_1"]]])
    monkeypatch.setattr(cifar, "test_list", [["test_batch", parts["test_batch"]]])
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": meta})
    data = downloads.cifar10("data")
    assert torch.equal(data.train.inputs, torch.from_numpy(pixels).view(4, 3, 32, 32))
    assert data.train.targets.tolist() == [0, 1, 2, 9]
    assert data.class_names == tuple(names)


@pytest.mark.usefixtures("no_network")
def test_missing_files_are_told_with_what_works_offline() -> None:
    for make, name in ((downloads.mnist, "mnist"), (downloads.cifar10, "cifar10")):
        with pytest.raises(UserError) as caught:
            make("data")
        said = str(caught.value)
        assert said.startswith(f"data={name}: the files are not there and could not be downloaded")
        assert "Without a network these work at once: data=digits, data=moons" in said
        assert "data.root=FOLDER" in said
    with pytest.raises(
        UserError, match="train-images-idx3-ubyte.* in data/FashionMNIST/raw and now"
    ):
        downloads.fashion_mnist("data")


@pytest.mark.usefixtures("no_network")
def test_a_corrupt_file_is_told() -> None:
    write_mnist(Path("data/MNIST/raw"))
    path = Path("data/MNIST/raw/train-images-idx3-ubyte")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="data=mnist: data/MNIST/raw cannot be read"):
        downloads.mnist("data")


@pytest.mark.usefixtures("no_network")
def test_labels_out_of_range_are_told() -> None:
    write_mnist(Path("data/MNIST/raw"), labels=LABELS + 3)
    with pytest.raises(UserError, match="labels from 3 to 12, not 0 to 9"):
        downloads.mnist("data")


@pytest.mark.usefixtures("no_network")
def test_a_missing_label_is_told() -> None:
    write_mnist(Path("data/MNIST/raw"), labels=LABELS[:-1])
    with pytest.raises(UserError, match="12 images but 11 labels"):
        downloads.mnist("data")


@pytest.mark.usefixtures("no_network")
def test_a_broken_package_leaves_no_half_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(Path("debian"), pack=True)
    packed = Path("debian/train-images-idx3-ubyte.gz")
    packed.write_bytes(packed.read_bytes()[:500])
    monkeypatch.setattr(downloads, "DEBIAN_FASHION_MNIST", Path("debian"))
    with pytest.raises(UserError, match="train-images-idx3-ubyte.gz cannot be read"):
        downloads.fashion_mnist("data")
    assert not Path("data/FashionMNIST/raw/train-images-idx3-ubyte").exists()
