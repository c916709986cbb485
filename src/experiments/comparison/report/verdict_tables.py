"""The tables of a verdict: of each task, of its pairs, of several tasks, and of raw numbers."""

from __future__ import annotations

from dataclasses import replace

from experiments.comparison.formats import (
    NOTHING,
    Unit,
    chances,
    count,
    percent,
    probability,
    unit_of,
)
from experiments.comparison.lookups import Dict, against_control, best, by_mean, thing_of
from experiments.comparison.pair_tests import pair_test
from experiments.comparison.report.table import VERDICT, Cell, Table, TableColumn, numbers, texts

MEANS = {True: "mean ± sd (%)", False: "mean ± sd"}
DIFFERENCES = {True: "difference (points)", False: "difference"}
"""Headings, by whether a unit is points."""
CHANCES = "chances in %"
LOOK = "settled at"
"""At how many seeds a comparison was settled, where looks were declared."""
OF_LOOKS = ("seeds", "settled", "spent")
"""What files tell of it."""


def tables_of(verdict: Dict) -> list[Table]:
    """Return the tables to publish: the overview of several tasks, then each task's own."""
    tables = [overview(verdict)] if len(verdict["tasks"]) > 1 else []
    for task in verdict["tasks"]:
        tables += task_tables(verdict, task)
    return tables


def task_tables(verdict: Dict, task: Dict) -> list[Table]:
    """Return the table of a task's settings and, without a control, that of its pairs."""
    all_pairs = task["pairs"] and not against_control(task)
    pairs = [pairs_table(verdict, task)] if all_pairs else []
    return [settings_table(verdict, task), *pairs]


def settings_table(verdict: Dict, task: Dict) -> Table:
    """Return the table of a task: a row for each setting, the best mean first."""
    unit, pairs = unit_of(verdict, task), against_control(task)
    settings = by_mean(verdict, task)
    columns = texts("setting")
    columns += numbers("parameters", f"{thing_of(task)}s", MEANS[unit.is_points], "95 % interval")
    if pairs:
        columns += compared_columns(unit, task, next(iter(pairs.values()))["level"])
    rows = []
    for setting in settings:
        row = [str(setting["name"]), count(setting["num_parameters"]), seeds_of(setting)]
        row += [mean_and_sd(unit, setting), unit.interval(setting["interval"])]
        compared = compared_cells(unit, pairs.get(setting["id"]), bool(task.get("looks")))
        rows.append(row + (compared if pairs else []))
    marked = frozenset(i for i, setting in enumerate(settings) if setting["id"] == best(task))
    return Table(task["name"], columns, rows, marked)


def pairs_table(verdict: Dict, task: Dict) -> Table:
    """Return the table of every pair of a task, for comparisons without a control."""
    unit = unit_of(verdict, task)
    columns = [*texts("pair"), *numbers(f"{thing_of(task)}s")]
    columns += compared_columns(unit, task, task["pairs"][0]["level"])
    has_looks = bool(task.get("looks"))
    rows = [[p["name"], str(p["n"]), *compared_cells(unit, p, has_looks)] for p in task["pairs"]]
    return Table(f"{task['name']}, pairs", columns, rows)


def overview(verdict: Dict) -> Table:
    """Return several tasks side by side: a row for each setting, a group of columns a task."""
    names = list(dict.fromkeys(s["name"] for task in verdict["tasks"] for s in task["settings"]))
    columns, rows = texts("setting"), {name: [str(name)] for name in names}
    for task in verdict["tasks"]:
        unit, pairs = unit_of(verdict, task), against_control(task)
        own = numbers(MEANS[unit.is_points])
        if pairs:
            own += [*numbers(DIFFERENCES[unit.is_points]), VERDICT]
        columns += [replace(column, group=task["name"]) for column in own]
        settings = {s["name"]: s for s in task["settings"]}
        for name in names:
            cells = [NOTHING] * len(own)
            if setting := settings.get(name):
                change, *_, word = compared_cells(unit, pairs.get(setting["id"]))
                cells = [mean_and_sd(unit, setting), change, word][: len(own)]
            rows[name] += cells
    return Table("All tasks", columns, list(rows.values()))


def overview_in_short(verdict: Dict) -> Table:
    """Return several tasks side by side in a column each: the mean, and the verdict's mark."""
    whole = overview(verdict)
    columns, cells = [whole.columns[0]], [[row[0]] for row in whole.rows]
    at = 1
    for group, width in whole.groups[1:]:
        columns.append(TableColumn(f"{group}, {whole.columns[at].heading}", "marked"))
        for row, short in zip(whole.rows, cells, strict=True):
            short.append([str(row[at]), str(row[at + width - 1]) if width > 1 else ""])
        at += width
    return Table(whole.title, columns, cells)


