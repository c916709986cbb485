"""The verdict in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.design import Design
from experiments.comparison.formats import Unit
from experiments.comparison.planning import fewest_seeds
from experiments.comparison.scoring import Setting

Dict = Mapping[str, Any]
MOST_LINES = 12
MOST_GATHERED = 8


def name_of(setting: Setting) -> str:
    """Return what a setting is called: the values of its factors."""
    return ", ".join(setting.levels.values())


def unit_for(design: Design, pair: Dict) -> Unit:
    """Return how a difference is written: with the digits that its interval leaves certain.

    Two digits at most where the interval is much shorter than the difference.
    """
    factor = 100.0 if design.is_accuracy else 1.0
    sizes = [abs(factor * (pair["difference"] or 0.0))]
    if pair["interval"] is not None:
        sizes.append(factor * (pair["interval"][1] - pair["interval"][0]) / 2)
    digits = [
        place - math.floor(math.log10(size))
        for place, size in zip((1, 0), sizes, strict=False)
        if size > 1e-12
    ]
    return Unit(design.is_accuracy, min(6, max(1, min(digits, default=2))))


def sentence_of(judged: Any, pair: Dict, design: Design) -> str:
    """Return what is said of a pair, in one sentence."""
    a, b = judged.name(pair["a"]), judged.name(pair["b"])
    verdict = pair["verdict"]
    if verdict == "withheld":
        return f"{a} against {b}: withheld, because {pair['reason']}."
    if verdict == "equivalent":
        within = Unit(design.is_accuracy, 2).amount(design.delta)
        return f"{a} and {b} are equivalent within {within}."
    unit = unit_for(design, pair)
    seeds = f"{pair['n']} seed" + ("s" if pair["n"] != 1 else "")
    if verdict == "inconclusive":
        told = f"{a} against {b}: inconclusive ({by_how_much(pair, unit, 1, True)}, {seeds})"
        return f"{told}{what_would_settle(pair, design)}."
    # Whoever is better stands first, and the size of the difference is written without a sign.
    winner, loser = (a, b) if verdict == "better" else (b, a)
    sign = -1 if (pair["difference"] or 0.0) < 0 else 1
    return f"{winner} beats {loser} by {by_how_much(pair, unit, sign, False)}, {seeds}."


def by_how_much(pair: Dict, unit: Unit, sign: int, is_signed: bool) -> str:
    """Return a difference with its interval, turned round where the sign is -1."""
    difference, interval = pair["difference"], pair["interval"]
    if difference is None:
        return "failed runs rank last"
    number = sign * difference
    text = unit.change(number) if is_signed else unit.bare(number)
    text += f" {unit.of_differences}" if unit.is_points else ""
    if interval is not None:
        low, high = sorted(sign * end for end in interval)
        text += f" [{unit.bare(low)}, {unit.bare(high)}]"
    return text


def what_would_settle(pair: Dict, design: Design) -> str:
    """Return how many more seeds would settle an inconclusive pair."""
    needed = pair["seeds_needed"]
    if needed is None:
        return ""
    more = max(1, needed - pair["n"])
    size = (
        "it"
        if design.delta is None
        else (f"a difference of {Unit(design.is_accuracy, 2).amount(design.delta)}")
    )
    return f"; about {more} more seed{'s' if more > 1 else ''} would settle {size}"


def too_few_seeds(n: int, family: int, alpha: float) -> str:
    """Return why so few seeds cannot settle anything.

    >>> too_few_seeds(3, 6, 0.05)
    '3 seeds cannot show a difference among 6 comparisons: 8 are needed'
    """
    seeds = "1 seed" if n == 1 else f"{n} seeds"
    comparisons = "1 comparison" if family == 1 else f"{family} comparisons"
    needed = fewest_seeds(family, alpha)
    return f"{seeds} cannot show a difference among {comparisons}: {needed} are needed"


def seeds_told(seeds: Sequence[int]) -> str:
    """Return seeds in words.

    >>> seeds_told([3]), seeds_told([0, 1, 2, 3]), seeds_told([1, 4])
    ('seed 3', 'seeds 0 to 3', 'seeds 1, 4')
    """
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seeds {', '.join(map(str, seeds))}"


def few(names: Sequence[str], longest: int = 4) -> str:
    """Return names, and how many more there are.

    >>> few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    if len(names) <= longest:
        return ", ".join(names)
    return f"{', '.join(names[:longest])} and {len(names) - longest} more"


