"""Trees of folders as people have them: which are parts, which classes, and which neither."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from experiments.data.folders import folder
from experiments.data.layouts import layout_of, role_of
from experiments.data.sources import DataSet
from experiments.errors.messages import UserError

PICTURES = {value: Image.new("RGB", (4, 3), (value, 0, 0)) for value in range(20)}


def tree(places: Iterable[str], number: int = 5) -> None:
    """Write images below own/, those of the i-th place with i in their red."""
    for value, place in enumerate(places):
        at = Path("own", place)
        at.mkdir(parents=True, exist_ok=True)
        for i in range(number):
            PICTURES[value].save(at / f"{i}.png")


def reds(data: DataSet, part: str) -> list[int]:
    return sorted(getattr(data, part).inputs[:, 0, 0, 0].tolist())


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("Train", "Test"),
        ("TRAIN", "TEST"),
        ("Training", "Testing"),
        ("training_set", "test_set"),
        ("train-data", "test-data"),
        ("TrainImages", "TestImages"),
        ("trainset", "testset"),
        ("seg_train", "seg_test"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("Training Images", "Testing Images"),
        ("1_train", "2_test"),
    ],
)
def test_parts_in_the_names_that_people_give_them(train: str, test: str) -> None:
    tree([f"{train}/cat", f"{train}/dog", f"{test}/cat", f"{test}/dog"])
    data = folder("own")
    assert reds(data, "train") == [0] * 5 + [1] * 5
    assert reds(data, "test") == [2] * 5 + [3] * 5
    assert data.class_names == ("cat", "dog")
    assert data.val is None


@pytest.mark.parametrize("val", ["val", "valid", "Validation", "dev", "val_set"])
def test_a_folder_for_validation_validates(val: str) -> None:
    tree([f"{part}/{name}" for part in ("train", "test", val) for name in ("cat", "dog")])
    data = folder("own")
    assert data.val is not None
    assert reds(data, "val") == [4] * 5 + [5] * 5
    assert data.val.targets.tolist() == [0] * 5 + [1] * 5
    assert folder("own").checksum() == data.checksum()  # from the cache
    assert folder("own").val is not None
    read = f"10 files in train, 10 files in test, 10 files in {val}"
    assert data.facts.values["understood"] == {"images": read, "notes": []}


def test_without_a_test_folder_a_fifth_of_train_is_held_out_and_val_is_whole() -> None:
    tree([f"{part}/{name}" for part in ("train", "val") for name in ("ants", "bees")])
    data = folder("own")
    assert (reds(data, "train"), reds(data, "test")) == ([0] * 4 + [1] * 4, [0, 1])
    assert reds(data, "val") == [2] * 5 + [3] * 5


@pytest.mark.parametrize("name", ["train", "latest", "valley", "testudo", "bullet train", "device"])
def test_classes_with_such_names_are_classes(name: str) -> None:
    tree([name, "plane"])
    assert set(folder("own").class_names) == {name, "plane"}


def test_other_words_must_be_the_same_in_both_parts() -> None:
    tree(["bullet train", "crash test"])
    assert folder("own").class_names == ("bullet train", "crash test")
    assert role_of("x_train") != role_of("y_train")


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (["2019/cat", "2019/dog", "2020/cat", "2020/dog"], "own: 2019, 2020 hold folders of the "),
        (
            ["a/cat", "a/dog", "b/cat", "b/dog"],
            "names, cat, dog, so that they cannot be told to be",
        ),
        (["a/cat", "a/dog", "b/cat", "b/dog"], "name them train, test and val; or give one of "),
        (["a/cat", "a/dog", "b/cat", "b/dog"], "them: data.path=own/a."),
        (["fold1/cat", "fold2/cat"], "fold1, fold2 hold folders of the same names, cat"),
        (["test/cat", "val/cat", "test/dog", "val/dog"], "own: test, val hold folders of the same"),
        (["a/cat", "a/dog", "b/cat", "b/fox", "c/dog"], "a, b, c hold folders of the same names"),
        (
            ["cat/train", "cat/test", "dog/train", "dog/test"],
            "Turn it round: train/CLASS and test/",
        ),
        (
            ["cat/young", "cat", "dog/young", "dog"],
            "cat, dog hold folders of the same names, young",
        ),
        (
            ["images/train", "images/val", "labels/train", "labels/val"],
            "images, labels hold folders",
        ),
        (["train/a/cat", "train/b/cat", "test/a/cat"], "own/train: a, b hold folders of the same"),
        (
            ["archive/cat", "archive/dog"],
            "If its folders are the classes or parts: data.path=own/archive.",
        ),
        (["train/cat", "train/dog", "test"], "own/test: its images are in no class folders. Make "),
        (["train/cat", "train/dog", "test"], "fifth of train held out: data.path=own/train."),
        (["train/a", "train/b", "val/a", "test"], "held out for testing: move test elsewhere."),
        (["train/cat", "train/dog", "valid"], "own/valid: its images are in no class folders."),
        (["."], "own: its images are in no class folders. Give a folder that holds one folder of"),
        (["train/a", "training/a", "test/a"], "own: train, training could each be the same part."),
        (["a_train/x", "a_test/x", "b_train/x", "b_test/x"], "a_train, b_train could each be the"),
        (["Training/cat", "Training/dog"], "there is a folder Training with classes in it, and no"),
        (
            ["Train/cat", "Train/dog", "Test/fox"],
            "own/Test, folder fox: fox is none of the classes",
        ),
    ],
)
def test_trees_that_cannot_be_told_to_be_classes_are_asked_about(
    places: list[str], said: str
) -> None:
    tree(places)
    with pytest.raises(UserError, match=re.escape(said)):
        folder("own")


def test_one_folder_of_images_in_each_class_is_let_pass() -> None:
    tree(["n01/images", "n02/images"])
    assert folder("own").class_names == ("n01", "n02")


def test_what_systems_bring_along_is_no_class() -> None:
    tree(["cat", "dog", "__MACOSX/cat", ".git/cat", "cat/@eaDir"])
    data = folder("own")
    assert data.class_names == ("cat", "dog")
    assert reds(data, "train") + reds(data, "test") == [0] * 4 + [1] * 4 + [0, 1]


def test_links_are_followed_once() -> None:
    tree(["cat", "dog"])
    tree(["fox"], number=3)
    Path("elsewhere").mkdir()
    os.rename("own/fox", "elsewhere/fox")
    Path("own/fox").symlink_to(Path("elsewhere/fox").absolute())
    Path("own/cat/again").symlink_to(Path("own/cat").absolute())
    data = folder("own")
    assert data.class_names == ("cat", "dog", "fox")
    assert len(data.train) + len(data.test) == 13


def test_files_that_are_not_read_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    tree(["cat", "dog"])
    for name in ("cat/a.heic", "cat/b.HEIC", "dog/c.svg", "dog/d", "dog/deep/e.txt", "lost.png"):
        Path("own", name).parent.mkdir(exist_ok=True)
        Path("own", name).write_text("")
    for name in ("cat/.DS_Store", "cat/Thumbs.db", "desktop.ini"):
        Path("own", name).write_text("")
    data = folder("own")
    assert len(data.train) + len(data.test) == 10
    said = "own: not read are 2 .heic, 1 .png beside the class folders, 1 .svg, "
    assert (
        said + "1 without an ending, 1 .txt (6 in all). Images are the files in class"
        in caplog.text
    )


def test_files_beside_the_parts_and_links_to_nothing_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tree([f"{part}/{name}" for part in ("train", "test") for name in ("cat", "dog")])
    Path("own/labels.csv").write_text("")
    PICTURES[0].save("own/lost.png")
    Path("own/train/fox").symlink_to("nowhere")
    folder("own")
    said = (
        "1 broken link beside the class folders, 1 .csv beside the parts, 1 .png beside the parts"
    )
    assert all(part in caplog.text for part in said.split(", "))
    assert "(3 in all)" in caplog.text


def test_a_folder_that_cannot_be_listed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tree(["cat", "dog", "dog/old"])
    right = os.scandir

    def locked(path: str | os.PathLike[str]) -> object:
        if Path(path).name == "old":
            raise PermissionError(13, "Permission denied", str(path))
        return right(path)

    monkeypatch.setattr(os, "scandir", locked)
    said = "own/dog/old: it cannot be listed (Permission denied). Give yourself the right to, or"
    with pytest.raises(UserError, match=re.escape(said)):
        folder("own")


def test_a_class_of_other_files_alone_says_which_they_are() -> None:
    tree(["cat", "dog"])
    Path("own/fox").mkdir()
    for i in range(3):
        Path(f"own/fox/{i}.heic").write_text("")
    with pytest.raises(UserError, match="own/fox: no image is in it, only 3 .heic. Remove the"):
        folder("own")


def test_a_tree_of_one_part_is_itself() -> None:
    tree(["cat", "dog"])
    assert layout_of(Path("own")).train == Path("own")
