"""Looks for secrets in every byte that is left anywhere: files, what lies packed in them, titles."""

from __future__ import annotations

import base64
import bz2
import contextlib
import gzip
import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

MOST_LAYERS = 4
SHORTEST = 12
"""Characters of a part that is looked for where a secret may have been cut: by the blocks of a log,
or by a column's width."""


def spellings(secret: str) -> list[bytes]:
    """Return how a secret may stand in a file: as it is, quoted for an address, as base64 of
    whatever stands before it, in UTF-16, and its halves alone.
    """
    forms = [secret.encode(), quote(secret, safe="").encode(), secret.encode("utf-16-le")]
    for num_before in range(3):
        # What does not depend on the neighbours of the secret in base64's groups of three bytes.
        coded = base64.b64encode(b"\0" * num_before + secret.encode())
        whole_groups = (num_before + len(secret.encode())) // 3 * 4
        forms.append(coded[-(-num_before * 8 // 6) : whole_groups])
    half = max(SHORTEST, len(secret) // 2)
    forms += [secret[:half].encode(), secret[-half:].encode()]
    return list(dict.fromkeys(forms))


def layers(name: str, content: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield a content and all that is packed in it, each with where it lies."""
    yield name, content
    if depth == MOST_LAYERS:
        return
    for inner_name, inner in packed_in(content):
        yield from layers(f"{name}!{inner_name}", inner, depth + 1)


def packed_in(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what a zip, tar, gzip, bzip2, xz or PNG file holds."""
    stream = io.BytesIO(content)
    if zipfile.is_zipfile(stream):
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(stream) as archive:
            for member in archive.infolist():
                yield member.filename, archive.read(member)
        return
    for start, unpack in (
        (b"\x1f\x8b", gzip.decompress),
        (b"BZh", bz2.decompress),
        (b"\xfd7zXZ\0", lzma.decompress),
    ):
        if content.startswith(start):
            with contextlib.suppress(OSError, EOFError, ValueError, lzma.LZMAError):
                yield "unpacked", unpack(content)
    if content[257:262] == b"ustar":
        with tarfile.open(fileobj=stream) as archive:
            for entry in archive:
                file = archive.extractfile(entry) if entry.isfile() else None
                if file is not None:
                    yield entry.name, file.read()
    if content.startswith(b"\x89PNG"):
        for place in (i for i in range(len(content)) if content.startswith((b"zTXt", b"iTXt"), i)):
            with contextlib.suppress(zlib.error):
                yield "text", zlib.decompress(content[place + 4 :].partition(b"\0\0")[2])


def found_in(roots: Sequence[Path], secrets: Sequence[str]) -> list[str]:
    """Return where any of the secrets stands below some folders: in names, links and contents."""
    looked_for = {form: secret for secret in secrets for form in spellings(secret)}
    found = []
    for path in (path for root in roots for path in [root, *root.rglob("*")]):
        if path.is_symlink():
            texts = [("a link", os.readlink(path).encode())]
        else:
            texts = list(layers("", path.read_bytes())) if path.is_file() else []
        for place, content in [("its name", str(path).encode()), *texts]:
            for form, secret in looked_for.items():
                at = content.find(form)
                if at >= 0:
                    context = content[max(0, at - 80) : at + 80]
                    found.append(f"{path}{place}: {secret} ({context!r})")
    return found
