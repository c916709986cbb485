"""The price of tuning: what k trials can be expected to find, for each setting and every k.

Which setting is ahead may depend on how many trials it was given: one with a broad optimum is found
by the first, one with a sharp one by the ninth (Dodge et al. 2019, "Show your work"). Scores are
those of validation, from the tuning runs on disk; the test set was not touched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from experiments.comparison.design import Design, Dict
from experiments.comparison.formats import unit_of_metric
from experiments.comparison.judged import Judged
from experiments.comparison.sensitivity import MARGIN
from experiments.comparison.statistics.expected_best import expected_best
from experiments.comparison.tuned import Tuned
from experiments.errors.wording import few
from experiments.record.metric import finite_of, known_as


def price_dict(tasks: Sequence[Judged], design: Design) -> Dict | None:
    """Return the expected best of k trials of each setting, by task; None where none was tuned.

    All lists are by k, from 1 to the number of trials; what is infinite is None.
    """
    margin = design.delta or (MARGIN if design.is_share else None)
    priced = []
    for judged in tasks:
        settings = [
            setting_dict(judged.name(index), index, tuned, design, margin)
            for index, tuned in judged.tuned.items()
            if is_complete(tuned)
        ]
        if settings:
            priced.append(
                {
                    "name": judged.task.name,
                    "settings": settings,
                    "ahead": ahead_of(settings, design),
                }
            )
    if not priced:
        return None
    return {"metric": design.validation_metric, "margin": margin, "tasks": priced}


def is_complete(tuned: Tuned) -> bool:
    """Return whether each trial has a score, or a failure, of every tuning seed."""
    return len(tuned.trials) > 1 and len({len(scores) for _, scores in tuned.trials}) == 1


def setting_dict(name: str, index: int, tuned: Tuned, design: Design, margin: float | None) -> Dict:
    scores = [own for _, own in tuned.trials]
    found = expected_best(scores, known_as(design.validation_metric, design.added))
    return {
        "name": name,
        "setting": index,
        "num_trials": len(scores),
        "num_seeds": len(scores[0]),
        "failed": sum(len(finite_of(own)) < len(own) for own in scores),
        "default": tuned.default and tuned.default[1],
        "expected": finite_list(found.mean),
        "low": finite_list(found.low),
        "high": finite_list(found.high),
        "fewest": None if margin is None else found.fewest(margin),
        "seconds_per_trial": tuned.trial_seconds,
    }


def finite_list(values: np.ndarray) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def ahead_of(settings: Sequence[Dict], design: Design) -> list[Dict]:
    """Return which setting is expected to be ahead with how many trials, of equals the first."""
    sign = 1 if design.higher_is_better else -1
    most = min(setting["num_trials"] for setting in settings)

    def leader(k: int) -> str | None:
        able = [s for s in settings if s["expected"][k - 1] is not None]
        best = max(able, key=lambda s: sign * s["expected"][k - 1], default=None)
        return None if best is None else str(best["name"])

    runs = [(name, list(same)) for name, same in groupby(range(1, most + 1), key=leader)]
    return [{"from": ks[0], "to": ks[-1], "name": name} for name, ks in runs if name is not None]


def searched_sentences(verdict: Dict) -> list[str]:
    """Return what each setting's tuning searched, those alike in one sentence."""
    alike: dict[str, list[str]] = {}
    for task in verdict["tasks"]:
        for setting in task["settings"]:
            if space := (setting["tuned"] or {}).get("space"):
                ranges = "; ".join(f"{key} {words}" for key, words in space["ranges"].items())
                alike.setdefault(f"{ranges} ({space['by']})", []).append(str(setting["name"]))
    if len(alike) == 1:
        return [f"Searched: {ranges}." for ranges in alike]
    return [f"Searched by {few(list(dict.fromkeys(names)))}: {r}." for r, names in alike.items()]


def price_sentences(price: Dict | None) -> list[str]:
    """Return in words what tuning costs: of the report and the terminal."""
    return [] if price is None else list(sentences_of_tasks(price))


def sentences_of_tasks(price: Dict) -> Iterator[str]:
    several = len(price["tasks"]) > 1
    for task in price["tasks"]:
        prefix = f"{task['name']}: " if several else ""
        if price["margin"] is not None:
            near = unit_of_metric(price["metric"]).amount(price["margin"])
            each = [
                f"{s['name']} {s['fewest'] or 'none'} of {s['num_trials']}"
                for s in task["settings"]
            ]
            yield (
                f"{prefix}Trials that can be expected to come within {near} of what all of them "
                f"find, by {price['metric']}: {few(each)}."
            )
        if len(task["ahead"]) > 1:
            parts = [f"with {trials(part)} {part['name']}" for part in task["ahead"]]
            yield f"{prefix}Which setting is ahead depends on the number of trials: {few(parts)}."


def trials(part: Dict) -> str:
    """Return a range of numbers of trials.

    >>> trials({"from": 1, "to": 1}), trials({"from": 2, "to": 9})
    ('1 trial', '2 to 9 trials')
    """
    if part["from"] == part["to"]:
        return f"{part['from']} trial{'s' * (part['from'] > 1)}"
    return f"{part['from']} to {part['to']} trials"
