"""Find the runs below some folders, and read them: records and configs, never W&B, never torch."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from experiments.errors import UserError, user_error
from experiments.records import CONFIG, RECORD, Record, read_history, read_record

Config = dict[str, Any]
Row = dict[str, float | None]

SWEEP = "sweep.yaml"
SELECTION = "selection.json"
TUNING = "tuning"
DEEPEST = 4
"""How far below a given folder runs are looked for: outputs/sweeps/NAME/tuning/RUN is four."""
NO_SWEEPS = ("checkpoints", "wandb", "reports")

# The reader in C takes 1 ms for a config, the one in Python 7 ms.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class FoundRun:
    """A run that can be compared.

    Attributes:
        folder: where it lies; of a run on W&B's server its address.
        record: record.json.
        config: the resolved config, nested. Runs of one setting may share it: it is not to be
            changed.
        sweep: the folder of its sweep, or None.
        history: reads history.csv, which not every use needs.
    """

    folder: str
    record: Record
    config: Config
    sweep: str | None
    history: Callable[[], list[Row]]


@dataclass(frozen=True)
class Unread:
    """A run that cannot be read, and why."""

    folder: str
    reason: str


@dataclass
class Reading:
    """All that was found.

    Attributes:
        runs: those under comparison.
        tuning: those that a `protocol=tuned` made to choose values.
        unread: what looks like a run and cannot be read.
        declarations: of each sweep that has them, the declarations, the first one first.
        selections: of each tuned sweep, what was tried and chosen.
    """

    runs: list[FoundRun] = field(default_factory=list)
    tuning: list[FoundRun] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    declarations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    selections: dict[str, dict[str, Any]] = field(default_factory=dict)


def read_runs(places: Sequence[Path]) -> Reading:
    """Read every run in and below these folders, each once.

    Raises:
        UserError: a folder is not there, or no run is in any of them.
    """
    reading = Reading()
    parse = ConfigReader()
    seen: set[str] = set()
    for place in places:
        if not place.is_dir():
            raise user_error("no_such_runs", path=place)
        for folder in run_folders(str(place), DEEPEST):
            if os.path.realpath(folder) not in seen:
                seen.add(os.path.realpath(folder))
                add_run(reading, folder, parse)
    if not reading.runs and not reading.unread:
        raise user_error("no_runs", path=", ".join(map(str, places)))
    return reading


def run_folders(place: str, depth: int) -> Iterator[str]:
    """Yield the run folders in and below a folder, in the order of their names."""
    if os.path.exists(f"{place}/{RECORD}"):
        yield place
        return
    if depth == 0:
        return
    with os.scandir(place) as entries:
        below = sorted(
            one.path
            for one in entries
            if not one.name.startswith(".") and one.name not in NO_SWEEPS and one.is_dir()
        )
    for path in below:
        yield from run_folders(path, depth - 1)


def add_run(reading: Reading, folder: str, parse: ConfigReader) -> None:
    """Read the run of a folder, and what its sweep says of itself."""
    try:
        record = read_record(Path(folder))
        config = parse(folder)
    except UserError as error:
        reading.unread.append(Unread(folder, str(error)))
        return
    parent = os.path.dirname(folder)
    is_tuning = os.path.basename(parent) == TUNING
    sweep = os.path.dirname(parent) if is_tuning else parent
    if sweep not in reading.declarations:
        reading.declarations[sweep] = read_declarations(sweep, reading)
        selection = read_selection(sweep, reading)
        if selection is not None:
            reading.selections[sweep] = selection
    run = FoundRun(
        folder,
        record,
        config,
        sweep if reading.declarations[sweep] else None,
        functools.cache(lambda: read_history(Path(folder))),
    )
    (reading.tuning if is_tuning else reading.runs).append(run)


def read_declarations(sweep: str, reading: Reading) -> list[dict[str, Any]]:
    """Return what a sweep has declared of itself; nothing where it is no sweep."""
    path = f"{sweep}/{SWEEP}"
    if not os.path.isfile(path):
        return []
    try:
        with open(path, encoding="utf-8") as file:
            said = yaml.load(file, Loader)
        assert isinstance(said, list)
        assert all(isinstance(one, dict) and "factor" in one for one in said)
    except (OSError, ValueError, AssertionError, yaml.YAMLError) as error:
        reading.unread.append(Unread(path, f"it is no declaration of a sweep ({error!r:.100})"))
        return []
    return said


def read_selection(sweep: str, reading: Reading) -> dict[str, Any] | None:
    """Return what the tuning of a sweep has tried and chosen."""
    path = f"{sweep}/{SELECTION}"
    if not os.path.isfile(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            said: dict[str, Any] = json.load(file)
        assert isinstance(said["settings"], list)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        reading.unread.append(Unread(path, f"it does not say what was tuned ({error!r:.100})"))
        return None
    return said


class ConfigReader:
    """Reads configs; those that differ in the seed alone are parsed once.

    Of 1,000 runs with ten seeds this takes 0.3 s instead of 2 s (measured).
    """

    seed = re.compile(r"^seed: (\d+)$", re.MULTILINE)

    def __init__(self) -> None:
        self.parsed: dict[str, Config] = {}

    def __call__(self, folder: str) -> Config:
        """Return the config of a run folder.

        Raises:
            UserError: there is none, or it cannot be read.
        """
        path = f"{folder}/{CONFIG}"
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            found = self.seed.search(text)
            rest = self.seed.sub("", text) if found else text
            if rest not in self.parsed:
                parsed = yaml.load(rest, Loader)
                if not isinstance(parsed, dict):
                    raise ValueError("it is no mapping")
                self.parsed[rest] = parsed
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise user_error("corrupt_config", path=path, reason=reason) from error
        config = self.parsed[rest]
        return {**config, "seed": int(found.group(1))} if found else config
