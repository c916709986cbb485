"""Images of all modes and formats, held to numpy's arithmetic on the numbers that were written."""

from __future__ import annotations

import colorsys
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from experiments.data.image_files import Unfit, plain, read_picture, upright_size

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (5, 6), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (5, 6, 3), dtype=np.uint8)
ALPHA = np.array([0, 1, 100, 128, 254, 255], dtype=np.uint8) * np.ones((5, 1), dtype=np.uint8)


def read(image: Image.Image, name: str, **values: object) -> np.ndarray:
    """Return what is read of an image, (H, W) or (H, W, 3), after it was saved."""
    image.save(name, **values)
    read = np.asarray(read_picture(Path(name)).image).astype(int)
    assert upright_size(Path(name)) == (read.shape[1], read.shape[0])
    return read


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = (alpha / 255.0).reshape(*alpha.shape, *[1] * (colour.ndim - 2))
    return share * colour + (1 - share) * 255


def with_alpha(colour: np.ndarray, alpha: np.ndarray = ALPHA) -> Image.Image:
    return Image.fromarray(np.dstack([colour, alpha]))


@pytest.mark.parametrize("end", ["png", "tif", "bmp", "webp", "gif", "PNG"])
def test_grey_and_colour_of_8_bits_are_as_they_were_written(end: str) -> None:
    values = {"lossless": True} if end == "webp" else {}
    read_grey = read(Image.fromarray(GREY), f"own.{end}", **values)
    assert (read_grey == (GREY if read_grey.ndim == 2 else GREY[:, :, None])).all()
    if end != "gif":
        assert (read(Image.fromarray(COLOUR), f"own.{end}", **values) == COLOUR).all()


def test_one_bit_is_black_and_white() -> None:
    bits = GREY > 127
    for end in ("png", "tif", "bmp"):
        assert (read(Image.fromarray(bits), f"own.{end}") == 255 * bits).all()


@pytest.mark.parametrize("end", ["png", "tif", "webp"])
def test_what_is_transparent_is_white(end: str) -> None:
    values = {"lossless": True, "exact": True} if end == "webp" else {}
    seen = read(with_alpha(COLOUR), f"own.{end}", **values)
    assert np.abs(seen - on_white(COLOUR, ALPHA)).max() <= 1
    assert (seen[:, 0] == 255).all()
    assert (seen[:, 5] == COLOUR[:, 5]).all()
    if end != "webp":
        seen = read(with_alpha(GREY), f"own.{end}")
        assert seen.shape == (5, 6)
        assert np.abs(seen - on_white(GREY, ALPHA)).max() <= 1


def test_palettes_with_and_without_transparency() -> None:
    index = RANDOM.integers(0, 4, (5, 6), dtype=np.uint8)
    colours = RANDOM.integers(0, 256, (4, 3), dtype=np.uint8)
    image = Image.fromarray(index, "P")
    image.putpalette(colours.tobytes())
    assert (read(image, "own.png") == colours[index]).all()
    assert (read(image, "own.gif") == colours[index]).all()
    is_clear = (index == 2)[:, :, None]
    for end in ("png", "gif"):
        assert (
            read(image, f"own.{end}", transparency=2) == np.where(is_clear, 255, colours[index])
        ).all()
    shares = bytes([255, 0, 128, 64])
    expected = on_white(colours[index], np.frombuffer(shares, np.uint8)[index])
    assert np.abs(read(image, "own.png", transparency=shares) - expected).max() <= 1
    both = image.convert("PA")
    both.putalpha(Image.fromarray(ALPHA))
    expected = on_white(colours[index], ALPHA)
    assert np.abs(read(both, "own.tif") - expected).max() <= 1


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(width: int, depth: int, colour: int, row: bytes, clear: bytes) -> Path:
    """Write one row as PNG's standard has it, with the transparent colour `clear` (tRNS)."""
    header = struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"tRNS", clear), (b"IDAT", zlib.compress(b"\0" + row))]
    content = b"".join(chunk(*pair) for pair in [*chunks, (b"IEND", b"")])
    path = Path("own.png")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


@pytest.mark.parametrize(
    ("depth", "row", "clear", "expected"),
    [
        (1, [0b01010000], 0, [255, 255, 255, 255]),
        (2, [0b00011011], 1, [0, 255, 170, 255]),
        (4, [0x0F, 0x3A], 3, [0, 255, 255, 170]),
        (8, [7, 200, 3, 7], 7, [255, 200, 3, 255]),
        (16, [3, 232, 156, 64, 0, 0, 255, 255], 1000, [255, 156, 0, 255]),
    ],
)
def test_the_transparent_grey_of_a_png(
    depth: int, row: list[int], clear: int, expected: list[int]
) -> None:
    path = png(4, depth, 0, bytes(row), struct.pack(">H", clear))
    assert np.asarray(read_picture(path).image).tolist() == [expected]


