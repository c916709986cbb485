"""What kept predictions say beside the seeds: of other test points, of ensembles, of single points.

No word of a verdict is changed by it. It is there for metrics that are a mean over points, where
every run of a setting has kept its predictions of the same test set.

Legend of shapes: S seeds, N test points, K classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.comparison.blocks import Block, ordered
from experiments.comparison.design import Design, Dict
from experiments.comparison.judged import Judged
from experiments.comparison.run_score import Scored
from experiments.comparison.statistics.crossed import crossed_interval
from experiments.comparison.task import Setting
from experiments.errors.messages import UserError
from experiments.record.predictions import Predictions, read_predictions

Array = NDArray[Any]

MOST_INDICES = 200
"""Of points that changed, so many are named; how many there are is told."""
NOT_KEPT = "not all of its runs kept predictions"


def hits_of(told: Array, targets: Array) -> Array:
    """Return which points (N,) are told their class."""
    return told == targets


def errors_of(told: Array, targets: Array) -> Array:
    """Return the absolute error (N,) of each point, the mean over its targets (N, K)."""
    return np.abs(told.astype(float) - targets).mean(axis=1)


SCORED: dict[str, tuple[str, Callable[[Array, Array], Array]]] = {
    "test/accuracy": ("classes", hits_of),
    "test/mae": ("values", errors_of),
}
"""Of each metric that is a mean over test points: what of the predictions it takes, and the score
of each point."""


@dataclass
class PointScores:
    """What the runs of a setting told of the test points.

    Attributes:
        test_set: of which data and targets, as a hash.
        scores: of each point (N,), by seed; the mean over several runs of a seed.
        summed: of all runs, the probabilities (N, K) or values; None where not every run has those
            of all classes.
        of_runs: the score of each run.
    """

    test_set: str
    targets: Array
    scores: dict[Block, Array] = field(default_factory=dict)
    summed: Array | None = None
    of_runs: list[float] = field(default_factory=list)


def points_dict(judged: Judged, design: Design) -> Dict | None:
    """Return what is said of a task's test points; None for a metric that is no mean over them, and
    for a cross validation.

    `reason` says in one line why nothing can be said of any setting, where that is so.
    """
    # Over folds each run tests points of its own, and every interval holds for other points too.
    if design.metric not in SCORED or judged.task.overlap is not None:
        return None
    settings = [scores_of(setting, design.metric) for setting in judged.task.settings]
    known = {i: own for i, own in enumerate(settings) if isinstance(own, PointScores)}
    whys = {i: own for i, own in enumerate(settings) if isinstance(own, str)}
    level = 1 - design.alpha / judged.family
    pairs = [pair_dict(judged, known, whys, pair, level, design) for pair in judged.compared]
    ensembles = [{"setting": i, **ensemble_dict(own, design.metric)} for i, own in known.items()]
    return {
        "num": len(next(iter(known.values())).targets) if known else None,
        "reason": None if known else reason_for_all(list(whys.values())),
        "pairs": pairs if known else [],
        "ensembles": [one for one in ensembles if one["score"] is not None],
    }


def reason_for_all(whys: Sequence[str]) -> str:
    others = [why for why in whys if why != NOT_KEPT]
    return others[0] if others else "the runs kept no predictions of single points"


def scores_of(setting: Setting, metric: str) -> PointScores | str:
    """Return what the runs of a setting told of the test points, or why that cannot be had."""
    name, score = SCORED[metric]
    result: PointScores | None = None
    for seed in setting.scores:
        of_seed = []
        for scored in setting.runs[seed]:
            read = predictions_of(scored)
            told: Any = None if isinstance(read, str) else getattr(read, name)
            if told is None or isinstance(read, str):
                return read if isinstance(read, str) else NOT_KEPT
            test_set = test_set_of(scored, read)
            if result is None:
                result = PointScores(test_set, read.targets)
            elif test_set != result.test_set:
                return "its runs have several test sets"
            of_seed.append(score(told, read.targets))
            add_member(result, read)
            result.of_runs.append(float(of_seed[-1].mean()))
        assert result is not None
        result.scores[seed] = of_seed[0] if len(of_seed) == 1 else np.mean(of_seed, axis=0)
    return result or "no run of it has ended"


def predictions_of(scored: Scored) -> Predictions | str:
    """Return what a run told of the test points, or why it cannot be taken."""
    seed = scored.run.record["seed"]
    if scored.failure is not None:
        return f"its run of seed {seed} failed"
    try:
        return read_predictions(Path(scored.run.folder)) or NOT_KEPT
    except UserError:
        return f"the predictions of its seed {seed} cannot be read"


def test_set_of(scored: Scored, predictions: Predictions) -> str:
    """Return a hash of the data and of the test targets in their order."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(str(scored.run.record["data_checksum"]).encode())
    digest.update(np.ascontiguousarray(predictions.targets).tobytes())
    return digest.hexdigest()


