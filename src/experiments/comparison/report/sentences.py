"""Sentences of the verdict that several writers put around its tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from experiments.comparison.formats import NOTHING, probability, short, unit_of_metric
from experiments.comparison.lookups import Dict, joined
from experiments.comparison.pair_tests import PAIR_TESTS, tests_of
from experiments.config.schema import SIGN_FLIP
from experiments.errors.wording import few

BOLD = "Bold: beats each of the others by the verdict."
CONFOUNDS = {
    "withholding": "Withholds the verdict",
    "listed": "Differs, but alike in what is compared",
    "allowed": "Allowed to differ by name",
}
"""The kinds of confounds, and the words above each."""
SOURCES = {
    "declared": "declared in the sweep's own file",
    "typed": "typed with the command of the comparison",
    "default": "a default; nothing was declared",
}
"""Where a design comes from."""


def what_is_compared(verdict: Dict) -> str:
    design = verdict["design"]
    control = f", against {joined(design['control'], ', ')}" if design["control"] else ""
    return f"{design['metric']} by {joined(design['factor'])}{control}"


def what_matters(verdict: Dict) -> str:
    return unit_of_metric(verdict["design"]["metric"]).amount(verdict["design"]["delta"])


def metric_and_delta(verdict: Dict) -> str:
    """Return metric, control and the smallest difference that matters, in one sentence."""
    has_delta = verdict["design"]["delta"] is not None
    delta = f"; a difference of {what_matters(verdict)} or more matters" if has_delta else ""
    return f"{what_is_compared(verdict)}{delta}."


def how_compared(verdict: Dict) -> str:
    """Return in one sentence how the numbers of a table came about."""
    design = verdict["design"]
    pairs = "with the control" if design["control"] else "of all pairs"
    spoke = tests_of(verdict)
    parts = []
    for name, tasks in spoke.items():
        interval, p = PAIR_TESTS[name].how(design["alpha"], design["family"], pairs)
        parts.append(f"with {interval}; p is that of {p}" + f" ({few(tasks)})" * (len(spoke) > 1))
    over, by, kind = "seeds", "seed", "t"
    if has_folds(verdict):
        over, by, kind = "folds", "fold and seed", "corrected"
    return (
        f"Mean ± standard deviation over {over} with its {kind} 95 % interval; differences are "
        f"paired by {by}, {', or '.join(parts)}. {what_chances_are(verdict)}"
    )


def what_chances_are(verdict: Dict) -> str:
    """Return in one sentence what the three chances beside a verdict are of."""
    of = "better, alike, worse"
    if verdict["design"].get("delta") is not None:
        of = f"better by more than {what_matters(verdict)}, within that, worse by more"
    given = "folds" if has_folds(verdict) else "seeds"
    return f"Chances given these {given}: {of} (Student's t about the mean difference, flat prior)."


def has_folds(verdict: Dict) -> bool:
    return any(task.get("folds") for task in verdict.get("tasks", ()))


def of_the_folds(task: Dict) -> list[str]:
    """Return what a task's cross validation is, in a sentence; nothing for none."""
    folds = task.get("folds")
    if not folds:
        return []
    cuts = f", each of {folds['cuts']} cuts" if folds["cuts"] > 1 else ""
    seeds = f", with {folds['seeds_of_each']} seeds each" if folds["seeds_of_each"] > 1 else ""
    return [
        f"Cross validation: {folds['splits']} of {folds['number'] * folds['cuts']} folds{cuts}"
        f"{seeds}, which test {folds['num_tested']:,} points, each once; a fold has "
        f"{folds['overlap']:.3g} times as many points as are trained on without it."
    ]


def of_the_test_set(task: Dict) -> list[str]:
    """Return what the test set itself leaves open, where it is known.

    Intervals over seeds are conditional on the test set; this is the spread of another one.
    """
    error, num_test = task["test_standard_error"], task["num_test"]
    if error is None or not num_test:
        return of_the_folds(task)
    return [
        f"All this is about these {num_test:,} test points: with others, a mean would vary by a "
        f"binomial standard error of {error * 100:.2f} points."
    ]


