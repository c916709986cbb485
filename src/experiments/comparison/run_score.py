"""The score of a run; a failure is a result and has one too."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from experiments.comparison.design import Design
from experiments.comparison.reading import FoundRun
from experiments.record.chance import Chance, chance_of

LEAST_R2 = 0.01
"""Of a regression that is better than always giving the mean of the targets."""


@dataclass(frozen=True)
class Scored:
    """A run that counts.

    Attributes:
        variant: what else varies beside factor and seed, alike in all settings of a fair design.
        failure: why it is a failure, None where it is none.
        has_learned: it is no failure, and better than guessing by its health and its R2.
    """

    run: FoundRun
    variant: str
    score: float
    failure: str | None
    has_learned: bool = True


def scored_run(run: FoundRun, design: Design, guessing: Chance | None) -> Scored | str:
    """Return a run with its score, that of a failure where it is one, or why it has none.

    Args:
        guessing: what guessing gets right where the record does not say.
    """
    record, status = run.record, run.record["status"]
    variant = json.dumps(design.beside(run.config), sort_keys=True)
    score, failure = record["metrics"].get(design.metric), None
    chance = chance_of_run(run, design) or guessing
    share = chance.share if chance else 0.0
    if status == "diverged":
        failure = f"diverged: {record['error'] or 'no reason recorded'}"
    elif status == "pruned":
        return "pruned: it was not trained to its end"
    elif status != "completed":
        return f"{status}: {record['error']}" if record["error"] else status
    elif design.metric not in record["metrics"]:
        measured = ", ".join(sorted(record["metrics"])) or "nothing"
        return f"it has no {design.metric}; it has {measured}"
    elif score is None and is_undefined(run, design):
        return f"its {design.metric} is not defined: one point, or a target with one value"
    elif score is None:
        failure = f"diverged: its {design.metric} is no number"
    elif design.is_accuracy and chance and score <= chance.limit:
        failure = f"at chance: {100 * score:.1f} % where guessing gives {100 * share:.1f} %"
    if failure is not None or score is None:
        score = failed_score(score, share, design)
    return Scored(
        run, variant, score, failure, failure is None and has_learned(run, design, chance)
    )


def failed_score(score: float | None, share: float, design: Design) -> float:
    """Return the score of a failure: that of guessing, and for all but accuracies the worst.

    Where it is not known what guessing gives it is 0. An accuracy below that of guessing stays.
    """
    if design.is_accuracy:
        return share if score is None else min(score, share)
    return -math.inf if design.higher_is_better else math.inf


def is_undefined(run: FoundRun, design: Design) -> bool:
    """Return whether a metric is no number though the loss on the same points is one."""
    stage, _, name = design.metric.partition("/")
    return name == "r2" and run.record["metrics"].get(f"{stage}/loss") is not None


def has_learned(run: FoundRun, design: Design, chance: Chance | None) -> bool:
    """Return whether a run is better than guessing, by its health, its accuracy and its R2.

    Whatever the metric is: a loss of a network at chance is that of guessing, too.
    """
    stage, metrics = design.metric.partition("/")[0], run.record["metrics"]
    r2, accuracy = metrics.get(f"{stage}/r2"), metrics.get(f"{stage}/accuracy")
    is_guess = chance is not None and accuracy is not None and accuracy <= chance.limit
    return not (run.record["health"] or is_guess or (r2 is not None and r2 < LEAST_R2))


def chance_of_run(run: FoundRun, design: Design) -> Chance | None:
    """Return what guessing gets right of the points that the metric is measured on.

    Records of before know no more than how many classes there are, which then count as alike.
    """
    record, stage = run.record, design.metric.partition("/")[0]
    known, num_classes = record["chance"] or {}, record["num_classes"]
    if stage in known:
        return Chance(known[stage], known[f"{stage}_limit"])
    num_points = record["num_test" if stage == "test" else "num_val"]
    if not num_classes or not num_points:
        # Nothing can be told to be at chance.
        return Chance(1 / num_classes, -math.inf) if num_classes else None
    return chance_of([num_points / num_classes] * num_classes)
