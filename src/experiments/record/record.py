"""record.json: what a run was and what came out of it.

Nothing here needs torch: reports are built from records alone.
"""

from __future__ import annotations

import functools
import json
import math
import re
import types
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict, Union, get_args, get_origin, get_type_hints

from experiments.errors.messages import user_error
from experiments.errors.redaction import redacted
from experiments.errors.wording import all_visible
from experiments.record.folder import RECORD, write_atomic
from experiments.record.plain_yaml import check_plain
from experiments.record.strangers_files import text_of

SCHEMA = 1

Status = Literal["running", "completed", "diverged", "pruned", "failed", "interrupted"]


class Record(TypedDict):
    """`record.json`. Times are UTC in ISO 8601; metrics are those of the selected checkpoint.

    `num_train`, `num_val` and `num_test` are data points, `num_classes` is None for regression.
    `num_redrawn` are the training labels that `data.label_noise` drew anew, None without it, and
    `class_weights` the weights that the loss gave the classes, None for none.
    `chance` is, of train, val and test, the share of the most frequent class and, `_limit`, up to
    where an accuracy may be that of guessing; None for regression.
    `guessing` is what each metric of the group `metrics` would be, were every point told the shares
    of the classes, or the mean of the targets, among the training points; None without any.
    `earlier_data` are the checksums of other data that the run was trained on before it was resumed
    with these, None for most.
    `code` are the modules of somebody else's that it was made with, each with the hash of its text
    or its version, and `earlier_code` those before it was resumed with other texts.
    `population` says of a run that was trained together with others how many they were, `members`,
    and which of them it was, `place` from 0; None for one that was trained alone. Of a resumed run
    it is that of its last part. `duration_seconds`, `fit_seconds` and `train_seconds` of a member
    are its share of the time of all, such that those of many runs may be added up.
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
    num_redrawn: int | None
    class_weights: list[float] | None
    chance: dict[str, float] | None
    guessing: dict[str, float] | None
    duration_seconds: float
    fit_seconds: float
    train_seconds: float
    samples_per_second: float | None
    error: str | None
    health: str | None
    environment: dict[str, Any]
    data_checksum: str | None
    earlier_data: list[str] | None
    code: dict[str, str] | None
    earlier_code: list[dict[str, str]] | None
    population: dict[str, int] | None
    started_at: str
    ended_at: str | None
    wandb_id: str | None


ADDED_LATER = (
    "num_activation_parameters",
    "num_classes",
    "num_train",
    "num_val",
    "num_test",
    "num_redrawn",
    "class_weights",
    "chance",
    "guessing",
    "health",
    "data_checksum",
    "earlier_data",
    "code",
    "earlier_code",
    "population",
)
"""Keys that records of the same schema may lack."""


NEVER_NEGATIVE = (
    "seed",
    "best_epoch",
    "epochs",
    "steps",
    "num_parameters",
    "num_classes",
    "num_train",
    "num_val",
    "num_test",
    "num_redrawn",
    "duration_seconds",
    "fit_seconds",
    "train_seconds",
    "samples_per_second",
)
PATTERNS = {
    "identity": r"[0-9a-f]{16}",
    "setting": r"[0-9a-f]{16}",
    "wandb_id": r"(?!\.+$)[^/\\]{1,250}",
}
"""Words of a record that become parts of paths."""
MOST_DIGITS = 20
MOST_SAID = 3


def now() -> str:
    """Return the time in UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write_record(folder: Path, record: Record) -> None:
    """Write record.json. Numbers that JSON has no word for (nan, inf) become null."""
    metrics = {
        name: value if value is not None and math.isfinite(value) else None
        for name, value in record["metrics"].items()
    }
    plain = {**record, "metrics": metrics}
    write_atomic(folder / RECORD, redacted(json.dumps(plain, indent=1, allow_nan=False)) + "\n")


def read_record(folder: Path) -> Record:
    """Read record.json.

    Raises:
        UserError: no run folder, a file that is no record, or one of a newer schema.
    """
    path = folder / RECORD
    if not path.is_file():
        raise user_error("not_a_run", path=folder, reason=f"it has no {RECORD}")
    try:
        record = json.loads(
            text_of(path), parse_constant=no_number, parse_float=finite, parse_int=whole
        )
        record = all_visible(record)
        check_plain(record)
        schema = int(record["schema"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise user_error("corrupt_record", path=path, reason=f"{error!r:.200}") from error
    if schema > SCHEMA:
        raise user_error("newer_schema", path=path, given=schema, allowed=SCHEMA)
    for name in ADDED_LATER:
        record.setdefault(name, None)
    missing = sorted(set(Record.__annotations__) - set(record))
    wrong = [] if missing else list(wrong_in(record))
    if missing or wrong:
        reason = f"missing: {', '.join(missing)}" if missing else "; ".join(wrong[:MOST_SAID])
        raise user_error("corrupt_record", path=path, reason=reason)
    return record


def finite(word: str) -> float:
    """Return a number of JSON; 1e400 is none."""
    if math.isfinite(number := float(word)):
        return number
    return no_number(word)


def whole(word: str) -> int:
    """Return a whole number of JSON, of at most 64 bits: others are no counts."""
    if len(word) > MOST_DIGITS:
        no_number(f"{word[:MOST_DIGITS]}...")
    return int(word)


def no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def wrong_in(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what cannot be in a record, which may have been written by anybody.

    >>> list(wrong_in({"seed": -1, "epochs": "many", "status": "won"}))
    ['seed is -1', "status is 'won'", "epochs is 'many'"]
    """
    for name, kind in kinds().items():
        if name not in record:
            continue
        value = record[name]
        fits = is_of(value, kind)
        if fits and name in NEVER_NEGATIVE:
            fits = value is None or value >= 0
        if fits and name in PATTERNS:
            fits = value is None or re.fullmatch(PATTERNS[name], value) is not None
        if not fits:
            yield f"{name} is {value!r:.60}"


@functools.cache
def kinds() -> dict[str, Any]:
    """Return the type of each value of a record."""
    return get_type_hints(Record)


def is_of(value: Any, kind: Any) -> bool:
    """Return whether a value of JSON is of a type; a whole number is a number too."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is Literal:
        return value in parts
    if origin in (Union, types.UnionType):  # `Optional[int]` is the first, `int | None` the other
        return any(is_of(value, part) for part in parts)
    if origin is dict:
        return isinstance(value, dict) and all(is_of(part, parts[1]) for part in value.values())
    if origin is list:
        return isinstance(value, list) and all(is_of(part, parts[0]) for part in value)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
