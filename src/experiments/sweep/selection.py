"""What tuning has tried for each setting, and which values it chose: `selection.json`."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import stdev
from typing import Any

from experiments.config.overrides import override_of
from experiments.errors.wording import listed
from experiments.record.claim import writing_in
from experiments.record.folder import write_atomic
from experiments.record.metric import Metric, Scores, best_trial, known_as, mean_score, written
from experiments.sweep.tuning_space import TuningSpace

FILE = "selection.json"

Values = dict[str, Any]


@dataclass(frozen=True)
class TriedValues:
    """Values that a setting was tried with.

    Attributes:
        values: by key, e.g. {"optim.lr": 0.01}.
        scores: the validation score of each tuning seed; None where it diverged or failed.
    """

    values: Values
    scores: list[float | None]


@dataclass(frozen=True)
class Selection:
    """What tuning found for a setting.

    Attributes:
        trials: all of them, in the order of the space.
        chosen: the index of the best.
        default: the index of the trial with the values of the setting's own files, if there is one.
        on_edge: the keys whose chosen value is the smallest or largest of a grid, or on the edge of
            the range that it was drawn from: the best one may lie beyond.
        space: what was searched, in words.
    """

    setting: list[str]
    trials: list[TriedValues]
    chosen: int | None
    default: int | None
    on_edge: list[str]
    space: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return ", ".join(self.setting) or "the setting"

    @property
    def values(self) -> Values:
        assert self.chosen is not None
        return self.trials[self.chosen].values

    def plain(self) -> dict[str, Any]:
        return {
            "setting": self.setting,
            "chosen": None if self.chosen is None else self.values,
            "default": None if self.default is None else self.trials[self.default].values,
            "on_edge": self.on_edge,
            "space": self.space,
            "trials": [{"values": t.values, "scores": t.scores} for t in self.trials],
        }


def selection_of(
    setting: list[str],
    trials: list[TriedValues],
    own: Mapping[str, Any],
    metric: str | Metric,
    space: TuningSpace | None = None,
    delta: float | None = None,
) -> Selection:
    """Return which trial is best; of equals the first.

    Args:
        trials: in the order of the space.
        own: the values of the setting's own files, by key.
        space: what they were drawn from.
        delta: the smallest difference that matters.
    """
    chosen = best_trial([trial.scores for trial in trials], metric)
    default = next(
        (i for i, trial in enumerate(trials) if trial.values.items() <= own.items()), None
    )
    on_edge: list[str] = []
    if chosen is not None and (space is None or space.drawn_by is None):
        on_edge = ends_of_grid(trials, chosen)
    elif chosen is not None and space is not None:
        on_edge = edges_of_ranges(trials, chosen, space, known_as(metric), delta)
    searched = None if space is None else space.plain()
    return Selection(setting, trials, chosen, default, on_edge, searched)


def ends_of_grid(trials: Sequence[TriedValues], chosen: int) -> list[str]:
    """Return the keys of which the smallest or the largest value was chosen."""
    on_edge = []
    for key, value in trials[chosen].values.items():
        tried = [trial.values[key] for trial in trials]
        # Words and lists lie in no order, and have no edge.
        are_numbers = all(type(value) in (int, float) for value in tried)
        if are_numbers and min(tried) < max(tried):
            on_edge += [key] if value in (min(tried), max(tried)) else []
    return on_edge


def edges_of_ranges(
    trials: Sequence[TriedValues],
    chosen: int,
    space: TuningSpace,
    metric: Metric,
    delta: float | None,
) -> list[str]:
    """Return the keys whose best value seems to lie beyond its range.

    So it does where the chosen value lies in the outer quarter of its range, where no trial further
    inside does as well (within delta, or without one within the standard error of the difference
    over the tuning seeds), and where the response surface rises to that end.
    benchmarks/tuning_edges.py has how often that is right.
    """
    # Only a drawn space needs numpy, which takes a while to be imported.
    from experiments.comparison.statistics.response_surface import top_of_key

    known = [d for d in space.dimensions if not d.choices]
    sign = 1 if metric.is_higher_better else -1
    scores = [sign * mean_score(trial.scores, metric) for trial in trials]
    # What has no place is no number, such as an own value of null.
    places = [[d.place(t.values[d.key]) or 0.0 for d in known] for t in trials]

    def is_as_good(trial: TriedValues) -> bool:
        best = trials[chosen].scores
        lacks = abs(mean_score(best, metric) - mean_score(trial.scores, metric))
        return lacks <= (standard_error(best, trial.scores) if delta is None else delta)

    on_edge = []
    for index, dimension in enumerate(known):
        end = dimension.end_near(trials[chosen].values[dimension.key])
        inside = (t for t in trials if dimension.end_near(t.values[dimension.key]) is None)
        if end is None or any(map(is_as_good, inside)):
            continue
        if top_of_key(places, scores, index) in (None, end):
            on_edge.append(dimension.key)
    return on_edge


def standard_error(a: Scores, b: Scores) -> float:
    """Return that of the mean difference of scores of the same seeds; 0 where it is not known."""
    pairs = zip(a, b, strict=True)
    differences = [x - y for x, y in pairs if x is not None and y is not None]
    n = len(differences)
    return stdev(differences) / math.sqrt(n) if n > 1 else 0.0


def write_selection(sweep_dir: Path, selections: Sequence[Selection], metric: str) -> None:
    content = {"metric": metric, "settings": [selection.plain() for selection in selections]}
    with writing_in(sweep_dir):
        write_atomic(sweep_dir / FILE, json.dumps(content, indent=1) + "\n")


def tell_selections(selections: Sequence[Selection], metric: str, known: Metric) -> None:
    for selection in selections:
        if selection.chosen is None:
            print(f"  {selection.name}: no trial came to a result")
            continue
        values = ", ".join(itertools.starmap(override_of, selection.values.items()))
        edge = (
            f"  (undertuned: {listed(selection.on_edge)} at the edge)" if selection.on_edge else ""
        )
        mean = mean_score(selection.trials[selection.chosen].scores, known)
        print(f"  {selection.name}: {values}  {metric} {written(mean)}{edge}")
