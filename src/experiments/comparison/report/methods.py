"""The paragraph on methods, for a paper: design, seeds, tests, corrections, versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from experiments.comparison.formats import percent, unit_of_metric
from experiments.comparison.lookups import Dict, joined
from experiments.comparison.pair_tests import CORRECTED, PAIR_TESTS, SEQUENTIAL, tests_of
from experiments.comparison.statistics.permutation import MOST_EXACT, is_exact
from experiments.comparison.words import counted
from experiments.config.schema import OBRIEN_FLEMING, POCOCK, SIGN_FLIP
from experiments.errors.commands import named_version


def methods(verdict: Dict) -> str:
    """Return how a comparison was made, as one paragraph that cites what it rests on."""
    sentences = [
        *of_the_design(verdict),
        *of_tuning(verdict),
        *of_the_tests(verdict),
        *of_test_points(verdict),
        *of_two_factors(verdict),
        *of_failures(verdict),
        *of_several_tasks(verdict),
        *of_steps(verdict),
        of_versions(verdict["environment"]),
    ]
    return " ".join(sentences)


def of_the_design(verdict: Dict) -> list[str]:
    """Return what was compared, on which data and seeds."""
    design, tasks = verdict["design"], verdict["tasks"]
    names = {str(s["name"]) for task in tasks for s in task["settings"]}
    control = f" with {joined(design['control'], ', ')} as the control" if design["control"] else ""
    data = joined([task["name"] for task in tasks], ", ")
    declared = {"declared": "declared before the runs", "default": "not declared"}
    how = declared.get(design["source"], "chosen with the comparison")
    lines = [
        f"We compared {len(names)} settings of {joined(design['factor'], ' and ')}{control} by "
        f"{design['metric']} on {data}; factor, control and metric were {how}."
    ]
    if folds := next((task["folds"] for task in tasks if task.get("folds")), None):
        return [*lines, of_the_cuts(folds)]
    seeds = {s["n"] for task in tasks for s in task["settings"]}
    if seeds:
        ends = " to ".join(str(n) for n in sorted({min(seeds), max(seeds)}))
        lines.append(
            f"Every setting was trained with {ends} seed{'s' * (seeds != {1})}; a seed fixes "
            "initial weights, batch order and dropout alike for all settings, so that differences "
            "are paired by seed (Bouthillier et al. 2021)."
        )
    return lines


def of_the_cuts(folds: Dict) -> str:
    """Return how a cross validation was made."""
    again = f", {folds['cuts']} times with other cuts" if folds["cuts"] > 1 else ""
    seeds = folds["seeds_of_each"]
    several = f"{seeds} seeds, whose mean counts" if seeds > 1 else "one seed"
    return (
        f"Settings were cross-validated on {folds['number']} folds, stratified by class where "
        f"there are classes{again}; every fold was tested by runs that trained and validated on "
        f"the others, with {several}, and differences are paired by fold and seed."
    )


def of_tuning(verdict: Dict) -> list[str]:
    if verdict["design"]["protocol"] != "tuned":
        return []
    drawn = ""
    if keys := drawn_keys(verdict):
        drawn = (
            " Beside a setting's own values, its trials were the same points as all others', of a "
            f"randomised Halton sequence (Owen 2017) over the ranges of {' and '.join(keys)}."
        )
    price = (
        " The expected best of k trials is that of draws without replacement from the trials that "
        "were made (Dodge et al. 2019, Tang et al. 2020)."
    )
    return [
        "Each setting was tuned first, with the same number of trials over its own search space "
        "and on the same tuning seeds, by its mean validation score; the selected values ran again "
        "on fresh seeds, and only these met the test set and are reported (Schneider et al. 2019)."
        + drawn
        + price * bool(verdict.get("tuning_price"))
    ]


def drawn_keys(verdict: Dict) -> list[str]:
    """Return the keys whose values tuning has drawn from ranges; none for a grid."""
    tuned = [s["tuned"] for task in verdict["tasks"] for s in task["settings"] if s["tuned"]]
    spaces = [space for own in tuned if (space := own.get("space"))]
    drawn = [space["ranges"] for space in spaces if space["by"] != "grid"]
    return list(dict.fromkeys(key for ranges in drawn for key in ranges))


def of_the_tests(verdict: Dict) -> list[str]:
    """Return how differences are tested and when they are called what they are called."""
    design, tests = verdict["design"], tests_of(verdict)
    alpha = design["alpha"]
    folds = next((task["folds"] for task in verdict["tasks"] if task.get("folds")), None)
    lines = [
        f"We report means and standard deviations over seeds with t {percent(1 - alpha)} intervals."
    ]
    if folds:
        lines = [over_folds(folds, alpha)]
    for name, tasks in tests.items():
        where = f"On {joined(tasks, ', ')}, d" if len(tests) > 1 else "D"
        lines.append(f"{where}ifferences were tested by {TESTED[name](verdict, name)}.")
    matters, words = "", f"p is below {alpha:g}"
    if design["delta"] is not None:
        matters = unit_of_metric(design["metric"]).amount(design["delta"])
        words += f" and its mean is {matters} or more"
    lines.append(f"A difference is claimed where {words}.")
    if matters:
        which = " or ".join(dict.fromkeys(PAIR_TESTS[name].inside for name in tests))
        lines.append(
            f"Two settings are called equivalent where {which} lies within \u00b1{matters} (two "
            "one-sided tests at 5 %, Schuirmann 1987)."
        )
    region = f"\u00b1{matters}" if matters else "zero"
    lines.append(
        f"Beside each verdict stand the probabilities that the mean difference lies above, within "
        f"and below {region}, by the posterior of a Bayesian t-test with flat priors (Benavoli et "
        "al. 2017), which decided nothing."
    )
    return lines


def by_sign_flips(verdict: Dict, name: str) -> str:
    """Return how each pair was tested by itself, and why, where another test was declared."""
    most = max((pair["n"] for task in verdict["tasks"] for pair in task["pairs"]), default=0)
    kind = "exact" if is_exact(most) else "Monte Carlo"
    return f"{kind} {PAIR_TESTS[name].cited}{adjusted_by_holm(verdict, 't')}{in_place_of(verdict)}"


def by_corrected_t(verdict: Dict, name: str) -> str:
    """Return how pairs were tested over folds."""
    cuts = max(task["folds"]["cuts"] for task in verdict["tasks"] if task.get("folds"))
    repeats = ", of repeats with K as of one (unlike Bouckaert and Frank 2004)" * (cuts > 1)
    adjusted = adjusted_by_holm(verdict, "corrected")
    return f"{PAIR_TESTS[name].cited}{repeats}{adjusted}{in_place_of(verdict)}"


def adjusted_by_holm(verdict: Dict, kind: str) -> str:
    alpha, family = verdict["design"]["alpha"], verdict["design"]["family"]
    if family == 1:
        return ""
    at = f"their {kind} intervals are at 1 - {alpha:g}/{family}"
    return f", adjusted over {family} comparisons (Holm 1979); {at}"


def in_place_of(verdict: Dict) -> str:
    """Return which test was declared and says nothing, and why; nothing where there is none."""
    silent = [task for task in verdict["tasks"] if (task.get("pooled") or {}).get("silent")]
    if not silent:
        return ""
    whose = PAIR_TESTS[silent[0]["pooled"]["test"]].cited
    reasons = dict.fromkeys(task["pooled"]["silent"] for task in silent)
    return f", in place of {whose}, which was declared: {'; '.join(reasons)}"


def by_pooled_error(verdict: Dict, name: str) -> str:
    """Return how all settings of a sweep were tested by the error that they share."""
    alpha, family = verdict["design"]["alpha"], verdict["design"]["family"]
    pooled = [task["pooled"] for task in verdict["tasks"] if task.get("test") == name]
    df = joined([f"{number:g}" for number in sorted({own["df"] for own in pooled})], " and ")
    rule = pooled[0]["rule"]
    return (
        f"{PAIR_TESTS[name].cited} of {counted(family, 'comparison')}, declared before the runs, "
        "with one error variance of all settings from the additive model of setting and seed "
        f"({df} degrees of freedom); their intervals are simultaneous at {percent(1 - alpha)}. "
        "Equal spread and normal tails were looked at by the largest share of a setting in the "
        "squared residuals and by the largest residual, each with a Monte Carlo p under normal "
        f"errors, which were not below {rule['spread']:g} and {rule['tail']:g}"
    )


def by_looks(verdict: Dict, name: str) -> str:
    """Return how pairs were tested at looks that were declared, as long as they were open."""
    design, looks = verdict["design"], verdict["design"]["looks"]
    kind = "exact" if is_exact(looks[-1]) else f"exact (to {MOST_EXACT} seeds, then Monte Carlo)"
    at = ", ".join(map(str, looks[:-1]))
    at = f"{at} and {looks[-1]}" if at else str(looks[-1])
    holm = ", with Holm's step-down at each of them (Holm 1979; Ye et al. 2013)"
    level = f"1 - {design['alpha']:g}/{design['family']}"
    level = level if design["family"] > 1 else percent(1 - design["alpha"])
    return (
        f"{kind} {PAIR_TESTS[name].cited} at {at} seeds, which were declared before the runs: the "
        "limit of each look is from the joint distribution of all signs given the absolute "
        f"differences so far, and alpha is spent by {SPENDS[design['spending']]} (Lan and DeMets "
        f"1983){holm if design['family'] > 1 else ''}. A comparison that was settled was judged no "
        f"more; intervals are repeated ones at {level} over all looks (Jennison and Turnbull 1989)"
    )


SPENDS = {
    OBRIEN_FLEMING: "the function of O'Brien and Fleming's kind",
    POCOCK: "the function of Pocock's kind",
}
TESTED: dict[str, Callable[[Dict, str], str]] = {
    SIGN_FLIP: by_sign_flips,
    CORRECTED: by_corrected_t,
    SEQUENTIAL: by_looks,
    "dunnett": by_pooled_error,
    "tukey": by_pooled_error,
}
"""How differences were tested, by the test that spoke."""


def over_folds(folds: Dict, alpha: float) -> str:
    return (
        "We report means and standard deviations over folds; since folds share training points, "
        f"the variance of a mean is taken as (1/K + n_test/n_train) s\u00b2 in its "
        f"{percent(1 - alpha)} intervals and in all tests, with K = {folds['number']}, "
        f"n_test/n_train = {folds['overlap']:.3g}, and {folds['splits'] - 1} degrees of freedom."
    )


def of_test_points(verdict: Dict) -> list[str]:
    """Return how intervals that hold for other test points too were made, where there are any."""
    points = [task.get("test_points") or {"pairs": []} for task in verdict["tasks"]]
    if not any(pair["interval"] for own in points for pair in own["pairs"]):
        return []
    return [
        "Intervals for other test points too treat seeds and points as crossed random effects of "
        "the differences of single points (Owen 2007), by the mean squares of an analysis of "
        "variance with Satterthwaite's degrees of freedom (Satterthwaite 1946)."
    ]


def of_two_factors(verdict: Dict) -> list[str]:
    if verdict["matrix"] is None or not verdict["matrix"]["main"]:
        return []
    is_cut = verdict["matrix"].get("thing") == "fold"
    how = "they were tested likewise" if is_cut else "signs of whole seeds were flipped"
    return [
        "Main effects are differences averaged over the other factor, and the interaction is what "
        f"combinations gain beyond the sum of both; {how}, and each "
        "family of effects was adjusted by itself (Holm 1979)."
    ]


def of_failures(verdict: Dict) -> list[str]:
    """Return how failed runs count, and how many there were."""
    number = sum(len(s["failures"]) for task in verdict["tasks"] for s in task["settings"])
    total = len(verdict["runs"])
    return [
        f"Runs that diverged or were no better than guessing count as failures ({number} of "
        f"{total:,}) and were not dropped: an accuracy counts as that of guessing at most, any "
        "other score ranks last; intervals of failure rates are exact (Clopper and Pearson 1934)."
    ]


def of_several_tasks(verdict: Dict) -> list[str]:
    if not verdict["several_tasks"]:
        return []
    return [
        f"Over {len(verdict['several_tasks']['tasks'])} data sets, mean scores were ranked and "
        "compared by Friedman's test and Nemenyi's critical difference (Dem\u0161ar 2006), and "
        "interquartile means have stratified bootstrap intervals (Agarwal et al. 2021)."
    ]


def of_steps(verdict: Dict) -> list[str]:
    if not verdict["steps_to_target"]:
        return []
    steps = verdict["steps_to_target"]
    return [
        f"Steps to a target are the optimizer steps until {steps['metric']} reaches the median "
        f"best of {steps['of']}; a run that never does counts as infinite (Dahl et al. 2023)."
    ]


def of_versions(environment: Dict) -> str:
    """Return the versions, as far as the records know them."""

    def known(name: str) -> str:
        values: Sequence[str] = environment.get(name) or ()
        return " and ".join(map(str, values)) or "of an unrecorded version"

    commit = f", commit {known('commit')}," if environment.get("commit") else ""
    return (
        f"Runs were made with PyTorch {known('torch')} (Paszke et al. 2019) and Lightning "
        f"{known('lightning')} (Falcon et al. 2019){commit} on {known('device')}, and compared by "
        f"{named_version()}."
    )
