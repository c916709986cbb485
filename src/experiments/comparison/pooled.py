"""The comparison of settings by the error that they share, where the sweep declared it.

A test that was chosen after the runs proves little, so it is the one that stood in the sweep's file
before the first of them, whatever is typed. Where its assumptions plainly do not hold, by a rule
that is as old as the declaration, the exact test speaks instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.comparison.blocks import seed_of
from experiments.comparison.design import Design, Dict
from experiments.comparison.statistics.blocked import Bearing, Blocked, bearing_of, blocked
from experiments.comparison.statistics.paired import FLOAT32, Pair
from experiments.comparison.statistics.pooled_planning import (
    FEWEST_SEEDS,
    Family,
    pooled_detectable,
    pooled_seeds,
)
from experiments.comparison.statistics.simultaneous import dunnett_p, tukey_p
from experiments.comparison.task import Setting, Task
from experiments.config.schema import DUNNETT
from experiments.errors.wording import listed

UNEQUAL, FAR = 0.05, 0.01
"""The pooled test is silent where normal errors of one spread give so rarely as much: as wide a
setting, or as far a run. The first costs level and the second does not. Of sweeps without any
difference, of seven settings and three seeds, 22 % claim one where the control scatters four times
as much as the others (14 % with this rule, which is silent in 59 %; 6 % with five seeds), but 5 %
where all errors are exponential, or of Student's t with three degrees of freedom."""


@dataclass(frozen=True)
class Pooled:
    """What all settings of a task say together about the error of each.

    Attributes:
        seeds: those that every setting has which has any; the others are left out.
        left_out: these others.
        settings: the indices of those settings.
        fitted: the model of their scores, None where there is none.
        bearing: what its residuals say of what it assumes.
        silent: why the test says nothing, None where it speaks.
    """

    family: Family
    seeds: list[int]
    left_out: list[int]
    settings: list[int]
    fitted: Blocked | None = None
    bearing: Bearing | None = None
    silent: str | None = None

    @property
    def name(self) -> str:
        return "dunnett" if self.family.has_control else "tukey"

    @property
    def fewest_seeds(self) -> int | None:
        """How many seeds it takes, None where more of them would not make it speak."""
        is_early = len(self.seeds) < FEWEST_SEEDS and not self.left_out
        return FEWEST_SEEDS if self.silent is None or is_early else None


def pooled_of(task: Task, control: int | None, design: Design) -> Pooled | None:
    """Return what a task's settings say together, None where no sweep declared to ask it."""
    there = [index for index, setting in enumerate(task.settings) if setting.scores]
    if design.test != DUNNETT or len(design.factor) > 1 or len(there) < 2:
        return None
    if task.overlap is not None:
        family = Family(len(task.settings), len(there), control is not None, design.alpha)
        reason = "folds share training points, so that their errors are not independent"
        return Pooled(family, [], [], there, silent=reason)
    scores = [by_seed(task.settings[index]) for index in there]
    seeds = sorted(set.intersection(*map(set, scores)))
    left_out = sorted({seed for own in scores for seed in own} - set(seeds))
    family = Family(len(task.settings), len(there), control is not None, design.alpha)
    pooled = Pooled(family, seeds, left_out, there)
    failed = [s.name for s in task.settings if s.failures]
    if failed:
        reason = f"runs of {listed(failed)} failed, as no normal error would have it"
        return replace(pooled, silent=reason)
    if len(seeds) < FEWEST_SEEDS:
        return replace(pooled, silent="it takes two seeds that all settings have")
    y = np.array([[own[seed] for seed in seeds] for own in scores])
    if not np.isfinite(y).all():
        return replace(pooled, silent="not every score is finite")
    return examined(pooled, blocked(y), float(np.abs(y).max()), task.settings)


def by_seed(setting: Setting) -> dict[int, float]:
    return {seed_of(block): score for block, score in setting.scores.items()}


def examined(
    pooled: Pooled, fitted: Blocked, largest: float, settings: Sequence[Setting]
) -> Pooled:
    """Return the pooled error with what its residuals say, silent where they speak against it."""
    if fitted.sd <= FLOAT32 * largest:
        reason = "all settings differ by the same amount on every seed, which leaves no error"
        return replace(pooled, fitted=fitted, silent=reason)
    bearing, silent = bearing_of(fitted), None
    if bearing.tail_p < FAR:
        setting, seed = bearing.farthest
        silent = (
            f"the errors do not seem normal: {settings[pooled.settings[setting]].name} with seed "
            f"{pooled.seeds[seed]} lies {bearing.size:.1f} standard deviations away from what its "
            f"setting and seed let expect (p {bearing.tail_p:.4f})"
        )
    if bearing.spread_p < UNEQUAL:
        name = settings[pooled.settings[bearing.widest]].name
        silent = (
            f"the errors do not seem of one spread: {name} has {bearing.ratio:.1f} times that of "
            f"the others (p {bearing.spread_p:.4f})"
        )
    return replace(pooled, fitted=fitted, bearing=bearing, silent=silent)


def with_pooled_error(pair: Pair, pooled: Pooled) -> tuple[Pair, float]:
    """Return a pair on all seeds of the block with the pooled error, and its p in the family."""
    assert pooled.fitted is not None
    error, df, family = pooled.fitted.standard_error, pooled.fitted.df, pooled.family
    t = pair.difference / error
    half, inner = family.critical(df) * error, family.equivalent(df) * error
    p_of = dunnett_p if family.has_control else tukey_p
    judged = replace(
        pair,
        standard_error=error,
        df=df,
        interval=(pair.difference - half, pair.difference + half),
        level=1 - family.alpha,
        interval90=(pair.difference - inner, pair.difference + inner),
        p=dunnett_p(t, 2, df),
    )
    return judged, p_of(t, family.num_settings, df)


def pooled_seeds_needed(difference: float, pooled: Pooled, delta: float | None) -> int | None:
    """Return how many seeds in all would settle a pair; see `seeds_needed`."""
    assert pooled.fitted is not None
    size = abs(difference) if delta is None else delta
    return pooled_seeds(pooled.fitted.sd, size, pooled.family, also_equivalent=delta is not None)


def smallest_found(pooled: Pooled, delta: float | None) -> float:
    assert pooled.fitted is not None
    n = len(pooled.seeds)
    return pooled_detectable(pooled.fitted.sd, n, pooled.family, delta or 0.0)


def pooled_dict(pooled: Pooled | None) -> Dict | None:
    """Return what is told of the pooled error: of how many, and how far residuals bear it out."""
    if pooled is None:
        return None
    fitted, bearing = pooled.fitted, pooled.bearing
    told: Dict = {
        "test": pooled.name,
        "silent": pooled.silent,
        "seeds": pooled.seeds,
        "left_out": pooled.left_out,
        "sd": fitted and fitted.sd,
        "df": fitted and fitted.df,
        "rule": {"spread": UNEQUAL, "tail": FAR},
        "spread": None,
        "tail": None,
    }
    if bearing is not None:
        setting, seed = bearing.farthest
        told["spread"] = {
            "setting": pooled.settings[bearing.widest],
            "ratio": bearing.ratio if math.isfinite(bearing.ratio) else None,
            "p": bearing.spread_p,
        }
        told["tail"] = {
            "setting": pooled.settings[setting],
            "seed": pooled.seeds[seed],
            "size": bearing.size,
            "p": bearing.tail_p,
        }
    return told
