"""The study of a search: Optuna's journal of its trials, on disk in the sweep's folder.

A journal is a file that is only ever appended to, so that a launcher may be killed at any moment
and several may write at once.

Akiba, Sano, Yanase, Ohta, Koyama 2019, "Optuna: a next-generation hyperparameter optimization
framework".
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from experiments.errors.error_table import TABLE
from experiments.record.folder import write_atomic
from experiments.record.lock import Lock
from experiments.record.metric import finite_of
from experiments.sweep.declaration import make_folder
from experiments.sweep.search.options import WILCOXON, Options
from experiments.sweep.search.space import Space, Values

FILE = "study.log"
RESULT = "result"
"""What the study keeps of a trial beside its value: the scores of its seeds, seconds, reason."""
RETRIES = "retries"
"""In a trial that was tried again: the number of the one that failed."""


@dataclass(frozen=True)
class SearchSpec:
    """What a search asks for.

    Attributes:
        metric: what its value is, e.g. val/loss.
        higher: whether a higher one is better.
        retry_failed: trials that have failed are tried again.
    """

    space: Space
    options: Options
    metric: str
    higher: bool
    retry_failed: bool = False

    @cached_property
    def grid(self) -> list[Values] | None:
        """The values of all trials, where they are known; the first are not all of one corner."""
        if self.options.sampler != "grid":
            return None
        rows = self.space.grid()
        random.Random(self.options.seed).shuffle(rows)
        return rows

    @property
    def num_trials(self) -> int:
        """How many trials the study is to have; of a grid no more than that has points."""
        wanted = self.options.n_trials
        return wanted if self.grid is None else min(wanted, len(self.grid))

    def num_missing(self, trials: Iterable[FrozenTrial]) -> int:
        """Return how many trials are still to be drawn beside these."""
        return self.num_trials - len(counted(trials))


def counted(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that count: one that was tried again counts once."""
    return [trial for trial in trials if RETRIES not in trial.user_attrs]


def result_of(trial: FrozenTrial) -> dict[str, Any]:
    result: dict[str, Any] = trial.user_attrs.get(RESULT, {})
    return result


def diverged(trial: FrozenTrial) -> bool:
    return None in result_of(trial).get("scores", [])


def value_of(spec: SearchSpec, trial: FrozenTrial) -> float | None:
    """Return the value of a trial as it is shown.

    Optuna calls the last value that it was told the value of a pruned trial. Of one that was told
    by its seeds that is a single seed; the mean of those that it had stands beside the others'.
    """
    if trial.state != TrialState.PRUNED or spec.options.pruner != WILCOXON:
        return trial.value
    scores = finite_of(result_of(trial).get("scores", []))
    return fmean(scores) if scores else None


def num_spared(trials: Iterable[FrozenTrial], num_seeds: int) -> int:
    """Return how many runs of pruned trials were not trained to their end."""
    pruned = (trial for trial in trials if trial.state == TrialState.PRUNED)
    return sum(num_seeds - len(result_of(trial).get("scores", [])) for trial in pruned)


def open_study(sweep_dir: Path, name: str, higher: bool, pruner: BasePruner) -> Study:
    """Return the study of this name, a new one where there is none.

    Its journal may hold other studies of the same folder. One that cannot be followed, as of
    another version of Optuna, is put aside: trials are drawn anew, and their runs are there.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    make_folder(sweep_dir)
    # Optuna's own lock is a file that a killed launcher leaves behind, for which all others then
    # wait half a minute; this one is the operating system's.
    path, lock = sweep_dir / FILE, Lock(sweep_dir / f"{FILE}.lock")
    mend(path, lock)
    try:
        return study_in(path, lock, name, higher, pruner)
    except OSError:
        raise
    except Exception as error:  # whatever its steps lead to
        with lock:
            put_aside(path, b"", f"{type(error).__name__}: {error}")
        return study_in(path, lock, name, higher, pruner)


def study_in(path: Path, lock: Lock, name: str, higher: bool, pruner: BasePruner) -> Study:
    backend = JournalFileBackend(str(path), lock_obj=lock)  # type: ignore[arg-type]
    return optuna.create_study(
        storage=JournalStorage(backend),
        study_name=name,
        direction="maximize" if higher else "minimize",
        load_if_exists=True,
        pruner=pruner,
        # Another one is set before each trial.
        sampler=RandomSampler(),
    )


def mend(path: Path, lock: Lock) -> None:
    """Cut off an entry that was never written to its end, into which the next one would run, and
    all that comes after one that was overwritten: the journal is then that of an earlier moment.
    """
    if not path.is_file():
        return
    with lock:
        content = path.read_bytes()
        entries: list[bytes] = list(takewhile(is_entry, content.splitlines(keepends=True)))
        whole = b"".join(entries)
        if len(whole) <= content.rfind(b"\n"):
            line = 1 + whole.count(b"\n")
            put_aside(path, whole, f"line {line} is no entry")
        elif len(whole) < len(content):
            os.truncate(path, len(whole))


def is_entry(line: bytes) -> bool:
    """Return whether a line of a journal is one.

    >>> is_entry(b'{"op_code":0,"name":"a"}\\n'), is_entry(b'{"op_code":0,'), is_entry(b"7\\n")
    (True, False, False)
    """
    try:
        entry = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return False
    return isinstance(entry, dict) and "op_code" in entry


def put_aside(path: Path, whole: bytes, reason: str) -> None:
    """Keep a broken journal under another name, and in its place what is whole of it."""
    aside = path.with_name(f"{path.name}.broken")
    os.replace(path, aside)
    write_atomic(path, whole)
    reason = " ".join(reason.split())[:200]
    print(TABLE["broken_study"].format(path=path, reason=reason, aside=aside))
