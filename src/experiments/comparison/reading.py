"""Find the runs below some folders, and read them: records and configs, never W&B, never torch."""

from __future__ import annotations

import functools
import logging
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.comparison.contradictions import claims_anothers, contradiction_of
from experiments.comparison.sweep_files import declarations_in, selection_in
from experiments.config.read_values import check_read_values
from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, user_error
from experiments.record.code import change_of_code, changes
from experiments.record.evidence import contradicted, doubted_times
from experiments.record.folder import CONFIG, HISTORY, RECORD, read_back, read_config
from experiments.record.history import lacks_rows, read_history
from experiments.record.record import Record, read_record
from experiments.record.strangers_files import is_within, text_of

log = logging.getLogger(__name__)

Config = dict[str, Any]
Row = dict[str, float | None]

SWEEP = "sweep.yaml"
SELECTION = "selection.json"
TUNING = "tuning"
DEEPEST = 4
"""How far below a given folder runs are looked for: outputs/sweeps/NAME/tuning/RUN is four."""
WITHOUT_RUNS = ("checkpoints", "wandb", "reports")


@dataclass(frozen=True)
class FoundRun:
    """A run that can be compared.

    Attributes:
        folder: where it lies; of a run on W&B's server its address.
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

    def curve(self, metric: str) -> tuple[list[int], list[float]]:
        """Return the steps at which a metric was a number, rising, and those numbers."""
        points = [
            (int(row["step"] or 0), value)
            for row in self.history()
            if (value := row.get(metric)) is not None and math.isfinite(value)
        ]
        return [step for step, _ in points], [value for _, value in points]


@dataclass(frozen=True)
class LeftOut:
    """A run that is not compared, or a file that cannot be read, and why."""

    folder: str
    reason: str


@dataclass
class Reading:
    """All that was found.

    Attributes:
        tuning: those that a `protocol=tuned` made to choose values.
        declarations: of each sweep that has them, the declarations, the first one first.
        selections: of each tuned sweep, what was tried and chosen.
        doubted: runs that count, and what in their records cannot be.
    """

    runs: list[FoundRun] = field(default_factory=list)
    tuning: list[FoundRun] = field(default_factory=list)
    unread: list[LeftOut] = field(default_factory=list)
    declarations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    selections: dict[str, dict[str, Any]] = field(default_factory=dict)
    doubted: list[LeftOut] = field(default_factory=list)


def distinct_configs(runs: Iterable[FoundRun]) -> list[Config]:
    """Return the configs of runs, of those that were parsed as one, and so differ in the seed at
    most, the last.
    """
    return list({id(run.config["model"]): run.config for run in runs}.values())


def read_runs(folders: Sequence[Path]) -> Reading:
    """Read every run in and below these folders, each once.

    Raises:
        UserError: a folder is not there, or no run is in any of them.
    """
    reading = Reading()
    parse = ConfigReader()
    seen: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            raise user_error("no_such_runs", path=folder)
        for run_folder in run_folders(str(folder), DEEPEST, reading.unread):
            if os.path.realpath(run_folder) not in seen:
                seen.add(os.path.realpath(run_folder))
                add_run(reading, run_folder, parse)
    leave_out_replaced(reading)
    leave_out_claimed(reading)
    if not reading.runs and not reading.unread:
        raise user_error("no_runs", path=", ".join(map(str, folders)))
    return reading


def leave_out_claimed(reading: Reading) -> None:
    """Leave out the runs that say to be another one."""
    for runs in (reading.runs, reading.tuning):
        every = [(run.folder, run.record, run.config) for run in runs]
        wrong = dict(claims_anothers(every))
        for run in [run for run in runs if run.folder in wrong]:
            runs.remove(run)
            reason = TABLE["claims_identity"].format(
                identity=run.record["identity"], other=wrong[run.folder]
            )
            reading.unread.append(LeftOut(run.folder, reason))


def leave_out_replaced(reading: Reading) -> None:
    """Leave out the runs that a sweep has trained again since the code of somebody's changed."""
    for runs in (reading.runs, reading.tuning):
        for run in list(runs):
            declared = reading.declarations.get(run.sweep or "") or [{}]
            if declared[-1].get("changed_code") != "anew":
                continue
            before, now = run.record["code"] or {}, declared[-1].get("code") or {}
            if changes(before, now):
                runs.remove(run)
                reason = f"trained again with other code: {change_of_code(before, now)}"
                reading.unread.append(LeftOut(run.folder, reason))


