"""Scores of runs, by setting, task and seed; a failure is a result and has one too."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from experiments.comparison.design import Design
from experiments.comparison.levels import flat, is_same, values_of, word_of
from experiments.comparison.reading import FoundRun, Reading
from experiments.comparison.selected import another_choice, chosen_values

CHANCE_ERRORS = 3
"""An accuracy that is no more than so many binomial standard errors above chance is a failure."""


@dataclass(frozen=True)
class Scored:
    """A run that counts.

    Attributes:
        run: where it comes from.
        variant: what else varies beside factor and seed, alike in all settings of a fair design.
        score: of the metric.
        failure: why it is a failure, None where it is none.
    """

    run: FoundRun
    variant: str
    score: float
    failure: str | None


@dataclass
class Setting:
    """All runs of one combination of levels on one task.

    Attributes:
        levels: the name of the value of each factor.
        runs: by seed; several of a seed differ in other keys than the factor.
        values: what the values of the factor are in full.
    """

    levels: dict[str, str]
    values: tuple[str, ...]
    runs: dict[int, list[Scored]] = field(default_factory=dict)

    @property
    def every(self) -> list[Scored]:
        """All runs, in the order of their seeds."""
        return [one for _, runs in sorted(self.runs.items()) for one in runs]

    @property
    def variants(self) -> set[str]:
        """What else its runs were made with."""
        return {one.variant for one in self.every}

    @property
    def scores(self) -> dict[int, float]:
        """The score of each seed that has all variants: their mean."""
        return {
            seed: fmean(one.score for one in runs) if len(runs) > 1 else runs[0].score
            for seed, runs in sorted(self.runs.items())
            if {one.variant for one in runs} == self.variants
        }

    @property
    def failures(self) -> dict[int, str]:
        """Why runs failed, by seed."""
        return {
            seed: "; ".join(one.failure for one in runs if one.failure)
            for seed, runs in sorted(self.runs.items())
            if any(one.failure for one in runs)
        }


@dataclass
class Task:
    """One data set, and the settings that were tried on it.

    Attributes:
        name: of the data set.
        settings: in the order of the declaration.
        num_classes: None for regression, or where the records do not say.
        num_points: of the set that the metric is measured on.
    """

    name: str
    settings: list[Setting]
    num_classes: int | None
    num_points: int | None

    @property
    def chance(self) -> float | None:
        """The accuracy of guessing, 1/K."""
        return 1 / self.num_classes if self.num_classes else None


@dataclass(frozen=True)
class Excluded:
    """A run that is not compared, and why."""

    folder: str
    reason: str
    is_unfinished: bool = False


def tasks_of(reading: Reading, design: Design) -> tuple[list[Task], list[Excluded]]:
    """Return the tasks with their scored runs, and the runs that have no part in it."""
    excluded: list[Excluded] = []
    by_task: dict[str, list[FoundRun]] = {}
    is_by_data = not any(key.partition(".")[0] == "data" for key in design.factor)
    for run in one_of_each(reading.runs, excluded):
        name = str(run.config["data"]["name"]) if is_by_data else "all data"
        by_task.setdefault(name, []).append(run)
    if not is_by_data:
        names = {str(run.config["data"]["name"]) for runs in by_task.values() for run in runs}
        by_task = {", ".join(sorted(names)): runs for runs in by_task.values()}
    tasks = [task_of(name, runs, reading, design, excluded) for name, runs in by_task.items()]
    return [task for task in tasks if task.settings], excluded


def one_of_each(runs: Sequence[FoundRun], excluded: list[Excluded]) -> list[FoundRun]:
    """Return each run once, where the same one lies in several folders the one that is done."""
    found: dict[str, FoundRun] = {}
    for run in runs:
        other = found.get(run.record["identity"])
        if other is None:
            found[run.record["identity"]] = run
            continue
        is_better = rank_of(run) > rank_of(other)
        if is_better:
            found[run.record["identity"]] = run
        left, kept = (other, run) if is_better else (run, other)
        excluded.append(Excluded(left.folder, f"the same run as {kept.folder}"))
    return list(found.values())


def rank_of(run: FoundRun) -> int:
    """Return how much a run's record is worth beside another one of the same run."""
    return {"completed": 2, "diverged": 2, "pruned": 1}.get(run.record["status"], 0)


def task_of(
    name: str,
    runs: Sequence[FoundRun],
    reading: Reading,
    design: Design,
    excluded: list[Excluded],
) -> Task:
    """Return a task with its settings; what is left out goes to `excluded`."""
    facts = [run.record for run in runs]
    is_test = design.metric.startswith("test/")
    task = Task(
        name,
        [],
        usual([record["num_classes"] for record in facts]),
        usual([record["num_test" if is_test else "num_val"] for record in facts]),
    )
    settings: dict[tuple[str, ...], Setting] = {}
    chosen = chosen_values(reading)
    for run in runs:
        found = [values_of(run.config, key, design.tuned) for key in design.factor]
        if any(one is None for one in found):
            excluded.append(Excluded(run.folder, f"it has no {' and '.join(design.factor)}"))
            continue
        ids, names = zip(*[one for one in found if one], strict=True)
        other = another_choice(run, chosen)
        scored = None if other else scored_run(run, design, task)
        if not isinstance(scored, Scored):
            reason = other or scored
            is_unfinished = run.record["status"] not in ("completed", "diverged", "pruned")
            assert reason is not None
            excluded.append(Excluded(run.folder, reason, is_unfinished))
            if not is_unfinished:
                continue
        levels = dict(zip(design.factor, names, strict=True))
        setting = settings.setdefault(ids, Setting(levels, ids))
        if isinstance(scored, Scored):
            setting.runs.setdefault(run.record["seed"], []).append(scored)
    task.settings = in_order(list(settings.values()), design)
    set_failures(task, design)
    return task


