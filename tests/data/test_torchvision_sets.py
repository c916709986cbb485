"""Any classification set of torchvision, on small files in their true format."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets
from torchvision.transforms import v2

from experiments.data import torchvision_sets
from experiments.data.sources import Points
from experiments.data.torchvision_sets import NOT_CLASSIFICATION, classification_sets, torchvision
from experiments.errors.messages import UserError

ROOT = Path("data")
TO_TENSOR = v2.PILToTensor()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **values: object) -> None:
        raise URLError("no network")

    for name in ("_get_redirect_url", "_urlretrieve"):
        monkeypatch.setattr(datasets.utils, name, refuse)


def picture(number: int, width: int = 90, height: int = 70) -> Image.Image:
    """Return an image whose first red byte is its number."""
    pixels = np.full((height, width, 3), number, dtype=np.uint8)
    return Image.fromarray(pixels)


def write(folder: Path, numbers: Iterable[int], pattern: str = "{}.png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        picture(number).save(folder / pattern.format(number))


def numbers(points: Points) -> list[int]:
    return points.inputs[:, 0, 0, 0].tolist()


def write_text(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def write_idx(folder: str, images: np.ndarray, labels: np.ndarray, prefix: str = "") -> None:
    top = ROOT / folder / "raw"
    top.mkdir(parents=True)
    for part in ("train", "test" if prefix else "t10k"):
        (top / f"{prefix}{part}-images-idx3-ubyte").write_bytes(idx(images))
        (top / f"{prefix}{part}-labels-idx1-ubyte").write_bytes(idx(labels))


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
LABELS = np.arange(6, dtype=np.uint8)


def write_aircraft() -> None:
    top = ROOT / "fgvc-aircraft-2013b" / "data"
    write_text(top / "variants.txt", ["707-320", "Falcon 900"])
    write_text(top / "images_variant_trainval.txt", ["1 707-320", "2 Falcon 900", "3 707-320"])
    write_text(top / "images_variant_test.txt", ["4 Falcon 900"])
    write(top / "images", range(1, 5), "{}.jpg")


def test_the_makers_training_and_test_parts() -> None:
    write_aircraft()
    data = torchvision("FGVCAircraft")
    assert data.class_names == ("707-320", "Falcon 900")
    assert (data.train.targets.tolist(), data.test.targets.tolist()) == ([0, 1, 0], [1])
    # JPEG gives a flat colour back within a unit or so.
    assert np.abs(np.array(numbers(data.train)) - [1, 2, 3]).max() <= 1
    assert data.spec.shape == (3, 64, 64)
    assert data.train.inputs.dtype == torch.uint8


def test_images_are_resized_and_cut_as_torchvision_does() -> None:
    write_aircraft()
    path = ROOT / "fgvc-aircraft-2013b/data/images/1.jpg"
    pixels = np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    change = v2.Compose([v2.Resize(32), v2.CenterCrop(32), TO_TENSOR])
    with Image.open(path) as image:
        expected, grey = change(image.convert("RGB")), change(image.convert("L"))
    assert torch.equal(torchvision("FGVCAircraft", size=32).train.inputs[0], expected)
    assert torch.equal(torchvision("FGVCAircraft", size=32, grey=True).train.inputs[0], grey)


def test_images_that_are_left_as_they_are_must_agree() -> None:
    write_aircraft()
    assert torchvision("FGVCAircraft", size=None).spec.shape == (3, 70, 90)
    picture(2, 20, 30).save(ROOT / "fgvc-aircraft-2013b/data/images/2.jpg")
    said = "data.name=FGVCAircraft, image 1: 20x30 pixels, where the images before it have 90x70."
    # The folder's time does not change with a file's content: another file makes it do so.
    write(ROOT / "fgvc-aircraft-2013b/data/images", [9], "{}.jpg")
    with pytest.raises(UserError, match=re.escape(said)):
        torchvision("FGVCAircraft", size=None)


def test_a_validation_part_beside_a_test_part_joins_training() -> None:
    top = ROOT / "dtd" / "dtd"
    for part, number in (("train", 10), ("val", 20), ("test", 30)):
        files = [f"dots/{number}.png", f"lines/{number + 1}.png"]
        write_text(top / "labels" / f"{part}1.txt", files)
        write(top / "images" / "dots", [number])
        write(top / "images" / "lines", [number + 1])
    data = torchvision("DTD", size=8)
    assert numbers(data.train) == [10, 11, 20, 21]
    assert numbers(data.test) == [30, 31]
    assert data.train.targets.tolist() == [0, 1, 0, 1]
    assert data.class_names == ("dots", "lines")


def test_other_words_for_validation_are_found() -> None:
    for part, number in (("train", 10), ("valid", 20), ("test", 30)):
        write(ROOT / "country211" / part / "AD", [number], "{}.jpg")
        write(ROOT / "country211" / part / "ZW", [number + 1], "{}.jpg")
    data = torchvision("Country211", size=8)
    assert data.train.targets.tolist() == [0, 1, 0, 1]
    assert len(data.test) == 2
    assert data.class_names == ("AD", "ZW")


def test_where_the_test_part_has_no_labels_validation_is_the_test() -> None:
    top = ROOT / "clevr" / "CLEVR_v1.0"
    for part, number in (("train", 10), ("val", 20), ("test", 30)):
        write(top / "images" / part, [number, number + 1], "CLEVR_{}.png")
        scenes = [
            {"image_filename": f"CLEVR_{number + i}.png", "objects": [{}] * (3 + i)} for i in (0, 1)
        ]
        write_text(top / "scenes" / f"CLEVR_{part}_scenes.json", [json.dumps({"scenes": scenes})])
    data = torchvision("CLEVRClassification", size=8)
    assert numbers(data.train) == [10, 11]
    assert numbers(data.test) == [20, 21]
    assert data.test.targets.tolist() == [3, 4]
    assert data.class_names == ("0", "1", "2", "3", "4")


def test_of_several_names_of_a_class_the_first_is_taken() -> None:
    for part, number in (("train", 10), ("val", 20)):
        write(ROOT / "imagenette2" / part / "n01440764", [number], "{}.JPEG")
        write(ROOT / "imagenette2" / part / "n03000684", [number + 1], "{}.JPEG")
    data = torchvision("Imagenette", size=8)
    assert data.class_names == ("tench", "chain saw")
    assert (len(data.train), len(data.test)) == (2, 2)


def test_without_parts_a_fifth_is_held_out_by_class() -> None:
    for name, first in (("Forest", 0), ("River", 100)):
        write(ROOT / "eurosat" / "2750" / name, range(first, first + 10))
    data = torchvision("EuroSAT", size=8)
    assert data.class_names == ("Forest", "River")
    assert (len(data.train), len(data.test)) == (16, 4)
    for points in (data.train, data.test):
        assert [int(n >= 100) for n in numbers(points)] == points.targets.tolist()


def test_sets_held_as_one_array_keep_their_size() -> None:
    write_idx("FashionMNIST", IMAGES, LABELS)
    data = torchvision()
    assert data.spec.shape == (3, 28, 28)
    for channel in range(3):
        assert torch.equal(data.test.inputs[:, channel], torch.from_numpy(IMAGES))
    assert torchvision(grey=True).spec.shape == (1, 28, 28)
    assert data.class_names[0] == "T-shirt/top"


def test_emnist_stands_upright() -> None:
    write_idx("EMNIST", IMAGES.transpose(0, 2, 1), LABELS, "emnist-balanced-")
    data = torchvision("EMNIST", grey=True)
    assert torch.equal(data.train.inputs.squeeze(1), torch.from_numpy(IMAGES))


class FewFakes(datasets.FakeData):
    """Fewer and smaller images than the thousand of 224 pixels that FakeData has by itself."""

    def __init__(self) -> None:
        super().__init__(50, (3, 8, 8))


def test_generated_images_need_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "FakeData", FewFakes)
    data = torchvision("FakeData", size=4)
    assert (len(data.train), len(data.test)) == (40, 10)
    assert data.spec.num_outputs == 10
    assert not ROOT.exists()


def test_a_second_start_decodes_nothing_unless_files_came_or_went(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_aircraft()
    with caplog.at_level("INFO"):
        first = torchvision("FGVCAircraft").checksum()
    assert "decoding 4 images of FGVCAircraft, once; the next start finds" in caplog.text
    with monkeypatch.context() as patch:
        patch.setattr(torchvision_sets, "decode", lambda *a: pytest.fail("decoded again"))
        assert torchvision("FGVCAircraft").checksum() == first
    top = ROOT / "fgvc-aircraft-2013b" / "data"
    write(top / "images", [5], "{}.jpg")
    write_text(top / "images_variant_test.txt", ["4 Falcon 900", "5 707-320"])
    assert len(torchvision("FGVCAircraft").test) == 2


NEEDS_NO_FILES = {"FakeData"}


@pytest.mark.parametrize("name", sorted(set(classification_sets()) - NEEDS_NO_FILES))
def test_every_set_that_is_missing_says_what_it_looked_for(name: str) -> None:
    with pytest.raises(UserError) as caught:
        torchvision(name)
    said = str(caught.value)
    start = (
        f"data=torchvision data.name={name}: the files are not there and could not be downloaded"
    )
    assert said.startswith(start)
    paths = torchvision_sets.PATHS.get(name, ("its files",))
    assert f"Looked for {', '.join(paths)} in data." in said


def test_every_class_of_torchvision_is_known_to_be_one_or_the_other() -> None:
    # A new version may bring new ones: they are tried, but say in PATHS what they read.
    unknown = set(classification_sets()) - set(torchvision_sets.PATHS) - NEEDS_NO_FILES
    assert unknown == {"LSUN"}
    assert set(NOT_CLASSIFICATION) <= set(datasets.__all__)


@pytest.mark.parametrize("name", sorted(NOT_CLASSIFICATION))
def test_sets_of_other_tasks_are_told(name: str) -> None:
    said = f"data.name={name}: this set has {NOT_CLASSIFICATION[name]}, and data=torchvision takes"
    with pytest.raises(UserError, match=said):
        torchvision(name)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UserError, match=r"Did you mean data.name=FGVCAircraft\?") as caught:
        torchvision("FGVCAirkraft")
    assert "Flowers102" in str(caught.value)
    assert "VOCDetection" not in str(caught.value)
    with pytest.raises(UserError, match="data.name=ImageFolder: there is no such data.name"):
        torchvision("ImageFolder")


def test_targets_that_are_no_classes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.FakeData, "__getitem__", lambda self, i: (picture(0), (1, 2)))
    with pytest.raises(UserError, match=r"this set has targets such as \(1, 2\)"):
        torchvision("FakeData")


def test_an_image_that_cannot_be_read_is_told() -> None:
    write_aircraft()
    (ROOT / "fgvc-aircraft-2013b/data/images/2.jpg").write_bytes(b"no image")
    said = "image 1 below data/fgvc-aircraft-2013b cannot be read (cannot identify image file"
    with pytest.raises(UserError, match=re.escape(said)):
        torchvision("FGVCAircraft")


def test_lists_that_cannot_be_read_are_told() -> None:
    write_aircraft()
    top = ROOT / "fgvc-aircraft-2013b" / "data"
    write_text(top / "images_variant_test.txt", ["4 Concorde"])
    with pytest.raises(UserError, match="its files below .* cannot be read .*Concorde"):
        torchvision("FGVCAircraft")
    write_text(top / "images_variant_test.txt", ["4"])
    with pytest.raises(UserError, match="its files below .* cannot be read .not enough values"):
        torchvision("FGVCAircraft")
    write_text(top / "images_variant_test.txt", ["4 Falcon 900"])
    (top / "images_variant_trainval.txt").write_text("")
    with pytest.raises(UserError, match="its images below .* cannot be read .there are none"):
        torchvision("FGVCAircraft")


def test_labels_that_no_class_has_are_told() -> None:
    write_idx("FashionMNIST", IMAGES, LABELS + 7)
    with pytest.raises(UserError, match=r"its labels below .* \(labels from 7 to 12, not 0 to 9\)"):
        torchvision()


@pytest.mark.parametrize("size", [0, True, "big"])
def test_a_size_that_is_none_is_told(size: object) -> None:
    with pytest.raises(UserError, match=f"data.size={size}: allowed is a number of pixels"):
        torchvision("FakeData", size=size)
