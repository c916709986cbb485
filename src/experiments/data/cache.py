"""Decoded data as one memory-mapped file beside the data, so that a second start reads nothing.

A file `cache/NAME-CHECKSUM.pt` below the data's root holds the tensors, and `cache/NAME.json` says
from which source files it was made (their sizes and times) and what else is known of the content:
its checksum, the statistics that normalise it. Files are named by their content and replaced in
one step, so any number of processes may start at once; all that map a file share its pages.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from experiments.data.sources import DataSet, Facts, Points
from experiments.errors.error_table import TABLE
from experiments.record.folder import write_atomic

log = logging.getLogger(__name__)

FORMAT = 2
STALE_SECONDS = 3600.0


def cached(
    name: str,
    root: Path,
    sources: Sequence[Path] | Callable[[], Sequence[Path]],
    decode: Callable[[], DataSet],
) -> DataSet:
    """Return the data set that `decode` gives, from the cache where its sources are unchanged.

    Sources are the files that `decode` reads, or what lists them; it may also fetch them.
    """
    folder = root / "cache"
    index = folder / f"{name}.json"
    known = read_index(index)
    list_sources = sources if callable(sources) else lambda: sources
    state = state_of(list_sources())
    if known is not None and state is not None and known["sources"] == state:
        data = open_known(index, known)
        if data is not None:
            return data
        log.warning(TABLE["broken_cache"], folder / known["file"])
    elif known is None and index.is_file():
        log.warning(TABLE["broken_cache"], index)
    data, state = decode(), state_of(list_sources())
    # Where nothing can be written the data serve as they are.
    with contextlib.suppress(OSError):
        return (write(name, folder, data, state) if state else None) or data
    return data


def own_name(kind: str, path: Path, *arguments: object) -> str:
    """Return the name of a user's own data in the cache: their place, and how they are read."""
    text = json.dumps([str(path.absolute()), *map(str, arguments)])
    return f"{kind}-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"


def state_of(sources: Sequence[Path]) -> list[list[Any]] | None:
    """Return name, size and times of each source; None where one is missing."""
    try:
        states = [(path.name, path.stat()) for path in sources]
    except OSError:
        return None
    # The time of the last change cannot be set back, as that of the last writing can.
    return [[name, s.st_size, s.st_mtime_ns, s.st_ctime_ns] for name, s in states]


def read_index(path: Path) -> dict[str, Any] | None:
    """Return what an index says; None where there is none, or none that can be read."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        is_ours = known["format"] == FORMAT and isinstance(known["facts"], dict)
        return known if is_ours and "sources" in known and str(known["file"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def open_known(index: Path, known: dict[str, Any]) -> DataSet | None:
    """Return the data set that an index knows of; None where its file is not as it was written.

    torch does not look at what it maps. So a file that something has touched since it was written
    is read once, and held against its checksum.
    """
    path, facts = index.parent / str(known["file"]), StoredFacts(index, known)
    data, state = open_file(path, facts), state_of([path])
    if data is None or known.get("state") == state:
        return data
    if facts.values.get("checksum") != checksum_of(path):
        return None
    known["state"] = state
    with contextlib.suppress(OSError):
        write_index(index, known)
    return data


def checksum_of(path: Path) -> str | None:
    """Return the checksum of what a cache file holds; None where it cannot be read."""
    data = open_file(path, Facts())
    return None if data is None else data.checksum()


def write_index(index: Path, known: dict[str, Any]) -> None:
    write_atomic(index, json.dumps(known, indent=1) + "\n")


def open_file(path: Path, facts: Facts) -> DataSet | None:
    """Return the data set of a cache file, its tensors mapped; None where it cannot be read."""
    try:
        saved = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        train = Points(saved["train_inputs"], saved["train_targets"])
        test = Points(saved["test_inputs"], saved["test_targets"])
        has_val = "val_inputs" in saved
        val = Points(saved["val_inputs"], saved["val_targets"]) if has_val else None
        names = [tuple(saved[f"{kind}_names"]) for kind in ("feature", "target")]
        class_names = tuple(saved["class_names"])
        data = DataSet(train, test, saved["task"], class_names, val, *names)
        return data.with_facts(facts)
    except Exception as error:  # whatever torch's and zip's readers raise on a damaged file
        log.debug("The cache %s cannot be read: %s", path, error)
        return None


def write(name: str, folder: Path, data: DataSet, state: Any) -> DataSet | None:
    """Write the cache file and its index, and return the data set that maps it."""
    folder.mkdir(parents=True, exist_ok=True)
    checksum = data.checksum()
    path = folder / f"{name}-{checksum}.pt"
    remove_leftovers(folder, name)
    if checksum_of(path) != checksum:
        content = {
            "train_inputs": data.train.inputs,
            "train_targets": data.train.targets,
            "test_inputs": data.test.inputs,
            "test_targets": data.test.targets,
            "task": data.task,
            "class_names": list(data.class_names),
            "feature_names": list(data.feature_names),
            "target_names": list(data.target_names),
        }
        if data.val is not None:
            content |= {"val_inputs": data.val.inputs, "val_targets": data.val.targets}
        try:
            write_atomic(path, functools.partial(torch.save, content))
        except RuntimeError as error:  # torch's word for a disk that is full
            raise OSError(str(error)) from error
    facts = dict(data.facts.values)
    known = {
        "format": FORMAT,
        "sources": state,
        "file": path.name,
        "state": state_of([path]),
        "facts": facts,
    }
    index = folder / f"{name}.json"
    write_index(index, known)
    return open_file(path, StoredFacts(index, known))


def remove_leftovers(folder: Path, name: str) -> None:
    for part in folder.glob(f".{name}-*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > STALE_SECONDS:
                part.unlink()


class StoredFacts(Facts):
    """Facts that are kept in the index."""

    def __init__(self, index: Path, known: dict[str, Any]) -> None:
        super().__init__(known["facts"])
        self.index = index
        self.known = known

    def get(self, key: str, compute: Callable[[], Any]) -> Any:
        is_known = key in self.values
        value = super().get(key, compute)
        if not is_known:
            # Of two processes that write at once one is forgotten, and its fact computed again.
            with contextlib.suppress(OSError):
                write_index(self.index, self.known)
        return value
