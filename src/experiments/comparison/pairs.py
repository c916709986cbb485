"""The settings of a task that are compared, and what is said of each pair of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from experiments.comparison import words
from experiments.comparison.blocks import means, shared_by
from experiments.comparison.confounds import CODE, CONTENT, is_mixed
from experiments.comparison.design import Design, Dict
from experiments.comparison.judged import Judged
from experiments.comparison.pooled import pooled_seeds_needed, smallest_found, with_pooled_error
from experiments.comparison.scoring import number_or_word
from experiments.comparison.statistics.paired import Effect, Pair, compare_pair, holm, verdict_of
from experiments.comparison.statistics.planning import (
    detectable,
    seeds_to_find,
    seeds_to_settle,
)
from experiments.comparison.statistics.posterior import chances_of
from experiments.comparison.statistics.resampled import detectable_over_splits
from experiments.comparison.statistics.spending import level_at
from experiments.errors.wording import listed


class Gap(NamedTuple):
    """Why nothing may be said of a pair, and what would let something be said."""

    reason: str
    remedy: str


LEARNING = "runs that learn more than to guess (more epochs, another learning rate)"
"""What equivalence asks for where settings are alike in having learned nothing."""
REPEATS = (
    "repeats of the cross validation, each with a cut of its own ('seed=range(0,5)' "
    "'data.split_seed=${seed}'), or more data"
)
"""What settles a difference over folds: more seeds of one cut are no more splits."""


def finite_or_none(value: float | None) -> float | None:
    """Return a number that JSON has a word for."""
    return value if value is not None and math.isfinite(value) else None


def pair_dicts(judged: Judged, design: Design) -> list[Dict]:
    """Return what is said of each pair that is compared, adjusted for the family."""
    pairs = [pair_of(judged, a, b, design) for a, b in judged.compared]
    pairs, adjusted = adjusted_for_family(judged, pairs)
    return [
        pair_dict(judged, a, b, pair, finite_or_none(p), design)
        for (a, b), pair, p in zip(judged.compared, pairs, adjusted, strict=True)
    ]


def adjusted_for_family(
    judged: Judged, pairs: Sequence[Pair | None]
) -> tuple[list[Pair | None], list[float]]:
    """Return pairs as the test that speaks has them, and their p in the family, NaN for none.

    The family was declared: a comparison that has no p counts all the same.
    """
    if judged.at_looks:
        each = [judged.at_looks[indices].standing.p_holm for indices in judged.compared]
        return list(pairs), each
    if not judged.is_pooled:
        single = [math.nan if pair is None else pair.p for pair in pairs]
        return list(pairs), holm(single or [math.nan], family=judged.family).tolist()[: len(pairs)]
    assert judged.pooled is not None
    both = [(None, math.nan) if p is None else with_pooled_error(p, judged.pooled) for p in pairs]
    return [pair for pair, _ in both], [p for _, p in both]


def pair_of(judged: Judged, a: int, b: int, design: Design) -> Pair | None:
    """Return how two settings compare on the blocks that both have; None where there are none.

    Where all settings share an error these are the seeds that all have.
    """
    if (a, b) in judged.at_looks:
        return judged.at_looks[a, b].pair
    first, second = (judged.task.settings[index].scores for index in (a, b))
    blocks = judged.common(a, b)
    if not blocks:
        return None
    return compare_pair(
        means(first, blocks),
        means(second, blocks),
        alpha=design.alpha,
        family=judged.family,
        higher_is_better=design.higher_is_better,
        overlap=shared_by(blocks, judged.task.overlap),
    )


def pair_dict(
    judged: Judged, a: int, b: int, pair: Pair | None, p_holm: float | None, design: Design
) -> Dict:
    """Return what is said of one pair."""
    names = judged.name(a), judged.name(b)
    thing = judged.thing(a, b)
    known = {"a": a, "b": b, "name": f"{names[0]} against {names[1]}", "thing": thing}
    known["look"] = look_dict(judged, a, b, design)
    if pair is None:
        known |= unmeasured(judged, design)
    else:
        known |= measured(judged, (a, b), pair, p_holm, design)
    gaps = gaps_of(judged, a, b)
    if known.get("verdict") == "equivalent":
        # Two that have learned nothing are alike in that alone.
        settings = (judged.task.settings[index] for index in (a, b))
        gaps += [Gap(why, LEARNING) for setting in settings if (why := setting.not_learned)]
    if pair is None:
        none = Gap(f"the two have no {thing} in common", f"{thing}s that both settings have")
        gaps = why_unmeasured(judged, a, b) or [none, *gaps]
    if gaps:
        known["verdict"], known["reason"] = "withheld", "; ".join(gap.reason for gap in gaps)
        known["remedy"] = ", and ".join(dict.fromkeys(gap.remedy for gap in gaps))
    return {**known, "sentence": words.of_pair(known, names, design)}


def look_dict(judged: Judged, a: int, b: int, design: Design) -> Dict | None:
    """Return at which look a pair stands, None where no looks were declared."""
    at = judged.at_looks.get((a, b))
    if at is None or judged.looks is None:
        return None
    return at.plain(judged.looks, design.alpha / judged.family)


def unmeasured(judged: Judged, design: Design) -> Dict:
    """Return the numbers of two settings that have no seed in common: none."""
    numbers = (*Effect.__annotations__, *Pair.__annotations__, "p_holm", "detectable", "chances")
    return {
        **dict.fromkeys(numbers),
        "n": 0,
        "level": 1 - design.alpha / (1 if judged.is_pooled else judged.family),
        "seeds_needed": judged.fewest(design.alpha),
    }


def why_unmeasured(judged: Judged, *indices: int) -> list[Gap]:
    """Return which of some settings have not come to any result."""
    names = [judged.name(index) for index in indices if not judged.task.settings[index].runs]
    missing = f"finished run of {' and '.join(names)}"
    return [Gap(f"there is no {missing}", f"a {missing}")] if names else []


def measured(
    judged: Judged, indices: tuple[int, int], pair: Pair, p_holm: float | None, design: Design
) -> Dict:
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
    thing, shared = judged.thing(*indices), shared_by(judged.common(*indices), judged.task.overlap)
    needed = words.fewest_of(thing, family, alpha)
    at = judged.at_looks.get(indices)
    is_possible = judged.is_pooled or pair.n >= needed
    if at is not None:  # the least that a look can give is there, whatever it is
        is_possible = at.standing.look is not None
    fewest = judged.fewest(alpha)
    return {
        **{key: plain(value) for key, value in vars(pair).items()},
        "p": finite_or_none(pair.p) if is_possible else None,
        "p_holm": p_holm if is_possible else None,
        "verdict": verdict,
        "reason": words.too_few_seeds(pair.n, family, fewest, thing=thing)
        if is_open and not is_possible
        else None,
        "remedy": remedy_for(judged, indices, pair, thing, design) if is_open else None,
        "seeds_needed": seeds_needed_by(judged, pair, thing, design) if is_open else None,
        "detectable": finite_or_none(detectable_by(judged, pair, shared, design)),
        "chances": chances_dict(pair, design),
    }


def remedy_for(
    judged: Judged, indices: tuple[int, int], pair: Effect, thing: str, design: Design
) -> str | None:
    """Return what would settle an open pair where that is not just more seeds."""
    at = judged.at_looks.get(indices)
    if at is None:
        return REPEATS if thing == "fold" else None
    if at.following:
        return f"the next look, at {len(at.following)} seeds: the same command again"
    number = seeds_needed(pair, judged.family, design)
    size = "more seeds" if number is None else f"about {number} seeds"
    return f"a sweep of {size} in a folder of its own, as this one has spent its alpha"


def chances_dict(effect: Effect, design: Design) -> Dict | None:
    """Return how probably one is better by more than delta, within it, or worse by more."""
    chances = chances_of(
        effect.difference,
        effect.standard_error,
        effect.df,
        design.delta,
        higher_is_better=design.higher_is_better,
    )
    return None if chances is None else asdict(chances)


def plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, tuple):
        ends = [finite_or_none(end) for end in value]
        return None if None in ends else ends
    return finite_or_none(value) if isinstance(value, float) else value


def seeds_needed_by(judged: Judged, pair: Effect, thing: str, design: Design) -> int | None:
    """Return how many seeds in all would settle a pair by the test that speaks; None over folds,
    which more seeds do not make more.
    """
    if thing == "fold" or judged.at_looks:
        return None
    if judged.pooled is None or not judged.is_pooled:
        return seeds_needed(pair, judged.family, design)
    return pooled_seeds_needed(pair.difference, judged.pooled, design.delta)


def detectable_by(
    judged: Judged, pair: Effect, shared: float | None, design: Design
) -> float | None:
    """Return the smallest true difference that would be found by the test that speaks.

    Args:
        shared: by splits, see `shared_by`.
    """
    if judged.pooled is not None and judged.is_pooled:
        return smallest_found(judged.pooled, design.delta)
    level, delta = design.alpha / judged.family, design.delta or 0.0
    if judged.looks is not None:
        level = level_at(judged.looks.looks, pair.n, level)
        if not level:
            return None
    if shared is not None:
        return detectable_over_splits(pair.sd, pair.n, shared, level, delta=delta)
    return detectable(pair.sd, pair.n, level, delta=delta)


def seeds_needed(pair: Effect, family: int, design: Design) -> int | None:
    """Return how many seeds in all would settle a pair, as far as its deviation so far tells."""
    if design.delta is not None:
        return seeds_to_settle(pair.sd, design.delta, family, alpha=design.alpha)
    return seeds_to_find(pair.sd, pair.difference, family, alpha=design.alpha)


def are_different(key: str, values: Mapping[int, frozenset[str]], a: int, b: int) -> bool:
    """Return whether two settings have other values of a key; code that only one of them has is
    what it is made of.
    """
    is_of_one = key.startswith(CODE) and (a not in values or b not in values)
    return not is_of_one and values.get(a) != values.get(b)


def gaps_of(judged: Judged, a: int, b: int) -> list[Gap]:
    """Return why nothing may be said of a pair, whatever its numbers."""
    confounds = judged.confounds_of(a, b)
    between = confounds.between
    keys = [key for key, values in between.items() if are_different(key, values, a, b)]
    gaps = []
    if keys:
        allowed = f"sweep.allow=[{','.join(keys)}] where that belongs to the question"
        alike = f"runs that are alike in {listed(keys)}, or {allowed}"
        gaps.append(Gap(f"the two also differ in {listed(keys)}", alike))
    elif is_mixed(between.get(CONTENT, {}).get(a, frozenset())):
        reason = "their runs were trained on several contents of one data set"
        gaps.append(Gap(reason, "runs on one content, in a folder of their own"))
    mixed = {
        key: sorted({*between[key].get(a, ()), *between[key].get(b, ())}, key=number_or_word)
        for key in confounds.undeclared - {CONTENT}
    }
    several = {k: v for k, v in sorted(mixed.items()) if is_mixed(frozenset(v))}
    if several and not keys:
        named = listed(f"{key} ({words.few(values)})" for key, values in several.items())
        reason = f"their runs mix values that no sweep declares together: {named}"
        gaps.append(Gap(reason, f"runs of one value of {listed(several)}"))
    for index in (a, b):
        tuned = judged.tuned.get(index)
        if tuned is not None and tuned.is_undertuned:
            reason = f"{judged.name(index)} is undertuned ({tuned.reason})"
            gaps.append(Gap(reason, f"a wider search for {judged.name(index)}"))
    return gaps
