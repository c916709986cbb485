"""The tables of the report alone: every number, failures, ranks, factors, tuning, health."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.comparison.formats import (
    NOTHING,
    count,
    percent,
    probability,
    short,
    unit_of,
    unit_of_metric,
)
from experiments.comparison.lookups import Dict, joined, names_of, thing_of
from experiments.comparison.pair_tests import pair_test
from experiments.comparison.report.table import VERDICT, Cell, Table, numbers, texts
from experiments.comparison.report.verdict_tables import (
    CHANCES,
    LOOK,
    compared_cells,
    look_of,
)


def every_number(verdict: Dict, task: Dict) -> Table:
    """Return what else is known of each comparison of a task."""
    unit = unit_of(verdict, task)
    columns = texts("comparison")
    thing = thing_of(task)
    columns += numbers(f"{thing}s", "difference", "sd of differences", f"correlation by {thing}")
    columns += numbers(pair_test(task).equivalence, "p", pair_test(task).p)
    columns += numbers("better on a fresh seed" if thing == "seed" else "better on so many folds")
    columns += [VERDICT, *numbers("would settle it", "detectable")]
    columns += [*texts(LOOK), *numbers("level spent")] if task.get("looks") else []
    columns += texts("reason")
    rows: list[list[Cell]] = []
    for p in task["pairs"]:
        chance = with_ends(p["superiority"], p["superiority_interval"])
        seeds = f"{p['seeds_needed']} seeds" if p["seeds_needed"] else NOTHING
        row = [p["name"], p["n"], unit.change(p["difference"]), unit.bare(p["sd"])]
        row += [p["correlation"], unit.changes(p["interval90"]), probability(p["p"])]
        row += [probability(p["p_holm"]), chance, p["verdict"], seeds]
        row += [unit.bare(p["detectable"]), *at_its_look(p, bool(task.get("looks")))]
        rows.append([*row, p["reason"] or NOTHING])
    title = "Every number of the comparisons"
    return Table(title + " (differences in points)" * unit.is_points, columns, rows)


def at_its_look(pair: Dict, has_looks: bool) -> list[Cell]:
    """Return the look of a pair, and what it may have spent by then; without looks nothing."""
    if not has_looks:
        return []
    spent = (pair.get("look") or {}).get("spent")
    return [look_of(pair), NOTHING if spent is None else f"{spent:.2g}"]


def with_ends(share: float | None, interval: Sequence[float] | None) -> str:
    """Return a share of one in percent, with its interval.

    >>> with_ends(0.6, [0.2, 0.9]), with_ends(None, None)
    ('60 % [20, 90]', '–')
    """
    if share is None or interval is None:
        return percent(share)
    return f"{percent(share)} [{', '.join(f'{end * 100:.3g}' for end in interval)}]"


def failures(task: Dict) -> Table:
    """Return which runs failed and how often each setting does."""
    rows: list[list[Cell]] = []
    for s in task["settings"]:
        if s["failures"]:
            reasons = [f"seed {seed}: {why}" for seed, why in s["failures"].items()]
            rate = with_ends(s["failure_rate"], s["failure_interval"])
            rows.append([s["name"], rate, reasons])
    columns = [*texts("setting"), *numbers("rate, 95 % interval"), *texts("seeds")]
    return Table("Failures: counted, never dropped", columns, rows)


def ranks_against_control(verdict: Dict) -> Table:
    names = names_of(verdict)
    rows = [
        [names[e["setting"]], e["z"], probability(e["p"]), probability(e["p_holm"])]
        for e in verdict["several_tasks"]["against_control"]
    ]
    columns = [*texts("setting"), *numbers("z", "p", "p (Holm)")]
    return Table("Ranks against the control", columns, rows)


def interquartile_means(verdict: Dict) -> Table:
    """Return the interquartile mean of each setting over all tasks."""
    unit, names = unit_of_metric(verdict["design"]["metric"]), names_of(verdict)
    rows = [
        [names[e["setting"]], unit.value(e["value"]), unit.interval(e["interval"])]
        for e in verdict["several_tasks"]["iqm"]
    ]
    columns = [*texts("setting"), *numbers("interquartile mean", "95 % interval")]
    return Table("Interquartile means over all tasks", columns, rows)


def main_effects(verdict: Dict) -> Table:
    unit = unit_of_metric(verdict["design"]["metric"])
    rows = [
        [f"{e['factor']}: {e['level']}", e["against"], e["n"], *compared_cells(unit, e)]
        for e in verdict["matrix"]["main"]
    ]
    things = f"{verdict['matrix'].get('thing', 'seed')}s"
    columns = texts("level", "against")
    columns += numbers(things, "difference", "interval", "p (Holm)", CHANCES)
    return Table("Main effects, averaged over the other factor", [*columns, VERDICT], rows)


def interaction_cells(verdict: Dict) -> Table:
    """Return what each cell of two factors is beyond the sum of its effects."""
    unit = unit_of_metric(verdict["design"]["metric"])
    rows = []
    for e in verdict["matrix"]["interaction"]["cells"]:
        row = [", ".join(e["levels"]), unit.change(e["difference"]), unit.changes(e["interval"])]
        rows.append([*row, probability(e["p"]), probability(e["p_holm"])])
    columns = [*texts("cell"), *numbers("beyond the sum of its effects", "interval")]
    return Table("Interaction, cell by cell", [*columns, *numbers("p", "p (Holm)")], rows)


def variance_shares(verdict: Dict) -> Table:
    """Return how much of the variance each factor, their interaction and the seed explain."""
    shares = verdict["matrix"]["shares"] or {}
    rows = [[name, percent(share)] for name, share in shares.items()]
    return Table("Shares of the variance", [*texts("source"), *numbers("share")], rows)


def sensitivity_table(verdict: Dict) -> Table:
    sensitivity = verdict["sensitivity"]
    unit = unit_of_metric(sensitivity["metric"])
    rows = []
    for s in sensitivity["settings"]:
        gain = unit.change(s["tuned_minus_default"])
        rows.append([str(s["name"]), s["best"], s["decades_within_1_point"], gain])
    columns = numbers("best", "decades within 1 point of it", "tuned minus default")
    title = f"How finely {sensitivity['key']} has to be tuned"
    return Table(title, [*texts("setting"), *columns], rows)


def tuning_table(verdict: Dict) -> Table:
    """Return what tuning chose for each setting, and whether it was enough."""
    rows = []
    for task in verdict["tasks"]:
        unit = unit_of(verdict, task)
        for s in task["settings"]:
            if not (tuned := s["tuned"]):
                continue
            name = f"{task['name']}: {s['name']}" if len(verdict["tasks"]) > 1 else s["name"]
            default = (tuned["default"] or {}).get("score")
            scores = [unit.value(tuned["score"]), unit.value(default)]
            reasons = [f"on the edge: {joined(tuned['on_edge'], ', ')}"] if tuned["on_edge"] else []
            reasons += ["still climbing"] if tuned["still_climbing"] else []
            why = ", ".join(reasons)
            enough = f"undertuned ({why})" if tuned["undertuned"] else why or "enough"
            rows.append([name, assignments(tuned["values"]), *scores, enough])
    columns = [*texts("setting", "chosen"), *numbers("validation score", "untuned default")]
    return Table("What tuning chose", [*columns, *texts("was it enough?")], rows)


def price_table(verdict: Dict) -> Table:
    """Return what some numbers of trials can be expected to find, and what a trial takes."""
    price = verdict["tuning_price"]
    unit, several = unit_of_metric(price["metric"]), len(price["tasks"]) > 1
    most = max(s["num_trials"] for task in price["tasks"] for s in task["settings"])
    shown = [k for k in (1, 2, 4, 8, 16, 32, 64) if k < most] + [most]
    rows = []
    for task in price["tasks"]:
        for s in task["settings"]:
            name = f"{task['name']}: {s['name']}" if several else str(s["name"])
            best = [s["expected"][k - 1] if k <= s["num_trials"] else None for k in shown]
            row = [name, *map(unit.value, best)]
            enough = NOTHING if s["fewest"] is None else f"{s['fewest']} of {s['num_trials']}"
            row += [] if price["margin"] is None else [enough]
            rows.append([*row, s["failed"], s["seconds_per_trial"]])
    columns = [*texts("setting"), *numbers(*(f"best of {k}" for k in shown))]
    if price["margin"] is not None:
        columns += numbers(f"trials to within {unit.amount(price['margin'])}")
    columns += numbers("trials with a failed run", "seconds a trial")
    return Table("What k trials can be expected to find", columns, rows)


def assignments(values: Dict) -> str:
    return ", ".join(f"{key}={short(value)}" for key, value in values.items())


def settings_details(verdict: Dict) -> Table:
    """Return what each setting is: size, time, and its values of the configuration."""
    columns = texts("setting", "task")
    columns += numbers("parameters", "of them in the activation", "steps")
    columns += numbers("seconds of training", "seconds in all")
    rows = []
    for task in verdict["tasks"]:
        for s in task["settings"]:
            row = [s["name"], task["name"], count(s["num_parameters"])]
            row += [count(s["num_activation_parameters"]), count(s["steps"])]
            row += [s["train_seconds"], s["seconds"], assignments(s["config"])]
            rows.append([*row, s["identity"] or NOTHING])
    return Table("What each setting is", [*columns, *texts("configuration", "identity")], rows)


def health_tables(verdict: Dict) -> list[Table]:
    """Return what diagnostics measured, by layer and of the whole network, where they did."""
    tables = []
    for key in ("by layer", "of the whole network"):
        if entries := verdict["health"].get(key):
            headings = list(dict.fromkeys(str(heading) for entry in entries for heading in entry))
            rows = [[entry.get(heading) for heading in headings] for entry in entries]
            tables.append(Table(key.capitalize(), texts(*headings), rows))
    return tables
