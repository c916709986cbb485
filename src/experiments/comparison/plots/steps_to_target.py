"""Steps to a target: bars of their medians, and the profile over several tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from experiments.comparison.formats import NOTHING, count, percent, unit_of_metric
from experiments.comparison.lookups import Dict, names_of
from experiments.comparison.plots.palette import Look
from experiments.comparison.plots.picture import (
    MOST_ROWS,
    Spec,
    inline,
    layer,
    point,
    tooltip,
    upright_axis,
    whole_ticks,
)
from experiments.comparison.plots.setting_lines import (
    SettingLines,
    line_picture,
    lines_of,
    shown_layer,
)
from experiments.comparison.plots.setting_rows import axis_of_rows, named, row_picture, task_looks


def target_bars(verdict: Dict, task: Dict) -> Spec | None:
    """Return the median steps of each setting to the target, the fastest first.

    A setting that never gets there, in the median over its seeds, has words in place of a bar.
    """
    steps = verdict["steps_to_target"]
    settings = {s["id"]: s for s in task["settings"]}
    entries = [
        e for e in steps["settings"] if e["task"] == task["name"] and e["setting"] in settings
    ]
    if not entries:
        return None
    entries.sort(key=lambda e: (e["steps_median"] is None, e["steps_median"] or 0, e["setting"]))
    kept = enumerate(entries[:MOST_ROWS])
    rows = [row_of(row, named(settings[e["setting"]]), e) for row, e in kept]
    # Each task has its own target where `targets` names them.
    target = steps.get("targets", {}).get(task["name"], steps["target"])
    goal = f"{steps['metric']} {unit_of_metric(steps['metric']).value(target)}"
    return row_picture(
        f"Steps to {goal}",
        [f"The target is the median best of {steps['of']}. A miss counts as never."],
        f"Median optimizer steps to {goal}.",
        bars(rows, task_looks(task)),
        rows,
        columns={"name": "setting", "words": "median steps (seeds)", "seconds": "median seconds"},
        num_rows=len(entries),
        words_width=60,
    )


def row_of(row: int, name: str, entry: Dict) -> Spec:
    """Return a setting's steps to the target as a row of data."""
    steps, seconds = entry["steps_median"], entry.get("seconds_median")
    words = "never" if steps is None else count(steps)
    return {
        "row": row,
        "name": name,
        "steps": steps,
        "few_words": words,
        "words": f"{words} ({entry['reached']} of {entry['n']})",
        "seconds": NOTHING if seconds is None else f"{seconds:.1f}",
    }


def bars(rows: Sequence[Dict], looks: Mapping[str, Look]) -> list[Spec]:
    """Return a bar for each setting that gets there."""
    there = [row for row in rows if row["steps"] is not None]
    if not there:
        return []
    most = max(row["steps"] for row in there)
    axis = {"title": "optimizer steps, median over seeds", "format": ",d"}
    axis |= whole_ticks([0, math.ceil(most)])
    scale = {"domain": [0, most * 1.02], "nice": False}
    encoding = {
        "y": axis_of_rows(len(rows)),
        "x": {"field": "steps", "type": "quantitative", "axis": axis, "scale": scale},
        "x2": {"datum": 0},
        **SettingLines(looks).colour,
        "tooltip": tooltip({"name": "setting", "words": "steps"}),
    }
    mark = {"type": "bar", "size": 12, "cornerRadiusEnd": 3, "orient": "horizontal"}
    return [layer(there, mark, encoding)]


def performance_profile(verdict: Dict) -> Spec:
    """Return the share of tasks that each setting solves within tau times the fastest's steps.

    rho(tau) = share of tasks with t / min t <= tau, from 1 to 4. Dolan & Moré 2002,
    "Benchmarking optimization software with performance profiles".
    """
    steps = verdict["steps_to_target"]
    profile = steps["profile"]
    names = [name for _, name in sorted(names_of(verdict).items())]
    lines = lines_of(verdict, names)
    rows = [
        {"name": name, "tau": tau, "rho": rho, "text": percent(rho)}
        for name, curve in zip(names, profile["curves"], strict=True)
        for tau, rho in zip(profile["tau"], curve, strict=True)
    ]
    scores = zip(names, steps["scores"], strict=True)
    table = [{"name": name, "score": f"{score:.4f}"} for name, score in scores]
    summary = "; ".join(f"{row['name']} {row['score']}" for row in table)
    return line_picture(
        lines,
        "Performance profile",
        ["How many tasks are solved within τ times the steps of the fastest; higher is better."],
        f"Share of tasks solved within tau times the fastest's steps. Scores: {summary}.",
        profile_layers(lines),
        height=300,
        data=inline(rows),
        columns={"name": "setting", "score": "score"},
        rows=table,
    )


def profile_layers(lines: SettingLines) -> list[Spec]:
    """Return the steps of the profile, and shapes along them to tell them apart."""
    x: Spec = {"field": "tau", "type": "quantitative", "scale": {"nice": False, "zero": False}}
    x["axis"] = {"title": "τ, times the steps of the fastest", "tickCount": 4, "grid": False}
    y: Spec = {"field": "rho", "type": "quantitative"}
    y["scale"] = {"domain": [0, 1.02], "nice": False}
    y["axis"] = upright_axis("tasks solved", ".0%", 5)
    tips = tooltip({"name": "setting", "tau": "τ", "text": "tasks solved"})
    tips[1]["format"] = ".2f"
    at = {"x": x, "y": y, "tooltip": tips}
    total = {"joinaggregate": [{"op": "count", "as": "num"}], "groupby": ["name"]}
    window = {"window": [{"op": "row_number", "as": "place"}], "groupby": ["name"]}
    some = {"filter": "datum.place % max(1, floor(datum.num / 6)) == 1 || datum.num < 8"}
    return [
        shown_layer({"type": "line", "interpolate": "step-after"}, {**at, **lines.lines}),
        shown_layer(point(50), {**at, **lines.points}, total, window, some),
    ]
