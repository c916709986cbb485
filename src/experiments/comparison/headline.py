"""The first lines of everything: what was found, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.comparison.design import Design
from experiments.comparison.formats import Unit
from experiments.comparison.lookups import Dict
from experiments.comparison.report.assumptions import why_silent
from experiments.comparison.words import MOST_GATHERED, few, next_look, undecided

MOST_LINES = 12
MANY_TASKS = 3
"""From so many data sets on, lines go through comparisons and no longer through data sets."""
VERDICTS = ("better", "worse", "equivalent", "inconclusive", "withheld")


def headline(verdict: Dict, design: Design) -> list[str]:
    """Return the first lines of everything: what was found, shortest first."""
    lines: list[str] = list(verdict["matrix"]["sentences"]) if verdict["matrix"] else []
    several = len(verdict["tasks"]) > 1
    if not lines and len(verdict["tasks"]) >= MANY_TASKS:
        lines = over_tasks(verdict["tasks"], verdict.get("several_tasks"), design)
    elif not lines:
        for task in verdict["tasks"]:
            prefix = f"{task['name']}: " if several else ""
            lines += [prefix + line for line in lines_of_task(task, design)]
    if not lines:
        lines = ["There is nothing to compare: fewer than two settings have a finished run."]
    if len(lines) > MOST_LINES:
        left = len(lines) - MOST_LINES + 1
        lines = [*lines[: MOST_LINES - 1], f"And {left} more lines: see the table."]
    lines += why_silent(verdict["tasks"])
    return [*lines, design.unheard] if design.unheard else lines


def over_tasks(tasks: Sequence[Dict], ranked: Dict | None, design: Design) -> list[str]:
    """Return a line for each comparison, with the data sets on which it came out how."""
    lines = [of_ranks(ranked, tasks, design)] if ranked else []
    by_name: dict[str, list[tuple[str, Dict]]] = {}
    for task in tasks:
        for pair in task["pairs"]:
            by_name.setdefault(pair["name"], []).append((task["name"], pair))
    for name, pairs in by_name.items():
        parts = [of_outcome(word, pairs, design) for word in VERDICTS]
        lines.append(f"{name}: {', '.join(part for part in parts if part)}.")
    early = [pair for task in tasks for pair in task["pairs"] if pair["verdict"] == "inconclusive"]
    reasons = dict.fromkeys(pair["reason"] for pair in early if pair["reason"])
    return lines + [f"{reason}." for reason in reasons]


def of_outcome(word: str, pairs: Sequence[tuple[str, Dict]], design: Design) -> str:
    """Return on which data sets a comparison came out so, and by how much; nothing for none."""
    same = {task: pair for task, pair in pairs if pair["verdict"] == word}
    if not same:
        return ""
    is_all = len(same) == len(pairs)
    part = f"{word} on " + (f"all {len(same)} data sets" if is_all else f"{len(same)}")
    part += "" if is_all else f" ({few(list(same))})"
    sizes = [abs(pair["difference"]) for pair in same.values() if pair["difference"] is not None]
    if not sizes or word not in ("better", "worse"):
        return part
    unit = Unit(design.is_share, 1 if design.is_share else 4)
    ends = dict.fromkeys(unit.bare(end) for end in (min(sizes), max(sizes)))
    return f"{part} by {' to '.join(ends)}{' points' if unit.is_points else ''}"


def of_ranks(ranked: Dict, tasks: Sequence[Dict], design: Design) -> str:
    """Return the average ranks over data sets, and whether they differ."""
    names = {setting["id"]: setting["name"] for setting in tasks[0]["settings"]}
    order = sorted(zip(ranked["ranks"], ranked["settings"], strict=True))
    ranks = ", ".join(f"{names[setting]} {rank:.2f}" for rank, setting in order)
    p = ranked["friedman"]["p"]
    answer = "they differ" if p is not None and p < design.alpha else "not shown to differ"
    text = "" if p is None else f" (Friedman: p {'below 0.001' if p < 0.001 else f'{p:.3f}'})"
    return f"Average ranks over {len(ranked['tasks'])} data sets: {ranks}; {answer}{text}."


def lines_of_task(task: Dict, design: Design) -> list[str]:
    """Return the lines of one task: differences, the largest first, and the rest gathered."""
    pairs = task["pairs"]
    names = {setting["id"]: setting["name"] for setting in task["settings"]}
    by_size = sorted(pairs, key=lambda pair: -abs(pair["difference"] or 0.0))
    lines = [p["sentence"] for p in by_size if p["verdict"] in ("better", "worse")]
    lines += [p["sentence"] for p in pairs if p["verdict"] == "equivalent"]
    still_open = [p for p in pairs if p["verdict"] == "inconclusive"]
    # A reason is there where seeds are too few for any difference to show.
    early = [(names[p["a"]], names[p["b"]], p) for p in by_size if p in still_open and p["reason"]]
    lines += undecided(early, len(pairs), task["fewest_seeds"], design)
    inconclusive = [p for p in still_open if not p["reason"]]
    if len(inconclusive) <= 3:
        lines += [p["sentence"] for p in inconclusive]
    else:
        lines.append(gathered(inconclusive, names))
    withheld: dict[str, list[str]] = {}
    for pair in pairs:
        if pair["verdict"] == "withheld":
            withheld.setdefault(pair["reason"] or "", []).append(pair["name"])
    return lines + [f"Withheld, because {why}: {few(named)}." for why, named in withheld.items()]


def gathered(pairs: Sequence[Dict], names: Mapping[int, str]) -> str:
    """Return many inconclusive pairs in one sentence."""
    others = {pair["b"] for pair in pairs}
    if len(pairs) > MOST_GATHERED:
        which = f"{len(pairs)} comparisons, among them {pairs[0]['name']}"
    elif len(others) == 1:
        which = f"{', '.join(names[pair['a']] for pair in pairs)} against {names[others.pop()]}"
    else:
        which = "; ".join(pair["name"] for pair in pairs)
    if pairs[0].get("look"):
        following = {next_look(pair["look"]) for pair in pairs}
        return f"Inconclusive: {which}{following.pop() if len(following) == 1 else ''}."
    needed = [pair["seeds_needed"] for pair in pairs if pair["seeds_needed"] is not None]
    sentence = f"Inconclusive: {which}"
    if needed:
        more = max(needed) - min(pair["n"] for pair in pairs)
        sentence += f". About {max(1, more)} more seeds would settle all of them"
    return f"{sentence}."
