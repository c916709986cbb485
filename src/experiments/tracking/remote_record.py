"""What W&B's server has of a run, turned back into a record, a config and a history.

`wandb_run` wrote it. What comes back is equal to what the run folder holds, but for what W&B does
to it on the way: 1.0 is 1, and a part of the config that is empty, as `callbacks` may be, is gone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from experiments.records import ADDED_LATER, SCHEMA, Record
from experiments.tracking.wandb_run import FROM_ENDED_RECORD, FROM_RECORD, SELECTED

Row = dict[str, float | None]

NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How W&B writes the numbers that JSON has no word for."""
UNDER_WAY = ("running", "pending", "preempting")
"""W&B's states of runs whose summary is of an earlier attempt, or of none."""
STEP = "trainer/global_step"
MAY_BE_NULL = ("error", "health", "best_epoch", "samples_per_second")
"""Of what is told at the end: W&B drops what is null."""
BEFORE_THE_END: dict[str, Any] = {
    "status": "running",
    "epochs": 0,
    "steps": 0,
    "duration_seconds": 0.0,
    "fit_seconds": 0.0,
    "train_seconds": 0.0,
}
"""Of a record whose end was not told, as that of a killed run; all else is null."""


def plain(value: Any) -> Any:
    """Return a value with W&B's words for nan and inf turned into those numbers.

    >>> plain({"loss": "Infinity", "words": ["relu", "NaN"]})
    {'loss': inf, 'words': ['relu', nan]}
    """
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return NUMBERS.get(value, value) if isinstance(value, str) else value


def is_number(value: Any) -> bool:
    """Return whether a value is a number, and not true or false."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def problem_of(config: Mapping[str, Any], summary: Mapping[str, Any], state: str) -> str | None:
    """Return why a run is not one that can be compared; None where it is.

    Args:
        config: W&B's config of the run.
        summary: W&B's summary of it.
        state: W&B's state of it.
    """
    missing = [name for name in ("identity", "setting", "seed") if config.get(name) is None]
    if missing:
        return f"it is no run of experiments: its config has no {', '.join(missing)}"
    missing = [name for name in FROM_RECORD if name not in {*config, *ADDED_LATER}]
    if is_ended(summary, state):
        missing += [name for name in FROM_ENDED_RECORD if name not in {*summary, *MAY_BE_NULL}]
    if missing:
        return (
            f"it was written by an older version, without {', '.join(missing)}. "
            "Compare its run folder instead"
        )
    schema = config["schema"]
    if not is_number(schema) or schema > SCHEMA:
        return f"it was written by a newer version (schema {schema}; this one reads {SCHEMA})"
    return None


def is_ended(summary: Mapping[str, Any], state: str) -> bool:
    """Return whether W&B was told how a run ended."""
    return "status" in summary and state not in UNDER_WAY


def record_of(
    wandb_id: str, config: Mapping[str, Any], summary: Mapping[str, Any], state: str
) -> Record:
    """Return the record of a run that has no problem."""
    ended = plain(summary) if is_ended(summary, state) else BEFORE_THE_END
    values: dict[str, Any] = {
        **{name: ended.get(name) for name in FROM_ENDED_RECORD},
        **{name: plain(config.get(name)) for name in FROM_RECORD},
        "seed": config["seed"],
        "metrics": metrics_of(ended),
        "wandb_id": wandb_id,
    }
    record: Any = {name: values[name] for name in Record.__annotations__}
    return record


def metrics_of(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the metrics of the selected weights; None where one is no finite number.

    >>> metrics_of({"test/loss": math.nan, "selected/val/loss": 0.5, "val/loss": {"min": 0.4}})
    {'val/loss': 0.5, 'test/loss': None}
    """
    selected = {
        name.removeprefix(SELECTED): value
        for name, value in summary.items()
        if name.startswith(SELECTED)
    }
    tested = {name: value for name, value in summary.items() if name.startswith("test/")}
    return {
        name: value if math.isfinite(value) else None
        for name, value in {**selected, **tested}.items()
        if is_number(value)
    }


def config_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested config as the run folder has it.

    Without what stands in the record, and without the parameters of a W&B sweep, which its client
    writes beside the nested config under their dotted names.
    """
    return {
        key: plain(value)
        for key, value in config.items()
        if key not in FROM_RECORD and "." not in key
    }


def rows_of(logged: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return the history from the rows that W&B has, as `records.read_history` returns it.

    Rows that are no rows of history.csv, such as W&B's own or those of media, are left out. A run
    that was resumed from a checkpoint has told the rows behind it twice; the later ones count.
    """
    rows: list[Row] = []
    for one in logged:
        row = row_of(one)
        if row is None:
            continue
        while rows and is_told_anew(rows[-1], row):
            rows.pop()
        rows.append(row)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in columns} for row in rows]


def row_of(logged: Mapping[str, Any]) -> Row | None:
    """Return a row of history.csv, or None where W&B's row is none.

    >>> row_of({"_step": 0, "epoch": 1, "trainer/global_step": 10, "val/loss": "NaN"})
    {'epoch': 1, 'step': 10, 'val/loss': nan}
    """
    values = {key: plain(value) for key, value in logged.items() if not key.startswith("_")}
    row = {key: value for key, value in values.items() if is_number(value)}
    if "epoch" not in row or STEP not in row:
        return None
    epoch, step = int(row.pop("epoch")), int(row.pop(STEP))
    return {"epoch": epoch, "step": step, **row}


def is_told_anew(before: Row, row: Row) -> bool:
    """Return whether a row takes the place of one before it."""
    then, now = before["step"] or 0, row["step"] or 0
    return then > now or (then == now and before.keys() == row.keys())
