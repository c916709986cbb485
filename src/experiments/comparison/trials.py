"""What tuning tried for each setting, and whether it was enough."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.comparison.design import Design
from experiments.comparison.levels import is_part_of
from experiments.comparison.reading import Reading
from experiments.comparison.scoring import Setting, Task
from experiments.comparison.sensitivity import is_still_climbing, mean_score, sensitivity
from experiments.derived import worst_of

Dict = dict[str, Any]


@dataclass(frozen=True)
class Tuned:
    """What tuning found for one setting.

    Attributes:
        values: what was chosen.
        score: its mean validation score, flattered by the choice.
        on_edge: keys of which the smallest or largest value was chosen.
        is_climbing: the chosen runs were still getting better when their budget ended.
        default: the values of the setting's own files, and their score; None where not tried.
        trials: values and scores of each trial.
    """

    values: dict[str, Any]
    score: float | None
    on_edge: list[str]
    is_climbing: bool
    default: tuple[dict[str, Any], float | None] | None
    trials: list[tuple[dict[str, Any], list[float | None]]]

    @property
    def is_undertuned(self) -> bool:
        """Whether a value beyond those tried may well be better, so that no verdict is fair.

        Runs that still climb at the end of their epochs are no reason: the number of epochs is a
        part of the question, and all settings have the same. They are told of.
        """
        return bool(self.on_edge)

    @property
    def reason(self) -> str:
        """Why it is undertuned."""
        told = (f"{key}={self.values[key]:g} lies on the edge of its range" for key in self.on_edge)
        return ", and ".join(told)

    def plain(self) -> Dict:
        """Return it for the verdict."""
        default = None
        if self.default is not None:
            default = {"values": self.default[0], "score": self.default[1]}
        return {
            "values": self.values,
            "score": self.score,
            "on_edge": self.on_edge,
            "still_climbing": self.is_climbing,
            "undertuned": self.is_undertuned,
            "default": default,
        }


def tuned_of(task: Task, reading: Reading, design: Design) -> dict[int, Tuned]:
    """Return what tuning found for each setting of a task that was tuned."""
    found = {}
    for index, setting in enumerate(task.settings):
        chosen = selection_of(setting, reading)
        if chosen is not None and chosen["chosen"]:
            found[index] = tuned_from(chosen, setting, design)
    return found


def selection_of(setting: Setting, reading: Reading) -> Mapping[str, Any] | None:
    """Return the entry of selection.json that made a setting's runs."""
    for one in setting.every:
        selection = reading.selections.get(one.run.sweep or "")
        for entry in selection["settings"] if selection else []:
            pairs = [word.partition("=") for word in entry["setting"]]
            if all(is_part_of(one.run.config, key.lstrip("+~"), word) for key, _, word in pairs):
                return dict(entry)
    return None


def tuned_from(entry: Mapping[str, Any], setting: Setting, design: Design) -> Tuned:
    """Return what an entry of selection.json says, with the learning curves of its final runs."""
    trials = [(one["values"], one["scores"]) for one in entry["trials"]]

    def score_of(values: Mapping[str, Any]) -> float | None:
        scores = next((scores for tried, scores in trials if tried == values), None)
        if not scores:
            return None
        mean = mean_score(scores, worst_of(design.validation_metric))
        return mean if math.isfinite(mean) else None

    default = entry["default"]
    curves = [curve_of(one.run.history(), design.validation_metric) for one in setting.every]
    curves = [curve for curve in curves if len(curve) > 1]
    return Tuned(
        entry["chosen"],
        score_of(entry["chosen"]),
        list(entry["on_edge"]),
        bool(curves)
        and is_still_climbing(curves, design.delta, higher_is_better=design.higher_is_better),
        None if default is None else (default, score_of(default)),
        trials,
    )


def curve_of(history: Sequence[Mapping[str, float | None]], metric: str) -> list[float]:
    """Return the values of a metric in the order of the steps; failed ones are left out."""
    values = (row.get(metric) for row in history)
    return [value for value in values if value is not None and math.isfinite(value)]


def sensitivity_dict(judged: Sequence[Any], design: Design) -> Dict | None:
    """Return how each setting's score depends on the one value that was tuned, or None.

    Scores are those of validation, which tuning saw; the test set was not touched.
    """
    keys = {key for one in judged for tuned in one.tuned.values() for key in tuned.values}
    if len(keys) != 1:
        return None
    [key] = keys
    settings = []
    for one in judged:
        for index, tuned in one.tuned.items():
            found = sensitivity(
                [(values[key], scores) for values, scores in tuned.trials],
                higher_is_better=design.higher_is_better,
                default=tuned.default[0].get(key) if tuned.default else None,
                worst=worst_of(design.validation_metric),
            )
            settings.append(
                {
                    "name": one.name(index),
                    "task": one.task.name,
                    "setting": index,
                    "values": found.values,
                    "median": found.median,
                    "low": found.low,
                    "high": found.high,
                    "failed": found.failed,
                    "n": found.n,
                    "best": found.best,
                    "decades_within_1_point": found.decades if design.is_accuracy else None,
                    "is_cut": found.is_cut,
                    "tuned_minus_default": found.tuned_minus_default,
                }
            )
    return {"key": key, "metric": design.validation_metric, "settings": settings}
