"""What a search is told beside its space: the sampler, the pruner, and how many trials.

Optuna is not imported here, so that its absence can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from experiments.errors.messages import check_choice, refuse_unless, user_error

SAMPLERS = ("tpe", "random", "grid", "cmaes", "gp")
PRUNERS = ("none", "median", "hyperband")
NEEDS_A_FIXED_SPACE = ("cmaes", "gp")
"""Samplers that learn of parameters only if every trial has them."""
LEAST = {
    "n_trials": 1,
    "startup_trials": 0,
    "prune_after_trials": 0,
    "prune_after_epochs": 0,
    "prune_every_epochs": 1,
    "reduction_factor": 2,
}
FITS: dict[str, tuple[str, tuple[str, ...]]] = {
    "startup_trials": ("sampler", ("tpe", "cmaes", "gp")),
    "prune_after_trials": ("pruner", ("median",)),
    "prune_after_epochs": ("pruner", ("median", "hyperband")),
    "prune_every_epochs": ("pruner", ("median", "hyperband")),
    "reduction_factor": ("pruner", ("hyperband",)),
}


@dataclass(frozen=True)
class Options:
    """How to search; None stands for Optuna's own value.

    Attributes:
        sampler: tpe, random, grid, cmaes or gp.
        n_trials: how many trials the study is to have.
        seed: of the sampler.
        startup_trials: those drawn at random before the sampler begins to learn.
        pruner: none, median or hyperband.
        prune_after_trials: so many trials are never pruned (median).
        prune_after_epochs: no trial is pruned before (hyperband: the smallest budget).
        prune_every_epochs: how often a trial is compared with the others.
        reduction_factor: one of so many trials is given the next larger budget (hyperband).
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

    @property
    def name(self) -> str:
        """How the search's folder is told from others of the same keys."""
        return self.sampler if self.pruner == "none" else f"{self.sampler}-{self.pruner}"

    def check(self) -> None:
        """Raise UserError for an option that is none, or has no effect."""
        check_choice("hydra.sweeper.sampler", self.sampler, SAMPLERS)
        check_choice("hydra.sweeper.pruner", self.pruner, PRUNERS)
        for key, least in LEAST.items():
            value = getattr(self, key)
            fits, instead = value is None or value >= least, 20 if key == "n_trials" else least
            refuse_unless(fits, f"hydra.sweeper.{key}", value, f"{least} or more", instead)
        for key, (owner, fitting) in FITS.items():
            value, chosen = getattr(self, key), getattr(self, owner)
            if value is not None and chosen not in fitting:
                raise user_error(
                    "no_effect",
                    given=f"hydra.sweeper.{key}={value}",
                    with_=f"hydra.sweeper.{owner}={chosen}",
                )


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
