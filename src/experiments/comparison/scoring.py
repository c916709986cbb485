"""Runs by data set, setting and block, with their scores; and settings that are still to come."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import fmean, mode
from typing import Any, TypeVar

from experiments.comparison.blocks import block_of, overlap_of
from experiments.comparison.declared import combinations, is_known
from experiments.comparison.design import Design
from experiments.comparison.levels import level_of
from experiments.comparison.reading import FoundRun, LeftOut, Reading
from experiments.comparison.run_score import Scored, chance_of_run, scored_run
from experiments.comparison.task import Setting, Task
from experiments.comparison.tuned import another_choice
from experiments.config.overrides import is_same, key_and_word
from experiments.errors.wording import spelled

ENDED = ("completed", "diverged", "pruned")
T = TypeVar("T")


def tasks_of(reading: Reading, design: Design) -> tuple[list[Task], list[LeftOut]]:
    """Return the tasks with their scored runs, and the runs that have no part in it."""
    excluded: list[LeftOut] = []
    runs = each_once(reading.runs, excluded)
    names = data_names(runs)
    if any(key.partition(".")[0] == "data" for key in design.factor):
        names = [", ".join(sorted(set(names)))] * len(runs)
    by_task: dict[str, list[FoundRun]] = {}
    for name, run in zip(names, runs, strict=True):
        by_task.setdefault(name, []).append(run)
    tasks = [task_of(name, runs, reading, design, excluded) for name, runs in by_task.items()]
    return [task for task in tasks if task.settings], excluded


def data_names(runs: Sequence[FoundRun]) -> list[str]:
    """Return the data set of each run; files of one name in several folders are several."""
    names = [str(run.config["data"]["name"]) for run in runs]
    contents: dict[str, dict[str, str | None]] = {}
    for name, run in zip(names, runs, strict=True):
        path = str(run.config["data"].get("path"))
        contents.setdefault(name, {})[path] = run.record["data_checksum"]
    are_several = {name: len(set(by_path.values())) > 1 for name, by_path in contents.items()}
    return [
        f"{name} ({run.config['data'].get('path')})" if are_several[name] else name
        for name, run in zip(names, runs, strict=True)
    ]


def each_once(runs: Sequence[FoundRun], excluded: list[LeftOut]) -> list[FoundRun]:
    """Return each run once, where the same one lies in several folders the one that is done."""
    worth = {"completed": 2, "diverged": 2, "pruned": 1}
    rank = {run.folder: worth.get(run.record["status"], 0) for run in runs}
    kept: dict[str, FoundRun] = {}
    for run in runs:
        identity = run.record["identity"]
        other = kept.setdefault(identity, run)
        if other is run:
            continue
        better, worse = (run, other) if rank[run.folder] > rank[other.folder] else (other, run)
        kept[identity] = better
        excluded.append(LeftOut(worse.folder, f"the same run as {better.folder}"))
    return list(kept.values())


def task_of(
    name: str,
    runs: Sequence[FoundRun],
    reading: Reading,
    design: Design,
    excluded: list[LeftOut],
) -> Task:
    """Return a task with its settings; what is left out goes to `excluded`."""
    records = [run.record for run in runs]
    is_test = design.metric.startswith("test/")
    guesses = [chance_of_run(run, design) for run in runs]
    overlaps = [overlap_of(run.config, run.record) for run in runs]
    known_overlaps = [overlap for overlap in overlaps if overlap is not None]
    task = Task(
        name,
        [],
        usual([record["num_classes"] for record in records]),
        usual([record["num_test" if is_test else "num_val"] for record in records]),
        usual(guesses),
        fmean(known_overlaps) if known_overlaps else None,
    )
    settings: dict[tuple[str, ...], Setting] = {}
    for run in runs:
        levels = [level_of(run.config, key, design.tuned) for key in design.factor]
        known = [level for level in levels if level is not None]
        if len(known) < len(levels):
            excluded.append(LeftOut(run.folder, f"it has no {' and '.join(design.factor)}"))
            continue
        scored = another_choice(run, reading) or scored_run(run, design, task.guessing)
        if isinstance(scored, str):
            excluded.append(LeftOut(run.folder, scored))
            if run.record["status"] in ENDED:
                continue
        # A setting is there, too, while none of its runs has come to its end.
        values = tuple(level.values for level in known)
        names = dict(zip(design.factor, (level.name for level in known), strict=True))
        setting = settings.setdefault(values, Setting(names, values))
        if isinstance(scored, Scored):
            setting.runs.setdefault(block_of(run.config, run.record["seed"]), []).append(scored)
    to_come = settings_to_come(task, runs, list(settings.values()), reading, design)
    task.settings = in_order([*settings.values(), *to_come], design)
    return task


def settings_to_come(
    task: Task, runs: Sequence[FoundRun], there: list[Setting], reading: Reading, design: Design
) -> list[Setting]:
    """Return those that the sweeps of a task's runs declare and that have no run: they are of the
    family, and missing.
    """
    missing: dict[tuple[str, ...], Setting] = {}
    for sweep in dict.fromkeys(run.sweep for run in runs if run.sweep):
        declared = (reading.declarations.get(sweep) or [{}])[-1]
        if not declared:
            continue
        own = [run for run in runs if run.sweep == sweep]
        words = {key: names_of(own, key, design) for key in design.factor}
        for chosen in combinations(declared, design.factor, task.name, words):
            levels = dict(zip(design.factor, chosen, strict=True))
            if all(map(is_known, chosen)) and not any(
                has_levels(setting, levels) for setting in [*there, *missing.values()]
            ):
                missing[chosen] = setting_to_come(levels, there)
    return list(missing.values())


def setting_to_come(words: Mapping[str, str], there: Sequence[Setting]) -> Setting:
    """Return a setting that has no run, its levels as those that others have are called."""
    known = [
        next(
            ((s.levels[key], s.values[index]) for s in there if is_same(s.levels[key], word)),
            (word, json.dumps(word)),
        )
        for index, (key, word) in enumerate(words.items())
    ]
    names = dict(zip(words, (name for name, _ in known), strict=True))
    return Setting(names, tuple(values for _, values in known), is_to_come=True)


def names_of(runs: Sequence[FoundRun], key: str, design: Design) -> list[str]:
    levels = filter(None, (level_of(run.config, key, design.tuned) for run in runs))
    return list(dict.fromkeys(level.name for level in levels))


def has_levels(setting: Setting, levels: Mapping[str, str]) -> bool:
    """Return whether a setting has these values; its runs also know as what they were asked for."""
    asked = [dict(map(key_and_word, one.run.record["overrides"] or ())) for one in setting.every]
    return all(
        is_same(setting.levels[key], word)
        or any(is_same(own[key], word) for own in asked if key in own)
        for key, word in levels.items()
    )


def usual(values: Sequence[T | None]) -> T | None:
    known = [value for value in values if value is not None]
    return mode(known) if known else None


def in_order(settings: list[Setting], design: Design) -> list[Setting]:
    """Return settings in the order of the declaration, named so that no two are called alike."""

    def rank(setting: Setting) -> tuple[Any, ...]:
        return tuple(
            (index_among(design.order[key], word), number_or_word(word))
            for key, word in setting.levels.items()
        )

    settings = sorted(settings, key=rank)
    for index, key in enumerate(design.factor):
        by_name: dict[str, set[str]] = {}
        for setting in settings:
            by_name.setdefault(setting.levels[key], set()).add(setting.values[index])
        for setting in settings:
            name = setting.levels[key]
            if len(by_name[name]) > 1:
                setting.levels[key] = distinct_name(name, setting.values[index], by_name[name])
    return settings


def index_among(words: Sequence[str], word: str) -> int:
    """Return the index of a word, however it is spelled; behind the last where it is none of them.

    >>> index_among(["1e-3", "0.1"], "0.001"), index_among(["relu"], "elu")
    (0, 1)
    """
    return next((index for index, other in enumerate(words) if is_same(other, word)), len(words))


def number_or_word(word: str) -> tuple[int, float, str]:
    """Return what sorts numbers by their size and before words."""
    try:
        return 0, float(word), ""
    except ValueError:
        return 1, 0.0, word


def distinct_name(name: str, values: str, all_values: set[str]) -> str:
    """Return the name of a choice with the values in which it differs from others of its name.

    >>> slow, fast = '{"optim.name": "sgd", "optim.lr": 1}', '{"optim.name": "sgd", "optim.lr": 2}'
    >>> distinct_name("sgd", fast, {slow, fast})
    'sgd (lr=2)'
    """
    choices = [json.loads(text) for text in all_values]
    own = json.loads(values)
    if not isinstance(own, dict):
        return name
    keys = [key for key in own if len({repr(choice.get(key)) for choice in choices}) > 1]
    differences = ", ".join(f"{key.partition('.')[2]}={spelled(own[key])}" for key in keys)
    return f"{name} ({differences})" if differences else name