def test_the_transparent_colour_of_a_png() -> None:
    path = png(2, 8, 2, bytes([1, 2, 3, 1, 2, 4]), struct.pack(">HHH", 1, 2, 3))
    assert np.asarray(read_picture(path).image).tolist() == [[[255, 255, 255], [1, 2, 4]]]
    row = struct.pack(">6H", 256, 512, 768, 257, 512, 768)
    path = png(2, 16, 2, row, struct.pack(">HHH", 256, 512, 768))
    with pytest.raises(Unfit, match="colours of 16 bits is transparent; save it with 8 bits"):
        read_picture(path)


DEEP = np.array([[0, 255, 256, 4095, 40000, 65535]], dtype=np.uint16)


@pytest.mark.parametrize("end", ["png", "tif", "pgm"])
def test_16_bits_are_scaled_by_the_range_of_their_format(end: str) -> None:
    assert read(Image.fromarray(DEEP), f"own.{end}").tolist() == [[0, 0, 1, 15, 156, 255]]
    assert read_picture(Path(f"own.{end}")).largest == 65535
    # Of a dark picture the brightest is not made white.
    assert read(Image.fromarray(DEEP[:, :4]), f"own.{end}").tolist() == [[0, 0, 1, 15]]
    eight = np.arange(256, dtype=np.uint16)[None]
    for spread in (256, 257):  # both ways that people make 16 bits of 8
        assert (read(Image.fromarray(eight * spread), f"own.{end}") == eight).all()


def test_16_bits_of_the_other_byte_order() -> None:
    image = Image.frombytes("I;16B", (6, 1), DEEP.astype(">u2").tobytes())
    assert read(image, "own.tif").tolist() == [[0, 0, 1, 15, 156, 255]]


def tiff(bits: int, photometric: int, row: bytes, width: int, kind: int = 1) -> Path:
    """Write one row as TIFF's standard has it. `kind`: 1 unsigned, 2 signed, 3 floats."""
    numbers = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 1}
    tags = sorted((numbers | {279: len(row), 339: kind}).items())
    content = b"II*\0" + struct.pack("<I", 8 + len(row)) + row + struct.pack("<H", len(tags))
    content += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    path = Path("own.tif")
    path.write_bytes(content + struct.pack("<I", 0))
    return path


def test_tiffs_of_which_0_is_white_and_of_12_bits() -> None:
    row = DEEP.astype("<u2").tobytes()
    seen = np.asarray(read_picture(tiff(16, 0, row, 6)).image)
    assert seen.tolist() == [[255, 255, 254, 240, 99, 0]]
    floats = np.array([0, 0.2, 1], "<f4").tobytes()
    assert np.asarray(read_picture(tiff(32, 0, floats, 3, 3)).image).tolist() == [[255, 204, 0]]
    twelve = bytes([0xFF, 0xF0, 0x01, 0x80, 0x00, 0x00])
    seen = np.asarray(read_picture(tiff(12, 1, twelve, 3)).image)
    assert seen.tolist() == [[255, 0, 128]]


@pytest.mark.parametrize(
    ("bits", "kind", "row", "said"),
    [
        (16, 2, np.array([0, -5], "<i2"), r"range is unknown, as it has 32 bits \(-5 to 0\)"),
        (32, 1, np.array([0, 70000], "<u4"), r"\(0 to 70000\); save 8 or 16, or data=npz"),
        (32, 2, np.array([-1, 7], "<i4"), r"\(-1 to 7\)"),
        (32, 3, np.array([0, 1.5], "<f4"), "floats, 0 to 1.5, are not all from 0 to 1"),
        (32, 3, np.array([np.nan, 1], "<f4"), "floats, 1 to 1, are not all"),
        (32, 3, np.array([-0.1, 1], "<f4"), "floats, -0.1 to 1, are not all"),
    ],
)
def test_numbers_without_a_range_are_refused(
    bits: int, kind: int, row: np.ndarray, said: str
) -> None:
    with pytest.raises(Unfit, match=said):
        read_picture(tiff(bits, 1, row.tobytes(), 2, kind))


def test_floats_from_0_to_1() -> None:
    values = np.array([[0, 0.25, 0.5, 1]], dtype=np.float32)
    assert read(Image.fromarray(values), "own.tif").tolist() == [[0, 64, 128, 255]]


