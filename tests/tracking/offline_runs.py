"""Reads what W&B wrote of a run that was offline, without a process of W&B's own reader."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2 as pb

BLOCK, FILE_HEADER, HEADER = 32768, 7, 7
FULL, LAST = 1, 4


@dataclass
class OfflineRun:
    """A run as its `.wandb` file has it: W&B's own stamps of time are left out."""

    id: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    metrics: list[str] = field(default_factory=list)
    exit_code: int | None = None


def records(path: Path) -> Iterator[pb.Record]:
    """Return the records of a `.wandb` file, which are framed as LevelDB frames its log."""
    content = path.read_bytes()
    place, parts = FILE_HEADER, b""
    while place + HEADER <= len(content):
        if BLOCK - place % BLOCK < HEADER:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        place += HEADER
        if place + length > len(content):
            return  # it is being written
        parts += content[place : place + length]
        place += length
        if kind in (FULL, LAST):
            record = pb.Record()
            record.ParseFromString(parts)
            yield record
            parts = b""


def values(items: Any) -> dict[str, Any]:
    """Return items of a record; a name of several words is joined with dots."""
    found = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}
    return {key: value for key, value in found.items() if key not in ("_timestamp", "_runtime")}


def read_offline(folder: Path) -> OfflineRun:
    """Return the run of a folder `offline-run-*`."""
    run = OfflineRun()
    for record in (one for path in folder.glob("run-*.wandb") for one in records(path)):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            sent = record.run
            run.id, run.name, run.group = sent.run_id, sent.display_name, sent.run_group
            run.job_type, run.tags = sent.job_type, sorted(sent.tags)
            run.config |= values(sent.config.update)
        elif kind == "history":
            run.rows.append(values(record.history.item))
        elif kind == "summary":
            run.summary |= values(record.summary.update)
        elif kind == "metric":
            run.metrics.append(str(record.metric))
        elif kind == "exit":
            run.exit_code = record.exit.exit_code
    run.config.pop("_wandb", None)
    for name in ("_wandb.runtime", "_wandb"):
        run.summary.pop(name, None)
    return run


def offline_runs(is_over: bool = True) -> dict[str, OfflineRun]:
    """Return the offline runs below outputs/wandb by their names; no name may be there twice.

    Args:
        is_over: all of them have been finished. W&B writes their ends a moment later.
    """
    until = time.monotonic() + 10
    while True:
        folders = sorted(Path("outputs/wandb").glob("offline-run-*"))
        found = [read_offline(folder) for folder in folders]
        if not is_over or all(run.exit_code is not None for run in found):
            runs = {run.name: run for run in found}
            assert len(runs) == len(found), folders
            return runs
        assert time.monotonic() < until, [run for run in found if run.exit_code is None]
        time.sleep(0.01)