def add_member(result: PointScores, predictions: Predictions) -> None:
    """Add what a run tells to that of an ensemble, as far as it tells it of all classes."""
    told = predictions.values
    if told is None and predictions.has_all_classes:
        told = predictions.probabilities
    if told is None:
        result.summed = None
    elif not result.of_runs:
        result.summed = told.astype(np.float64 if predictions.values is not None else np.float32)
    elif result.summed is not None:
        result.summed += told


def pair_dict(
    judged: Judged,
    known: dict[int, PointScores],
    whys: dict[int, str],
    indices: tuple[int, int],
    level: float,
    design: Design,
) -> Dict:
    """Return of two settings the interval for other seeds and points, and which points changed.

    Without an interval, `reason` says why.
    """
    a, b = indices
    names, at = (judged.name(a), judged.name(b)), judged.at_looks.get(indices)
    if at is not None and at.level is not None:
        level = at.level
    pair: Dict = {"a": a, "b": b, "name": f"{names[0]} against {names[1]}", "level": level}
    pair |= dict.fromkeys(
        ("difference", "interval", "df", "by_seeds", "by_points", "gained", "lost", "reason")
    )
    seeds: list[Block] = []
    if lacking := [index for index in indices if index in whys]:
        pair["reason"] = f"{judged.name(lacking[0])}: {whys[lacking[0]]}"
    elif known[a].test_set != known[b].test_set:
        pair["reason"] = "the two were tested on different points"
    else:
        seeds = ordered(known[a].scores.keys() & known[b].scores.keys())
        if at is not None:
            seeds = [seed for seed in seeds if seed in at.seeds]
        if len(seeds) < 2 or len(known[a].targets) < 2:
            pair["reason"] = "it takes two seeds and two test points"
    pair["n"] = len(seeds)
    if pair["reason"] is None:
        pair |= between(known[a], known[b], seeds, level)
        if SCORED[design.metric][1] is hits_of:
            pair |= changed_points(known[a], known[b], seeds)
    return pair


def between(a: PointScores, b: PointScores, seeds: Sequence[Block], level: float) -> Dict:
    """Return the mean difference of two settings, its interval, and where its variance is from."""
    d = np.stack([np.subtract(a.scores[s], b.scores[s], dtype=float) for s in seeds])
    found = crossed_interval(d, level)
    variance = float(found.standard_error) ** 2
    return {
        "difference": float(found.mean),
        "interval": [float(found.low), float(found.high)],
        "df": float(found.df) if np.isfinite(found.df) else None,
        "by_seeds": float(found.by_seeds) / variance if variance else None,
        "by_points": float(found.by_points) / variance if variance else None,
    }


def changed_points(a: PointScores, b: PointScores, seeds: Sequence[Block]) -> Dict:
    """Return the points that a gets right and b wrong on most seeds, and the reverse.

    Those on which the two differ most come first; indices count within the test set.
    """
    right_a, right_b = (np.mean([own.scores[s] for s in seeds], axis=0) for own in (a, b))
    gained = np.flatnonzero((right_a > 0.5) & (right_b < 0.5))
    lost = np.flatnonzero((right_a < 0.5) & (right_b > 0.5))
    change = np.abs(right_a - right_b)

    def named(indices: Array) -> Dict:
        order = np.argsort(-change[indices], kind="stable")
        return {"number": len(indices), "indices": indices[order][:MOST_INDICES].tolist()}

    return {"gained": named(gained), "lost": named(lost)}


def ensemble_dict(scores: PointScores, metric: str) -> Dict:
    """Return the score of the mean probabilities, or values, of all runs, and that of a mean run.

    It is None of a single run, and where probabilities of single classes were kept alone.
    """
    mean, size = fmean(scores.of_runs), len(scores.of_runs)
    ensemble = None
    if scores.summed is not None and size > 1:
        name, score = SCORED[metric]
        told = scores.summed / size if name == "values" else scores.summed.argmax(axis=1)
        ensemble = float(score(told, scores.targets).mean())
    return {"size": size, "mean": mean, "score": ensemble}
