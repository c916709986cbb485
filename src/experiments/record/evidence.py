"""Whether the numbers in a run's record are those that its other files tell.

A record is one file, and a better score is soon written into it. The same numbers stand in the rows
of history.csv, in the predictions, and in the checkpoint that was selected: who changes one has to
change them all. Somebody who does cannot be told from somebody who trained the run.
"""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from experiments.record.checkpoint_numbers import numbers_of
from experiments.record.folder import CHECKPOINTS, HISTORY, PREDICTIONS, RECORD
from experiments.record.history import lacks_rows
from experiments.record.metric import written
from experiments.record.predictions import scores
from experiments.record.record import Record

Row = dict[str, float | None]

BEST = "best.ckpt"
LEEWAY = timedelta(seconds=5)
"""For the record's own stamps, and the time before its first."""
MOST = 3


def contradicted(folder: str | Path, record: Record, rows: Sequence[Row]) -> str | None:
    """Return in what a run's record tells otherwise than its other files; None for nothing.

    Only of a completed run: its record is made of these files. What is not there says nothing, nor
    does a history that was cut, as where a machine went down.

    Args:
        rows: of history.csv.
    """
    if record["status"] != "completed":
        return None
    said = [*against_history(record, rows), *against_predictions(Path(folder), record)]
    said += against_checkpoint(Path(folder), record)
    return f"{RECORD} is contradicted: {'; '.join(said[:MOST])}" if said else None


def against_history(record: Record, rows: Sequence[Row]) -> Iterator[str]:
    """Yield what the rows of a history tell otherwise."""
    if not rows or lacks_rows(rows, record["steps"]):  # which is told where it is read
        return
    steps = max(int(row.get("step") or 0) for row in rows)
    if record["steps"] != steps:
        yield f"steps={record['steps']}, and {HISTORY} ends at step {steps}"
    trained = [int(row.get("epoch") or 0) for row in rows if row.get("train/loss") is not None]
    if trained and record["epochs"] != max(trained):
        yield f"epochs={record['epochs']}, and {HISTORY} has {max(trained)}"
    best = record["best_epoch"]
    if best is None:
        return
    selected = [row for row in rows if row.get("epoch") == best]
    if not selected:
        yield f"best_epoch={best}, of which {HISTORY} has no row"
        return
    for name, value in record["metrics"].items():
        told = [row[name] for row in selected if row.get(name) is not None]
        if value is not None and told and not any(is_same(value, each) for each in told):
            there = written(float(told[-1] or 0.0))
            yield f"{name} is {written(value)}, and {there} in epoch {best} of {HISTORY}"


def is_same(value: float, other: float | None) -> bool:
    return other is not None and math.isclose(value, other, rel_tol=1e-9, abs_tol=1e-12)


def against_predictions(folder: Path, record: Record) -> Iterator[str]:
    """Yield what is told otherwise by what a run has predicted for its test points."""
    metrics = record["metrics"]
    if not any(name.startswith("test/") for name in metrics):
        return
    with contextlib.suppress(OSError, ValueError, zipfile.BadZipFile):
        for name, score in scores(folder).items():
            said = metrics.get(name)
            if said is not None and abs(score.value - said) > score.slack:
                yield f"{name} is {written(said)}, and {written(score.value)} in {PREDICTIONS}"


def against_checkpoint(folder: Path, record: Record) -> Iterator[str]:
    """Yield what the checkpoint with the selected weights tells otherwise."""
    path = folder / CHECKPOINTS / BEST
    if record["best_epoch"] is None or not path.is_file():
        return
    with contextlib.suppress(OSError, ValueError, zipfile.BadZipFile):
        told = numbers_of(path)
        if told.epoch is not None and told.epoch != record["best_epoch"]:
            yield f"best_epoch={record['best_epoch']}, and {BEST} is of epoch {told.epoch}"
            return
        said = record["metrics"].get(told.monitor or "")
        if said is None or told.score is None:
            return
        if not math.isclose(said, told.score, rel_tol=1e-5, abs_tol=1e-7):
            yield f"{told.monitor} is {written(said)}, and {written(told.score)} in {BEST}"


def doubted_times(record: Record) -> str | None:
    """Return how the times of a record contradict each other; None where they do not.

    The clock of a machine may have been set back: that makes no result a wrong one.
    """
    train, fit, whole = (
        record["train_seconds"],
        record["fit_seconds"],
        record["duration_seconds"],
    )
    leeway = LEEWAY.total_seconds()
    if not (train <= fit + leeway and fit <= whole + leeway):
        return f"it trained for {train:.1f} s of a fit of {fit:.1f} s, in a run of {whole:.1f} s"
    started, ended = moment(record["started_at"]), moment(record["ended_at"])
    if started is None or ended is None:
        return None
    if ended < started:
        return f"it ended at {record['ended_at']} and began at {record['started_at']}"
    if timedelta(seconds=min(whole, 1e9)) > ended - started + LEEWAY and not record["population"]:
        seconds = (ended - started).total_seconds()
        return f"it took {whole:.1f} s, and ended {seconds:.1f} s after its start"
    return None


def moment(text: Any) -> datetime | None:
    with contextlib.suppress(TypeError, ValueError):
        found = datetime.fromisoformat(text)
        return found if found.tzinfo is not None else None
    return None
