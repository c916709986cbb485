"""Files that unpack to more than there is room for are refused before they fill it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.data import unpacked
from experiments.data.arrays import npz
from experiments.data.csv_table import read_csv
from experiments.data.new_points import array_of
from experiments.data.unpacked import read_at_most
from experiments.errors.messages import UserError

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.fixture(autouse=True)
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "ALWAYS", 100_000)
    monkeypatch.setattr(unpacked, "free_memory", lambda: 50_000_000)


@pytest.mark.parametrize("how", COMPRESSORS)
def test_a_text_that_grows_beyond_all_tables(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def counted(stream: object, most: int) -> bytes:
        read.append(most)
        return read_at_most(stream, most)  # type: ignore[arg-type]

    monkeypatch.setattr(unpacked, "read_at_most", counted)
    Path("bomb.csv").write_bytes(COMPRESSORS[how](b"0,1\n" * 2_000_000))
    with pytest.raises(
        UserError, match=r"bomb.csv: .*it unpacks to more than .*unpack it yourself"
    ):
        read_csv(Path("bomb.csv"))
    assert read[0] < 8_000_000


@pytest.mark.parametrize("how", COMPRESSORS)
def test_a_table_is_read_as_it_is(how: str) -> None:
    rows = [f"{i},{i * 7919 % 1013}.5,{'ab'[i % 2]}" for i in range(2000)]
    content = "\n".join(["x,y,kind", *rows]) + "\n"
    Path("own.csv").write_bytes(COMPRESSORS[how](content.encode()))
    assert [",".join(cells) for cells in read_csv(Path("own.csv")).rows] == rows


def test_more_rows_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("own.csv").write_text("0,1\n" * 400_000)
    monkeypatch.setattr(unpacked, "free_memory", lambda: 20_000_000)
    with pytest.raises(
        UserError, match=r"400,000 rows take at least 58.0 MB of memory, and 20.0 MB"
    ):
        read_csv(Path("own.csv"))


def test_arrays_that_unpack_to_more_than_is_free() -> None:
    np.savez_compressed("bomb.npz", x=np.zeros((6_000_000, 1)), y=np.zeros(6_000_000))
    assert Path("bomb.npz").stat().st_size < 200_000
    for read in (lambda: npz("bomb.npz"), lambda: array_of(Path("bomb.npz"), "x")):
        with pytest.raises(
            UserError, match=r"it unpacks to 96.0 MB, and 50.0 MB of memory are free"
        ):
            read()


def test_an_archive_that_lies_about_its_sizes_is_no_way_around() -> None:
    """zipfile gives no more bytes than an archive says that there are."""
    np.savez_compressed("x.npz", x=np.zeros((500_000, 4)), y=np.arange(500_000) % 2)
    content = bytearray(Path("x.npz").read_bytes())
    with zipfile.ZipFile("x.npz") as archive:
        size = archive.getinfo("x.npy").file_size
    told = size.to_bytes(4, "little")
    assert content.count(told) >= 1
    Path("lie.npz").write_bytes(bytes(content.replace(told, (200).to_bytes(4, "little"))))
    with pytest.raises(UserError, match=r"lie.npz: this cannot be read as an .npz file"):
        npz("lie.npz")


def test_names_that_lead_elsewhere_are_names_alone() -> None:
    with zipfile.ZipFile("evil.npz", "w") as archive:
        archive.writestr("../../outside.npy", b"\x93NUMPY no array")
        archive.writestr("/tmp/outside.npy", b"\x93NUMPY no array")
    with pytest.raises(UserError):
        npz("evil.npz")
    assert not Path("../../outside.npy").exists()
    assert not Path("/tmp/outside.npy").exists()
