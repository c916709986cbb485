"""What a checkpoint says of the moment that it is of, found in its bytes: nothing is loaded.

torch.save writes a zip archive: a pickle of all but the tensors' numbers, and those, each storage a
file. A pickle is a program, and Python's own reader of it fills memory where one is made to. So the
few numbers that are asked for are looked for by what Lightning writes around them; of a checkpoint
that is written in any other way nothing is known. A thousand of them take a second.
"""

from __future__ import annotations

import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from experiments.record.strangers_files import Unreadable, check_archive

MOST_BYTES = 16_000_000
"""Of the pickle, which takes kilobytes: the weights are not in it."""
PUT = rb"(?:q.|r....)?"
GET = rb"(?:h.|j....)"
COUNT = rb"(?:K(.)|M(..)|J(....))"


def word(text: bytes) -> bytes:
    """Return the pattern of a word of protocol 2, with its length before it."""
    return rb"X%s\0\0\0%s%s" % (re.escape(bytes([len(text)])), re.escape(text), PUT)


def any_word(name: bytes) -> bytes:
    return rb"X.\0\0\0(?P<%s>[\x20-\x7e]{1,255}?)%s" % (name, PUT)


EPOCH = re.compile(word(b"epoch") + COUNT, re.DOTALL)
SCORE = re.compile(
    word(b"monitor") + any_word(b"monitor") + word(b"best_model_score")
    + rb"(?:ctorch\._utils\n_rebuild_tensor_v2\n" + PUT + rb"|" + GET + rb")\(\("
    + rb"(?:" + word(b"storage") + rb"|" + GET + rb")"
    + rb"(?:ctorch\n\w+\n" + PUT + rb"|" + GET + rb")"
    + rb"X.\0\0\0(?P<file>[0-9]+)" + PUT
    + rb"(?:X.\0\0\0[a-z0-9:]+" + PUT + rb"|" + GET + rb")K\x01t" + PUT + rb"Q",
    re.DOTALL,
)  # fmt: skip
PATH = re.compile(word(b"best_model_path") + rb"X(....)", re.DOTALL)
FORMATS = {4: "<f", 8: "<d"}
"""By the bytes of a storage of one number."""


@dataclass(frozen=True)
class CheckpointNumbers:
    """What a checkpoint says of its moment; None for what is not found.

    Attributes:
        epoch: from 1.
        monitor, score: by which metric it was selected, and its value.
    """

    epoch: int | None
    monitor: str | None = None
    score: float | None = None


def numbers_of(path: Path) -> CheckpointNumbers:
    """Return what a checkpoint says of its moment.

    Raises:
        OSError, ValueError: there is none, or it is no archive.
    """
    check_archive(path)
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            if archive.getinfo(name).file_size > MOST_BYTES:
                raise Unreadable("its pickle is larger than that of a checkpoint")
            content = archive.read(name)
            epoch = count_at(EPOCH, content)
            monitor, score = selected_by(archive, name.removesuffix("data.pkl"), content, path)
    except (zipfile.BadZipFile, StopIteration, KeyError, struct.error) as error:
        raise Unreadable(str(error) or type(error).__name__) from error
    return CheckpointNumbers(None if epoch is None else epoch + 1, monitor, score)


def count_at(pattern: re.Pattern[bytes], content: bytes) -> int | None:
    """Return the whole number behind the first word of a name."""
    found = pattern.search(content)
    raw = next((part for part in found.groups() if part is not None), None) if found else None
    return None if raw is None else int.from_bytes(raw, "little", signed=len(raw) == 4)


def selected_by(
    archive: zipfile.ZipFile, top: str, content: bytes, path: Path
) -> tuple[str | None, float | None]:
    """Return the metric by which Lightning's callback has selected this file, and its value."""
    found = SCORE.search(content)
    place = PATH.search(content, found.end()) if found else None
    if found is None or place is None:
        return None, None
    length = int.from_bytes(place[1], "little")
    own = content[place.end() : place.end() + length]
    raw = archive.read(f"{top}data/{found['file'].decode()}")
    if not own.endswith(path.name.encode()) or len(raw) not in FORMATS:
        return None, None
    [score] = struct.unpack(FORMATS[len(raw)], raw)
    return found["monitor"].decode(), float(score)
