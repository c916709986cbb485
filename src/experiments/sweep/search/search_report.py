"""What a search leaves behind: a table of its trials, the best as an experiment, two pictures."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from rich.markup import escape
from rich.table import Table

from experiments.config.arguments import command_line
from experiments.config.composer import Composer
from experiments.config.overrides import is_within, key_of
from experiments.errors.commands import command_of
from experiments.errors.wording import listed
from experiments.record.claim import writing_in
from experiments.record.folder import write_atomic
from experiments.record.identity import without
from experiments.record.metric import written
from experiments.record.plain_yaml import to_yaml
from experiments.record.record import now
from experiments.sweep.grid import Cell
from experiments.sweep.search.study import SearchSpec, diverged, num_spared, result_of, value_of
from experiments.sweep.sweep import Sweep
from experiments.training.console import console

TABLE_FILE = "trials.csv"
BEST_FILE = "best.yaml"
NUM_SHOWN = 5
NO_PART = ("seed", "test", "resume", "progress", "logger", "paths", "sweep", "protocol")
"""Keys that a best experiment does not fix."""
NOT_TRAINED = ("seed", "test", "sweep", "protocol")
"""Keys of a search that are none of the run that it recommends."""
NO_GROUPS = ("logger", "debug", "experiment", "sweeps")
"""Groups whose choice is seen in the values that it makes, or is no part of an experiment."""


def words_of(trial: FrozenTrial) -> str:
    return "diverged" if diverged(trial) else trial.state.name.lower()


def ranked(spec: SearchSpec, study: Study) -> list[FrozenTrial]:
    """Return the completed trials, the best one first; those that diverged are not among them."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    finite = [trial for trial in done if not diverged(trial)]
    return sorted(finite, key=lambda t: -(t.value or 0) if spec.higher else t.value or 0)


def used_values(spec: SearchSpec, trial: FrozenTrial) -> dict[str, str]:
    """Return what a trial makes use of: its values by key, as they are typed."""
    overrides = spec.space.overrides(trial.params)
    return dict(override.split("=", 1) for override in overrides)


def tell_search(
    spec: SearchSpec, study: Study | None, num_seeds: int, in_full: bool = False
) -> None:
    """Print how far a search has come, and how many trials are to come; in full, each of them."""
    trials = study.get_trials(deepcopy=False) if study else []
    for trial in trials if in_full else []:
        number = value_of(spec, trial)
        value = f"{spec.metric} {written(number)}" if number is not None else ""
        values = " ".join(spec.space.overrides(trial.params))
        print(f"trial {trial.number:3}  {words_of(trial):9} {value:18}  {values}")
    counts = Counter(words_of(trial) for trial in trials)
    states = (
        ", ".join(f"{number} {state}" for state, number in sorted(counts.items())) or "none yet"
    )
    to_come = max(0, spec.num_missing(trials))
    better = "higher" if spec.higher else "lower"
    print(
        f"Search by {spec.options.name} for a {better} {spec.metric} over "
        f"{listed(spec.space.declared())}: {spec.num_trials} trials of {num_seeds} "
        f"run{'s' if num_seeds > 1 else ''}; {states}; {to_come} to come.",
        flush=True,
    )


