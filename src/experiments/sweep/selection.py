"""What tuning has tried for each setting, and which values it chose: `selection.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from experiments.derived import is_higher_better, worst_of
from experiments.errors import listed
from experiments.records import write_atomic
from experiments.sweep.grid import spelled

FILE = "selection.json"

Values = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """Values that a setting was tried with.

    Attributes:
        values: by key, e.g. {"optim.lr": 0.01}.
        scores: the validation score of each tuning seed; None where it diverged or failed.
    """

    values: Values
    scores: list[float | None]

    def mean(self, worst: float) -> float:
        """Return the mean score, a run without one counting as the worst there is.

        That is 0 for an accuracy, and infinitely bad for all else.
        """
        return fmean(worst if score is None else score for score in self.scores)


@dataclass(frozen=True)
class Selection:
    """What tuning found for a setting.

    Attributes:
        setting: its overrides.
        trials: all of them, in the order of the space.
        chosen: the index of the best.
        default: the index of the trial with the values of the setting's own files, if there is one.
        on_edge: the keys whose chosen value is the smallest or largest of the space: the best one
            may lie beyond.
    """

    setting: list[str]
    trials: list[Trial]
    chosen: int | None
    default: int | None
    on_edge: list[str]

    @property
    def values(self) -> Values:
        """The chosen values."""
        assert self.chosen is not None
        return self.trials[self.chosen].values

    def plain(self) -> dict[str, Any]:
        """Return it as it is written."""
        return {
            "setting": self.setting,
            "chosen": None if self.chosen is None else self.values,
            "default": None if self.default is None else self.trials[self.default].values,
            "on_edge": self.on_edge,
            "trials": [{"values": t.values, "scores": t.scores} for t in self.trials],
        }


def selection_of(
    setting: list[str], trials: list[Trial], own: Mapping[str, Any], metric: str
) -> Selection:
    """Return which trial is best; of equals the first.

    Args:
        setting: its overrides.
        trials: in the order of the space.
        own: the values of the setting's own files.
        metric: of validation.
    """
    higher, worst = is_higher_better(metric), worst_of(metric)
    means = [trial.mean(worst) for trial in trials]
    has_score = [any(score is not None for score in trial.scores) for trial in trials]
    order = sorted(range(len(trials)), key=lambda i: (-means[i] if higher else means[i], i))
    chosen = next((i for i in order if has_score[i]), None)
    own = {f"optim.{key}": value for key, value in own.items()}
    default = next(
        (i for i, trial in enumerate(trials) if trial.values.items() <= own.items()), None
    )
    on_edge = []
    if chosen is not None:
        for key, value in trials[chosen].values.items():
            tried = [trial.values[key] for trial in trials]
            # Words and lists lie in no order, and have no edge.
            if all(map(is_number, tried)) and min(tried) < max(tried):
                on_edge += [key] if value in (min(tried), max(tried)) else []
    return Selection(setting, trials, chosen, default, on_edge)


def is_number(value: Any) -> bool:
    """Return whether a value lies on a scale."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def name_of(selection: Selection) -> str:
    """Return what a setting is called."""
    return ", ".join(selection.setting) or "the setting"


def write_selection(sweep_dir: Path, selections: Sequence[Selection], metric: str) -> None:
    """Write what was tried and what was chosen."""
    said = {"metric": metric, "settings": [selection.plain() for selection in selections]}
    write_atomic(sweep_dir / FILE, json.dumps(said, indent=1) + "\n")


def tell(selections: Sequence[Selection], metric: str) -> None:
    """Print what was chosen for each setting."""
    for selection in selections:
        name = name_of(selection)
        if selection.chosen is None:
            print(f"  {name}: no trial came to a result")
            continue
        values = ", ".join(f"{key}={spelled(value)}" for key, value in selection.values.items())
        edge = (
            f"  (undertuned: {listed(selection.on_edge)} at the edge)" if selection.on_edge else ""
        )
        mean = selection.trials[selection.chosen].mean(worst_of(metric))
        print(f"  {name}: {values}  {metric} {mean:.4f}{edge}")
