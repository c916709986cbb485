"""Notes under a verdict: what its numbers rest on, and what they cannot show."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low

from experiments.comparison import words
from experiments.comparison.blocks import block_words, ordered
from experiments.comparison.design import Design, Dict
from experiments.comparison.judged import Judged, family_of
from experiments.comparison.reading import Reading
from experiments.comparison.task import Setting
from experiments.errors.wording import few

MANY_PAIRS = 10
MOST_DOUBTS = 3


def notes_of(verdict: Dict, design: Design, tasks: Sequence[Judged]) -> list[str]:
    """Return further sentences: what the numbers rest on, and what they cannot show."""
    notes = []
    for task, judged in zip(verdict["tasks"], tasks, strict=True):
        most = max((setting["n"] for setting in task["settings"]), default=0)
        if 0 < most < task["fewest_seeds"]:
            too_few = words.too_few_seeds(
                most, judged.family, task["fewest_seeds"], thing=judged.task.thing
            )
            notes.append(f"{too_few}.")
    if design.control is None and family_of(tasks) > MANY_PAIRS:
        notes.append(
            f"No control was named, so all {family_of(tasks)} pairs are compared. "
            "control=... asks fewer questions, and needs fewer seeds to answer them."
        )
    if verdict["matrix"] is not None and len(tasks) > 1:
        notes.append(
            f"The matrix and its effects are those of {tasks[0].task.name}; for another data set "
            "compare its runs alone."
        )
    if design.delta is None:
        notes.append(
            "No smallest difference that matters was declared (sweep.delta, or delta=... here), so "
            "nothing can be shown to be equivalent, and any difference counts."
        )
    if any(judged.task.num_classes is None for judged in tasks) and design.is_accuracy:
        notes.append(
            "The records do not say how many classes there are, so a run at chance could not be "
            "told from one that learned, and one that diverged counts as accuracy 0."
        )
    if design.metric.startswith("val/"):
        notes.append(
            f"{design.metric} also selected each run's weights, so it flatters all settings."
        )
    return notes + notes_on_looks(tasks) + notes_on_runs(tasks) + notes_on_times(tasks)


def notes_on_doubts(reading: Reading) -> list[str]:
    """Return what in the records of runs cannot be, and makes no score a wrong one."""
    if not reading.doubted:
        return []
    named = few([f"{run.folder} ({run.reason})" for run in reading.doubted], MOST_DOUBTS)
    return [f"Times that cannot be, as where a clock was set or a record written by hand: {named}."]


def notes_on_looks(tasks: Sequence[Judged]) -> list[str]:
    """Return which comparisons are between two looks, and which seeds are no part of any."""
    notes = []
    for judged in tasks:
        prefix = f"{judged.task.name}: " if len(tasks) > 1 else ""
        between: dict[tuple[int, int], list[str]] = {}
        for (a, b), at in judged.at_looks.items():
            if at.standing.look is not None and at.unused and at.following:
                looks = len(at.seeds), len(at.following)
                between.setdefault(looks, []).append(f"{judged.name(a)} against {judged.name(b)}")
        notes += [words.between_looks(prefix, few(names), *n) for n, names in between.items()]
        if judged.looks is not None:
            undeclared = ordered(judged.task.seeds - {*judged.looks.seeds})
            notes += [words.undeclared_seeds(prefix, block_words(undeclared))] if undeclared else []
    return notes


def notes_on_runs(tasks: Sequence[Judged]) -> list[str]:
    """Return whether training came to its end, and what else varies among the runs."""
    notes = []
    tuned = [(judged.name(i), own) for judged in tasks for i, own in judged.tuned.items()]
    climbing = [name for name, own in tuned if own.is_climbing]
    if climbing:
        notes.append(
            f"Still climbing when their epochs ended: {few(climbing)}. The verdict is about "
            "this budget of epochs; with more of them it may be another."
        )
    mixed = {key for judged in tasks for key in judged.confounds.alike}
    varied = sorted(key for key in mixed if not key.startswith("environment."))
    if varied:
        notes.append(f"Scores are means over what else varies: {', '.join(varied)}.")
    return notes


def notes_on_times(tasks: Sequence[Judged]) -> list[str]:
    """Return what times mean where runs were trained together, and which cannot be compared.

    A member's times are its share of the time of all (`record.json`): less than a run alone takes,
    and the less the more there were. Settings whose runs were trained in other numbers have times
    that say nothing of the settings.
    """
    notes = []
    for judged in tasks:
        prefix = f"{judged.task.name}: " if len(tasks) > 1 else ""
        sizes = [median_members(setting) for setting in judged.task.settings if setting.every]
        if max(sizes, default=1) > 1:
            notes.append(words.shared_times(prefix, min(sizes), max(sizes)))
    return notes


def median_members(setting: Setting) -> int:
    """Return with how many a setting's middle run was trained, itself among them."""
    known = [scored.run.record["population"] for scored in setting.every]
    return median_low(1 if one is None else one["members"] for one in known)