def usual(values: Sequence[int | None]) -> int | None:
    """Return the most frequent of some numbers."""
    known = Counter(value for value in values if value is not None)
    return known.most_common(1)[0][0] if known else None


def scored_run(run: FoundRun, design: Design, task: Task) -> Scored | str:
    """Return a run with its score, or why it has none; failures get theirs in `set_failures`."""
    record, status = run.record, run.record["status"]
    variant = variant_of(run, design)
    if status == "diverged":
        reason = f"diverged: {record['error'] or 'no reason recorded'}"
        return Scored(run, variant, math.nan, reason)
    if status == "pruned":
        return "pruned: it was not trained to its end"
    if status != "completed":
        return f"{status}: {record['error']}" if record["error"] else status
    if design.metric not in record["metrics"]:
        there = ", ".join(sorted(record["metrics"])) or "nothing"
        return f"it has no {design.metric}; it has {there}"
    score = record["metrics"][design.metric]
    if score is None:
        return Scored(run, variant, math.nan, f"diverged: its {design.metric} is no number")
    if design.is_accuracy and task.chance is not None and task.num_points:
        chance = task.chance
        error = math.sqrt(chance * (1 - chance) / task.num_points)
        if score <= chance + CHANCE_ERRORS * error:
            reason = f"at chance: {100 * score:.1f} % where guessing gives {100 * chance:.1f} %"
            return Scored(run, variant, math.nan, reason)
    return Scored(run, variant, score, None)


def variant_of(run: FoundRun, design: Design) -> str:
    """Return what a run was made with beside factor, seed and data, as a text."""
    task = ("data.name", "data._target_")
    rest = {
        key: value
        for key, value in flat(run.config).items()
        if key != "seed" and key not in task and not design.holds(key)
    }
    return json.dumps(rest, sort_keys=True)


def in_order(settings: list[Setting], design: Design) -> list[Setting]:
    """Return settings in the order of the declaration, named so that no two are called alike."""

    def place(setting: Setting) -> tuple[Any, ...]:
        return tuple(
            (place_among(design.order[key], word), number_or_word(word))
            for key, word in setting.levels.items()
        )

    settings = sorted(settings, key=place)
    for index, key in enumerate(design.factor):
        by_name: dict[str, set[str]] = {}
        for setting in settings:
            by_name.setdefault(setting.levels[key], set()).add(setting.values[index])
        for setting in settings:
            name = setting.levels[key]
            if len(by_name[name]) > 1:
                setting.levels[key] = told_apart(name, setting.values[index], by_name[name])
    return settings


def place_among(words: Sequence[str], word: str) -> int:
    """Return the place of a word, however it is spelled; behind the last where it is none of them.

    >>> place_among(["1e-3", "0.1"], "0.001"), place_among(["relu"], "elu")
    (0, 1)
    """
    return next((place for place, one in enumerate(words) if is_same(one, word)), len(words))


def number_or_word(word: str) -> tuple[int, float, str]:
    """Return what sorts numbers by their size and before words."""
    try:
        return 0, float(word), ""
    except ValueError:
        return 1, 0.0, word


def told_apart(name: str, value: str, values: set[str]) -> str:
    """Return the name of a choice with the values in which it differs from others of its name.

    >>> one, two = '{"optim.name": "sgd", "optim.lr": 1}', '{"optim.name": "sgd", "optim.lr": 2}'
    >>> told_apart("sgd", two, {one, two})
    'sgd (lr=2)'
    """
    every = [json.loads(one) for one in values]
    own = json.loads(value)
    if not isinstance(own, dict):
        return name
    keys = [key for key in own if len({repr(one.get(key)) for one in every}) > 1]
    told = ", ".join(f"{key.partition('.')[2]}={word_of(own[key])}" for key in keys)
    return f"{name} ({told})" if told else name


def set_failures(task: Task, design: Design) -> None:
    """Give failed runs the score that a failure has.

    An accuracy of 1/K, as guessing would have; where K is not known, and for anything else, the
    worst there is, which ranks last (0 of an accuracy, infinity of a loss).
    """
    worst = -math.inf if design.higher_is_better else math.inf
    score = (task.chance or 0.0) if design.is_accuracy else worst
    for setting in task.settings:
        for seed, runs in setting.runs.items():
            setting.runs[seed] = [
                Scored(one.run, one.variant, score, one.failure) if one.failure else one
                for one in runs
            ]