def run_folders(folder: str, depth: int, left_out: list[LeftOut]) -> Iterator[str]:
    """Yield the run folders in and below a folder, in the order of their names.

    A link among them that leads elsewhere would have a stranger's folder decide where is looked: it
    is left out, as is a folder that may not be read.
    """
    if os.path.exists(f"{folder}/{RECORD}"):
        yield folder
        return
    if depth == 0:
        return
    try:
        with os.scandir(folder) as entries:
            below = sorted(
                (entry.path, entry.is_symlink())
                for entry in entries
                if not entry.name.startswith(".")
                and entry.name not in WITHOUT_RUNS
                and entry.is_dir()
            )
    except OSError as error:
        left_out.append(LeftOut(folder, str(error.strerror)))
        return
    for path, is_link in below:
        if is_link and not is_within(path, folder):
            left_out.append(LeftOut(path, TABLE["link"].format(path=folder)))
            continue
        yield from run_folders(path, depth - 1, left_out)


def add_run(reading: Reading, folder: str, parse: ConfigReader) -> None:
    """Read the run of a folder, and what its sweep says of itself."""
    try:
        record = read_record(Path(folder))
        config = parse(folder)
    except UserError as error:
        reading.unread.append(LeftOut(folder, str(error)))
        return
    if (reason := contradiction_of(folder, record, config)) is not None:
        reading.unread.append(LeftOut(folder, reason))
        return
    history = functools.cache(functools.partial(curves_read, folder, record["steps"]))
    if (reason := contradicted(folder, record, history())) is not None:
        reading.unread.append(LeftOut(folder, reason))
        return
    add_doubts(reading, folder, record)
    parent = os.path.dirname(folder)
    is_tuning = os.path.basename(parent) == TUNING
    sweep = os.path.dirname(parent) if is_tuning else parent
    if sweep not in reading.declarations:
        read_sweep(reading, sweep)
    run = FoundRun(
        folder,
        record,
        config,
        sweep if reading.declarations[sweep] else None,
        history,
    )
    (reading.tuning if is_tuning else reading.runs).append(run)


def add_doubts(reading: Reading, folder: str, record: Record) -> None:
    """Note what in a record cannot be, and makes no result a wrong one."""
    if (reason := doubted_times(record)) is not None:
        reading.doubted.append(LeftOut(folder, reason))


def curves_read(folder: str, steps: int) -> list[Row]:
    """Return the history of a run; of one that cannot be read, or ends before the step that the
    record has, none, and that is said.
    """
    try:
        rows = read_history(Path(folder))
    except UserError as error:
        log.warning("%s Its curves are left out.", error)
        return []
    if lacks_rows(rows, steps):
        reason = TABLE["cut_history"]
        log.warning("%s: %s. Its curves are left out.", f"{folder}/{HISTORY}", reason)
        return []
    return rows


def read_sweep(reading: Reading, sweep: str) -> None:
    """Read what a sweep has declared of itself, and what its tuning has tried and chosen."""
    problem = "it is no declaration of a sweep"
    declared = read_file(reading, f"{sweep}/{SWEEP}", declarations_in, problem)
    reading.declarations[sweep] = declared or []
    problem = "it does not say what was tuned"
    selection = read_file(reading, f"{sweep}/{SELECTION}", selection_in, problem)
    if selection is not None:
        reading.selections[sweep] = selection


def read_file(reading: Reading, path: str, parse: Callable[[str], Any], problem: str) -> Any:
    """Return what a file of a sweep holds; None where there is none, or it cannot be read."""
    if not os.path.isfile(path):
        return None
    try:
        return parse(text_of(path))
    except (OSError, ValueError, RecursionError) as error:
        reading.unread.append(LeftOut(path, f"{problem} ({error!r:.100})"))
        return None


class ConfigReader:
    """Reads configs; those that differ in the seed alone are parsed once.

    Of 1,000 runs with ten seeds this takes 0.3 s instead of 2 s (measured).
    """

    seed = re.compile(r"^seed: ([0-9]{1,9})$", re.MULTILINE)

    def __init__(self) -> None:
        self.parsed: dict[str, Config] = {}

    def __call__(self, folder: str) -> Config:
        """Return the config of a run folder.

        Raises:
            UserError: there is none, it cannot be read, or its values are of other types.
        """
        path = f"{folder}/{CONFIG}"
        try:
            text = text_of(path)
            seed = self.seed.search(text)
            rest = self.seed.sub("", text) if seed else text
            config = self.parsed.get(rest) or read_back(rest)
        except (OSError, ValueError):
            config = read_config(Path(folder))  # from the copy, or says what is wrong
            check_read_values(config, path)
            return config
        if rest not in self.parsed:
            check_read_values(config, path)
            self.parsed[rest] = config
        return {**config, "seed": int(seed.group(1))} if seed else config
