"""What a search leaves behind: a table of its trials, the best as an experiment, two pictures."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from rich.markup import escape
from rich.table import Table

from experiments.console import console
from experiments.errors import listed
from experiments.plain_yaml import to_yaml
from experiments.records import now, without, write_atomic
from experiments.sweep.asked import Asked, diverged, result_of
from experiments.sweep.composition import Composer
from experiments.sweep.sweeping import Sweep

TABLE_FILE = "trials.csv"
BEST_FILE = "best.yaml"
NUM_SHOWN = 5
NO_PART = ("seed", "test", "resume", "progress", "logger", "paths", "sweep", "protocol")
"""Keys that a best experiment does not fix."""
NO_GROUPS = ("logger", "debug", "experiment", "sweeps")
"""Groups whose choice is seen in the values that it makes, or is no part of an experiment."""


def words_of(trial: FrozenTrial) -> str:
    """Return the state of a trial in one word."""
    return "diverged" if diverged(trial) else trial.state.name.lower()


def ranked(asked: Asked, study: Study) -> list[FrozenTrial]:
    """Return the completed trials, the best one first; those that diverged are not among them."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    finite = [trial for trial in done if not diverged(trial)]
    return sorted(finite, key=lambda t: -(t.value or 0) if asked.higher else t.value or 0)


def used_values(asked: Asked, trial: FrozenTrial) -> dict[str, str]:
    """Return what a trial makes use of: its values by key, as they are typed."""
    overrides = asked.space.overrides(trial.params)
    return dict(override.split("=", 1) for override in overrides)


def tell_search(asked: Asked, study: Study | None, num_seeds: int, in_full: bool = False) -> None:
    """Print how far a search has come, and how many trials are to come; in full, each of them."""
    trials = study.get_trials(deepcopy=False) if study else []
    for trial in trials if in_full else []:
        value = f"{asked.metric} {trial.value:.4f}" if trial.value is not None else ""
        told = " ".join(f"{key}={text}" for key, text in used_values(asked, trial).items())
        print(f"trial {trial.number:3}  {words_of(trial):9} {value:18}  {told}")
    counts = Counter(words_of(trial) for trial in trials)
    there = ", ".join(f"{number} {state}" for state, number in sorted(counts.items())) or "none yet"
    to_come = max(0, asked.num_missing(trials))
    better = "higher" if asked.higher else "lower"
    print(
        f"Search by {asked.options.name} for a {better} {asked.metric} over "
        f"{listed(asked.space.declared())}: {asked.num_trials} trials of {num_seeds} "
        f"run{'s' if num_seeds > 1 else ''}; {there}; {to_come} to come.",
        flush=True,
    )


