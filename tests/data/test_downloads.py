"""Torchvision's sets, on small files in their true format (real Fashion-MNIST: tests/slow)."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import scipy.io
import torch
import torchvision.datasets

from experiments.data import debian, downloads
from experiments.errors.messages import UserError

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
        raise URLError("no network")

    for name in ("_get_redirect_url", "_urlretrieve"):
        monkeypatch.setattr(torchvision.datasets.utils, name, refuse)
    monkeypatch.setattr(debian, "FASHION_MNIST", Path("nowhere"))


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("make", "folder"),
    [
        (downloads.mnist, "MNIST/raw"),
        (downloads.fashion_mnist, "FashionMNIST/raw"),
        (downloads.kmnist, "KMNIST/raw"),
    ],
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
    monkeypatch.setattr(debian, "FASHION_MNIST", Path("debian"))
    data = downloads.fashion_mnist("data")
    assert torch.equal(data.test.inputs.squeeze(1), torch.from_numpy(IMAGES))
    # Unpacked once; the second time the package is not needed.
    monkeypatch.setattr(debian, "FASHION_MNIST", Path("nowhere"))
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
@pytest.mark.parametrize(
    ("make", "looked_for"),
    [
        (downloads.mnist, "train-images-idx3-ubyte, .* in data/MNIST/raw"),
        (downloads.kmnist, "train-images-idx3-ubyte, .* in data/KMNIST/raw"),
        (downloads.emnist, "emnist-balanced-train-images-idx3-ubyte, .* in data/EMNIST/raw"),
        (downloads.qmnist, "qmnist-train-images-idx3-ubyte, .* in data/QMNIST/raw"),
        (downloads.usps, "usps.bz2, usps.t.bz2 in data"),
        (downloads.cifar10, "data_batch_1, .* in data/cifar-10-batches-py"),
        (downloads.cifar100, "train, test, meta in data/cifar-100-python"),
        (downloads.svhn, "train_32x32.mat, test_32x32.mat in data"),
        (downloads.stl10, "train_X.bin, .* in data/stl10_binary"),
    ],
)
def test_missing_files_are_told_with_what_works_offline(make: Callable, looked_for: str) -> None:
    with pytest.raises(UserError, match=f"Looked for {looked_for}[.]") as caught:
        make("data")
    said = str(caught.value)
    name = make.__name__
    assert said.startswith(f"data={name}: the files are not there and could not be downloaded")
    assert "no network" in said
    assert "Without a network these work at once: data=digits, data=moons" in said
    assert "data.root=FOLDER" in said


@pytest.mark.usefixtures("no_network")
def test_debian_s_place_is_told_too() -> None:
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
    monkeypatch.setattr(debian, "FASHION_MNIST", Path("debian"))
    with pytest.raises(UserError, match="train-images-idx3-ubyte.gz cannot be read"):
        downloads.fashion_mnist("data")
    assert not Path("data/FashionMNIST/raw/train-images-idx3-ubyte").exists()


def write_idx(folder: Path, names: list[str], arrays: list[np.ndarray]) -> None:
    folder.mkdir(parents=True)
    for name, array in zip(names, arrays, strict=True):
        (folder / name).write_bytes(idx(array))


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(("split", "first"), [("balanced", 0), ("letters", 1)])
def test_emnist_stands_upright_and_counts_from_0(split: str, first: int) -> None:
    kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
    names = [f"emnist-{split}-{part}-{kind}" for part in ("train", "test") for kind in kinds]
    # In the files each image is written column by column.
    on_its_side = IMAGES.transpose(0, 2, 1)
    labels = (LABELS + first).astype(np.uint8)
    write_idx(Path("data/EMNIST/raw"), names, [on_its_side, labels] * 2)
    data = downloads.emnist("data", split)
    assert torch.equal(data.train.inputs.squeeze(1), torch.from_numpy(IMAGES))
    assert data.test.targets.tolist() == LABELS.tolist()
    if split == "letters":
        assert data.class_names == tuple("abcdefghijklmnopqrstuvwxyz")
    else:
        assert data.class_names == tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")
    assert [p.name for p in Path("data/cache").glob("*.json")] == [f"emnist_{split}.json"]


def test_another_part_of_emnist_is_told() -> None:
    with pytest.raises(UserError, match=r"data.split=letter: .*Did you mean data.split=letters\?"):
        downloads.emnist("data", "letter")


@pytest.mark.usefixtures("no_network")
def test_qmnist_takes_the_class_of_its_eight_numbers() -> None:
    folder = Path("data/QMNIST/raw")
    folder.mkdir(parents=True)
    rows = np.arange(12 * 8).reshape(12, 8)
    rows[:, 0] = LABELS
    header = struct.pack(">BBBB", 0, 0, 12, 2) + struct.pack(">2I", *rows.shape)
    for part in ("train", "test"):
        (folder / f"qmnist-{part}-images-idx3-ubyte").write_bytes(idx(IMAGES))
        content = header + rows.astype(">i4").tobytes()
        (folder / f"qmnist-{part}-labels-idx2-int").write_bytes(content)
    data = downloads.qmnist("data")
    assert data.train.targets.tolist() == data.test.targets.tolist() == LABELS.tolist()
    assert torch.equal(data.test.inputs.squeeze(1), torch.from_numpy(IMAGES))
    assert len(data.class_names) == 10


@pytest.mark.usefixtures("no_network")
def test_usps_is_read_from_its_rows_of_text() -> None:
    # Labels 1 to 10 stand for the digits 0 to 9, and ink from -1 to 1 for bytes.
    ink = np.random.default_rng(2).uniform(-1, 1, (6, 256)).round(3)
    digits = [0, 9, 1, 8, 2, 7]
    lines = [
        f"{digit + 1} " + " ".join(f"{i + 1}:{value}" for i, value in enumerate(row))
        for digit, row in zip(digits, ink, strict=True)
    ]
    Path("data").mkdir()
    for name in ("usps.bz2", "usps.t.bz2"):
        Path("data", name).write_bytes(bz2.compress("\n".join(lines).encode()))
    data = downloads.usps("data")
    assert data.train.inputs.shape == (6, 1, 16, 16)
    assert data.train.inputs.dtype == torch.uint8
    expected = (torch.from_numpy(ink) + 1) / 2 * 255
    assert (data.train.inputs.view(6, 256) - expected).abs().max() <= 1
    assert data.test.targets.tolist() == digits
    assert data.class_names == tuple("0123456789")


def test_cifar100_has_its_fine_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    cifar = torchvision.datasets.CIFAR100
    folder = Path("data") / cifar.base_folder
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 256, (3, 3 * 32 * 32), dtype=np.uint8)
    names = [f"class {number}" for number in range(100)]
    contents = {
        "train": {"data": pixels, "fine_labels": [0, 42, 99], "coarse_labels": [0, 1, 2]},
        "test": {"data": pixels[:1], "fine_labels": [7], "coarse_labels": [3]},
        "meta": {"fine_label_names": names, "coarse_label_names": []},
    }
    sums = {}
    for name, content in contents.items():
        raw = pickle.dumps(content)
        (folder / name).write_bytes(raw)
        sums[name] = hashlib.md5(raw).hexdigest()
    monkeypatch.setattr(cifar, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(cifar, "test_list", [["test", sums["test"]]])
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": sums["meta"]})
    data = downloads.cifar100("data")
    assert torch.equal(data.train.inputs, torch.from_numpy(pixels).view(3, 3, 32, 32))
    assert (data.train.targets.tolist(), data.test.targets.tolist()) == ([0, 42, 99], [7])
    assert data.class_names == tuple(names)


@pytest.mark.usefixtures("no_network")
def test_svhn_is_read_from_its_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    # In the files the images come last, and 10 stands for the digit 0.
    pixels = np.random.default_rng(3).integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
    Path("data").mkdir()
    split_list = {}
    for part in ("train", "test"):
        path = Path("data", f"{part}_32x32.mat")
        scipy.io.savemat(path, {"X": pixels, "y": np.array([[10], [1], [9], [10]], np.uint8)})
        split_list[part] = ["", path.name, hashlib.md5(path.read_bytes()).hexdigest()]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", split_list)
    data = downloads.svhn("data")
    assert torch.equal(data.train.inputs, torch.from_numpy(pixels).permute(3, 2, 0, 1))
    assert data.test.targets.tolist() == [0, 1, 9, 0]
    assert data.class_names == tuple("0123456789")


@pytest.mark.usefixtures("no_network")
def test_stl10_is_read_from_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    # In the files each channel is written column by column, and classes count from 1.
    pixels = np.random.default_rng(4).integers(0, 256, (3, 3, 96, 96), dtype=np.uint8)
    names = [f"class {number}" for number in range(10)]
    folder = Path("data/stl10_binary")
    folder.mkdir(parents=True)
    lists = {}
    for part in ("train", "test"):
        (folder / f"{part}_X.bin").write_bytes(pixels.transpose(0, 1, 3, 2).tobytes())
        (folder / f"{part}_y.bin").write_bytes(bytes([1, 10, 5]))
        lists[part] = [
            [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]
            for name in (f"{part}_X.bin", f"{part}_y.bin")
        ]
    (folder / "class_names.txt").write_text("\n".join(names) + "\n")
    monkeypatch.setattr(torchvision.datasets.STL10, "train_list", lists["train"])
    monkeypatch.setattr(torchvision.datasets.STL10, "test_list", lists["test"])
    data = downloads.stl10("data")
    assert torch.equal(data.train.inputs, torch.from_numpy(pixels))
    assert data.test.targets.tolist() == [0, 9, 4]
    assert data.class_names == tuple(names)


@pytest.mark.usefixtures("no_network")
def test_a_second_start_reads_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(Path("data/KMNIST/raw"))
    first = downloads.kmnist("data")
    monkeypatch.setattr(torchvision.datasets, "KMNIST", None)
    assert downloads.kmnist("data").checksum() == first.checksum()
