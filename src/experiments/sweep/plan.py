"""Which runs a sweep consists of, which of them are there, and which are missing.

A run is known by its identity, whatever it is called and however its overrides were written.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from experiments.config.composer import Composer
from experiments.config.foreign_code import foreign_targets, foreign_words
from experiments.config.overrides import key_of, label, slug
from experiments.config.schema import OF_BATCHES
from experiments.errors.messages import UserError
from experiments.record.claim import Known, find_run, is_claimed, runs_of
from experiments.record.identity import identity_of, setting_of
from experiments.sweep.changed_code import runs_that_count
from experiments.sweep.changed_data import check_same_data
from experiments.sweep.examiner import Examiner
from experiments.sweep.grid import Cell

Config = dict[str, Any]

ALL = sys.maxsize
"""More devices than any machine has."""


@dataclass(frozen=True)
class Job:
    """A run that the sweep asks for.

    Attributes:
        config: its resolved config.
        setting: the identity without the seed.
        sweep_dir: the folder that its own folder lies in.
        number: its place in the sweep, from 0.
        checksum: of its data; empty where they cannot be read.
        code: of somebody else's that it is made with, by module.
    """

    cell: Cell
    config: Config
    identity: str
    setting: str
    sweep_dir: Path
    number: int
    checksum: str = ""
    code: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        cell: Cell,
        config: Config,
        checksum: str,
        sweep_dir: Path,
        number: int,
        code: dict[str, str] | None = None,
    ) -> Job:
        identity = identity_of(config, checksum, code)
        setting = setting_of(config, checksum, code)
        return cls(cell, config, identity, setting, sweep_dir, number, checksum, code or {})

    @property
    def name(self) -> str:
        return label(self.cell.swept)

    @property
    def folder_name(self) -> str:
        """What its folder is called where it begins now; an older one may have another name."""
        return f"{slug(self.cell.swept)}-{self.identity[:8]}"

    @property
    def num_devices(self) -> int:
        """How many devices the run takes at once; ALL where it takes what there is."""
        trainer = self.config["trainer"]
        devices = trainer["devices"]
        if devices in ("auto", -1):
            return 1 if trainer["strategy"] == "auto" else ALL
        number = len(devices) if isinstance(devices, list) else devices
        return number if isinstance(number, int) and number > 0 else 1

    @property
    def named_devices(self) -> set[int]:
        """The numbers of the devices that the run asks for, where it does not ask for any."""
        devices = self.config["trainer"]["devices"]
        is_list = isinstance(devices, list)
        return {number for number in devices if isinstance(number, int)} if is_list else set()


@dataclass(frozen=True)
class SweepPlan:
    """The jobs of a sweep, and what is known of each.

    Attributes:
        jobs: every run that the sweep asks for, once.
        known: those of them that are on disk, by identity.
        retry_failed: runs that have failed are missing too.
    """

    jobs: list[Job]
    known: dict[str, Known]
    retry_failed: bool = False

    def state(self, job: Job) -> str:
        """Return completed, diverged, pruned, failed, running (elsewhere), interrupted or missing.

        A record that says running without anyone at work is one that was broken off.
        """
        known = self.known.get(job.identity)
        if known is None:
            return "running" if is_claimed(job.sweep_dir, job.identity) else "missing"
        status = known.record["status"]
        if status == "running" and not is_claimed(job.sweep_dir, job.identity):
            return "interrupted"
        return status

    @property
    def to_do(self) -> list[Job]:
        wanted = {"missing", "interrupted"} | ({"failed"} if self.retry_failed else set())
        return [job for job in self.jobs if self.state(job) in wanted]

    def anew(self) -> SweepPlan:
        """Return the plan with what is on disk by now."""
        return SweepPlan(self.jobs, known_runs(self.jobs), self.retry_failed)

    def counts(self) -> Counter[str]:
        return Counter(self.state(job) for job in self.jobs)

    def expected_seconds(self, at_once: int) -> float | None:
        """Return how long what is to be done should take, from the runs that are done.

        A run is expected to take what others of its setting took, else the median of all;
        None where nothing is done yet.
        """
        done = [k.record for k in self.known.values() if k.record["status"] == "completed"]
        if not done:
            return None
        by_setting: dict[str, list[float]] = {}
        for record in done:
            by_setting.setdefault(record["setting"], []).append(record["duration_seconds"])
        overall = median(record["duration_seconds"] for record in done)
        seconds = [median(by_setting.get(job.setting, [overall])) for job in self.to_do]
        return max(sum(seconds) / at_once, max(seconds, default=0.0))


def data_key(config: Config) -> str:
    """Return what determines the content of a config's data, as a text.

    Whether a user's own target has classes or numbers may be left to the loss.
    """
    data = {key: value for key, value in config["data"].items() if key not in OF_BATCHES}
    if data.get("task") == "auto":
        data["loss"] = config["loss"]["_target_"]
    return json.dumps(data, default=str)


def kind_of(config: Any, key: str = "") -> Any:
    """Return the keys of a config, and the classes that they are for, without the other values.

    >>> kind_of({"name": "sgd", "lr": 0.1}) == kind_of({"name": "sgd", "lr": 1.0})
    True
    """
    if isinstance(config, dict):
        return tuple((part, kind_of(config[part], part)) for part in sorted(config, key=str))
    return config if key in ("name", "_target_") else None


def examine(cells: Sequence[Cell], configs: Sequence[Config], examiner: Examiner) -> None:
    """Raise UserError for a wrong key or value of any job.

    What is wrong in somebody else's code is left to the jobs that name it, which are refused by
    themselves, unless it is so of every one.
    """
    kinds: set[Any] = set()
    values: set[str] = set()
    asked, refused = 0, []
    for cell, config in zip(cells, configs, strict=True):
        kind = kind_of(config)
        new = {"", *(override for override in cell.swept if key_of(override) != "seed")}
        is_new_kind, is_new_value = kind not in kinds, not values.issuperset(new)
        kinds.add(kind)
        values.update(new)
        asked += is_new_kind or is_new_value
        try:
            if is_new_kind:
                examiner.check(config, cell.overrides)
            if is_new_value:
                examiner.check_values(config)
        except UserError as error:
            if not foreign_words(config):
                raise
            refused.append(error)
    if refused and len(refused) == asked:
        raise refused[0]


def make_plan(
    cells: Sequence[Cell],
    composer: Composer,
    examiner: Examiner,
    sweep_dir: Path,
    retry_failed: bool = False,
) -> SweepPlan:
    """Return the plan of these cells; two that mean the same run are one job.

    The examiner is asked once for a wrong key for each kind of job, once for a wrong value for each
    value, and once for the checksum of each data set.
    """
    configs = [composer.config(cell.overrides) for cell in cells]
    examine(cells, configs, examiner)
    checksums: dict[str, str] = {}
    for config in configs:
        key = data_key(config)
        if key not in checksums:
            checksums[key] = checksum_of(config, examiner)
    known = {key: checksum for key, checksum in checksums.items() if checksum}
    by_data = {key: c for c in configs if (key := data_key(c)) in known}
    check_same_data(known, by_data, sweep_dir, examiner)
    codes = Codes(examiner)
    jobs: dict[str, Job] = {}
    for cell, config in zip(cells, configs, strict=True):
        checksum, code = checksums[data_key(config)], codes.of(config)
        job = Job.of(cell, config, checksum, sweep_dir, len(jobs), code)
        jobs.setdefault(job.identity, job)
    counted = runs_that_count(list(jobs.values()), sweep_dir)
    settled = [
        replace(job, identity=counted[key]["identity"], setting=counted[key]["setting"])
        if key in counted
        else job
        for key, job in jobs.items()
    ]
    return SweepPlan(settled, known_runs(settled), retry_failed)


def checksum_of(config: Config, examiner: Examiner) -> str:
    """Return the checksum of a config's data; empty where a source of somebody else's fails, as
    its jobs then say.
    """
    try:
        return examiner.checksum(config)
    except UserError:
        if any(key.startswith("data") for key, _ in foreign_targets(config)):
            return ""
        raise


class Codes:
    """Which code of somebody else's configs name, asked once for each set of classes."""

    def __init__(self, examiner: Examiner) -> None:
        self.examiner = examiner
        self.known: dict[str, dict[str, str]] = {"[]": {}}

    def knows(self, config: Config) -> bool:
        return json.dumps(foreign_targets(config)) in self.known

    def of(self, config: Config) -> dict[str, str]:
        key = json.dumps(foreign_targets(config))
        if key not in self.known:
            try:
                self.known[key] = self.examiner.code(config)
            except UserError:  # a class that cannot be imported: its job says so
                return {}
        return self.known[key]


def known_runs(jobs: Iterable[Job]) -> dict[str, Known]:
    """Return the runs that are on disk, by identity."""
    folders: dict[Path, dict[str, list[Path]]] = {}
    known = {}
    for job in jobs:
        if job.sweep_dir not in folders:
            folders[job.sweep_dir] = runs_of(job.sweep_dir)
        run = find_run(job.sweep_dir, job.identity, folders[job.sweep_dir])
        if run is not None:
            known[job.identity] = run
    return known
