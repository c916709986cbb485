"""What a search is told beside its space: the sampler, the pruner, and how many trials.

Optuna is not imported here, so that its absence can be told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from experiments.errors.messages import check_choice, refuse_unless, user_error

SAMPLERS = ("tpe", "random", "grid", "cmaes", "gp")
PRUNERS = ("none", "median", "hyperband", "wilcoxon")
WILCOXON = "wilcoxon"
"""The pruner that compares trials by their seeds, where the others do by their epochs."""
P_THRESHOLD, SEEDS_BEFORE = 0.1, 2
"""Optuna's own values of `p_threshold` and `prune_after_seeds`."""
AT_RANDOM: dict[str, float] = {"random": math.inf, "grid": math.inf, "tpe": 10, "gp": 10}
"""How many trials a sampler of Optuna draws before it learns from any."""
NEEDS_A_FIXED_SPACE = ("cmaes", "gp")
"""Samplers that learn of parameters only if every trial has them."""
LEAST = {
    "n_trials": 1,
    "startup_trials": 0,
    "prune_after_trials": 0,
    "prune_after_epochs": 0,
    "prune_every_epochs": 1,
    "prune_after_seeds": 2,
    "reduction_factor": 2,
}
FITS: dict[str, tuple[str, tuple[str, ...]]] = {
    "startup_trials": ("sampler", ("tpe", "cmaes", "gp")),
    "prune_after_trials": ("pruner", ("median",)),
    "prune_after_epochs": ("pruner", ("median", "hyperband")),
    "prune_every_epochs": ("pruner", ("median", "hyperband")),
    "reduction_factor": ("pruner", ("hyperband",)),
    "p_threshold": ("pruner", (WILCOXON,)),
    "prune_after_seeds": ("pruner", (WILCOXON,)),
}
LATER = ("p_threshold", "prune_after_seeds")
"""Options that searches have had since a later version: those of before keep their names."""


@dataclass(frozen=True)
class Options:
    """How to search; None stands for Optuna's own value.

    Attributes:
        sampler: tpe, random, grid, cmaes or gp.
        n_trials: how many trials the study is to have.
        seed: of the sampler.
        startup_trials: those drawn at random before the sampler begins to learn.
        pruner: none, median, hyperband or wilcoxon.
        prune_after_trials: so many trials are never pruned (median).
        prune_after_epochs: no trial is pruned before (hyperband: the smallest budget).
        prune_every_epochs: how often a trial is compared with the others.
        reduction_factor: one of so many trials is given the next larger budget (hyperband).
        p_threshold: a trial ends where it is worse than the best one with a p below (wilcoxon).
        prune_after_seeds: no trial is pruned before it has had so many of its seeds (wilcoxon).
    """

    sampler: str = "tpe"
    n_trials: int = 20
    seed: int = 0
    startup_trials: int | None = None
    pruner: str = "none"
    prune_after_trials: int | None = None
    prune_after_epochs: int | None = None
    prune_every_epochs: int | None = None
    reduction_factor: int | None = None
    p_threshold: float | None = None
    prune_after_seeds: int | None = None

    @property
    def name(self) -> str:
        """How the search's folder is told from others of the same keys."""
        return self.sampler if self.pruner == "none" else f"{self.sampler}-{self.pruner}"

    def plain(self) -> dict[str, Any]:
        """Return all of them; what came later and was not asked for is left out."""
        every = asdict(self)
        return {k: v for k, v in every.items() if k not in LATER or v is not None}

    @property
    def num_at_random(self) -> float:
        """How many trials come first that depend on no other's result."""
        drawn = AT_RANDOM.get(self.sampler, 1)
        is_set = self.startup_trials is not None and math.isfinite(drawn)
        return drawn if not is_set else self.startup_trials or 0

    def check(self) -> None:
        """Raise UserError for an option that is none, or has no effect."""
        check_choice("hydra.sweeper.sampler", self.sampler, SAMPLERS)
        check_choice("hydra.sweeper.pruner", self.pruner, PRUNERS)
        for key, least in LEAST.items():
            value = getattr(self, key)
            fits, instead = value is None or value >= least, 20 if key == "n_trials" else least
            refuse_unless(fits, f"hydra.sweeper.{key}", value, f"{least} or more", instead)
        p = self.p_threshold
        fits = p is None or 0 < p < 1
        refuse_unless(fits, "hydra.sweeper.p_threshold", p, "above 0, below 1", P_THRESHOLD)
        for key, (owner, fitting) in FITS.items():
            value, chosen = getattr(self, key), getattr(self, owner)
            if value is not None and chosen not in fitting:
                raise user_error(
                    "no_effect",
                    given=f"hydra.sweeper.{key}={value}",
                    with_=f"hydra.sweeper.{owner}={chosen}",
                )

    def check_seeds(self, seeds: Sequence[int]) -> None:
        """Raise UserError for seeds that are too few for their pruner ever to spare one.

        With n seeds the signed-rank test's smallest one-sided p is 2^-n, where all differences
        have one sign; and a trial that has had its last seed has nothing left to be spared.
        """
        if self.pruner != WILCOXON:
            return
        p = P_THRESHOLD if self.p_threshold is None else self.p_threshold
        after = max(2, self.prune_after_seeds or SEEDS_BEFORE)
        while 0.5**after >= p:
            after += 1
        if len(seeds) <= after:
            least, number = after + 1, len(seeds)
            raise user_error("wilcoxon_seeds", given=number, p=f"{p:g}", after=after, least=least)


def check_installed(sampler: str) -> None:
    """Raise UserError where Optuna 5, or what a sampler of it needs, is not installed."""
    needed = {"optuna": 5} | ({"cmaes": 0} if sampler == "cmaes" else {})
    for package, least in needed.items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            raise user_error("no_optuna", package=package, found="none is installed") from None
        if int(installed.partition(".")[0]) < least:
            raise user_error(
                "no_optuna", package=f"{package} {least}", found=f"{installed} is here"
            )
