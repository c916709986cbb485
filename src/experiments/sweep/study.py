"""The study of a search: Optuna's journal of its trials, on disk in the sweep's folder.

A journal is a file that is only ever appended to, so that a launcher may be killed at any moment
and several may write at once.

Akiba, Sano, Yanase, Ohta, Koyama 2019, "Optuna: a next-generation hyperparameter optimization
framework". Samplers: Bergstra, Bardenet, Bengio, Kegl 2011, "Algorithms for hyper-parameter
optimization" (TPE); Hansen & Ostermeier 2001, "Completely derandomized self-adaptation in evolution
strategies" (CMA-ES). Pruners: Golovin et al. 2017, "Google Vizier", section 3.2.2 (median); Li,
Jamieson, DeSalvo, Rostamizadeh, Talwalkar 2018, "Hyperband", algorithm 1.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study

from experiments.sweep.declaration import make_folder
from experiments.sweep.options import Options

FILE = "study.log"


class Lock:
    """A lock of the operating system around each entry of the journal.

    Optuna's own is a file that a killed launcher leaves behind, for which all others then wait
    half a minute.
    """

    def __init__(self, path: Path) -> None:
        self.lock = FileLock(path)

    def acquire(self) -> bool:
        """Wait for the lock."""
        self.lock.acquire()
        return True

    def release(self) -> None:
        """Give it back."""
        self.lock.release()


def open_study(sweep_dir: Path, name: str, higher: bool, pruner: BasePruner) -> Study:
    """Return the study of this name, a new one where there is none.

    Args:
        sweep_dir: where its journal lies; other studies may be in it.
        name: of the study.
        higher: its value is to be as high as possible, not as low.
        pruner: which of its trials are given up.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    make_folder(sweep_dir)
    lock = Lock(sweep_dir / f"{FILE}.lock")
    mend(sweep_dir / FILE, lock)
    backend = JournalFileBackend(str(sweep_dir / FILE), lock_obj=lock)  # type: ignore[arg-type]
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
    """Cut off an entry that was never written to its end, into which the next one would run."""
    if not path.is_file():
        return
    lock.acquire()
    try:
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)
    finally:
        lock.release()


def name_of(asked: Mapping[str, Any]) -> str:
    """Return the name of the study of a search: a hash of all that makes it this one."""
    text = json.dumps(asked, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def sampler_of(options: Options, is_conditional: bool, number: int) -> BaseSampler:
    """Return the sampler of a trial.

    Each trial has one of its own, seeded by its number: what it draws depends on the trials
    before it and on nothing else, however often the search was interrupted.

    Args:
        options: of the search.
        is_conditional: some trials have parameters that others have not.
        number: of the trial.
    """
    mixed = hashlib.blake2b(f"{options.seed}/{number}".encode(), digest_size=4).digest()
    seed = int.from_bytes(mixed, "big")
    startup: dict[str, Any] = {}
    if options.startup_trials is not None:
        startup["n_startup_trials"] = options.startup_trials
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # of group
        if options.sampler == "tpe":
            # Trials at work count as bad ones, so that two at once do not try the same.
            return TPESampler(
                seed=seed, multivariate=True, group=is_conditional, constant_liar=True, **startup
            )
        if options.sampler == "gp":
            return GPSampler(seed=seed, warn_independent_sampling=False, **startup)
        if options.sampler == "cmaes":
            return CmaEsSampler(
                seed=seed,
                warn_independent_sampling=False,
                independent_sampler=RandomSampler(seed=seed),
                **startup,
            )
    return RandomSampler(seed=seed)


@contextlib.contextmanager
def on_one_thread(sampler: str) -> Iterator[None]:
    """Let a sampler that needs torch compute on one thread for the block.

    Beside jobs that keep all cores busy, threads that wait for each other take 2-6 s for what one
    does in 0.5 s (a Gaussian process over 20 trials of two parameters, two cores, two jobs).
    """
    if sampler != "gp":
        yield
        return
    import torch  # seconds of imports

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def pruner_of(options: Options, max_epochs: int) -> BasePruner:
    """Return the pruner.

    Args:
        options: of the search.
        max_epochs: of a run; below 1 where that is not known.
    """
    least = options.prune_after_epochs
    if options.pruner == "median":
        after = options.prune_after_trials
        return MedianPruner(
            n_startup_trials=5 if after is None else after, n_warmup_steps=least or 0
        )
    if options.pruner == "hyperband":
        return HyperbandPruner(
            min_resource=max(1, least or 1),
            max_resource=max_epochs if max_epochs > 0 else "auto",
            reduction_factor=options.reduction_factor or 3,
        )
    return NopPruner()
