"""Fashion-MNIST as Debian's package dataset-fashion-mnist has it, for machines offline."""

from __future__ import annotations

import functools
import gzip
import shutil
from collections.abc import Sequence
from pathlib import Path

from experiments.errors.messages import user_error
from experiments.record.folder import write_atomic

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def unpack(source: Path, target: Path, file_names: Sequence[str]) -> None:
    """Unpack the gzipped `file_names` of `source` into `target`, each in one atomic step.

    Nothing happens to files that are there already, nor where `source` lacks any.
    """
    if not all((source / f"{name}.gz").is_file() for name in file_names):
        return
    for name in file_names:
        if not (target / name).is_file():
            unpack_one(source / f"{name}.gz", target / name)


def unpack_one(packed: Path, path: Path) -> None:
    """Unpack one gzipped file; nothing is left where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(packed) as source:
            write_atomic(path, functools.partial(shutil.copyfileobj, source), is_synced=False)
    except (gzip.BadGzipFile, EOFError) as error:
        raise user_error("corrupt_data", data="fashion_mnist", path=packed, reason=error) from error
    except OSError as error:
        reason = error.strerror or error
        raise user_error("unwritable_data", path=path.parent, reason=reason) from error
