"""Two factors: the table of their combinations, main effects and interaction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments.comparison import words
from experiments.comparison.blocks import Block, Fold, by_split, ordered, shared_by
from experiments.comparison.design import Design, Dict
from experiments.comparison.judged import index_of_control
from experiments.comparison.pairs import (
    LEARNING,
    REPEATS,
    chances_dict,
    finite_or_none,
    plain,
    seeds_needed,
)
from experiments.comparison.statistics.factorial import Contrast, Factorial, factorial
from experiments.comparison.task import Task

Levels = Sequence[Sequence[str]]
"""Of either factor."""


def matrix_dict(task: Task, design: Design) -> Dict | None:
    """Return the matrix of a task of two factors; None for one factor.

    Effects are of the seeds that all combinations have; with fewer than two of them, or with a
    combination that was not run, there is a table of means and nothing more.
    """
    if len(design.factor) != 2:
        return None
    levels = [
        list(dict.fromkeys(setting.levels[key] for setting in task.settings))
        for key in design.factor
    ]
    blocks = ordered({block for setting in task.settings for block in setting.scores})
    scores = joined_splits(scores_of(task, levels, blocks), blocks)
    shared = shared_by(blocks, task.overlap)
    names = [str(block) if isinstance(block, Fold) else block for block in one_of_each(blocks)]
    # Everything a cell shows is of that cell's own seeds, or splits.
    matrix: Dict = {
        "task": task.name,
        "thing": task.thing,
        "shared": shared,
        "factors": list(design.factor),
        "levels": levels,
        "means": cells(scores, np.mean, 1),
        "sds": cells(scores, lambda values: np.std(values, ddof=1), 2),
        "ns": [[int(np.isfinite(cell).sum()) for cell in row] for row in scores],
        "main": [],
        "interaction": None,
        "shares": None,
        "sentences": [],
    }
    control = index_of_control(task, design)
    if control is None or not scores.size:
        return matrix
    cell = cell_of(task, control, levels)
    effects = factorial(
        scores,
        cell,
        design.delta,
        alpha=design.alpha,
        higher_is_better=design.higher_is_better,
        overlap=shared,
    )
    if effects is not None:
        matrix |= effects_dict(effects, design, levels, cell, task.thing)
        matrix["seeds"] = [names[index] for index in effects.seeds]
        if any(setting.not_learned for setting in task.settings):
            leave_open(matrix)
        matrix["sentences"] = words.of_matrix(matrix, design)
    return matrix


def leave_open(matrix: Dict) -> None:
    """Call no effects equivalent: settings that have learned nothing are alike in that alone."""
    for effect in (*matrix["main"], *matrix["interaction"]["cells"]):
        if effect["verdict"] == "equivalent":
            effect["verdict"], effect["remedy"] = "inconclusive", LEARNING


def scores_of(task: Task, levels: Levels, blocks: Sequence[Block]) -> np.ndarray:
    """Return the scores as an array (A, B, S), NaN where there is none."""
    scores = np.full((len(levels[0]), len(levels[1]), len(blocks)), math.nan)
    for index, setting in enumerate(task.settings):
        cell = cell_of(task, index, levels)
        for block, score in setting.scores.items():
            scores[(*cell, blocks.index(block))] = score
    return scores


def joined_splits(scores: np.ndarray, blocks: Sequence[Block]) -> np.ndarray:
    """Return the mean over the seeds of each split (A, B, n); NaN where one of them is missing."""
    places = by_split({block: index for index, block in enumerate(blocks)}, blocks)
    means = [scores[:, :, own].mean(axis=2) for own in places]
    return np.stack(means, axis=2) if means else scores


def one_of_each(blocks: Sequence[Block]) -> list[Block]:
    """Return the first block of each split, or every seed."""
    return [own[0] for own in by_split({block: block for block in blocks}, blocks)]


def cell_of(task: Task, setting: int, levels: Levels) -> tuple[int, int]:
    first, second = task.settings[setting].levels.values()
    return levels[0].index(first), levels[1].index(second)


def cells(
    scores: np.ndarray, statistic: Callable[[np.ndarray], Any], fewest: int
) -> list[list[float | None]]:
    """Return a statistic of the finite scores of each cell, None where there are too few."""
    known = [[cell[np.isfinite(cell)] for cell in row] for row in scores]
    return [[float(statistic(c)) if len(c) >= fewest else None for c in row] for row in known]


def effects_dict(
    effects: Factorial,
    design: Design,
    levels: Levels,
    control: tuple[int, int],
    thing: str,
) -> Dict:
    """Return main effects, interaction, and shares of variance."""
    first, second = design.factor
    parts = (first, second, f"{first} x {second}", thing, "rest")
    return {
        "main": [
            {
                "factor": key,
                "level": names[contrast.levels[0]],
                "against": names[own],
                **contrast_dict(contrast, thing),
                "chances": chances_dict(contrast.effect, design),
                "seeds_to_settle": to_settle(contrast, len(contrasts), design, thing),
            }
            for key, names, own, contrasts in zip(
                design.factor, levels, control, effects.main, strict=True
            )
            for contrast in contrasts
        ],
        "main_p": dict(zip(design.factor, effects.main_p, strict=True)),
        "interaction": {
            "p": effects.interaction_p,
            "n": len(effects.seeds),
            "cells": [
                {
                    "levels": [levels[0][contrast.levels[0]], levels[1][contrast.levels[1]]],
                    **contrast_dict(contrast, thing),
                }
                for contrast in effects.interaction
            ],
        },
        "shares": effects.shares and dict(zip(parts, effects.shares.values(), strict=True)),
    }


def to_settle(contrast: Contrast, family: int, design: Design, thing: str) -> int | None:
    """Return how many seeds would settle an effect that is open, None where none would."""
    is_open = contrast.verdict == "inconclusive" and thing == "seed"
    return seeds_needed(contrast.effect, family, design) if is_open else None


def contrast_dict(contrast: Contrast, thing: str) -> Dict:
    effect = contrast.effect
    is_open = contrast.verdict == "inconclusive" and thing == "fold"
    return {
        "difference": effect.difference,
        "interval": plain(effect.interval),
        "p": finite_or_none(effect.p),
        "p_holm": finite_or_none(contrast.p_holm),
        "verdict": contrast.verdict,
        "remedy": REPEATS if is_open else None,
        "n": effect.n,
        "thing": thing,
    }
