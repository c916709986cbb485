"""The samplers and pruners of Optuna that a search may have.

Samplers: Bergstra, Bardenet, Bengio, Kegl 2011, "Algorithms for hyper-parameter optimization"
(TPE); Hansen & Ostermeier 2001, "Completely derandomized self-adaptation in evolution strategies"
(CMA-ES). Pruners: Golovin et al. 2017, "Google Vizier", section 3.2.2 (median); Li, Jamieson,
DeSalvo, Rostamizadeh, Talwalkar 2018, "Hyperband", algorithm 1; Wilcoxon 1945, "Individual
comparisons by ranking methods", of the seeds that a trial and the best one both have had.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Iterator
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    WilcoxonPruner,
)
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, RandomSampler, TPESampler

from experiments.sweep.search.options import P_THRESHOLD, SEEDS_BEFORE, WILCOXON, Options


def sampler_of(options: Options, is_conditional: bool, number: int) -> BaseSampler:
    """Return the sampler of a trial.

    Each trial has one of its own, seeded by its number: what it draws depends on the trials
    before it and on nothing else, however often the search was interrupted.
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
    """Return the pruner; `max_epochs` of a run are below 1 where that is not known."""
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
    if options.pruner == WILCOXON:
        p, after = options.p_threshold, options.prune_after_seeds
        with warnings.catch_warnings():
            # Optuna calls the class experimental since 3.6; what it is asked for is tested here.
            warnings.simplefilter("ignore", ExperimentalWarning)
            return WilcoxonPruner(
                p_threshold=P_THRESHOLD if p is None else p, n_startup_steps=after or SEEDS_BEFORE
            )
    return NopPruner()
