"""Which runs a sweep consists of, which of them are there, and which are missing.

A run is known by its identity, whatever it is called and however its overrides were written.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from experiments.claims import Known, find_run, is_claimed, runs_of
from experiments.derived import OF_BATCHES
from experiments.folders import slug
from experiments.records import identity_of, setting_of
from experiments.sweep.composition import Composer
from experiments.sweep.grid import Cell

Config = dict[str, Any]

ALL = sys.maxsize
"""More devices than any machine has."""


class Examiner(Protocol):
    """Knows what configs mean, for which one has to import torch."""

    def check(self, config: Config, overrides: Sequence[str]) -> None:
        """Raise UserError for keys of a config that are missing, or that nothing takes."""

    def checksum(self, config: Config) -> str:
        """Return the checksum of the data of a config."""


@dataclass(frozen=True)
class Job:
    """A run that the sweep asks for.

    Attributes:
        cell: its overrides.
        config: its resolved config.
        identity: of the run.
        setting: the identity without the seed.
        sweep_dir: the folder that its own folder lies in.
        number: its place in the sweep, from 0.
    """

    cell: Cell
    config: Config
    identity: str
    setting: str
    sweep_dir: Path
    number: int

    @property
    def name(self) -> str:
        """What is swept, as it stands in the folder's name."""
        return slug(list(self.cell.swept))

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
        return {one for one in devices if isinstance(one, int)} if is_list else set()


@dataclass(frozen=True)
class Plan:
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
        """The jobs that are to be carried out, in order."""
        wanted = {"missing", "interrupted"} | ({"failed"} if self.retry_failed else set())
        return [job for job in self.jobs if self.state(job) in wanted]

    def anew(self) -> Plan:
        """Return the plan with what is on disk by now."""
        return Plan(self.jobs, known_runs(self.jobs), self.retry_failed)

    def counts(self) -> Counter[str]:
        """Return how many jobs are in each state."""
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
    """Return what determines the content of a config's data, as a text."""
    return json.dumps({k: v for k, v in config["data"].items() if k not in OF_BATCHES}, default=str)


def kind_of(config: Any, key: str = "") -> Any:
    """Return the keys of a config, and the classes that they are for, without the other values.

    >>> kind_of({"name": "sgd", "lr": 0.1}) == kind_of({"name": "sgd", "lr": 1.0})
    True
    """
    if isinstance(config, dict):
        return tuple((one, kind_of(config[one], one)) for one in sorted(config, key=str))
    return config if key in ("name", "_target_") else None


def make_plan(
    cells: Sequence[Cell],
    composer: Composer,
    asked: Examiner,
    sweep_dir: Path,
    retry_failed: bool = False,
) -> Plan:
    """Return the plan of these cells; two that mean the same run are one job.

    Args:
        cells: the overrides of each job.
        composer: makes configs of them.
        asked: whoever has torch; for each kind of job it is asked once for a wrong key, and for
            each data set once for its checksum.
        sweep_dir: where the runs are.
        retry_failed: runs that have failed are to be carried out again.
    """
    configs = [composer.config(cell.overrides) for cell in cells]
    kinds: set[Any] = set()
    for cell, config in zip(cells, configs, strict=True):
        if (kind := kind_of(config)) not in kinds:
            kinds.add(kind)
            asked.check(config, cell.overrides)
    checksums: dict[str, str] = {}
    for config in configs:
        key = data_key(config)
        if key not in checksums:
            checksums[key] = asked.checksum(config)
    jobs: dict[str, Job] = {}
    for cell, config in zip(cells, configs, strict=True):
        checksum = checksums[data_key(config)]
        identity = identity_of(config, checksum)
        if identity not in jobs:
            setting = setting_of(config, checksum)
            jobs[identity] = Job(cell, config, identity, setting, sweep_dir, len(jobs))
    return Plan(list(jobs.values()), known_runs(jobs.values()), retry_failed)


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
