"""The verdict: records in, one plain dictionary out, which every report is made of.

STATISTICS: scores are paired by seed; each pair of settings has a t interval and an exact sign-flip
test, adjusted by Holm for the family; what cannot be told from a confound, or from tuning that did
not come to its end, is withheld. The parts stand in modules of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, stdev
from typing import Any

import numpy as np

from experiments.comparison import words
from experiments.comparison.confounds import Confounds, confounds_of, sentences_of
from experiments.comparison.design import Design
from experiments.comparison.intervals import binomial_standard_error, clopper_pearson, t_interval
from experiments.comparison.levels import flat, is_same
from experiments.comparison.paired import Pair, compare_pair, holm, verdict_of
from experiments.comparison.planning import (
    detectable,
    fewest_seeds,
    seeds_to_find,
    seeds_to_settle,
)
from experiments.comparison.reading import Reading
from experiments.comparison.scoring import Setting, Task
from experiments.comparison.trials import Tuned, tuned_of
from experiments.errors import hint, listed, user_error

Dict = dict[str, Any]


@dataclass
class Judged:
    """A task with all that is said of it.

    Attributes:
        task: its settings and their scores.
        control: the index of the control, None for all pairs.
        confounds: what else differs.
        tuned: what tuning found for each setting, by its index.
        family: how many comparisons there are.
    """

    task: Task
    control: int | None
    confounds: Confounds
    tuned: dict[int, Tuned]
    family: int

    @property
    def compared(self) -> list[tuple[int, int]]:
        """The pairs of settings that are compared, the control last."""
        number = len(self.task.settings)
        if self.control is not None:
            return [(index, self.control) for index in range(number) if index != self.control]
        return [(a, b) for b in range(number) for a in range(b + 1, number)]

    def name(self, index: int) -> str:
        """Return the name of a setting."""
        return words.name_of(self.task.settings[index])


def judge(task: Task, reading: Reading, design: Design, allow: Sequence[str]) -> Judged:
    """Return a task with its control found, its confounds listed, its tuning looked at."""
    control = index_of_control(task, design)
    number = len(task.settings)
    # All pairs count as many comparisons as there are; none of them is chosen afterwards.
    every = control is None or design.comparisons == "all_pairs"
    family = number * (number - 1) // 2 if every else number - 1
    return Judged(
        task,
        None if every else control,
        confounds_of(task, design, allow),
        tuned_of(task, reading, design),
        max(1, family),
    )


def index_of_control(task: Task, design: Design) -> int | None:
    """Return which setting is the control, or raise UserError where several could be."""
    if design.control is None:
        return None
    wanted = list(zip(design.factor, design.control, strict=True))
    found = [
        index
        for index, setting in enumerate(task.settings)
        if all(is_called(setting.levels[key], word) for key, word in wanted)
    ]
    names = [words.name_of(setting) for setting in task.settings]
    given = ", ".join(design.control)
    if len(found) > 1:
        those = listed(names[index] for index in found)
        raise user_error("several_controls", given=given, choices=those)
    if not found:
        like = hint("control=", given, names)
        raise user_error(
            "no_control", given=given, task=task.name, choices=listed(names), hint=like
        )
    return found[0]


def is_called(name: str, word: str) -> bool:
    """Return whether a level is meant by a word, which may leave out what tells it from others.

    >>> is_called("sgd (lr=0.1)", "sgd"), is_called("0.001", "1e-3"), is_called("adamw", "adam")
    (True, True, False)
    """
    return is_same(name, word) or name.startswith(f"{word} (")


def setting_dict(judged: Judged, index: int, design: Design, varied: Mapping[str, Any]) -> Dict:
    """Return what is said of one setting.

    Args:
        judged: its task.
        index: which of the settings.
        design: of the comparison.
        varied: keys in which settings differ, with the values of this one.
    """
    setting = judged.task.settings[index]
    scores, failures = setting.scores, setting.failures
    values = list(scores.values())
    finite = bool(values) and all(map(math.isfinite, values))
    records = [one.run.record for one in setting.every]
    interval = None
    if finite and len(values) > 1:
        _, low, high = map(float, t_interval(values, 1 - design.alpha))
        interval = [low, high]
    runs, failed = len(records), sum(1 for one in setting.every if one.failure)
    rate = [float(end) for end in clopper_pearson(failed, runs)] if runs else None
    tuned = judged.tuned.get(index)
    return {
        "id": index,
        "name": judged.name(index),
        "levels": dict(setting.levels),
        "is_control": index == judged.control,
        "num_parameters": middle([one["num_parameters"] for one in records]),
        "num_activation_parameters": middle([one["num_activation_parameters"] for one in records]),
        "n": len(values),
        "mean": float(np.mean(values)) if finite else None,
        "sd": stdev(values) if finite and len(values) > 1 else None,
        "interval": interval,
        "median": finite_or_none(median(values)) if values else None,
        "low": finite_or_none(min(values)) if values else None,
        "high": finite_or_none(max(values)) if values else None,
        "scores": {str(seed): finite_or_none(score) for seed, score in scores.items()},
        "failures": {str(seed): reason for seed, reason in failures.items()},
        "failure_rate": failed / runs if runs else None,
        "failure_interval": rate,
        "tuned": tuned.plain() if tuned else None,
        "seconds": middle([one["duration_seconds"] for one in records]),
        "train_seconds": middle([one["train_seconds"] for one in records]),
        "steps": middle([one["steps"] for one in records]),
        "identity": records[0]["setting"] if records else None,
        "config": dict(varied),
    }


def middle(values: Sequence[float | None]) -> float | None:
    """Return the median of the values that are there; a whole number stays one."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    found = median(known)
    return int(found) if float(found).is_integer() and isinstance(known[0], int) else float(found)


