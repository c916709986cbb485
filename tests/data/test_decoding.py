"""Many files at once: what is told of those that cannot be read, and how much memory they take."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data import decoding
from experiments.data.folders import folder
from experiments.errors.messages import UserError


@pytest.fixture(autouse=True)
def own() -> None:
    """Write ten images of noise."""
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        Path("own", name).mkdir(parents=True)
        for i in range(5):
            noise = random.integers(0, 256, (16, 20, 3), dtype=np.uint8)
            Image.fromarray(noise).save(f"own/{name}/{i}.png")


def test_all_files_that_cannot_be_read_are_named_at_once() -> None:
    whole = Path("own/cat/0.png").read_bytes()
    Path("own/cat/1.png").write_bytes(whole[:300])
    Path("own/cat/2.png").write_bytes(b"")
    Path("own/dog/0.jpg").write_text("<html>not found</html>")
    Path("own/dog/gone.png").symlink_to("nowhere.png")
    frames = [Image.new("L", (20, 16), value) for value in (0, 9)]
    frames[0].save("own/dog/two.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(np.full((16, 20), 7.5, np.float32)).save("own/dog/float.tiff")
    with pytest.raises(UserError) as caught:
        folder("own")
    head, *each, end = str(caught.value).splitlines()
    assert head == "own: 6 of 14 images cannot be read:"
    assert end == "Replace them by good copies, or remove them."
    said = [
        ("cat/1.png", ""),
        ("cat/2.png", "it is empty"),
        ("dog/0.jpg", "cannot identify image file"),
        ("dog/float.tiff", "its floats, 7.5 to 7.5, are not all from 0 to 1"),
        ("dog/gone.png", "a link to what is not there"),
        ("dog/two.gif", "it holds 2 pictures"),
    ]
    for line, (name, reason) in zip(each, said, strict=True):
        assert line.startswith(f"  own/{name}: {reason}")
    assert not list(Path("data").glob("**/*.pt"))
    for name, _ in said:
        Path("own", name).unlink()
    assert len(folder("own").train) == 6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "it is HEIC, as phones write it"),
        (
            b'<?xml version="1.0"?>\n<svg width="9"></svg>',
            "it is an SVG drawing, which has no pixels",
        ),
        (b"<!DOCTYPE html><html>404</html>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "it is a pointer of Git LFS"),
        (b"words", "it is of no format known here"),
    ],
)
def test_what_is_no_image_is_called_what_it_is(content: bytes, said: str) -> None:
    Path("own/cat/0.png").write_bytes(content)
    with pytest.raises(UserError, match=f"own/cat/0.png: .*cannot identify image file: {said}"):
        folder("own")


def test_a_message_does_not_go_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MOST_NAMED", 3)
    for path in Path("own").glob("*/*.png"):
        path.write_bytes(b"")
    with pytest.raises(
        UserError, match=r"(?s)10 of 10 images .*cat/2.png: it is empty\n  and 7 mo"
    ):
        folder("own", size=4)


def test_a_turned_photo_has_the_size_that_is_seen() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (16, 20)).save("own/dog/turned.jpg", exif=exif)
    assert folder("own").spec.shape == (3, 16, 20)
    Image.new("RGB", (20, 16)).save("own/dog/turned.jpg", exif=exif)
    with pytest.raises(
        UserError, match="turned.jpg: 16x20 pixels, where the images before it have 20x16"
    ):
        folder("own")


def test_no_more_images_are_in_memory_than_threads_read(monkeypatch: pytest.MonkeyPatch) -> None:
    alive, most, lock = 0, 0, threading.Lock()
    right = decoding.read_picture

    def counting(path: Path) -> object:
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        picture = right(path)
        with lock:
            alive -= 1
        return picture

    monkeypatch.setattr(decoding, "read_picture", counting)
    monkeypatch.setattr(decoding, "num_cores", lambda: 3)
    folder("own")
    assert 1 <= most <= 3


def test_what_does_not_fit_in_memory_is_told_before_anything_is_decoded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(decoding, "read_picture", lambda path: pytest.fail("decoded"))
    # 10 images of 16 x 20 x 3 bytes, and a copy when a fifth becomes the test set.
    need = 10 * 16 * 20 * 3 * 2 + 24 * 16 * 20
    monkeypatch.setattr(decoding, "free_memory", lambda: need - 1)
    said = "own: 10 images take 26.9 kB of memory, and 26.9 kB are free. Have them made smaller: data.size="
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        folder("own")
    size = int(str(caught.value).rpartition("=")[2].rstrip("."))
    assert 10 * size * size * 3 * 2 <= (need - 1) / 2
    with pytest.raises(UserError, match="10 images at data.size=500 take 15.0 MB of memory"):
        folder("own", size=500)
    with caplog.at_level("INFO"), pytest.raises(UserError):
        folder("own")
    assert "Data: own: the images take 19.2 kB of memory while they are prepared" in caplog.text


def test_little_memory_lets_fewer_threads_read(monkeypatch: pytest.MonkeyPatch) -> None:
    survey = decoding.Survey(sizes={Path("a.png"): (100, 10)})
    monkeypatch.setattr(decoding, "num_cores", lambda: 8)
    for free, expected in ((None, 8), (10**9, 8), (5000 + 24_000 * 3, 3), (5000 + 24_001, 1)):
        monkeypatch.setattr(decoding, "free_memory", lambda free=free: free)
        assert decoding.checked_memory(Path("own"), 1, 5000, survey, (3, 8)) == expected
    monkeypatch.setattr(decoding, "free_memory", lambda: 20_000)
    with pytest.raises(
        UserError, match="a.png: to read this image takes 29.0 kB of memory, and 20.0"
    ):
        decoding.checked_memory(Path("own"), 1, 5000, survey, (3, 8))


def deep(largest: int) -> None:
    for path in Path("own").glob("*/*.png"):
        values = np.linspace(0, largest, 320).astype(np.uint16).reshape(16, 20)
        Image.fromarray(values).save(path)


def test_what_becomes_of_16_bits_is_told() -> None:
    deep(65535)
    data = folder("own", grey=True)
    assert data.train.inputs.max() == 255
    said = "10 images have 16 bits; 0 to 65535 became 0 to 255"
    for _ in range(2):  # the second time from the cache
        assert folder("own", grey=True).facts.values["understood"]["notes"] == [said]
    deep(4095)
    [note] = folder("own", grey=True).facts.values["understood"]["notes"]
    assert note.startswith(
        f"{said}, and of those only 16 levels are left, as no number is above 4095"
    )
    deep(65535)
    Image.fromarray(np.full((16, 20), 255, np.uint16)).save("own/dog/3.png")
    [note] = folder("own", grey=True).facts.values["understood"]["notes"]
    assert note == f"{said}; black became own/dog/3.png, without a number above 255"
    deep(255)
    with pytest.raises(
        UserError,
        match=r"10 images have 16 bits \(own/cat/0.png, own/.* and 6 more\), and no number in them is above 255,",
    ):
        folder("own", grey=True)


@pytest.mark.parametrize("grey", [False, True])
def test_transparent_images_among_others_are_on_white(grey: bool) -> None:
    clear = np.zeros((16, 20, 4), dtype=np.uint8)
    for path in Path("own/cat").glob("*.png"):
        Image.fromarray(clear).save(path)
    data = folder("own", grey=grey)
    assert torch.equal(data.train.inputs[data.train.targets == 0].unique(), torch.tensor([255]))


def test_pillows_own_warnings_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)  # it warns above, and refuses twice as many
    assert folder("own").spec.shape == (3, 16, 20)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(
        UserError, match=r"(?s)10 of 10 images.*cat/0.png: Image size \(320 pixels\) exc"
    ):
        folder("own", size=4)
