"""What is said of test points: with others than these, by ensembles, and of those that changed."""

from __future__ import annotations

from experiments.comparison.formats import NOTHING, count, percent, unit_of
from experiments.comparison.lookups import Dict, against_control
from experiments.comparison.report.table import Cell, Table, numbers, texts
from experiments.comparison.report.verdict_tables import DIFFERENCES
from experiments.errors.wording import few, listed

MOST_NAMED = 4
MOST_POINTS = 20
"""Of points that changed, so many are named on the page; verdict.json has more."""


def beyond_these_points(verdict: Dict, task: Dict) -> list[str]:
    """Return in a line what is left of differences on other test points, and what voting gains.

    Nothing where the metric is no mean over points.
    """
    points = task.get("test_points")
    if not points:
        return []
    if points["reason"]:
        return [f"Nothing is said of other test points: {points['reason']}."]
    unit, sentences = unit_of(verdict, task), []
    is_short = bool(against_control(task))
    names, word = called(task), ", in points" if unit.is_points else ""
    told = [p for p in points["pairs"] if p["interval"] is not None]
    if told:
        parts = [
            f"{names[p['a']] if is_short else p['name']} {unit.change(p['difference'])} "
            f"{unit.changes(p['interval'])}"
            for p in told
        ]
        sentences.append(f"For other seeds and other test points{word}: {few(parts, MOST_NAMED)}.")
    reasons = dict.fromkeys(p["reason"] for p in points["pairs"] if p["reason"])
    if reasons:
        sentences.append(f"Not known for other test points: {few(list(reasons))}.")
    if points["ensembles"]:
        parts = [
            f"{names[e['setting']]} {unit.change(gain_of(e))}"
            for e in sorted(points["ensembles"], key=lambda e: -abs(gain_of(e)))
        ]
        sentences.append(f"An ensemble of the seeds gains: {few(parts, MOST_NAMED)}.")
    return [" ".join(sentences)] if sentences else []


def called(task: Dict) -> dict[int, str]:
    return {setting["id"]: str(setting["name"]) for setting in task["settings"]}


def gain_of(ensemble: Dict) -> float:
    return float(ensemble["score"] - ensemble["mean"])


def point_tables(verdict: Dict, task: Dict) -> list[Table]:
    """Return the tables of a task's points, those without a row left out."""
    points = task.get("test_points")
    made = [pairs_by_point(verdict, task), ensembles(verdict, task)] if points else []
    return [table for table in (*made, most_confused(task)) if table.rows]


def most_confused(task: Dict) -> Table:
    """Return the table of the classes that settings take for another most often."""
    names = called(task)
    columns = [
        *texts("setting", "class", "told to be"),
        *numbers("points of a run", "of its class"),
    ]
    rows: list[list[Cell]] = [
        [names[own["setting"]], p["target"], p["told"], p["number"], percent(rounded(p["share"]))]
        for own in task.get("confused") or []
        for p in own["pairs"]
    ]
    return Table("Classes that are confused most", columns, rows)


def pairs_by_point(verdict: Dict, task: Dict) -> Table:
    """Return the table of differences, for other seeds alone and for other points too."""
    unit, points = unit_of(verdict, task), task["test_points"]
    over_seeds = {(pair["a"], pair["b"]): pair["interval"] for pair in task["pairs"]}
    columns = [*texts("comparison"), *numbers("seeds", DIFFERENCES[unit.is_points])]
    columns += numbers("for other seeds", "and other points", "of the variance, by seeds")
    columns += numbers("by points", "right now, wrong before", "wrong now, right before")
    rows: list[list[Cell]] = []
    for p in points["pairs"]:
        if p["interval"] is None:
            continue
        row: list[Cell] = [p["name"], p["n"], unit.change(p["difference"])]
        row += [unit.changes(over_seeds.get((p["a"], p["b"]))), unit.changes(p["interval"])]
        row += [percent(rounded(p["by_seeds"])), percent(rounded(p["by_points"]))]
        rows.append([*row, *(number_of(p[key]) for key in ("gained", "lost"))])
    return Table(f"Other test points than these {count(points['num'])}", columns, rows)


def rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 2)


def number_of(changed: Dict | None) -> str:
    return NOTHING if changed is None else count(changed["number"])


def ensembles(verdict: Dict, task: Dict) -> Table:
    """Return the table of what the mean of the probabilities, or values, of all seeds gains."""
    unit, names = unit_of(verdict, task), called(task)
    columns = [*texts("setting"), *numbers("runs", "mean run", "ensemble", "gain")]
    rows: list[list[Cell]] = [
        [
            *(names[e["setting"]], e["size"], unit.value(e["mean"]), unit.value(e["score"])),
            unit.change(gain_of(e)),
        ]
        for e in task["test_points"]["ensembles"]
    ]
    return Table("Ensembles of the seeds", columns, rows)


def changed_points(task: Dict) -> Table:
    """Return the table of the test points that most seeds of one setting get right, by index."""
    points = task.get("test_points") or {"pairs": []}
    rows: list[list[Cell]] = []
    for p in points["pairs"]:
        for key, word in (("gained", "right now, wrong before"), ("lost", "the reverse")):
            if p[key] and p[key]["number"]:
                indices = p[key]["indices"][:MOST_POINTS]
                more = p[key]["number"] - len(indices)
                named = listed(indices) + (f" and {more:,} more" if more else "")
                rows.append([p["name"], word, p[key]["number"], named])
    columns = [*texts("comparison", "on most seeds"), *numbers("points"), *texts("which, from 0")]
    return Table("Test points that changed", columns, rows)
