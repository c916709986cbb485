"""The last part of the report: every run, how it was tuned and declared, where, and the gaps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from experiments.comparison.contents import joined, what_withheld
from experiments.comparison.formats import Unit, count, short, unit_of
from experiments.comparison.markup import Markup, join, tag
from experiments.comparison.plots_curves import rounded
from experiments.comparison.report_tables import (
    bullets,
    code,
    described,
    pairs_list,
    plain_table,
)
from experiments.comparison.report_verdict import moment

Dict = Mapping[str, Any]


def runs_section() -> Markup:
    """Return the place of the table of runs; its rows are data that the page draws by pages."""
    words = "e.g. relu diverged"
    field = tag("input", id="runs-filter", type="search", autocomplete="off", placeholder=words)
    metric = tag("select", id="runs-metric")
    place = {"id": "runs-table", "class_": "wide", "role": "region", "tabindex": "0"}
    return join(
        [
            tag(
                "div",
                tag("label", "Filter ", field),
                tag("label", "Metric ", metric),
                class_="controls",
            ),
            tag("p", id="runs-count", class_="fine", aria_live="polite"),
            tag("div", **place, aria_label="Every run"),
            tag("div", id="runs-pages", class_="controls"),
            tag("noscript", tag("p", "This table needs JavaScript; verdict.json has its rows.")),
        ]
    )


def runs_data(verdict: Dict, folder: Path) -> dict[str, Any]:
    """Return the rows of all runs, compact.

    Args:
        verdict: the plain dict.
        folder: of the report, which links are relative to.
    """
    runs = verdict["runs"]
    names = {(t["name"], s["id"]): str(s["name"]) for t in verdict["tasks"] for s in t["settings"]}
    metrics = sorted({name for run in runs for name in run["metrics"]})
    rows = [
        [
            link(run["folder"], folder),
            Path(str(run["folder"])).name,
            run["task"],
            names.get((run["task"], run["setting"]), short(run["setting"])),
            run["seed"],
            run["status"],
            run["score"],
            run["epochs"],
            run["steps"],
            rounded(run["seconds"]),
            run["error"],
            [rounded(run["metrics"].get(name)) for name in metrics],
        ]
        for run in runs
    ]
    several = len(verdict["tasks"]) > 1
    unit = unit_of(verdict, verdict["tasks"][0]) if verdict["tasks"] else Unit(False, 4)
    return {
        "rows": rows,
        "metrics": metrics,
        "metric": verdict["design"]["metric"],
        "points": unit.is_points,
        "decimals": unit.decimals,
        "several": several,
    }


def link(target: str, folder: Path) -> str:
    """Return a relative link from the report's folder to a run's.

    >>> link("outputs/runs/a=1", Path("outputs/reports/x"))
    '../../runs/a%3D1/'
    """
    relative = os.path.relpath(target, folder).replace(os.sep, "/")
    return quote(relative, safe="/") + "/"


def tuning_section(verdict: Dict) -> Markup | None:
    """Return what tuning chose for each setting, and whether it was enough."""
    rows = []
    several = len(verdict["tasks"]) > 1
    for task in verdict["tasks"]:
        unit = Unit(verdict["design"]["unit"] == "points", unit_of(verdict, task).decimals)
        for s in task["settings"]:
            tuned = s.get("tuned")
            if not tuned:
                continue
            name = f"{task['name']}: {s['name']}" if several else s["name"]
            default = tuned.get("default") or {}
            edge = f"on the edge: {joined(tuned['on_edge'], ', ')}" if tuned["on_edge"] else ""
            climbing = "still climbing" if tuned["still_climbing"] else ""
            why = ", ".join(word for word in (edge, climbing) if word)
            enough = f"undertuned ({why})" if tuned["undertuned"] else why or "enough"
            values = ", ".join(f"{k}={short(v)}" for k, v in tuned["values"].items())
            rows.append(
                [name, values, unit.value(tuned["score"]), unit.value(default.get("score")), enough]
            )
    if not rows:
        return None
    headings = ["setting", "chosen", "validation score", "untuned default", "was it enough?"]
    words = "The winner of tuning ran again on fresh seeds, and only those are compared."
    return join([tag("p", words), plain_table("What tuning chose", headings, rows)])


def settings_details(verdict: Dict) -> Markup:
    """Return, folded, what each setting is: size, time, and its values of the configuration."""
    rows = []
    for task in verdict["tasks"]:
        for s in task["settings"]:
            values = ", ".join(f"{k}={short(v)}" for k, v in (s.get("config") or {}).items())
            row = [s["name"], task["name"], count(s["num_parameters"])]
            row += [count(s.get("num_activation_parameters")), count(s.get("steps"))]
            row += [short(rounded(s.get("train_seconds"))), short(rounded(s.get("seconds")))]
            rows.append([*row, values, s.get("identity") or "–"])
    headings = ["setting", "task", "parameters", "of them in the activation", "steps"]
    headings += ["seconds of training", "seconds in all", "configuration", "identity"]
    caption = "What each setting is"
    return tag("details", tag("summary", caption), plain_table(caption, headings, rows))


def design_section(verdict: Dict) -> Markup:
    """Return what was declared before the comparison."""
    design = verdict["design"]
    unit = Unit(design["unit"] == "points", 2)
    source = {
        "declared": "declared in the sweep's own file",
        "typed": "typed with the command of the comparison",
        "default": "a default; nothing was declared",
    }
    better = "higher" if design["higher_is_better"] else "lower"
    values: dict[str, Any] = {
        "factor": joined(design["factor"]),
        "control": joined(design.get("control"), ", ") or "none: all pairs",
        "metric": f"{design['metric']}, {better} is better",
        "smallest difference that matters": unit.amount(design["delta"]),
        "comparisons": f"{design['family']} ({design['comparisons']}), alpha {design['alpha']:g}",
        "protocol": design["protocol"],
        "seeds": joined(design["seeds"], ", ") or "–",
        "declared": moment(design["declared_at"]) if design.get("declared_at") else "–",
        "source": source.get(design["source"], design["source"]),
        "changed since": bullets(design["changes"]) or "nothing",
    }
    content: list[Any] = [pairs_list(values), settings_details(verdict)]
    for title, command in (
        ("Trained by", design.get("command")),
        ("Compared by", verdict["command"]),
    ):
        content += [tag("p", title, class_="label"), code(command)] if command else []
    return join(content)


def environment_section(verdict: Dict) -> Markup:
    """Return on what all this was run; a key with several values shows each."""
    values = {
        key: those[0] if len(those) == 1 else bullets(those)
        for key, those in verdict["environment"].items()
    }
    return pairs_list(values)


def gaps_section(verdict: Dict) -> Markup:
    """Return what was withheld and why, and what is missing, unread or left out."""
    content: list[Any] = []
    for title, sentences in (
        ("Withheld", what_withheld(verdict)),
        ("Missing", verdict["missing"]),
        ("Could not be read", folders(verdict["unread"])),
        ("Left out", folders(verdict["excluded"])),
    ):
        if sentences:
            content += [tag("h3", title), bullets(sentences)]
        if title == "Missing" and verdict["missing_command"]:
            content += [
                tag("p", "This fills the gap:", class_="label"),
                code(verdict["missing_command"]),
            ]
    if not content:
        content = [tag("p", "Nothing was withheld, nothing is missing, and every record was read.")]
    return join(content)


def folders(entries: Sequence[Dict]) -> list[str]:
    """Return folders and reasons in sentences."""
    return [f"{entry['folder']}: {entry['reason']}" for entry in entries]


def health_section(verdict: Dict) -> Markup | None:
    """Return what diagnostics tell, in words and in tables, where there are any."""
    found = verdict.get("health")
    if not found:
        return None
    tables = [
        join([tag("h3", key.capitalize()), described(found[key])])
        for key in ("by layer", "of the whole network")
        if found.get(key)
    ]
    how = tag("ul", *(tag("li", line) for line in found.get("how", [])), class_="fine")
    return join([bullets(found["in words"]) or "", *tables, how if tables else ""])
