"""Whatever differs between settings beside what is compared: named before any verdict is given.

A difference between two settings that was not declared withholds their verdict, for nobody can
tell it from the factor's; a mixture that is alike in both, as of two commits in a sweep that was
extended, is told and does no harm, since every seed of one has its partner in the other. A mixture
of settings of the training that no sweep declares, as of two sweeps of other budgets, withholds: a
mean over both answers no question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.comparison.design import Design
from experiments.comparison.reading import distinct_configs
from experiments.comparison.scoring import number_or_word
from experiments.comparison.task import Setting, Task
from experiments.config.overrides import is_within
from experiments.errors.wording import few, spelled
from experiments.record.environment import ABSENT, environment_of
from experiments.record.record import Record

LISTED_ONLY = ("environment.host", "environment.threads")
"""What cannot change a result by itself, or only the last bits of its sums."""
CONTENT = "data_checksum"
CODE = "code."
"""A mixture of these withholds also where all settings have the same one: a mean over two contents
is that of no data set, and one over two texts of a class that of no class."""
Pair = tuple[int, int]
AFTER = " after "


@dataclass(frozen=True)
class Confounds:
    """What differs on one task.

    Attributes:
        between: keys that differ between settings, and what each setting has.
        alike: keys of which all settings have the same mixture, and its values.
        allowed: those of `between` that were allowed, by the sweep's file or as typed.
        undeclared: those of `between` of which a setting has a mixture that no sweep declares.
    """

    between: dict[str, dict[int, frozenset[str]]]
    alike: dict[str, frozenset[str]]
    allowed: dict[str, dict[int, frozenset[str]]]
    undeclared: set[str]


def confounds_of(task: Task, design: Design) -> Confounds:
    """Return what differs between the settings of a task, and what is mixed alike in all."""
    by_setting = {
        index: facts_of(setting, design)
        for index, setting in enumerate(task.settings)
        if setting.runs
    }
    differing = Confounds({}, {}, {}, set())
    for key in sorted({key for facts in by_setting.values() for key in facts}):
        values = {index: frozenset(facts.get(key, [ABSENT])) for index, facts in by_setting.items()}
        if is_content(key):  # not known of some is no difference
            values = {index: texts for index, texts in values.items() if texts != {ABSENT}}
        different = set(values.values())
        is_accident = is_mixed_by_accident(key, different, task, design)
        if len(different) == 1 and not is_accident:
            [mixture] = different
            if len(mixture) > 1:
                differing.alike[key] = mixture
        elif key in LISTED_ONLY:
            differing.alike[key] = frozenset().union(*different)
        elif is_within(key, design.allow):
            differing.allowed[key] = values
        else:
            differing.between[key] = values
            if is_accident:
                differing.undeclared.add(key)
    return differing


def at_looks(
    whole: Confounds, task: Task, seeds: Mapping[Pair, Sequence[int]], design: Design
) -> tuple[Confounds, dict[Pair, Confounds]]:
    """Return what differs by the seeds that each pair is judged by, of the whole task and by pair.

    A setting that was settled early has runs of before a commit, where its control has some of
    after it too; of the seeds that the two are compared by, they are alike.
    """
    if not whole.between or not seeds:
        return whole, {}
    by_pair = {pair: confounds_of(only(task, pair, own), design) for pair, own in seeds.items()}
    withholding = {key for own in by_pair.values() for key in own.between}
    told = {
        key: frozenset().union(*values.values())
        for key, values in whole.between.items()
        if key not in withholding
    }
    between = {key: values for key, values in whole.between.items() if key in withholding}
    undeclared = whole.undeclared & withholding
    alike = {**whole.alike, **told}
    return replace(whole, between=between, alike=alike, undeclared=undeclared), by_pair


def only(task: Task, pair: Pair, seeds: Sequence[int]) -> Task:
    """Return a task of the runs of two settings with these seeds, at their indices."""
    runs = [
        {block: own for block, own in setting.runs.items() if index in pair and block in seeds}
        for index, setting in enumerate(task.settings)
    ]
    settings = [
        replace(setting, runs=own) for setting, own in zip(task.settings, runs, strict=True)
    ]
    return replace(task, settings=settings)


def facts_of(setting: Setting, design: Design) -> dict[str, set[str]]:
    """Return what the runs of a setting were made with beside factor and seed, by key."""
    facts: dict[str, set[str]] = {}
    runs = [scored.run for scored in setting.every]
    for config in distinct_configs(runs):
        for key, value in design.beside(config).items():
            facts.setdefault(key, set()).add(spelled(value))
    for run in runs:
        if (content := content_of(run.record)) is not None:
            facts.setdefault(CONTENT, set()).add(content)
        for key, text in code_of_run(run.record).items():
            facts.setdefault(key, set()).add(text)
        for key, text in environment_of(run.record["environment"]).items():
            facts.setdefault(key, set()).add(text)
    return facts


def is_mixed_by_accident(
    key: str, different: set[frozenset[str]], task: Task, design: Design
) -> bool:
    """Return whether runs of one setting differ in what should be one question's: a mean over them
    answers none.

    A sweep may vary a key on purpose. Of runs at W&B, which has no declarations, those of one sweep
    do. Where a run was made is no question; a sweep may be extended after a commit.
    """
    if is_content(key):
        return any(is_mixed(contents) for contents in different)
    is_one = all(len(texts) == 1 for texts in different)
    if is_one or key.startswith("environment.") or is_within(key, design.varied):
        return False
    if design.declared_at is not None:
        return True
    values: dict[tuple[int, str], set[str]] = {}
    for index, setting in enumerate(task.settings):
        for run in (scored.run for scored in setting.every):
            if run.sweep is not None and key in (beside := design.beside(run.config)):
                values.setdefault((index, run.sweep), set()).add(spelled(beside[key]))
    return not any(len(texts) > 1 for texts in values.values())


def is_mixed(contents: frozenset[str]) -> bool:
    """Return whether runs of one setting were trained on several contents of their data, or one
    run on several: its test points may be among those that it was trained on.
    """
    return len(contents) > 1 or any(AFTER in content for content in contents)


def is_content(key: str) -> bool:
    """Return whether a key says what runs were made of: data, or a module of somebody's code."""
    return key == CONTENT or key.startswith(CODE)


def code_of_run(record: Record) -> dict[str, str]:
    """Return which text each module of somebody else's had, and which before; by key."""
    earlier = record["earlier_code"] or []
    return {
        f"{CODE}{name}": AFTER.join([text, *(e[name] for e in reversed(earlier) if name in e)])
        for name, text in (record["code"] or {}).items()
    }


def content_of(record: Record) -> str | None:
    """Return which data a run was trained on, and on which before; None where it is not known."""
    earlier = record["earlier_data"] or []
    checksum = record["data_checksum"]
    return AFTER.join([checksum, *reversed(earlier)]) if checksum else None


def joined(texts: Iterable[str]) -> str:
    return " and ".join(sorted(texts, key=number_or_word))


def sentences_of(task: Task, values: Mapping[str, Mapping[int, frozenset[str]]]) -> list[str]:
    """Return what each key is in which settings: its values, the rarest first."""
    sentences = []
    for key, by_setting in values.items():
        groups: dict[str, list[str]] = {}
        for index, texts in by_setting.items():
            groups.setdefault(joined(texts), []).append(task.settings[index].name)
        rarest = sorted(groups.items(), key=lambda group: len(group[1]))
        each = "; ".join(f"{few(names)} {value}" for value, names in rarest)
        sentences.append(f"{key}: {each}")
    return sentences