@dataclass
class SearchReport:
    """Writes into the sweep's folder what came out.

    Attributes:
        cells_of: gives the runs of a trial with some values, as overrides.
        seeds: of each trial.
    """

    spec: SearchSpec
    study: Study
    sweep: Sweep
    cells_of: Callable[[Sequence[str]], list[Cell]]
    seeds: Sequence[int]

    def write(self) -> None:
        """Write all that there is to write, and print the best."""
        folder = self.sweep.sweep_dir
        trials = self.study.get_trials(deepcopy=False)
        with writing_in(folder):
            write_atomic(folder / TABLE_FILE, table_of(self.spec, trials, self.seeds))
        self.tell_pruned(trials)
        best = ranked(self.spec, self.study)
        if not best:
            print("No trial has come to a value.")
            return
        self.tell(best)
        with writing_in(folder):
            write_atomic(folder / BEST_FILE, self.best_experiment(best[0], len(trials)))
        self.draw(trials, best)
        print(f"Best:   {folder / BEST_FILE}\nTrials: {folder / TABLE_FILE}")
        print(f"Train:  {self.command_of(best[0])}", flush=True)

    def tell_pruned(self, trials: Sequence[FrozenTrial]) -> None:
        """Say how many trials were given up, and what that has spared."""
        pruned = sum(trial.state == TrialState.PRUNED for trial in trials)
        if pruned:
            every = len(trials) * len(self.seeds)
            spared = num_spared(trials, len(self.seeds))
            print(
                f"Pruned: {pruned} of {len(trials)} trials by {self.spec.options.pruner}; {spared} "
                f"of {every} runs were not trained to their end."
            )

    def tell(self, best: Sequence[FrozenTrial]) -> None:
        """Print the best trials: a row for each, or a column for each where rows are too long."""
        keys = list(self.spec.space.declared())
        lines = [["trial", self.spec.metric, *keys]]
        for trial in best[:NUM_SHOWN]:
            used = used_values(self.spec, trial)
            assert trial.value is not None, "the best trials have a value"
            cells = (used.get(key, "") for key in keys)
            lines.append([str(trial.number), written(trial.value), *cells])
        shown = console()
        endless = shown.options.update(max_width=10_000)
        numbers = range(len(lines), 1, -1)
        turned = [list(map(list, zip(*lines[:number], strict=True))) for number in numbers]
        for rows in (lines, *turned):
            table = table_of_lines(rows)
            if shown.measure(table, options=endless).maximum <= shown.width:
                break
        shown.print(table)

    def command_of(self, best: FrozenTrial) -> str:
        """Return the command that trains the best trial on a seed that the search has not seen."""
        overrides = self.cells_of(self.spec.space.overrides(best.params))[0].overrides
        kept = [word for word in overrides if not is_within(key_of(word), NOT_TRAINED)]
        # A file of sweeps/ or conf/experiment/ may ask for a search, which this is none of.
        single = ["hydra.mode=RUN"] if {"sweeps", "experiment"} & set(map(key_of, kept)) else []
        return command_line(*kept, f"seed={max(self.seeds) + 1}", *single)

    def best_experiment(self, best: FrozenTrial, number: int) -> str:
        """Return the best trial as a file of conf/experiment."""
        overrides = self.cells_of(self.spec.space.overrides(best.params))[0].overrides
        content, deleted = experiment_of(self.sweep.composer, overrides)
        seeds = f"seed{'s' if len(self.seeds) > 1 else ''} {listed(self.seeds)}"
        path = self.sweep.sweep_dir / BEST_FILE
        typed = f" {' '.join('~' + key for key in deleted)}" if deleted else ""
        return (
            "# @package _global_\n"
            f"# The best of {number} trials: trial {best.number}, {self.spec.metric} "
            f"{best.value:.6g} ({seeds}), {now()[:10]}, by\n"
            f"#   {self.sweep.command}\n"
            "# Chosen on validation, so that its value is biased upwards: train it on seeds that\n"
            "# the search has not seen.\n"
            f"#   cp {path} conf/experiment/best.yaml\n"
            f"#   {command_of('train')} experiment=best{typed} seed={max(self.seeds) + 1}\n"
            + to_yaml(content)
        )

    def draw(self, trials: Sequence[FrozenTrial], best: Sequence[FrozenTrial]) -> None:
        """Draw the pictures, as far as there are enough trials for them."""
        from experiments.sweep.search import search_pictures

        folder = self.sweep.sweep_dir
        search_pictures.draw_history(self.spec, trials, folder)
        names = {name for trial in best for name in trial.params}
        if len(best) < 2 or len(names) < 2:
            why = "one parameter" if len(best) > 1 else "one trial that has come to a value"
            print(f"No importances of parameters: there is {why}.")
            return
        search_pictures.draw_importances(self.spec, self.study, folder)


def table_of_lines(lines: Sequence[Sequence[str]]) -> Table:
    """Return lines of cells as a table, the first one its heading; no cell is broken."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for index, heading in enumerate(lines[0]):
        justify: Any = "right" if index < 2 else "left"
        table.add_column(escape(heading), justify=justify, no_wrap=True)
    for line in lines[1:]:
        table.add_row(*map(escape, line))
    return table


def table_of(spec: SearchSpec, trials: Sequence[FrozenTrial], seeds: Sequence[int]) -> str:
    """Return every trial as a row of CSV; the values of a conditional key share its column."""
    keys = list(spec.space.declared())
    columns = ["trial", "state", spec.metric, *keys, *(f"seed={seed}" for seed in seeds)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, "seconds", "reason"])
    for trial in trials:
        result = result_of(trial)
        used = used_values(spec, trial)
        scores = [*result.get("scores", []), *[None] * len(seeds)][: len(seeds)]
        seconds = result.get("seconds")
        writer.writerow(
            [
                trial.number,
                words_of(trial),
                value_of(spec, trial),
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
    typed = set(map(key_of, overrides))
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
    new: dict[str, Any] = {}
    gone = [f"{path}{key}" for key in before if key not in after]
    for key, value in after.items():
        known = before.get(key)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            part, lost = difference(known, value, f"{path}{key}.")
            gone += lost
            if part:
                new[key] = part
        elif key not in before or value != known:
            new[key] = value
    return new, gone