def compared_columns(unit: Unit, task: Dict, level: float) -> list[TableColumn]:
    headings = DIFFERENCES[unit.is_points], f"{percent(level)} interval", pair_test(task).p
    looks = texts(LOOK) if task.get("looks") else []
    return [*numbers(*headings, CHANCES), *looks, VERDICT]


def compared_cells(unit: Unit, pair: Dict | None, has_looks: bool = False) -> list[str]:
    """Return difference, interval, p, chances, with looks the one that settled it, and verdict; of
    the control itself, that it is.
    """
    if pair is None:
        return ["", "", "", "", *[""] * has_looks, "control"]
    numbers = [unit.change(pair["difference"]), unit.changes(pair["interval"])]
    numbers += [probability(pair["p_holm"]), chances(pair.get("chances"))]
    return [*numbers, *[look_of(pair)] * has_looks, pair["verdict"]]


def look_of(pair: Dict) -> str:
    """Return at how many seeds a pair was settled, or is judged again.

    >>> look_of({"look": {"settled": True, "seeds": 9}})
    '9'
    >>> look_of({"look": {"settled": False, "next": 12}})
    'next at 12'
    """
    look = pair.get("look")
    if look is None:
        return NOTHING
    if look["settled"]:
        return str(look["seeds"])
    return f"next at {look['next']}" if look["next"] else "open"


def mean_and_sd(unit: Unit, setting: Dict) -> str:
    if setting["sd"] is None:
        return unit.bare(setting["mean"])
    return f"{unit.bare(setting['mean'])} ± {unit.bare(setting['sd'])}"


def seeds_of(setting: Dict) -> str:
    number = len(setting["failures"])
    return f"{setting['n']} ({number} failed)" if number else str(setting["n"])


def raw_numbers(verdict: Dict) -> Table:
    """Return every number as it is: a row for each setting, a group of columns a task.

    Columns of a task are called `TASK/mean` and so on. Where there is no control, each pair has a
    row too; the column `kind` tells them apart.
    """
    settings = [s for task in verdict["tasks"] for s in task["settings"]]
    keys = dict.fromkeys(key for s in settings for key in s["levels"])
    rows: dict[tuple[str, str], dict[str, Cell]] = {}
    for task in verdict["tasks"]:
        pairs, marked = against_control(task), best(task)
        by_point = of_points(task)
        for s in task["settings"]:
            row = rows.setdefault(("setting", s["name"]), dict(s["levels"]))
            cells = {**of_setting(s), **of_pair(pairs.get(s["id"])), "best": s["id"] == marked}
            if pairs.get(s["id"]):
                cells |= by_point.get((s["id"], pairs[s["id"]]["b"]), {})
            row |= {f"{task['name']}/{key}": value for key, value in cells.items()}
        for pair in task["pairs"] if not pairs else []:
            row = rows.setdefault(("pair", pair["name"]), {})
            cells = {**of_pair(pair), "n": pair["n"], **by_point.get((pair["a"], pair["b"]), {})}
            row |= {f"{task['name']}/{key}": value for key, value in cells.items()}
    columns = keys | dict.fromkeys(column for row in rows.values() for column in row)
    lines = [[kind, name, *map(row.get, columns)] for (kind, name), row in rows.items()]
    return Table(verdict["name"], [*texts("kind", "setting"), *numbers(*columns)], lines)


def of_setting(setting: Dict) -> dict[str, Cell]:
    low, high = setting["interval"] or (None, None)
    keys = ("n", "mean", "sd", "median", "low", "high", "num_parameters", "failure_rate")
    values = {key: setting[key] for key in keys}
    return {**values, "interval_low": low, "interval_high": high}


def of_pair(pair: Dict | None) -> dict[str, Cell]:
    """Return the numbers of a comparison, flat; nothing for the control itself."""
    if pair is None:
        return {}
    low, high = pair["interval"] or (None, None)
    keys = ("difference", "level", "p", "p_holm", "superiority", "correlation", "seeds_needed")
    values = {key: pair[key] for key in (*keys, "verdict", "reason")}
    values |= {f"look_{key}": pair["look"][key] for key in OF_LOOKS} if pair.get("look") else {}
    values |= {f"chance_{key}": value for key, value in (pair.get("chances") or {}).items()}
    return {**values, "difference_low": low, "difference_high": high}


def of_points(task: Dict) -> dict[tuple[int, int], dict[str, Cell]]:
    """Return of each comparison the interval for other test points too, where it is known."""
    pairs = (task.get("test_points") or {"pairs": []})["pairs"]
    return {
        (p["a"], p["b"]): {"points_low": p["interval"][0], "points_high": p["interval"][1]}
        for p in pairs
        if p["interval"] is not None
    }
