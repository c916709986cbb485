"""What a search asks for, and what its study says of a trial."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optuna.trial import FrozenTrial

from experiments.sweep.options import Options
from experiments.sweep.space import Space, Values

RESULT = "result"
"""What the study keeps of a trial beside its value: the scores of its seeds, seconds, reason."""
RETRIES = "retries"
"""In a trial that was tried again: the number of the one that failed."""


@dataclass(frozen=True)
class Asked:
    """What a search asks for.

    Attributes:
        space: what is searched.
        options: how.
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
        """The values of all trials in their order, where they are known."""
        is_grid = self.options.sampler == "grid"
        return shuffled(self.space.grid(), self.options.seed) if is_grid else None

    @property
    def num_trials(self) -> int:
        """How many trials the study is to have; of a grid no more than that has points."""
        wanted = self.options.n_trials
        return wanted if self.grid is None else min(wanted, len(self.grid))

    def num_missing(self, trials: Iterable[FrozenTrial]) -> int:
        """Return how many trials are still to be drawn beside these."""
        return self.num_trials - len(counted(trials))


def shuffled(rows: list[Values], seed: int) -> list[Values]:
    """Return rows in an order by chance, so that the first few are not all of one corner."""
    order = list(rows)
    random.Random(seed).shuffle(order)
    return order


def counted(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that count: one that was tried again counts once."""
    return [trial for trial in trials if RETRIES not in trial.user_attrs]


def result_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return what the study keeps of a trial beside its value."""
    result: dict[str, Any] = trial.user_attrs.get(RESULT, {})
    return result


def diverged(trial: FrozenTrial) -> bool:
    """Return whether the value of a trial stands for runs that diverged."""
    return None in result_of(trial).get("scores", [])