def of_matrix(matrix: Dict, design: Design) -> list[str]:
    """Return main effects and interaction in words."""
    found = []
    for key in design.factor:
        effects = [one for one in matrix["main"] if one["factor"] == key]
        found += [of_effect(one, design) for one in effects]
    interaction = matrix["interaction"]
    if interaction is not None:
        first, second = design.factor
        depends = interaction["p"] < design.alpha
        found.append(
            f"Whether one {first} is better than another "
            + (f"depends on {second}" if depends else f"was not shown to depend on {second}")
            + f" (interaction: p {probability_told(interaction['p'])}, {interaction['n']} seeds)."
        )
    return found


def of_effect(effect: Dict, design: Design) -> str:
    """Return a main effect in words."""
    other = next(key for key in design.factor if key != effect["factor"])
    level, against = effect["level"], effect["against"]
    unit = unit_for(design, effect)
    seeds = f"{effect['n']} seeds"
    over = f"on average over {other}"
    if effect["verdict"] == "equivalent":
        within = Unit(design.is_accuracy, 2).amount(design.delta)
        return f"{level} and {against} are equivalent within {within}, {over}."
    if effect["verdict"] == "inconclusive":
        size = by_how_much(effect, unit, 1, True)
        return f"{level} against {against}: inconclusive {over} ({size}, {seeds})."
    is_first = effect["verdict"] == "better"
    winner, loser = (level, against) if is_first else (against, level)
    sign = 1 if effect["difference"] > 0 else -1
    return f"{winner} beats {loser} by {by_how_much(effect, unit, sign, False)} {over}, {seeds}."


def probability_told(p: float) -> str:
    """Return a p in words.

    >>> probability_told(0.0001), probability_told(0.034)
    ('below 0.001', '0.034')
    """
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def headline(verdict: Dict, design: Design) -> list[str]:
    """Return the first lines of everything: what was found, shortest first."""
    lines: list[str] = list(verdict["matrix"]["sentences"]) if verdict["matrix"] else []
    several = len(verdict["tasks"]) > 1
    if not lines:
        for task in verdict["tasks"]:
            prefix = f"{task['name']}: " if several else ""
            lines += [prefix + line for line in lines_of_task(task, design)]
    if not lines:
        lines = ["There is nothing to compare: fewer than two settings have a finished run."]
    if len(lines) > MOST_LINES:
        left = len(lines) - MOST_LINES + 1
        lines = [*lines[: MOST_LINES - 1], f"And {left} more lines: see the table."]
    return lines


def lines_of_task(task: Dict, design: Design) -> list[str]:
    """Return the lines of one task: differences one by one, the rest gathered."""
    pairs = task["pairs"]
    names = {one["id"]: one["name"] for one in task["settings"]}
    found = [p["sentence"] for p in by_size(pairs) if p["verdict"] in ("better", "worse")]
    found += [p["sentence"] for p in pairs if p["verdict"] == "equivalent"]
    open_ones = [p for p in pairs if p["verdict"] == "inconclusive"]
    if len(open_ones) <= 3:
        found += [p["sentence"] for p in open_ones]
    else:
        found.append(gathered(open_ones, names, design))
    withheld: dict[str, list[str]] = {}
    for pair in pairs:
        if pair["verdict"] == "withheld":
            withheld.setdefault(pair["reason"] or "", []).append(pair["name"])
    found += [f"Withheld, because {reason}: {few(those)}." for reason, those in withheld.items()]
    return found


def by_size(pairs: Sequence[Dict]) -> list[Dict]:
    """Return pairs, the largest difference first."""
    return sorted(pairs, key=lambda pair: -abs(pair["difference"] or 0.0))


def gathered(pairs: Sequence[Dict], names: Mapping[int, str], design: Design) -> str:
    """Return many inconclusive pairs in one sentence."""
    others = {pair["b"] for pair in pairs}
    if len(pairs) > MOST_GATHERED:
        told = f"{len(pairs)} comparisons, among them {pairs[0]['name']}"
    elif len(others) == 1:
        told = (
            f"{', '.join(names[pair['a']] for pair in pairs)} against {names[next(iter(others))]}"
        )
    else:
        told = "; ".join(pair["name"] for pair in pairs)
    needed = [pair["seeds_needed"] for pair in pairs if pair["seeds_needed"] is not None]
    reasons = {pair["reason"] for pair in pairs if pair["reason"]}
    sentence = f"Inconclusive: {told}"
    if reasons:
        sentence += f" ({'; '.join(sorted(reasons))})"
    if needed:
        more = max(needed) - min(pair["n"] for pair in pairs)
        sentence += f". About {max(1, more)} more seeds would settle all of them"
    return f"{sentence}."
