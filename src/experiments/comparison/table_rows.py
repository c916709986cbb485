"""The rows of the verdict's tables as plain text, before any markup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.comparison.contents import against_control, best, by_mean, joined
from experiments.comparison.formats import Unit, count, percent, probability, unit_of

Dict = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of text, before any markup.

    Args:
        title: what it is of; empty for the only one.
        headings: one for each column.
        rows: their cells.
        bold: the indices of the rows that the verdict calls best.
        groups: heading and width of each group of columns, empty without groups.
    """

    title: str
    headings: list[str]
    rows: list[list[str]]
    bold: frozenset[int] = frozenset()
    groups: tuple[tuple[str, int], ...] = ()


def mean_and_sd(unit: Unit, setting: Dict) -> str:
    """Return mean ± standard deviation of a setting."""
    if setting["sd"] is None:
        return unit.bare(setting["mean"])
    return f"{unit.bare(setting['mean'])} ± {unit.bare(setting['sd'])}"


def seeds_of(setting: Dict) -> str:
    """Return how many seeds a setting has, and how many of them failed."""
    number = len(setting.get("failures") or {})
    return f"{setting['n']} ({number} failed)" if number else str(setting["n"])


def with_unit(heading: str, unit: str) -> str:
    """Return a heading with the unit of its column."""
    return f"{heading} ({unit})" if unit else heading


def compared_cells(unit: Unit, pair: Dict | None) -> list[str]:
    """Return difference, interval, p and verdict; of the control itself, that it is."""
    if pair is None:
        return ["", "", "", "control"]
    return [
        unit.change(pair["difference"]),
        unit.changes(pair["interval"]),
        probability(pair["p_holm"]),
        pair["verdict"],
    ]


def settings_table(verdict: Dict, task: Dict) -> Table:
    """Return the table of a task: a row for each setting, the best mean first."""
    unit, pairs = unit_of(verdict, task), against_control(task)
    settings = by_mean(verdict, task)
    headings = ["setting", "parameters", "seeds", with_unit("mean ± sd", unit.sign)]
    headings += ["95 % interval"]
    if pairs:
        level = next(iter(pairs.values()))["level"]
        headings += [with_unit("difference", unit.of_differences), f"{percent(level)} interval"]
        headings += ["p (Holm)", "verdict"]
    rows = []
    for setting in settings:
        row = [str(setting["name"]), count(setting["num_parameters"]), seeds_of(setting)]
        row += [mean_and_sd(unit, setting), unit.interval(setting["interval"])]
        rows.append(row + (compared_cells(unit, pairs.get(setting["id"])) if pairs else []))
    bold = frozenset(i for i, setting in enumerate(settings) if setting["id"] == best(task))
    return Table(task["name"], headings, rows, bold)


def pairs_table(verdict: Dict, task: Dict) -> Table:
    """Return the table of every pair of a task, for comparisons without a control."""
    unit = unit_of(verdict, task)
    level = next((percent(pair["level"]) for pair in task["pairs"]), "")
    headings = ["pair", "seeds", with_unit("difference", unit.of_differences)]
    headings += [f"{level} interval", "p (Holm)", "verdict"]
    rows = [[p["name"], str(p["n"]), *compared_cells(unit, p)] for p in task["pairs"]]
    return Table(f"{task['name']}, pairs", headings, rows)


def overview(verdict: Dict) -> Table:
    """Return several tasks side by side: a row for each setting, a group of columns a task."""
    names = list(dict.fromkeys(s["name"] for task in verdict["tasks"] for s in task["settings"]))
    rows = {name: [str(name)] for name in names}
    headings, groups = ["setting"], [("", 1)]
    for task in verdict["tasks"]:
        unit, pairs = unit_of(verdict, task), against_control(task)
        headings += [with_unit("mean ± sd", unit.sign)]
        headings += [with_unit("difference", unit.of_differences), "verdict"] if pairs else []
        groups.append((task["name"], 3 if pairs else 1))
        found = {s["name"]: s for s in task["settings"]}
        for name in names:
            setting = found.get(name)
            row = [mean_and_sd(unit, setting) if setting else "–"]
            if pairs:
                cells = compared_cells(unit, pairs.get(setting["id"])) if setting else ["–"] * 4
                row += [cells[0], cells[3]]
            rows[name] += row
    return Table("All tasks", headings, list(rows.values()), groups=tuple(groups))


def tables_of(verdict: Dict) -> list[Table]:
    """Return every table of a verdict: the overview of several tasks, then each task's own."""
    tables = [overview(verdict)] if len(verdict["tasks"]) > 1 else []
    for task in verdict["tasks"]:
        tables.append(settings_table(verdict, task))
        if task["pairs"] and not against_control(task):
            tables.append(pairs_table(verdict, task))
    return tables


def metric_and_delta(verdict: Dict) -> str:
    """Return metric, control and the smallest difference that matters, in one sentence."""
    design = verdict["design"]
    unit = Unit(design["unit"] == "points", 2)
    control = f", against {joined(design['control'], ', ')}" if design.get("control") else ""
    known = design.get("delta") is not None
    delta = f"; a difference of {unit.amount(design['delta'])} or more matters" if known else ""
    return f"{design['metric']} by {joined(design['factor'])}{control}{delta}."
