"""The run folder: the names of its files, and how files are written.

A folder holds `config.yaml`, `record.json`, `history.csv`, `predictions.npz`, `checkpoints/` and
`train.log`, and `data.npz` where the run was given arrays.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from experiments.errors.error_table import TABLE
from experiments.errors.messages import user_error
from experiments.record.later_keys import with_later_keys
from experiments.record.plain_yaml import from_yaml, to_yaml
from experiments.record.strangers_files import text_of

log = logging.getLogger(__name__)

RECORD = "record.json"
CONFIG = "config.yaml"
COPY = ".hydra/config.yaml"
HISTORY = "history.csv"
PREDICTIONS = "predictions.npz"
DATA = "data.npz"
"""The arrays that the run was given in Python."""
LOG = "train.log"
CHECKPOINTS = "checkpoints"
PRUNE = ".prune"
"""By this file a search asks a run to stop, wherever that is trained: it stops after its epoch."""

PARTS = (
    *("model", "activation", "init", "loss", "optim", "scheduler", "data", "trainer", "logger"),
    *("callbacks", "metrics", "checkpoint", "sweep", "paths"),
)
"""Keys of a config that hold keys of their own."""
BEGINNING, END = "---\n", "...\n"
"""What begins and ends a document of YAML."""
LONGEST_NAME = 255
"""Bytes in the name of a file or folder, on Linux, macOS and Windows."""

Content = str | bytes | memoryview | Callable[[BinaryIO], object]


def check_name(path: Path) -> None:
    """Raise UserError for a path of which a part is too long for any of the usual disks."""
    longest = max(path.parts, key=lambda part: len(part.encode()), default="")
    if len(longest.encode()) > LONGEST_NAME:
        raise user_error("long_name", path=path, length=len(longest.encode()), most=LONGEST_NAME)


def claim_folder(path: Path, or_empty: bool = False) -> Path:
    """Make a folder that nobody else has, and return it: `path`, or `path`-2, `path`-3, ...

    Args:
        path: the name that is wanted.
        or_empty: take `path` also where it is there and empty, as Hydra makes the folder of
            `hydra.run.dir` before it calls anyone.

    Raises:
        UserError: the place cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if or_empty and path.is_dir() and not any(path.iterdir()):
            return path
        for number in range(1, 10_000):
            candidate = path if number == 1 else path.with_name(f"{path.name}-{number}")
            with contextlib.suppress(FileExistsError):
                candidate.mkdir()
                return candidate
    except OSError as error:
        raise user_error("unwritable", path=path, reason=error.strerror or error) from error
    raise user_error("unwritable", path=path, reason="10,000 folders of this name are there")


def write_atomic(path: Path, content: Content, is_synced: bool = True) -> None:
    """Replace a file in one step: a reader sees the old content or the new, never a part.

    Args:
        content: text, bytes, or what writes them into the open file that it is given.
        is_synced: on the disk before this returns, which takes milliseconds. Without it a file may
            be lost or empty after the whole machine went down.
    """
    if isinstance(content, str):
        content = content.encode()
    part = path.with_name(f".{path.name}-{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            if is_synced:
                file.flush()
                sync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def remove_parts(folder: Path) -> None:
    """Remove what `write_atomic` has left in a folder where it was killed amid a write.

    Nobody else may be writing there, whose file this would be too.
    """
    for path in folder.glob(".*.part"):
        path.unlink(missing_ok=True)


def sync(descriptor: int) -> None:
    """Have a file on the disk, where the file system can tell; some of networks cannot."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP):
            raise


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write the resolved config of a run, which the other processes of the run read."""
    write_atomic(folder / CONFIG, config_text(config))


def config_text(config: dict[str, Any]) -> str:
    """Return a config as its file has it.

    With YAML's own marks of a document's beginning and end: a text that was cut short at the end
    of a line would be a configuration of fewer keys.
    """
    return f"{BEGINNING}{to_yaml(config)}{END}"


def check_end(text: str) -> None:
    """Raise ValueError for YAML of ours that was cut short; that of before has no marks.

    >>> check_end("---\\nseed: 0\\nlr: 1\\n...\\n"); check_end("seed: 0\\n")
    >>> check_end("---\\nseed: 0\\n")
    Traceback (most recent call last):
    ValueError: it is cut short
    """
    if text.startswith(BEGINNING) and not text.endswith(f"\n{END}"):
        raise ValueError("it is cut short")


def read_back(text: str) -> dict[str, Any]:
    """Return the config that a text of config.yaml holds, with the keys that came later.

    Raises:
        ValueError: it holds none.
    """
    check_end(text)
    config = from_yaml(text)
    for key in PARTS:
        if not isinstance(config.get(key, {}), dict | type(None)):
            raise ValueError(f"{key} is {config[key]!r:.60}, and no part of a configuration")
    return with_later_keys(config)


def with_own_data(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Return a config that finds the run's own arrays in its folder, where it has such."""
    data = config.get("data")
    path = data.get("path") if isinstance(data, dict) else None
    if isinstance(path, str) and Path(path).name == DATA and (folder / DATA).is_file():
        return {**config, "data": {**config["data"], "path": str(folder / DATA)}}
    return config


def read_config(folder: Path) -> dict[str, Any]:
    """Return the resolved config of a run, nested, in plain values.

    Where its file is broken, as after a machine went down, the one that Hydra's files hold too.
    Arrays that the run was given lie in its folder, wherever that was moved to.

    Raises:
        UserError: neither is a configuration.
    """
    try:
        return with_own_data(folder, read_back(text_of(folder / CONFIG)))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        with contextlib.suppress(OSError, ValueError):
            config = with_own_data(folder, read_back(text_of(folder / COPY)))
            log.warning(TABLE["config_copy"], folder / CONFIG, reason, folder / COPY)
            return config
        raise user_error("corrupt_config", path=folder / CONFIG, reason=reason) from error


def ask_to_stop(folder: Path) -> None:
    """Ask the run of a folder to stop at the end of its epoch."""
    with contextlib.suppress(FileNotFoundError):  # its folder is gone, and so is the run
        (folder / PRUNE).touch()


def is_asked_to_stop(folder: Path) -> bool:
    return (folder / PRUNE).exists()


def take_back(folder: Path) -> None:
    """Forget that a run was asked to stop; it has, and may go on later by another's will."""
    (folder / PRUNE).unlink(missing_ok=True)
