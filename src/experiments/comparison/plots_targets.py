"""Steps to a target: bars of their medians, and the performance profile over tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.contents import name_of
from experiments.comparison.formats import Unit, count, percent
from experiments.comparison.plots_rows import (
    axis_of_rows,
    height_of,
    left_out,
    looks_of,
    named,
    row_words,
    written,
)
from experiments.comparison.plots_style import (
    MOST_ROWS,
    MOST_SHOWN,
    Look,
    Spec,
    dashed_as,
    drawn_as,
    inline,
    looks,
    picture,
    series_of,
)

Dict = Mapping[str, Any]


def target_bars(verdict: Dict, task: Dict) -> Spec | None:
    """Return the median steps of each setting to the target, the fastest first.

    A setting that never gets there, in the median over its seeds, has words in place of a bar.
    """
    found = verdict["steps_to_target"]
    settings = {s["id"]: s for s in task["settings"]}
    entries = [
        e for e in found["settings"] if e["task"] == task["name"] and e["setting"] in settings
    ]
    if not entries:
        return None
    entries.sort(key=lambda e: (e["steps_median"] is None, e["steps_median"] or 0, e["setting"]))
    kept = entries[:MOST_ROWS]
    rows = [row_of(row, named(settings[e["setting"]]), e) for row, e in enumerate(kept)]
    goal = goal_of(found, task["name"])
    lines = [f"The target is the median best of {found['of']}. A miss counts as never."]
    told = "; ".join(f"{row['name']}: {row['words']}" for row in rows[:12])
    return picture(
        f"Steps to {goal}",
        lines + left_out(len(kept), len(entries)),
        f"Median optimizer steps to {goal}. {told}.",
        bars(rows, looks_of(task)) + row_words(rows, 60),
        height=height_of(len(rows)),
        params={"names": [row["name"] for row in rows]},
        columns={"name": "setting", "words": "median steps (seeds)", "seconds": "median seconds"},
        rows=rows,
    )


def goal_of(found: Dict, task: str) -> str:
    """Return a task's target in words; each task has its own where `targets` names them."""
    is_share = found["metric"].endswith("/accuracy")
    target = found.get("targets", {}).get(task, found["target"])
    return f"{found['metric']} {Unit(is_share, 2 if is_share else 4).value(target)}"


def row_of(row: int, name: str, entry: Dict) -> Spec:
    """Return a setting's steps to the target as a row of data."""
    steps, seconds = entry["steps_median"], entry.get("seconds_median")
    reached = f"{entry['reached']} of {entry['n']}"
    return {
        "row": row,
        "name": name,
        "steps": steps,
        "few_words": "never" if steps is None else count(steps),
        "words": f"{'never' if steps is None else count(steps)} ({reached})",
        "seconds": "–" if seconds is None else f"{seconds:.1f}",
    }


def bars(rows: Sequence[Dict], those: Any) -> list[Spec]:
    """Return a bar for each setting that gets there."""
    there = [row for row in rows if row["steps"] is not None]
    if not there:
        return []
    most = max(row["steps"] for row in there)
    axis: Spec = {"title": "optimizer steps, median over seeds", "format": ",d"}
    axis["tickCount"] = {"expr": "max(3, floor(width / 90))"}
    x = {"field": "steps", "type": "quantitative", "axis": axis}
    x["scale"] = {"domain": [0, most * 1.02], "nice": False}
    tips = [{"field": "name", "title": "setting"}, {"field": "words", "title": "steps"}]
    mark = {"type": "bar", "size": 12, "cornerRadiusEnd": 3, "orient": "horizontal"}
    colour = drawn_as(those)["color"]
    encoding = {"y": axis_of_rows(len(rows)), "x": x, "x2": {"datum": 0}, "color": colour}
    return [{"data": inline(there), "mark": mark, "encoding": {**encoding, "tooltip": tips}}]