class Report:
    """Writes into the sweep's folder what came out.

    Args:
        asked: what was searched.
        study: its trials.
        this: the sweep.
        overrides_of: gives all overrides of a run with some values.
        seeds: of each trial.
    """

    def __init__(
        self,
        asked: Asked,
        study: Study,
        this: Sweep,
        overrides_of: Callable[[tuple[str, ...]], list[str]],
        seeds: Sequence[int],
    ) -> None:
        self.asked = asked
        self.study = study
        self.this = this
        self.overrides_of = overrides_of
        self.seeds = seeds

    def write(self) -> None:
        """Write all that there is to write, and print the best."""
        place = self.this.sweep_dir
        trials = self.study.get_trials(deepcopy=False)
        write_atomic(place / TABLE_FILE, table_of(self.asked, trials, self.seeds))
        best = ranked(self.asked, self.study)
        if not best:
            print("No trial has come to a value.")
            return
        self.tell(best)
        write_atomic(place / BEST_FILE, self.best_experiment(best[0], len(trials)))
        print(f"Best:   {place / BEST_FILE}\nTrials: {place / TABLE_FILE}")
        self.draw(trials, best)

    def tell(self, best: Sequence[FrozenTrial]) -> None:
        """Print the best few trials."""
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("trial", justify="right")
        table.add_column(self.asked.metric, justify="right")
        keys = list(self.asked.space.declared())
        for key in keys:
            table.add_column(escape(key))
        for trial in best[:NUM_SHOWN]:
            used = used_values(self.asked, trial)
            cells = (escape(used.get(key, "")) for key in keys)
            table.add_row(str(trial.number), f"{trial.value:.4f}", *cells)
        console().print(table)

    def best_experiment(self, best: FrozenTrial, number: int) -> str:
        """Return the best trial as a file of conf/experiment."""
        overrides = self.overrides_of(self.asked.space.overrides(best.params))
        content, deleted = experiment_of(self.this.composer, overrides)
        seeds = f"seed{'s' if len(self.seeds) > 1 else ''} {listed(self.seeds)}"
        place = self.this.sweep_dir / BEST_FILE
        typed = f" {' '.join('~' + key for key in deleted)}" if deleted else ""
        return (
            "# @package _global_\n"
            f"# The best of {number} trials: trial {best.number}, {self.asked.metric} "
            f"{best.value:.6g} ({seeds}), {now()[:10]}, by\n"
            f"#   {self.this.command}\n"
            "# Chosen on validation, so that its value is biased upwards: train it on seeds that\n"
            "# the search has not seen.\n"
            f"#   cp {place} conf/experiment/best.yaml\n"
            f"#   python train.py experiment=best{typed} seed={max(self.seeds) + 1}\n"
            + to_yaml(content)
        )

    def draw(self, trials: Sequence[FrozenTrial], best: Sequence[FrozenTrial]) -> None:
        """Draw the pictures, as far as there are enough trials for them."""
        from experiments.sweep import search_figures  # half a second of imports

        place: Path = self.this.sweep_dir
        search_figures.draw_history(self.asked, trials, place)
        names = {name for trial in best for name in trial.params}
        if len(best) < 2 or len(names) < 2:
            why = "one parameter" if len(best) > 1 else "one trial that has come to a value"
            print(f"No importances of parameters: there is {why}.")
            return
        search_figures.draw_importances(self.asked, self.study, place)


def table_of(asked: Asked, trials: Sequence[FrozenTrial], seeds: Sequence[int]) -> str:
    """Return every trial as a row of CSV; the values of a conditional key share its column."""
    keys = list(asked.space.declared())
    columns = ["trial", "state", asked.metric, *keys, *(f"seed={seed}" for seed in seeds)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, "seconds", "reason"])
    for trial in trials:
        result = result_of(trial)
        used = used_values(asked, trial)
        scores = [*result.get("scores", []), *[None] * len(seeds)][: len(seeds)]
        seconds = result.get("seconds")
        writer.writerow(
            [
                trial.number,
                words_of(trial),
                trial.value,
                *(used.get(key) for key in keys),
                *scores,
                None if seconds is None else round(seconds, 2),
                result.get("reason"),
            ]
        )
    return text.getvalue()


def experiment_of(composer: Composer, overrides: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return an experiment file that composes to what these overrides make, and what it cannot say.

    Its choices are those that are not the defaults, or were typed; its values those that the
    choices alone would not make, wherever they come from.
    """
    whole = composer.whole(composer.choices_among(overrides))
    choices, defaults = whole.hydra.runtime.choices, composer.whole(()).hydra.runtime.choices
    typed = {override.partition("=")[0].lstrip("+") for override in overrides}
    chosen = {
        str(group): str(choices[group])
        for group in whole
        if choices.get(group) is not None
        and group not in NO_GROUPS
        and (choices[group] != defaults.get(group) or group in typed)
    }
    plain = composer.config([f"{group}={choice}" for group, choice in chosen.items()])
    own = without(composer.config(overrides), NO_PART)
    values, deleted = difference(without(plain, NO_PART), own)
    content: dict[str, Any] = {}
    if chosen:
        content["defaults"] = [{f"override /{group}": name} for group, name in chosen.items()]
    return {**content, **values}, deleted


def difference(
    before: Mapping[str, Any], after: Mapping[str, Any], path: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """Return what is new or other in nested values, and the keys that are gone.

    >>> difference({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 4}})
    ({'a': {'c': 4}}, ['d'])
    """
    found: dict[str, Any] = {}
    gone = [f"{path}{key}" for key in before if key not in after]
    for key, value in after.items():
        known = before.get(key)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            part, lost = difference(known, value, f"{path}{key}.")
            gone += lost
            if part:
                found[key] = part
        elif key not in before or value != known:
            found[key] = value
    return found, gone
