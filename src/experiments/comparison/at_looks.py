"""Pairs of settings at the looks that their sweep declared, each judged where it was settled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiments.comparison.blocks import Block
from experiments.comparison.declared_looks import DeclaredLooks
from experiments.comparison.design import Design
from experiments.comparison.statistics.paired import Pair, compare_pair, paired_differences
from experiments.comparison.statistics.sequential import levels_of, sequential_p
from experiments.comparison.statistics.settling import Standing, at_look, settle
from experiments.comparison.statistics.spending import nominal_levels
from experiments.comparison.task import Task

Indices = tuple[int, int]


@dataclass(frozen=True)
class PairAtLook:
    """Two settings, where they stand.

    Attributes:
        pair: by the seeds of its look; before the first by all, without a test; None without any.
        seeds: these seeds.
        unused: what both have beside them.
        following: the seeds of its next look; none where it is settled, or was the last.
        level: what intervals of its look are at, such that all of its looks hold together.
    """

    standing: Standing
    pair: Pair | None
    seeds: tuple[int, ...]
    unused: tuple[int, ...]
    following: tuple[int, ...]
    level: float | None

    def plain(self, declared: DeclaredLooks, level: float) -> dict[str, Any]:
        """Return what is told of it; `spent` is what its level may have spent by its look."""
        k = self.standing.look
        return {
            "seeds": None if k is None else declared.looks.sizes[k],
            "settled": self.standing.is_settled,
            "next": len(self.following) or None,
            "last": declared.looks.sizes[-1],
            "spent": 0.0 if k is None else float(declared.looks.spent([level])[k, 0]),
            "unused": list(self.unused),
        }


def pairs_at_looks(
    task: Task, compared: Sequence[Indices], family: int, design: Design
) -> dict[Indices, PairAtLook]:
    """Return where each pair of a task stands; nothing where no looks were declared, or of folds,
    whose number no look is at.
    """
    declared = design.looks
    if declared is None or task.overlap is not None:
        return {}
    levels = levels_of(design.alpha, family)
    scores = [(task.settings[a].scores, task.settings[b].scores) for a, b in compared]
    effects = [by_look(own, declared, family, levels, design) for own in scores]
    standings = settle(
        effects,
        family=family,
        delta=design.delta,
        alpha=design.alpha,
        higher_is_better=design.higher_is_better,
    )
    return {
        pair: standing_pair(own, by_looks, standing, declared, family, design)
        for pair, own, by_looks, standing in zip(compared, scores, effects, standings, strict=True)
    }


Scores = tuple[Mapping[Block, float], Mapping[Block, float]]


def by_look(
    scores: Scores, declared: DeclaredLooks, family: int, levels: Any, design: Design
) -> list[Pair]:
    """Return how two settings compare at each look for which both have all seeds."""
    a, b = scores
    complete = [n for n in declared.looks.sizes if {*declared.seeds_at(n)} <= a.keys() & b.keys()]
    if not complete:
        return []
    seeds = declared.seeds_at(complete[-1])
    differences, resolution = paired_differences([a[s] for s in seeds], [b[s] for s in seeds])
    p = sequential_p(differences, declared.looks, levels, resolution=resolution)
    return [
        at_look(
            pair_on(scores, declared.seeds_at(n), family, design),
            float(p[k]),
            declared.looks,
            k,
            design.alpha / family,
        )
        for k, n in enumerate(complete)
    ]


def pair_on(scores: Scores, seeds: Sequence[int], family: int, design: Design) -> Pair:
    a, b = ([own[seed] for seed in seeds] for own in scores)
    better = design.higher_is_better
    return compare_pair(a, b, alpha=design.alpha, family=family, higher_is_better=better)


def standing_pair(
    scores: Scores,
    effects: Sequence[Pair],
    standing: Standing,
    declared: DeclaredLooks,
    family: int,
    design: Design,
) -> PairAtLook:
    """Return two settings where they stand."""
    there = [s for s in scores[0] if s in scores[1] and isinstance(s, int)]
    k, sizes = standing.look, declared.looks.sizes
    if k is None:
        seeds = tuple(seed for seed in declared.seeds if seed in there)
        endless = (-math.inf, math.inf)
        pair = pair_on(scores, seeds, family, design) if seeds else None
        # Looked at before its time, a difference has neither a test nor an interval.
        early = pair and replace(pair, p=math.nan, interval=endless, interval90=endless)
        following = declared.seeds_at(sizes[0])
        unused = tuple(seed for seed in there if seed not in seeds)
        return PairAtLook(standing, early, seeds, unused, following, None)
    seeds = declared.seeds_at(sizes[k])
    is_over = standing.is_settled or k + 1 == len(sizes)
    following = () if is_over else declared.seeds_at(sizes[k + 1])
    unused = tuple(seed for seed in there if seed not in seeds)
    level = 1 - nominal_levels(declared.looks, design.alpha / family)[k]
    return PairAtLook(standing, effects[k], seeds, unused, following, level)
