"""What tuning tried for each setting and chose, and whether it was enough."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from experiments.comparison.design import Design, Dict
from experiments.comparison.levels import is_part_of
from experiments.comparison.reading import FoundRun, Reading
from experiments.config.overrides import key_and_word
from experiments.errors.wording import spelled
from experiments.record.metric import Metric, Scores, known_as, mean_score


@dataclass(frozen=True)
class Tuned:
    """What tuning found for one setting.

    Attributes:
        score: its mean validation score, flattered by the choice.
        on_edge: keys of which the smallest or largest value was chosen.
        is_climbing: the chosen runs were still getting better when their budget ended.
        default: the values of the setting's own files, and their score; None where not tried.
        trial_seconds: what the runs of a trial took together, on average; None where they are not
            there.
        space: what was searched, in words: the range of each key, and by what it was tried.
    """

    values: Dict
    score: float | None
    on_edge: list[str]
    is_climbing: bool
    default: tuple[Dict, float | None] | None
    trials: list[tuple[Dict, Scores]]
    trial_seconds: float | None = None
    space: Dict | None = None

    @property
    def is_undertuned(self) -> bool:
        """Whether a value beyond those tried may well be better, so that no verdict is fair.

        Runs that still climb at the end of their epochs are no reason: the number of epochs is a
        part of the question, and all settings have the same. They are told of.
        """
        return bool(self.on_edge)

    @property
    def reason(self) -> str:
        where = "lies on the edge of its range"
        return ", and ".join(f"{key}={self.values[key]:g} {where}" for key in self.on_edge)

    @property
    def gain(self) -> float | None:
        """The mean score of what was chosen minus that of the default, where both are known.

        In the score's own direction (of a loss it is negative). The selection flatters it: see
        `experiments.sweep.tuning`.
        """
        default = None if self.default is None else self.default[1]
        return None if self.score is None or default is None else self.score - default

    def plain(self) -> Dict:
        """Return it for the verdict."""
        default = self.default and dict(zip(("values", "score"), self.default, strict=True))
        return {
            "values": self.values,
            "score": self.score,
            "on_edge": self.on_edge,
            "still_climbing": self.is_climbing,
            "undertuned": self.is_undertuned,
            "default": default,
            "space": self.space,
        }


def selections_of(run: FoundRun, reading: Reading) -> Iterator[Mapping[str, Any]]:
    """Yield what the tuning of a run's sweep says of the run's setting."""
    selection = reading.selections.get(run.sweep or "")
    for entry in selection["settings"] if selection else []:
        overrides = map(key_and_word, entry["setting"])
        if all(is_part_of(run.config, key, word) for key, word in overrides):
            yield entry


def another_choice(run: FoundRun, reading: Reading) -> str | None:
    """Return why a run is none of those with the values that tuning has chosen, or None."""
    for entry in selections_of(run, reading):
        chosen = entry["chosen"] or {}
        wrong = [k for k, v in chosen.items() if not is_part_of(run.config, k, spelled(v))]
        if wrong:
            values = ", ".join(f"{key}={chosen[key]}" for key in wrong)
            return f"made with another value than the one that tuning chose ({values})"
    return None


def tuned_of(runs: Sequence[FoundRun], reading: Reading, design: Design) -> Tuned | None:
    """Return what tuning found for the setting of some runs, None where it was not tuned."""
    entry = next((entry for run in runs for entry in selections_of(run, reading)), None)
    if entry is None or not entry["chosen"]:
        return None
    trials = [(trial["values"], trial["scores"]) for trial in entry["trials"]]

    known = known_as(design.validation_metric, design.added)

    def score_of(values: Dict) -> float | None:
        scores = next((scores for tried, scores in trials if tried == values), None)
        return finite_mean(scores, known) if scores else None

    default = entry["default"]
    curves = [run.curve(design.validation_metric)[1] for run in runs]
    curves = [curve for curve in curves if len(curve) > 1]
    return Tuned(
        entry["chosen"],
        score_of(entry["chosen"]),
        list(entry["on_edge"]),
        is_still_climbing(curves, design.delta, higher_is_better=design.higher_is_better),
        None if default is None else (default, score_of(default)),
        trials,
        seconds_of_trials(runs, entry, reading),
        entry.get("space"),
    )


def seconds_of_trials(
    runs: Sequence[FoundRun], entry: Mapping[str, Any], reading: Reading
) -> float | None:
    """Return what the tuning of a setting took by trial, from the runs that are there."""
    sweeps = {run.sweep for run in runs}
    overrides = list(map(key_and_word, entry["setting"]))
    seconds = [
        run.record["duration_seconds"]
        for run in reading.tuning
        if run.sweep in sweeps and all(is_part_of(run.config, key, word) for key, word in overrides)
    ]
    known = [value for value in seconds if value is not None]
    return sum(known) / len(entry["trials"]) if known else None


def finite_mean(scores: Scores, metric: str | Metric) -> float | None:
    """Return the mean that tuning selects by; None where it is infinite, as a failed run's loss."""
    mean = mean_score(scores, metric)
    return mean if math.isfinite(mean) else None


def is_still_climbing(
    curves: Sequence[ArrayLike], delta: float | None = None, *, higher_is_better: bool = True
) -> bool:
    """Return whether a setting's training had not come to its end when its budget had.

    Schmidt et al. 2021, "Descending through a crowded valley", ask of a tuning budget whether its
    best-so-far had levelled off. The trials of a grid have no order, but the epochs of the selected
    runs do. Such a run still climbs where its last epoch is its best, and better by more than delta
    than everything before the last fifth of the epochs; the setting does where more than half of
    its runs do. A curve of one epoch tells nothing.

    The curves are the validation scores by epoch of each run of the selected values.

    >>> is_still_climbing([[0.5, 0.6, 0.7, 0.8, 0.9]], 0.005)
    True
    >>> is_still_climbing([[0.5, 0.8, 0.89, 0.9, 0.9]], 0.005)
    False
    """
    sign = 1 if higher_is_better else -1
    climbing = [climbs(sign * np.asarray(curve, dtype=float), delta or 0.0) for curve in curves]
    return sum(climbing) > len(climbing) / 2


def climbs(curve: np.ndarray, delta: float) -> bool:
    """Return whether the last value is the highest, and above the first four fifths by delta."""
    if len(curve) < 2 or np.isnan(curve).any():
        return False
    fifth = max(1, round(len(curve) / 5))
    is_best = curve[-1] > curve[:-1].max()
    return bool(is_best and curve[-1] - curve[:-fifth].max() > delta)
