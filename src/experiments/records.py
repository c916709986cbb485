"""The run folder: its files, its identity, and how they are written and read.

A folder holds `config.yaml`, `record.json`, `history.csv`, `checkpoints/` and `train.log`.
Nothing here needs torch: reports are built from records alone.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict

from experiments.errors import user_error

SCHEMA = 1
RECORD = "record.json"
CONFIG = "config.yaml"
HISTORY = "history.csv"
LOG = "train.log"
CHECKPOINTS = "checkpoints"

Status = Literal["running", "completed", "diverged", "pruned", "failed", "interrupted"]

NOT_IN_IDENTITY = (
    "hydra",
    "logger",
    "paths",
    "progress",
    "resume",
    "debug",
    "sweep",
    "protocol",
    "data.root",
    "data.path",
    "data.test_path",
    "optim.search",
    "trainer.profiler",
    "trainer.log_every_n_steps",
    "trainer.threads",
    "steps_per_execution",
    "log_full_loss",
    "callbacks.diagnostics",
    "checkpoint.every_n_steps",
    "data.memory_limit",
    "data.num_workers",
)
"""Config keys that cannot change a result (threads, as another processor would, only its last
bits), nor where data lie, whose content has a checksum; everything else is part of a run's
identity."""


class Record(TypedDict):
    """`record.json`. Times are UTC in ISO 8601; metrics are those of the selected checkpoint.

    `num_train`, `num_val` and `num_test` are data points, `num_classes` is None for regression.
    `health` is one line on a run that has not learned, with the likely reason, else None.
    """

    schema: int
    identity: str
    setting: str
    seed: int
    status: Status
    overrides: list[str]
    metrics: dict[str, float | None]
    best_epoch: int | None
    epochs: int
    steps: int
    num_parameters: int
    num_activation_parameters: int | None
    num_classes: int | None
    num_train: int | None
    num_val: int | None
    num_test: int | None
    duration_seconds: float
    fit_seconds: float
    train_seconds: float
    samples_per_second: float | None
    error: str | None
    health: str | None
    environment: dict[str, Any]
    data_checksum: str
    started_at: str
    ended_at: str | None
    wandb_id: str | None


ADDED_LATER = (
    "num_activation_parameters",
    "num_classes",
    "num_train",
    "num_val",
    "num_test",
    "health",
)
"""Keys that records of the same schema may lack."""


def now() -> str:
    """Return the time in UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def canonical(value: Any) -> Any:
    """Return `value` such that equal settings are equal: 1, 1.0 and 1e0 are one number."""
    if isinstance(value, Mapping):
        return {
            str(key): canonical(one) for key, one in sorted(value.items(), key=lambda i: str(i[0]))
        }
    if isinstance(value, list | tuple):
        return [canonical(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


PARTS_OR_COUNTS = (
    "val_check_interval",
    "limit_train_batches",
    "limit_val_batches",
    "limit_test_batches",
    "overfit_batches",
)
"""Keys of the trainer where 1.0 is the whole and 1 is one of them."""


def with_parts_named(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config in which a part, such as 1.0 of the batches, is no number as 1 is."""
    trainer = dict(config.get("trainer") or {})
    for key in PARTS_OR_COUNTS:
        if isinstance(trainer.get(key), float):
            trainer[key] = f"{trainer[key]:g} of the whole"
    return {**config, "trainer": trainer}


def without(config: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a copy of a nested config without the dotted `keys`."""
    result = dict(config)
    for key in keys:
        head, _, rest = key.partition(".")
        if not rest:
            result.pop(head, None)
        elif isinstance(result.get(head), Mapping):
            result[head] = without(result[head], (rest,))
    return result


def identity_of(config: Mapping[str, Any], data_checksum: str) -> str:
    """Return the identity of a run: 16 hex digits of a hash over config and data.

    >>> identity_of({"lr": 0.1}, "") == identity_of({"lr": 1e-1, "hydra": {}}, "")
    True
    """
    content = [canonical(without(with_parts_named(config), NOT_IN_IDENTITY)), data_checksum]
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def setting_of(config: Mapping[str, Any], data_checksum: str) -> str:
    """Return the hash of a setting: the identity with the seed left out."""
    return identity_of(without(config, ("seed",)), data_checksum)


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


def write_atomic(path: Path, text: str) -> None:
    """Replace a file in one step: a reader sees the old content or the new, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as part:
            part.write(text)
            part.flush()
            os.fsync(part.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_record(folder: Path, record: Record) -> None:
    """Write record.json. Numbers that JSON has no word for (nan, inf) become null."""
    plain: Any = {
        **record,
        "metrics": {
            name: value if value is not None and math.isfinite(value) else None
            for name, value in record["metrics"].items()
        },
    }
    write_atomic(folder / RECORD, json.dumps(plain, indent=1, allow_nan=False) + "\n")


def read_record(folder: Path) -> Record:
    """Read record.json.

    Raises:
        UserError: no run folder, a file that is no record, or one of a newer schema.
    """
    path = folder / RECORD
    if not path.is_file():
        raise user_error("not_a_run", path=folder, reason=f"it has no {RECORD}")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        schema = int(record["schema"])
    except (ValueError, KeyError, TypeError) as error:
        raise user_error("corrupt_record", path=path, reason=repr(error)) from error
    if schema > SCHEMA:
        raise user_error("newer_schema", path=path, given=schema, allowed=SCHEMA)
    for name in ADDED_LATER:
        record.setdefault(name, None)
    missing = sorted(set(Record.__annotations__) - set(record))
    if missing:
        reason = f"missing: {', '.join(missing)}"
        raise user_error("corrupt_record", path=path, reason=reason)
    return record


class HistoryFile:
    """history.csv: rows of numbers that are appended; an empty cell is a value not measured.

    A row with columns not seen before makes the file be written anew with them, in one step.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / HISTORY
        self.rows = read_history(folder) if self.path.is_file() else []
        self.columns = list(self.rows[0]) if self.rows else []
        if self.path.is_file() and not self.path.read_bytes().endswith(b"\n"):
            self._rewrite()  # a killed run's half row would run into the next one

    def append(self, row: Mapping[str, float]) -> None:
        """Add a row."""
        added = [name for name in row if name not in self.columns]
        self.rows.append({**dict.fromkeys(self.columns), **row})
        if added:
            self.columns += added
            self._rewrite()
        else:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(self._line(row))

    def keep(self, num_rows: int) -> None:
        """Forget all rows but the first `num_rows`."""
        if num_rows < len(self.rows):
            self.rows = self.rows[:num_rows]
            self._rewrite()

    def _rewrite(self) -> None:
        lines = [self._line(row) for row in self.rows]
        write_atomic(self.path, ",".join(self.columns) + "\n" + "".join(lines))

    def _line(self, row: Mapping[str, float | None]) -> str:
        return ",".join(cell(row.get(name)) for name in self.columns) + "\n"


def cell(value: float | None) -> str:
    """Return a number as the shortest text that reads back as the same number."""
    return "" if value is None else repr(value)


def number(text: str) -> float | int:
    """Return the number that `cell` wrote."""
    return int(text) if text.lstrip("-").isdigit() else float(text)


def read_history(folder: Path) -> list[dict[str, float | None]]:
    """Read history.csv: one dictionary per row, None for a value not measured.

    A last line without its end is the half-written row of a run that was killed; it is left out.
    """
    path = folder / HISTORY
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        lines = [line for line in file if line.endswith("\n")]
    return [
        {name: number(value) if value else None for name, value in row.items()}
        for row in csv.DictReader(lines)
    ]
