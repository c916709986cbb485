"""What tuning has tried for each setting, and which values it chose: `selection.json`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config.overrides import override_of
from experiments.errors.wording import listed
from experiments.record.folder import write_atomic
from experiments.record.metric import Metric, best_trial, mean_score, written

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
        on_edge: the keys whose chosen value is the smallest or largest of the space: the best one
            may lie beyond.
    """

    setting: list[str]
    trials: list[TriedValues]
    chosen: int | None
    default: int | None
    on_edge: list[str]

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
            "trials": [{"values": t.values, "scores": t.scores} for t in self.trials],
        }


def selection_of(
    setting: list[str], trials: list[TriedValues], own: Mapping[str, Any], metric: str | Metric
) -> Selection:
    """Return which trial is best; of equals the first.

    Args:
        trials: in the order of the space.
        own: the values of the setting's own files.
    """
    chosen = best_trial([trial.scores for trial in trials], metric)
    own = {f"optim.{key}": value for key, value in own.items()}
    default = next(
        (i for i, trial in enumerate(trials) if trial.values.items() <= own.items()), None
    )
    on_edge = []
    if chosen is not None:
        for key, value in trials[chosen].values.items():
            tried = [trial.values[key] for trial in trials]
            # Words and lists lie in no order, and have no edge.
            are_numbers = all(type(value) in (int, float) for value in tried)
            if are_numbers and min(tried) < max(tried):
                on_edge += [key] if value in (min(tried), max(tried)) else []
    return Selection(setting, trials, chosen, default, on_edge)


def write_selection(sweep_dir: Path, selections: Sequence[Selection], metric: str) -> None:
    content = {"metric": metric, "settings": [selection.plain() for selection in selections]}
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
