"""Two factors: the table of their combinations, main effects and interaction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.comparison import words
from experiments.comparison.design import Design
from experiments.comparison.factorial import Contrast, Factorial, factorial

Dict = dict[str, Any]


def matrix_dict(one: Any, design: Design, control: int | None) -> Dict | None:
    """Return the matrix of a task of two factors; None for one factor.

    Effects are of the seeds that all combinations have; with fewer than two of them, or with a
    combination that was not run, there is a table of means and nothing more.

    Args:
        one: a task as it was judged.
        design: of the comparison.
        control: the index of the control among its settings.
    """
    if len(design.factor) != 2:
        return None
    levels = [
        list(dict.fromkeys(setting.levels[key] for setting in one.task.settings))
        for key in design.factor
    ]
    scores, seeds = scores_of(one.task, design.factor, levels)
    place = place_of(one, design.factor, levels, control)
    # Everything a cell shows is of that cell's own seeds.
    found = None
    if place is not None and scores.size:
        found = factorial(
            scores,
            place,
            design.delta,
            alpha=design.alpha,
            higher_is_better=design.higher_is_better,
        )
    said: Dict = {
        "task": one.task.name,
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
    if found is not None and place is not None:
        said |= effects_of(found, design, levels, place)
        said["seeds"] = [seeds[index] for index in found.seeds]
        said["sentences"] = words.of_matrix(said, design)
    return said


def scores_of(
    task: Any, factor: Sequence[str], levels: Sequence[Sequence[str]]
) -> tuple[np.ndarray, list[int]]:
    """Return the scores as an array (A, B, S), NaN where there is none, and the seeds."""
    seeds = sorted({seed for setting in task.settings for seed in setting.scores})
    scores = np.full((len(levels[0]), len(levels[1]), len(seeds)), math.nan)
    for setting in task.settings:
        a, b = (levels[i].index(setting.levels[key]) for i, key in enumerate(factor))
        for seed, score in setting.scores.items():
            scores[a, b, seeds.index(seed)] = score
    return scores, seeds


def place_of(
    one: Any, factor: Sequence[str], levels: Sequence[Sequence[str]], control: int | None
) -> tuple[int, int] | None:
    """Return the row and column of the control."""
    if control is None:
        return None
    own = one.task.settings[control].levels
    return levels[0].index(own[factor[0]]), levels[1].index(own[factor[1]])


def cells(scores: np.ndarray, statistic: Any, fewest: int) -> list[list[float | None]]:
    """Return a statistic of the finite scores of each cell, None where there are too few."""
    return [
        [
            float(statistic(known)) if len(known := cell[np.isfinite(cell)]) >= fewest else None
            for cell in row
        ]
        for row in scores
    ]


def effects_of(
    found: Factorial, design: Design, levels: Sequence[Sequence[str]], place: tuple[int, int]
) -> Dict:
    """Return main effects, interaction, and shares of variance."""
    n = len(found.seeds)
    main = [
        {
            "factor": key,
            "level": levels[index][contrast.levels[0]],
            "against": levels[index][place[index]],
            **contrast_dict(contrast),
        }
        for index, key in enumerate(design.factor)
        for contrast in found.main[index]
    ]
    shares = found.shares
    first, second = design.factor
    return {
        "main": main,
        "main_p": dict(zip(design.factor, found.main_p, strict=True)),
        "interaction": {
            "p": found.interaction_p,
            "n": n,
            "cells": [
                {
                    "levels": [levels[0][contrast.levels[0]], levels[1][contrast.levels[1]]],
                    **contrast_dict(contrast),
                }
                for contrast in found.interaction
            ],
        },
        "shares": None
        if shares is None
        else {
            first: shares.first,
            second: shares.second,
            f"{first} x {second}": shares.interaction,
            "seed": shares.seed,
            "rest": shares.rest,
        },
    }


def contrast_dict(contrast: Contrast) -> Dict:
    """Return one effect."""
    effect = contrast.effect
    return {
        "difference": effect.difference,
        "interval": list(effect.interval),
        "p": effect.p,
        "p_holm": contrast.p_holm,
        "verdict": contrast.verdict,
        "n": effect.n,
    }