def performance_profile(verdict: Dict) -> Spec | None:
    """Return the share of tasks that each setting solves within tau times the fastest's steps.

    rho(tau) = share of tasks with t / min t <= tau, from 1 to 4. Dolan & Moré 2002,
    "Benchmarking optimization software with performance profiles".
    """
    found = verdict["steps_to_target"]
    profile = found.get("profile")
    if not profile or not profile["curves"]:
        return None
    names = profile_names(verdict, len(profile["curves"]))
    control = next((n for n, s in names.values() if s), None)
    those = looks([name for name, _ in names.values()], control)
    rows = [
        {"name": names[index][0], "tau": tau, "rho": rho, "text": percent(rho)}
        for index, curve in enumerate(profile["curves"])
        for tau, rho in zip(profile["tau"], curve, strict=True)
    ]
    shown = list(those)[:MOST_SHOWN]
    scores = dict(enumerate(found.get("scores") or []))
    table = [
        {"name": name, "score": f"{scores[i]:.4f}" if scores.get(i) is not None else "–"}
        for i, (name, _) in names.items()
    ]
    told = "; ".join(f"{row['name']} {row['score']}" for row in table)
    return picture(
        "Performance profile",
        ["How many tasks are solved within τ times the steps of the fastest; higher is better."],
        f"Share of tasks solved within tau times the fastest's steps. Scores: {told}.",
        profile_layers(those, shown),
        height=300,
        params={"shown": shown},
        data=inline(rows),
        columns={"name": "setting", "score": "score"},
        rows=table,
        series=series_of(those, shown),
    )


def profile_names(verdict: Dict, number: int) -> dict[int, tuple[str, bool]]:
    """Return name and whether it is the control of each curve's setting, in order."""
    settings: dict[int, Any] = {}
    for task in verdict["tasks"]:
        for one in task["settings"]:
            settings.setdefault(one["id"], one)
    several = verdict.get("several_tasks") or {}
    order = several.get("settings") or sorted(settings)
    names = [name_of(verdict, one) for one in order][:number]
    names += [f"setting {i}" for i in range(len(names), number)]
    controls = {str(s["name"]) for s in settings.values() if s["is_control"]}
    return {i: (name, name in controls) for i, name in enumerate(names)}


def profile_layers(those: Mapping[str, Look], shown: Sequence[str]) -> list[Spec]:
    """Return the steps of the profile, and a shape at both ends to tell them apart."""
    x: Spec = {"field": "tau", "type": "quantitative", "scale": {"nice": False, "zero": False}}
    x["axis"] = {"title": "τ, times the steps of the fastest", "tickCount": 4, "grid": False}
    y: Spec = {
        "field": "rho",
        "type": "quantitative",
        "scale": {"domain": [0, 1.02], "nice": False},
    }
    y["axis"] = {"title": "tasks solved", "tickCount": 5, "domain": False, "ticks": False}
    y["axis"] |= written(".0%")
    tips = [
        {"field": "name", "title": "setting"},
        {"field": "tau", "title": "τ", "format": ".2f"},
        {"field": "text", "title": "tasks solved"},
    ]
    is_shown = {"filter": "indexof(shown, datum.name) >= 0"}
    window = {"window": [{"op": "row_number", "as": "place"}], "groupby": ["name"]}
    some = {"filter": "datum.place % max(1, floor(datum.num / 6)) == 1 || datum.num < 8"}
    total = {"joinaggregate": [{"op": "count", "as": "num"}], "groupby": ["name"]}
    line = {"type": "line", "interpolate": "step-after"}
    point = {"type": "point", "filled": True, "size": 50, "opacity": 1}
    at = {"x": x, "y": y, "tooltip": tips}
    return [
        {"transform": [is_shown], "mark": line, "encoding": {**at, **dashed_as(those, shown)}},
        {
            "transform": [is_shown, total, window, some],
            "mark": point,
            "encoding": {**at, **drawn_as(those, shown)},
        },
    ]
