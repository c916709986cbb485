"""The text of a user's file, whatever wrote it: compressed or not, in which encoding.

What is no text is refused with what to do about it: people save workbooks, ARFF and JSON as data.
"""

from __future__ import annotations

import codecs
import lzma
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from experiments.data.unpacked import TooMuch, check_rows_fit, unpacked
from experiments.errors.messages import UserError, refuse_unless, user_error

BYTE_ORDER_MARKS = {
    # UTF-32 first, whose mark begins as that of UTF-16 does.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
OTHER_KINDS = {
    b"PK\x03\x04": ("a workbook or a zip archive", "Unpack it, or save the sheet as CSV (UTF-8)"),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", "Save the sheet as CSV (UTF-8)"),
    b"PAR1": ("a Parquet file", "Write it by pandas: read_parquet(FILE).to_csv(NEW, index=False)"),
    b"\x89HDF": ("an HDF5 file", "Write it by pandas: read_hdf(FILE).to_csv(NEW, index=False)"),
    b"\x93NUMPY": ("a NumPy array", "Write it by numpy.savez(FILE, x=inputs, y=targets): data=npz"),
    b"%PDF": ("a PDF", "Save the table itself as CSV"),
}
BINARY = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Characters that no text has (some have a form feed, an escape)."""
FIRST_CHARACTERS = 2**16


@dataclass(frozen=True)
class Text:
    """What a file says, and how that was read."""

    content: str
    encoding: str
    compression: str | None = None


def read_text(path: Path, encoding: str = "auto") -> Text:
    """Return the text of a file.

    Args:
        path: of a text, or of one compressed by gzip, bzip2 or xz.
        encoding: as Python names it; `auto`: UTF-8 or what the file's first bytes say, else the
            Western European one of Windows, in which every byte is some character.

    Raises:
        UserError: a file that is no text, or not in this encoding.
    """
    raw, compression = decompressed(path)
    for start, (kind, instead) in OTHER_KINDS.items():
        if raw.startswith(start):
            raise unreadable(path, f"it is {kind}", instead)
    name = encoding if encoding != "auto" else encoding_of(raw)
    try:
        content = raw.decode(name)
    except LookupError:
        allowed = "auto, or an encoding that Python knows (utf-8, latin-1, utf-16, cp1252)"
        refuse_unless(False, "data.encoding", encoding, allowed, "latin-1")
        raise
    except UnicodeError as error:
        instead = "Leave data.encoding away, or name another: data.encoding=latin-1"
        raise unreadable(path, str(error), instead) from error
    content = content.removeprefix("\ufeff")
    if BINARY.search(content[:FIRST_CHARACTERS]):
        raise unreadable(path, "it is no text", "Save the table as CSV, in UTF-8")
    check_is_table(path, content)
    return Text(content, name.removesuffix("-sig"), compression)


def decompressed(path: Path) -> tuple[bytes, str | None]:
    """Return the bytes of a file, and by what they were compressed."""
    try:
        raw, compression = unpacked(path)
        check_rows_fit(raw)
    except TooMuch as error:
        instead = "If that is what it holds, unpack it yourself, or leave rows out"
        raise unreadable(path, str(error), instead) from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise unreadable(path, str(error), "Replace it by a good copy") from error
    return raw, compression


def encoding_of(raw: bytes) -> str:
    """Return the encoding of a text.

    >>> encoding_of("a;ü".encode("utf-16")), encoding_of("ü".encode()), encoding_of(b"\\xfc")
    ('utf-16', 'utf-8', 'cp1252')
    """
    for mark, name in BYTE_ORDER_MARKS.items():
        if raw.startswith(mark):
            return name
    first = raw[:FIRST_CHARACTERS]
    # Digits and delimiters have a byte of 0 in UTF-16: the second one where the lower comes first.
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if first[start::2].count(0) > 0.4 * len(first) and not first[1 - start :: 2].count(0):
            return name
    for name in ("utf-8", "cp1252"):
        try:
            raw.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return "latin-1"


def check_is_table(path: Path, content: str) -> None:
    """Raise UserError for texts that are data, but no table of rows and columns."""
    start = content[:FIRST_CHARACTERS].lstrip()
    if re.search(r"^@(relation|attribute|data)\b", start, re.IGNORECASE | re.MULTILINE):
        instead = (
            "Copy what follows @data to a CSV file, below a header with the words after @attribute"
        )
        raise unreadable(path, "it is an ARFF file", instead)
    if start.startswith(("{", "[{", "[[")):
        instead = "Write it by pandas: read_json(FILE).to_csv(NEW, index=False)"
        raise unreadable(path, "it is JSON", instead)
    if re.match(r"<(!doctype|html|\?xml)", start, re.IGNORECASE):
        instead = "Download the file itself: this may be the page that shows it"
        raise unreadable(path, "it is a web page or XML", instead)


def unreadable(path: Path, reason: str, instead: str) -> UserError:
    """Return what is said of a file that is no table."""
    return user_error("unreadable_file", path=path, kind="a table", reason=reason, instead=instead)
