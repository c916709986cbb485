"""What is said of each pair of settings that is compared."""

from __future__ import annotations

import math
from typing import Any

from experiments.comparison import words
from experiments.comparison.design import Design
from experiments.comparison.judged import Judged
from experiments.comparison.paired import Effect, Pair, compare_pair, holm, verdict_of
from experiments.comparison.planning import (
    detectable,
    fewest_seeds,
    seeds_to_find,
    seeds_to_settle,
)
from experiments.errors import listed

Dict = dict[str, Any]


def finite_or_none(value: float | None) -> float | None:
    """Return a number that JSON has a word for."""
    return value if value is not None and math.isfinite(value) else None


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
    found = {"a": a, "b": b, "name": f"{judged.name(a)} against {judged.name(b)}"}
    found |= unmeasured(judged, design) if pair is None else measured(judged, pair, p_holm, design)
    reasons = reasons_to_withhold(judged, a, b)
    if pair is not None and reasons:
        found["verdict"], found["reason"] = "withheld", "; ".join(reasons)
    return {**found, "sentence": words.sentence_of(judged, found, design)}


def unmeasured(judged: Judged, design: Design) -> Dict:
    """Return what is said of two settings that have no seed in common."""
    known = (*Effect.__annotations__, *Pair.__annotations__, "p_holm", "detectable")
    return {
        **dict.fromkeys(known),
        "n": 0,
        "level": 1 - design.alpha / judged.family,
        "verdict": "withheld",
        "reason": "the two have no seed in common",
        "seeds_needed": fewest_seeds(judged.family, design.alpha),
    }


def measured(judged: Judged, pair: Pair, p_holm: float | None, design: Design) -> Dict:
    """Return what is said of two settings, as far as their scores go."""
    alpha, family = design.alpha, judged.family
    verdict = verdict_of(
        pair.difference,
        pair.interval90,
        p_holm,
        design.delta,
        alpha=alpha,
        higher_is_better=design.higher_is_better,
    )
    is_open = verdict == "inconclusive"
    # A p that could not have been small says nothing.
    is_possible = pair.n >= fewest_seeds(family, alpha)
    least = detectable(pair.sd, pair.n, alpha / family, delta=design.delta or 0.0)
    return {
        **{key: plain(value) for key, value in vars(pair).items()},
        "p": pair.p if is_possible else None,
        "p_holm": p_holm if is_possible else None,
        "verdict": verdict,
        "reason": words.too_few_seeds(pair.n, family, alpha)
        if is_open and not is_possible
        else None,
        "seeds_needed": seeds_needed(pair, family, design) if is_open else None,
        "detectable": finite_or_none(least),
    }


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
