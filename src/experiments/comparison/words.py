"""Pairs, effects and seeds in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from experiments.comparison.design import Design
from experiments.comparison.formats import MOST_DECIMALS, Unit
from experiments.comparison.lookups import Dict
from experiments.comparison.statistics.planning import fewest_seeds
from experiments.errors.wording import few

MOST_GATHERED = 8


def unit_for(design: Design, pair: Dict) -> Unit:
    """Return how a difference is written: with the digits that its interval leaves certain.

    Two digits at most where the interval is much shorter than the difference.
    """
    factor = 100.0 if design.is_share else 1.0
    sizes = [abs(factor * (pair["difference"] or 0.0))]
    if pair["interval"] is not None:
        sizes.append(factor * (pair["interval"][1] - pair["interval"][0]) / 2)
    digits = [
        most - math.floor(math.log10(size))
        for most, size in zip((1, 0), sizes, strict=False)
        if size > 1e-12
    ]
    return Unit(design.is_share, min(MOST_DECIMALS, max(1, min(digits, default=2))))


def of_pair(pair: Dict, names: tuple[str, str], design: Design, over: str = "") -> str:
    """Return what is said of two settings, in one sentence; or of two levels over other ones."""
    a, b = names
    verdict, unit = pair["verdict"], unit_for(design, pair)
    if verdict == "withheld":
        return f"{a} against {b}: withheld, because {pair['reason']}."
    settled = settled_at(pair)
    if verdict == "equivalent":
        comma = "," if over else ""
        return f"{a} and {b} are equivalent within {smallest_of(design)}{comma}{over}{settled}."
    seeds = counted(pair["n"], pair.get("thing", "seed"))
    if verdict == "inconclusive" and pair.get("reason"):
        return f"{a} against {b}: {pair['reason']}. Seen so far{over}: {seen(pair, design)}."
    if verdict == "inconclusive":
        size = by_how_much(pair, unit, 1, True)
        why, more = why_open(pair, design), what_would_settle(pair, design)
        return f"{a} against {b}: inconclusive{over} ({size}, {seeds}{why}){more}."
    # The better one comes first, and the size of the difference without a sign.
    winner, loser = names if verdict == "better" else (b, a)
    sign = -1 if (pair["difference"] or 0.0) < 0 else 1
    size = by_how_much(pair, unit, sign, False)
    return f"{winner} beats {loser} by {size}{over}{settled or f', {seeds}'}."


def settled_at(pair: Dict) -> str:
    """Return at which look a pair was settled; nothing where none was declared.

    >>> settled_at({"look": {"settled": True, "seeds": 9}})
    ', settled at 9 seeds'
    """
    look = pair.get("look")
    return f", settled at {counted(look['seeds'], 'seed')}" if look and look["settled"] else ""


def smallest_of(design: Design) -> str:
    return Unit(design.is_share, 2).amount(design.delta)


def counted(number: int, thing: str) -> str:
    """Return a number of things.

    >>> counted(1, "seed"), counted(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def by_how_much(pair: Dict, unit: Unit, sign: int, is_signed: bool) -> str:
    """Return a difference with its interval, turned round where the sign is -1."""
    difference, interval = pair["difference"], pair["interval"]
    if difference is None:
        return "failed runs rank last"
    number = sign * difference
    text = unit.change(number) if is_signed else unit.bare(number)
    text += " points" if unit.is_points else ""
    if interval is not None:
        low, high = sorted(sign * end for end in interval)
        text += f" [{unit.bare(low)}, {unit.bare(high)}]"
    return text


def seen(pair: Dict, design: Design) -> str:
    """Return what the seeds show, where they are too few to show that it is no accident.

    Without its interval, which is one of many: where it leaves out 0 it would seem to decide.
    """
    difference, unit = pair["difference"], unit_for(design, pair)
    if difference is None:
        return "failed runs rank last"
    size = f"{unit.bare(abs(difference))}{' points' if unit.is_points else ''}"
    if not size.partition(" ")[0].strip("0."):
        return "no difference"
    return f"{size} {'higher' if difference > 0 else 'lower'}"


def why_open(pair: Dict, design: Design) -> str:
    """Return why a difference is left open whose interval leaves out 0; nothing for another."""
    interval, p = pair["interval"], pair["p_holm"]
    if interval is None and pair.get("thing") == "fold":
        return ": no deviation to test it against"
    if interval is None or p is None or interval[0] <= 0 <= interval[1]:
        return ""
    if p < design.alpha:
        return f": not 0, but not shown to be {smallest_of(design)} or more"
    return f", but p {p:.3f}"


def what_would_settle(pair: Dict, design: Design) -> str:
    """Return how many more seeds would settle an inconclusive pair."""
    if look := pair.get("look"):
        return next_look(look)
    needed = pair.get("seeds_needed")
    if needed is None:
        return ""
    size = "it" if design.delta is None else f"a difference of {smallest_of(design)}"
    return f"; about {counted(max(1, needed - pair['n']), 'more seed')} would settle {size}"


def next_look(look: Dict) -> str:
    """Return when an open pair is judged again.

    >>> next_look({"next": 12, "last": 20}), next_look({"next": None, "last": 20})
    ('; the next look is at 12 seeds', '; open after the last look, at 20 seeds')
    """
    if look["next"]:
        return f"; the next look is at {counted(look['next'], 'seed')}"
    return f"; open after the last look, at {counted(look['last'], 'seed')}"


def between_looks(prefix: str, names: str, last: int, following: int) -> str:
    """Return that a look is not complete, so that the one before it is what counts."""
    return (
        f"{prefix}{names}: judged at {counted(last, 'seed')}, the last look that is complete; "
        f"later seeds count at the next one, of {following}, as each look spends alpha."
    )


def undeclared_seeds(prefix: str, seeds: str) -> str:
    """Return that some seeds are no part of the looks."""
    return (
        f"{prefix}{seeds} were not declared with the looks: they are in the means of settings, and "
        "in no verdict, whose level is shared out among the looks."
    )


def shared_times(prefix: str, fewest: int, most: int) -> str:
    """Return what times are of runs that were trained together, and whether they may be compared.

    Args:
        fewest: with how many the runs of a setting were trained, 1 for alone.
        most: the same of the setting with the most.
    """
    if fewest == most:
        shared = f"Times are each run's share of those of {most} that were trained together."
    else:
        together = f"{'alone' if fewest == 1 else f'{fewest} together'} or {most} together"
        shared = (
            f"Times are shares, of runs that were trained {together}: they say nothing of which "
            "setting is faster. hydra.launcher.population=off trains each alone."
        )
    return prefix + shared


def fewest_of(thing: str, family: int, alpha: float) -> int:
    """Return with how many seeds, or folds, a difference can be shown at all.

    A t test over folds has a deviation from two of them on.
    """
    return 2 if thing == "fold" else fewest_seeds(family, alpha)


def too_few_seeds(n: int, family: int, fewest: int, of: str = "", thing: str = "seed") -> str:
    """Return why so few seeds, or folds, cannot settle anything.

    >>> too_few_seeds(3, 6, fewest=8)
    '3 seeds cannot show a difference among 6 comparisons: 8 are needed'
    """
    return (
        f"{counted(n, thing)} cannot show a difference among {counted(family, 'comparison')}{of}: "
        f"{fewest} are needed"
    )


def of_matrix(matrix: Dict, design: Design) -> list[str]:
    """Return main effects and interaction in words."""
    sentences = []
    for factor, other in (design.factor, design.factor[::-1]):
        effects = [effect for effect in matrix["main"] if effect["factor"] == factor]
        fewest = fewest_of(matrix["thing"], len(effects), design.alpha)
        over = f" on average over {other}"
        early = [e for e in effects if e["verdict"] == "inconclusive" and e["n"] < fewest]
        sentences += [
            of_pair(effect, (effect["level"], effect["against"]), design, over)
            for effect in effects
            if effect not in early
        ]
        named = [(effect["level"], effect["against"], effect) for effect in early]
        of = f" of {factor}"
        sentences += undecided(named, len(effects), fewest, design, of, over)
    if matrix["interaction"] is not None:
        sentences.append(of_interaction(matrix["interaction"], design, matrix["thing"]))
    return sentences


def of_interaction(interaction: Dict, design: Design, thing: str = "seed") -> str:
    """Return whether one factor was shown to depend on the other."""
    (first, second), p, n = design.factor, interaction["p"], interaction["n"]
    fewest = fewest_of(thing, 1, design.alpha)
    if n < fewest:
        which = f"whether one {first} is better than another depends on {second}"
        return f"{counted(n, thing)} cannot show {which} (interaction): {fewest} are needed."
    answer = "depends on" if p < design.alpha else "was not shown to depend on"
    text = "below 0.001" if p < 0.001 else f"{p:.3f}"
    found = f"(interaction: p {text}, {counted(n, thing)})"
    return f"Whether one {first} is better than another {answer} {second} {found}."


def undecided(
    named: Sequence[tuple[str, str, Dict]],
    family: int,
    fewest: int,
    design: Design,
    of: str = "",
    over: str = "",
) -> list[str]:
    """Return that seeds are too few to decide between settings, and what they show so far.

    Of each comparison, `named` has the names of both and its numbers.
    """
    if not named:
        return []
    n, thing = max((pair["n"], pair.get("thing", "seed")) for _, _, pair in named)
    others = {other for _, other, _ in named}
    against = f" against {others.copy().pop()}" if len(others) == 1 else ""
    parts = [
        f"{name}{'' if against else f' against {other}'} {seen(pair, design)}"
        for name, other, pair in named
    ]
    where = f"{over}{',' if over and against else ''}{against}"
    return [
        f"{too_few_seeds(n, family, fewest, of, thing)}.",
        f"Seen so far{where}: {few(parts, MOST_GATHERED)}.",
    ]