def finite_or_none(value: float | None) -> float | None:
    """Return a number that JSON has a word for."""
    return value if value is not None and math.isfinite(value) else None


def varied_values(task: Task) -> list[Dict]:
    """Return for each setting the keys in which settings differ, with its values."""
    own: list[dict[str, set[str]]] = []
    values: list[Dict] = []
    for setting in task.settings:
        seen: dict[str, set[str]] = {}
        last: Dict = {}
        for run in {id(one.run.config["model"]): one.run for one in setting.every}.values():
            last = flat(run.config)
            for key, value in last.items():
                seen.setdefault(key, set()).add(repr(value))
        own.append(seen)
        values.append(last)
    keys = {key for one in own for key in one} - {"seed"}
    differ = [key for key in sorted(keys) if len({frozenset(o.get(key, ())) for o in own if o}) > 1]
    return [
        {key: one[key] for key in differ if key in one and len(seen[key]) == 1}
        for one, seen in zip(values, own, strict=True)
    ]


def pair_dicts(judged: Judged, design: Design) -> list[Dict]:
    """Return what is said of each pair that is compared, adjusted for the family."""
    found = [(a, b, pair_of(judged, a, b, design)) for a, b in judged.compared]
    # The family was declared: a comparison that has no p counts all the same.
    adjusted = holm(
        [math.nan if pair is None else pair.p for _, _, pair in found] or [math.nan],
        family=judged.family,
    )
    return [
        pair_dict(judged, a, b, pair, finite_or_none(float(p)), design)
        for (a, b, pair), p in zip(found, adjusted, strict=False)
    ]


def pair_of(judged: Judged, a: int, b: int, design: Design) -> Pair | None:
    """Return how two settings compare on the seeds that both have; None where there are none."""
    first, second = (judged.task.settings[index].scores for index in (a, b))
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    return compare_pair(
        [first[seed] for seed in seeds],
        [second[seed] for seed in seeds],
        alpha=design.alpha,
        family=judged.family,
        higher_is_better=design.higher_is_better,
    )


def pair_dict(
    judged: Judged, a: int, b: int, pair: Pair | None, p_holm: float | None, design: Design
) -> Dict:
    """Return what is said of one pair."""
    names = {"a": a, "b": b, "name": f"{judged.name(a)} against {judged.name(b)}"}
    if pair is None:
        said = {**dict.fromkeys(Pair.__annotations__), "n": 0, "difference": None, "sd": None}
        empty = {**said, "interval": None, "level": 1 - design.alpha / judged.family}
        found = {**empty, "interval90": None, "p": None, "p_holm": None, "detectable": None}
        found |= {"verdict": "withheld", "seeds_needed": fewest_seeds(judged.family, design.alpha)}
        found["reason"] = "the two have no seed in common"
    else:
        is_possible = pair.n >= fewest_seeds(judged.family, design.alpha)
        found = {
            **{key: plain(value) for key, value in vars(pair).items()},
            # A p that could not have been small says nothing.
            "p": pair.p if is_possible else None,
            "p_holm": p_holm if is_possible else None,
            "verdict": verdict_of(
                pair.difference,
                pair.interval90,
                p_holm,
                design.delta,
                alpha=design.alpha,
                higher_is_better=design.higher_is_better,
            ),
            "reason": None,
            "seeds_needed": None,
            "detectable": finite_or_none(
                detectable(pair.sd, pair.n, design.alpha / judged.family, delta=design.delta or 0.0)
            ),
        }
        if found["verdict"] == "inconclusive":
            found["seeds_needed"] = seeds_needed(pair, judged.family, design)
            if not is_possible:
                found["reason"] = words.too_few_seeds(pair.n, judged.family, design.alpha)
        reasons = reasons_to_withhold(judged, a, b)
        if reasons:
            found["verdict"], found["reason"] = "withheld", "; ".join(reasons)
    return {**names, **found, "sentence": words.sentence_of(judged, {**names, **found}, design)}


def plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, tuple):
        ends = [finite_or_none(end) for end in value]
        return None if None in ends else ends
    return finite_or_none(value) if isinstance(value, float) else value


def seeds_needed(pair: Pair, family: int, design: Design) -> int | None:
    """Return how many seeds in all would settle a pair, as far as its deviation so far tells."""
    if design.delta is not None:
        found = seeds_to_settle(pair.sd, design.delta, family, alpha=design.alpha)
    else:
        found = seeds_to_find(pair.sd, pair.difference, family, alpha=design.alpha)
    return found


def reasons_to_withhold(judged: Judged, a: int, b: int) -> list[str]:
    """Return why nothing may be said of a pair, whatever its numbers."""
    keys = judged.confounds.of_pair(a, b)
    reasons = []
    if keys:
        reasons.append(f"the two also differ in {listed(keys)}")
    for index in (a, b):
        tuned = judged.tuned.get(index)
        if tuned is not None and tuned.is_undertuned:
            reasons.append(f"{judged.name(index)} is undertuned ({tuned.reason})")
    return reasons


def task_dict(judged: Judged, design: Design) -> Dict:
    """Return what is said of a task."""
    task = judged.task
    varied = varied_values(task)
    settings = [setting_dict(judged, index, design, varied[index]) for index in range(len(varied))]
    of_test = judged.control if judged.control is not None else best_of(settings, design)
    mean = settings[of_test]["mean"] if of_test is not None else None
    error = None
    if design.is_accuracy and mean is not None and task.num_points:
        error = float(binomial_standard_error(mean, task.num_points))
    seeds = sorted({seed for setting in task.settings for seed in setting.runs})
    return {
        "name": task.name,
        "num_classes": task.num_classes,
        "num_test": task.num_points,
        "chance": task.chance if design.is_accuracy else None,
        "test_standard_error": error,
        "settings": settings,
        "pairs": pair_dicts(judged, design),
        "seeds_used": seeds,
        "fewest_seeds": fewest_seeds(judged.family, design.alpha),
    }


def best_of(settings: Sequence[Dict], design: Design) -> int | None:
    """Return the id of the setting with the best mean."""
    known = [one for one in settings if one["mean"] is not None]
    sign = 1 if design.higher_is_better else -1
    found = max(known, key=lambda one: sign * one["mean"], default=None)
    return None if found is None else int(found["id"])


def confound_lists(judged: Sequence[Judged]) -> Dict:
    """Return what differs between settings, what is mixed alike in all, and what was allowed."""
    found: dict[str, list[str]] = {"withholding": [], "listed": [], "allowed": []}
    for one in judged:
        prefix = f"{one.task.name}: " if len(judged) > 1 else ""
        between = sentences_of(one.task, one.confounds.between)
        allowed = sentences_of(one.task, one.confounds.allowed)
        alike = [
            f"{key}: {' and '.join(sorted(values))}" for key, values in one.confounds.alike.items()
        ]
        found["withholding"] += [prefix + text for text in between]
        found["allowed"] += [prefix + text for text in allowed]
        found["listed"] += [prefix + text for text in alike]
    return found


def missing_cells(judged: Sequence[Judged], design: Design) -> list[str]:
    """Return the seeds that settings lack, of those declared or had by another setting."""
    found = []
    for one in judged:
        seeds = {seed for setting in one.task.settings for seed in setting.runs}
        if design.protocol == "fixed":
            seeds |= set(design.seeds)
        for setting in one.task.settings:
            lacking = sorted(seeds - setting.scores.keys())
            if lacking:
                prefix = f"{one.task.name}: " if len(judged) > 1 else ""
                found.append(f"{prefix}{words.name_of(setting)}: {words.seeds_told(lacking)}")
    return found


def run_dicts(judged: Sequence[Judged]) -> list[Dict]:
    """Return a row for every run that was compared."""
    rows = []
    for one in judged:
        for index, setting in enumerate(one.task.settings):
            rows += [row_of(one.task.name, index, setting, place) for place in setting.every]
    return rows


def row_of(task: str, index: int, setting: Setting, one: Any) -> Dict:
    """Return the row of a run."""
    record = one.run.record
    return {
        "folder": one.run.folder,
        "task": task,
        "setting": index,
        "seed": record["seed"],
        "status": record["status"],
        "score": finite_or_none(one.score),
        "identity": record["identity"],
        "epochs": record["epochs"],
        "steps": record["steps"],
        "seconds": record["duration_seconds"],
        "error": one.failure or record["error"],
        "metrics": dict(record["metrics"]),
    }