def what_withheld(verdict: Dict) -> list[str]:
    """Return one sentence for each verdict that was withheld: the comparison and why."""
    several = len(verdict["tasks"]) > 1
    return [
        f"{task['name'] + ': ' if several else ''}{pair['name']}: "
        f"{pair['reason'] or 'no reason was recorded'}"
        for task in verdict["tasks"]
        for pair in task["pairs"]
        if pair["verdict"] == "withheld"
    ]


def gaps(verdict: Dict) -> dict[str, Sequence[str]]:
    """Return by its title what was withheld and why, and what is missing, unread or left out."""

    def folders(key: str) -> list[str]:
        return [f"{entry['folder']}: {entry['reason']}" for entry in verdict[key]]

    return {
        "Withheld": what_withheld(verdict),
        "Missing": verdict["missing"],
        "Could not be read": folders("unread"),
        "Left out": folders("excluded"),
    }


def facts(verdict: Dict) -> list[str]:
    """Return when a comparison was made, and of how much."""
    words = [moment(verdict["made_at"]), f"{len(verdict['runs']):,} runs"]
    seeds = {len(task["seeds_used"]) for task in verdict["tasks"]}
    if seeds:
        ends = "–".join(str(n) for n in sorted({min(seeds), max(seeds)}))
        words.append(f"{ends} seed{'' if seeds == {1} else 's'}")
    if folds := {task["folds"]["splits"] for task in verdict["tasks"] if task.get("folds")}:
        words.append(f"{'–'.join(str(n) for n in sorted({min(folds), max(folds)}))} folds")
    if verdict["design"]["delta"] is not None:
        words.append(f"differences of {what_matters(verdict)} or more matter")
    return words


def how_many_gaps(verdict: Dict) -> list[str]:
    """Return how much is missing, unread and left out, each if there is any."""
    phrases = {
        "missing": "runs are missing in {} place{}",
        "unread": "{} folder{} could not be read",
        "excluded": "{} run{} left out",
    }
    return [
        phrase.format(len(verdict[key]), "" if len(verdict[key]) == 1 else "s")
        for key, phrase in phrases.items()
        if verdict[key]
    ]


def friedman(verdict: Dict) -> str:
    test = verdict["several_tasks"]["friedman"]
    words = f"Friedman: χ² = {short(test['statistic'])}, p {equals(test['p'])}"
    return f"{words}; Iman and Davenport: F = {short(test['f'])}, p {equals(test['f_p'])}."


def equals(p: float | None) -> str:
    """Return a p value behind its letter.

    >>> equals(0.0001), equals(0.04)
    ('< 0.001', '= 0.040')
    """
    text = probability(p)
    return text if text.startswith("<") else f"= {text}"


def declared_design(verdict: Dict) -> dict[str, str | Sequence[str]]:
    """Return what was declared before the comparison."""
    design = verdict["design"]
    better = "higher" if design["higher_is_better"] else "lower"
    return {
        "factor": joined(design["factor"]),
        "control": joined(design["control"], ", ") or "none: all pairs",
        "metric": f"{design['metric']}, {better} is better",
        "smallest difference that matters": what_matters(verdict),
        "comparisons": f"{design['family']} ({design['comparisons']}), alpha {design['alpha']:g}",
        "test": design.get("test", SIGN_FLIP),
        **declared_looks(design),
        "protocol": design["protocol"],
        "allowed to differ": joined(design.get("allow") or None, ", ") or "nothing else",
        "seeds": joined(design["seeds"], ", ") or NOTHING,
        "declared": moment(design["declared_at"]) if design["declared_at"] else NOTHING,
        "source": SOURCES.get(design["source"], design["source"]),
        "changed since": design["changes"] or "nothing",
    }


def declared_looks(design: Dict) -> dict[str, str]:
    """Return the looks that were declared with the design; nothing where there were none."""
    if not design.get("looks"):
        return {}
    return {"looks": f"at {joined(design['looks'], ', ')} seeds, spending {design['spending']}"}


def moment(text: str) -> str:
    """Return a time of ISO 8601 as a person writes it, or the text if it is none.

    >>> moment("2026-11-27T09:30:00+00:00")
    '27 November 2026, 09:30 UTC'
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = f" {time.tzname()}" if time.tzinfo else ""
    return f"{time.day} {time:%B %Y, %H:%M}{zone}"
