"""A user's own images in class folders, held to torchvision's ImageFolder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.transforms import v2

from experiments.data import folders
from experiments.data.folders import folder
from experiments.data.sources import Points
from experiments.errors.messages import UserError

TO_TENSOR = v2.PILToTensor()


def picture(seed: int, width: int = 6, height: int = 5, grey: bool = False) -> Image.Image:
    shape = (height, width) if grey else (height, width, 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def write(folder: Path, numbers: Iterable[int], suffix: str = ".png", **values: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        picture(number, **values).save(folder / f"{number:03}{suffix}")


def write_classes(top: str = "own", **values: int) -> str:
    write(Path(top, "cat"), range(5), **values)
    write(Path(top, "dog"), range(10, 20), **values)
    return top


def as_set(points: Points) -> set[tuple[bytes, int]]:
    pairs = zip(points.inputs, points.targets.tolist(), strict=True)
    return {(image.numpy().tobytes(), target) for image, target in pairs}


def test_images_and_classes_are_those_of_image_folder() -> None:
    write_classes()
    write(Path("own/dog/young"), [30], ".ppm")
    data = folder("own")
    reference = ImageFolder("own", transform=TO_TENSOR)
    expected = {(image.numpy().tobytes(), target) for image, target in reference}
    assert as_set(data.train) | as_set(data.test) == expected
    assert len(data.train) + len(data.test) == 16
    assert data.class_names == tuple(reference.classes) == ("cat", "dog")
    assert data.spec.shape == (3, 5, 6)
    assert data.train.inputs.dtype == torch.uint8
    assert set(folders.EXTENSIONS) - set(IMG_EXTENSIONS) == {".gif", ".jfif"}


def test_train_and_test_folders_are_the_two_parts() -> None:
    write_classes("own/train")
    write(Path("own/test/dog"), [40, 41])
    data = folder("own")
    expected = ImageFolder("own/train", transform=TO_TENSOR)
    assert torch.equal(data.train.inputs, torch.stack([image for image, _ in expected]))
    assert data.train.targets.tolist() == expected.targets
    assert torch.equal(data.test.inputs[1], TO_TENSOR(picture(41)))
    assert data.test.targets.tolist() == [1, 1]


def test_train_may_be_a_class() -> None:
    write(Path("own/train"), range(5))
    write(Path("own/plane"), range(5))
    assert folder("own").class_names == ("plane", "train")


def test_images_are_resized_and_cut_as_torchvision_does() -> None:
    write(Path("own/cat"), range(3), width=9, height=6)
    write(Path("own/dog"), range(10, 13), width=4, height=16)
    data = folder("own", size=4)
    change = v2.Compose([v2.Resize(4), v2.CenterCrop(4), TO_TENSOR])
    reference = ImageFolder("own", transform=change)
    expected = {(image.numpy().tobytes(), target) for image, target in reference}
    assert as_set(data.train) | as_set(data.test) == expected


@pytest.mark.parametrize("is_grey", [False, True])
def test_grey_images_have_one_channel(is_grey: bool) -> None:
    write_classes(grey=is_grey)
    data = folder("own", grey=True)
    assert data.spec.shape == (1, 5, 6)
    image = picture(0, grey=is_grey).convert("L")
    assert any(
        torch.equal(x, TO_TENSOR(image)) for x in torch.cat([data.train.inputs, data.test.inputs])
    )


def test_what_is_hidden_or_no_image_does_not_count() -> None:
    write_classes()
    write(Path("own/.ipynb_checkpoints"), [1])
    write(Path("own/cat/.thumbnails"), [1])
    Path("own/cat/.DS_Store").write_bytes(b"")
    Path("own/cat/._000.png").write_bytes(b"")
    Path("own/notes.txt").write_text("notes")
    Path("own/cat/notes.txt").write_text("notes")
    data = folder("own")
    assert len(data.train) + len(data.test) == 15
    assert data.class_names == ("cat", "dog")


def test_a_second_start_decodes_nothing_unless_something_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_classes()
    first = folder("own").checksum()
    with monkeypatch.context() as patch:
        patch.setattr(folders, "decoded", lambda *a: pytest.fail("decoded again"))
        assert folder("own").checksum() == first
    assert folder("own", grey=True).checksum() != first
    picture(99).save("own/cat/000.png")
    second = folder("own").checksum()
    assert second != first
    write(Path("own/dog"), [50])
    third = folder("own").checksum()
    assert third != second
    # Names of classes change no file.
    os.rename("own/cat", "own/x")
    os.rename("own/dog", "own/cat")
    os.rename("own/x", "own/dog")
    assert folder("own").checksum() != third


def test_decoding_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    write_classes()
    with caplog.at_level("INFO"):
        folder("own")
        folder("own")
    assert (
        caplog.text.count(
            "decoding 15 images of own, once; the next start finds them in data/cache"
        )
        == 1
    )


def test_an_image_that_cannot_be_read_is_told() -> None:
    write_classes()
    Path("own/dog/012.png").write_bytes(Path("own/dog/012.png").read_bytes()[:60])
    with pytest.raises(UserError, match=r"own/dog/012.png: this cannot be read as an image \("):
        folder("own")
    Path("own/dog/012.png").write_text("no image")
    with pytest.raises(UserError, match=r"own/dog/012.png: .*cannot identify image file"):
        folder("own")


def test_images_that_differ_in_size_are_told() -> None:
    write_classes()
    picture(1, 7, 5).save("own/dog/012.png")
    said = "own/dog/012.png: 7x5 pixels, where the images before it have 6x5. Have all of them resized: data.size=64."
    with pytest.raises(UserError, match=re.escape(said)):
        folder("own")
    assert folder("own", size=5).spec.shape == (3, 5, 5)


def test_test_images_of_another_size_are_told() -> None:
    write_classes("own/train")
    write(Path("own/test/dog"), [1], width=8)
    with pytest.raises(UserError, match="own/test/dog/001.png: 8x5 pixels, .* have 6x5"):
        folder("own")


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([], "own: no folder is in it. Give a folder that holds one folder of images"),
        ([("cat", 5)], "own: all data points are of one class, cat; at least two are needed."),
        (
            [("cat", 5), ("dog", 0)],
            "own/dog: no image is in it. Remove the folder, or add images (.jpg",
        ),
        ([("cat", 2), ("dog", 2)], "own: 4 data points, and at least 5 are needed"),
        (
            [("train/cat", 3), ("train/dog", 3)],
            "own: there is a folder train with classes in it, and no folder test. "
            "Add one, or have a fifth of train held out: data.path=own/train",
        ),
        (
            [("train/cat", 3), ("train/dog", 3), ("test/fox", 1)],
            "own/test, folder fox: fox is none of the classes; allowed is cat, dog.",
        ),
        ([("train/cat", 3), ("train/dog", 3), ("test/dog", 0)], "own/test: 0 data points"),
        ([("train/cat", 3), ("test/cat", 3)], "own/train: all data points are of one class, cat"),
    ],
)
def test_folders_that_do_not_fit_are_told(classes: list[tuple[str, int]], said: str) -> None:
    Path("own").mkdir()
    for name, num in classes:
        write(Path("own", name), range(num))
    with pytest.raises(UserError, match=re.escape(said)):
        folder("own")


def test_folders_beside_the_parts_are_told(caplog: pytest.LogCaptureFixture) -> None:
    for part in ("train", "test", "predict"):
        write_classes(f"own/{part}")
    folder("own")
    assert "own: predict is not used; the classes are those in train, test" in caplog.text


def test_places_and_sizes_that_are_none_are_told() -> None:
    with pytest.raises(UserError, match="data=folder needs to know .* Type data.path=FOLDER"):
        folder()
    with pytest.raises(UserError, match="data.path=nowhere: there is no such folder"):
        folder("nowhere")
    for size in (0, -1, True, "large"):
        with pytest.raises(UserError, match=f"data.size={size}: allowed is a number of pixels"):
            folder(write_classes(), size=size)
