"""What the pooled error of a sweep assumes, and how far its residuals bear that out, in words."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.comparison.blocks import block_words
from experiments.comparison.formats import Unit, percent, probability, unit_of
from experiments.comparison.lookups import Dict
from experiments.comparison.words import counted
from experiments.errors.wording import few


def what_is_assumed(verdict: Dict, task: Dict) -> list[str]:
    """Return in a line what a pooled test that speaks, or one with looks, rests on; nothing for
    another test.
    """
    pooled = task.get("pooled")
    if task.get("looks"):
        return [what_looks_are(task["looks"], verdict["design"]["alpha"])]
    if not pooled or pooled["silent"]:
        return []
    names = {setting["id"]: str(setting["name"]) for setting in task["settings"]}
    unit = unit_of(verdict, task)
    lines = [what_the_error_is(pooled, unit), *how_borne_out(pooled, names)]
    if pooled["left_out"]:
        lines.append(f"Left out, as not all settings have it: {block_words(pooled['left_out'])}.")
    return [" ".join(lines)]


def what_looks_are(looks: Dict, alpha: float) -> str:
    """Return at which numbers of seeds a sweep was to be judged, and what each may have spent.

    >>> looks = {"seeds": [6, 12], "spent": [0.006, 0.05], "spending": "obrien_fleming"}
    >>> what_looks_are(looks, 0.05)[:69]
    'Looks were declared at 6 and 12 seeds, which may have spent 0.6 and 5'
    """
    sizes, spent = (
        f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
        for words in ([str(n) for n in looks["seeds"]], [f"{s:.2g}" for s in in_percent(looks)])
    )
    return (
        f"Looks were declared at {sizes} seeds, which may have spent {spent} % of the chance of a "
        f"false claim ({looks['spending']}, {percent(alpha)} in all). A comparison is judged by "
        "the seeds of the look that settled it; later ones, which others needed, count in means."
    )


def in_percent(looks: Dict) -> list[float]:
    return [100 * share for share in looks["spent"]]


def what_the_error_is(pooled: Dict, unit: Unit) -> str:
    size = f"{unit.bare(pooled['sd'])}{' points' if unit.is_points else ''}"
    return (
        f"{pooled['test'].capitalize()}'s test takes a score for what its setting and its seed "
        f"give, and a normal error of one spread for all: {size}, known with "
        f"{counted(pooled['df'], 'degree')} of freedom."
    )


def how_borne_out(pooled: Dict, names: dict[int, str]) -> list[str]:
    """Return what the residuals say of it, with p by chance alone."""
    spread, tail = pooled["spread"], pooled["tail"]
    seeds = counted(len(pooled["seeds"]), "seed")
    far = (
        f"the largest is {tail['size']:.1f} of their standard deviations ({names[tail['setting']]} "
        f"with seed {tail['seed']}, p {probability(tail['p'])})"
    )
    wide = "of two settings they say nothing of either's spread, which need not be alike"
    if spread["p"] < 1 and spread["ratio"] is not None:
        wide = (
            f"those of {names[spread['setting']]} are the widest, {spread['ratio']:.1f} times the "
            f"others (p {probability(spread['p'])})"
        )
    rule = (
        f"below {pooled['rule']['spread']:g} of the first p, or {pooled['rule']['tail']:g} of the "
        "second, the test would be silent"
    )
    return [f"As far as the residuals of {seeds} tell: {wide}; {far}; {rule}."]


def why_silent(tasks: Sequence[Dict]) -> list[str]:
    """Return in one sentence for each reason why a declared test says nothing."""
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for task in tasks:
        pooled = task.get("pooled")
        if pooled and pooled["silent"]:
            instead = "corrected resampled t" if task.get("folds") else "exact sign-flip"
            key = pooled["test"], pooled["silent"], instead
            reasons.setdefault(key, []).append(str(task["name"]))
    where = {key: f" on {few(names)}" * (len(tasks) > 1) for key, names in reasons.items()}
    return [
        f"{key[0].capitalize()}'s test was declared and says nothing{where[key]}: {key[1]}. "
        f"The {key[2]} test speaks in its place."
        for key in reasons
    ]