def test_colours_in_other_spaces() -> None:
    smooth = np.indices((5, 6)).sum(0).astype(np.uint8) * 20
    image = Image.fromarray(np.dstack([smooth, 255 - smooth, smooth // 2]))
    # JPEG's formula, as its standard gives it.
    light, blue, red = (
        x.astype(float) for x in np.moveaxis(np.asarray(image.convert("YCbCr")), 2, 0)
    )
    expected = np.dstack(
        [
            light + 1.402 * (red - 128),
            light - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
            light + 1.772 * (blue - 128),
        ]
    ).clip(0, 255)
    assert np.abs(read(image.convert("YCbCr"), "own.tif") - expected).max() <= 1.5
    inks = RANDOM.integers(0, 256, (5, 6, 4), dtype=np.uint8)
    paper = (255 - inks[:, :, :3].astype(float)) * (255 - inks[:, :, 3:]) / 255
    assert np.abs(read(Image.fromarray(inks, "CMYK"), "own.tif") - paper).max() <= 1
    hues = Image.fromarray(COLOUR, "HSV")
    seen = np.asarray(plain(hues).image)
    right = [[colorsys.hsv_to_rgb(*(x / 255 for x in row)) for row in rows] for rows in COLOUR]
    assert np.abs(seen - 255 * np.array(right)).max() <= 3
    # L* a* b*, of which a TIFF has a* and b* as signed numbers: white and black.
    lab = Image.fromarray(np.array([[[255, 0, 0], [0, 0, 0]]], np.uint8), "LAB")
    assert np.abs(read(lab, "own.tif") - [[[255] * 3, [0] * 3]]).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("end", ["jpg", "png", "tif", "webp"])
def test_a_photo_stands_upright(orientation: int, end: str) -> None:
    # What the camera saw, (8, 16) blocks, and how it lies in the file, as EXIF's standard says.
    upright = np.kron(np.array([[0, 80], [160, 255], [40, 200]]), np.ones((16, 16))).astype(
        np.uint8
    )
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    values = {"webp": {"lossless": True}, "jpg": {"quality": 95}}.get(end, {})
    seen = read(Image.fromarray(stored.copy()), f"own.{end}", exif=exif, **values)
    seen = seen if seen.ndim == 2 else seen[:, :, 0]
    assert seen.shape == upright.shape
    assert np.abs(seen - upright).max() <= (3 if end == "jpg" else 0)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits"])
def test_a_packed_tiff_is_turned_once(compression: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    image = Image.fromarray(np.rot90(COLOUR, -1).copy())
    assert (read(image, "own.tif", exif=exif, compression=compression) == COLOUR).all()


def test_a_turned_picture_keeps_what_is_transparent_in_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    index = np.array([[0, 1, 2]], dtype=np.uint8)
    image = Image.fromarray(index, "P")
    image.putpalette([10, 10, 10, 20, 20, 20, 30, 30, 30])
    seen = read(image, "own.png", exif=exif, transparency=1)
    assert seen[:, 0].tolist() == [[10] * 3, [255] * 3, [30] * 3]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_an_exif_that_is_damaged_turns_nothing() -> None:
    values = {"exif": b"Exif\0\0MM\0*\0\0\0\x08garbage"}
    assert read(Image.fromarray(GREY), "own.jpg", quality=100, **values).shape == (5, 6)


@pytest.mark.parametrize("name", ["own.tif", "own.gif", "own.png", "own.webp"])
def test_several_pictures_in_one_file_are_refused(name: str) -> None:
    frames = [Image.fromarray(np.full((5, 6), 80 * i, np.uint8)) for i in range(3)]
    frames[0].save(name, save_all=True, append_images=frames[1:])
    for read_it in (upright_size, read_picture):
        with pytest.raises(Unfit, match="holds 3 pictures; save the one that is meant"):
            read_it(Path(name))


def test_smaller_copies_of_a_map_are_no_other_pictures() -> None:
    copies = [Image.fromarray(COLOUR[::step, ::step].copy()) for step in (1, 2, 4)]
    for copy in copies[1:]:
        copy.encoderinfo = {"tiffinfo": {254: 1}}
    copies[0].save("own.tif", save_all=True, append_images=copies[1:])
    assert (np.asarray(read_picture(Path("own.tif")).image) == COLOUR).all()
    assert upright_size(Path("own.tif")) == (6, 5)


@pytest.mark.parametrize("key", ["exif", "xmp"])
def test_a_png_is_turned_by_either_kind_of_note(key: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    note = PngInfo()
    space = 'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"'
    note.add_itxt("XML:com.adobe.xmp", f"<x><rdf:Description {space}/></x>")
    values = {"exif": {"exif": exif}, "xmp": {"pnginfo": note}}[key]
    stored = Image.fromarray(np.rot90(COLOUR, 1).copy())
    assert (read(stored, "own.png", **values) == COLOUR).all()


def test_the_photo_of_a_camera_that_adds_previews_is_read() -> None:
    frames = [Image.fromarray(np.full((16, 16), value, np.uint8)) for value in (200, 10)]
    frames[0].save("own.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert (np.asarray(read_picture(Path("own.jpg")).image) == 200).all()


def test_the_content_counts_and_not_the_ending() -> None:
    Image.fromarray(COLOUR).save("own.jpg", format="PNG")
    assert (np.asarray(read_picture(Path("own.jpg")).image) == COLOUR).all()
