"""The sections of the report, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.comparison.formats import Unit, short
from experiments.comparison.markup import Markup, tag
from experiments.comparison.plots_style import Spec
from experiments.comparison.report_pictures import figure
from experiments.comparison.report_record import (
    design_section,
    environment_section,
    gaps_section,
    health_section,
    runs_section,
    tuning_section,
)
from experiments.comparison.report_tables import plain_table, section
from experiments.comparison.report_verdict import (
    matrix_tables,
    ranks_tables,
    task_tables,
    verdict_section,
)

Dict = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A section: its identifier and title, for the list of contents, and its HTML."""

    identifier: str
    title: str
    html: Markup


def sections_of(verdict: Dict, specs: Mapping[str, Spec], folder: Path) -> list[Section]:
    """Return the sections of the page; those without content are not there."""
    several = len(verdict["tasks"]) > 1
    found = [Section("verdict", "Verdict", verdict_section(verdict))]

    def add(identifier: str, title: str, *content: Any) -> None:
        those = [one for one in content if one]
        if those:
            found.append(Section(identifier, title, section(identifier, title, *those)))

    def pictured(kind: str, task: str | None = None) -> Markup | None:
        names = names_of(specs, kind, task)
        return figure(names, specs, folder) if names else None

    if verdict["several_tasks"]:
        tables = ranks_tables(verdict)
        add("ranks", "All tasks together", pictured("ranks"), tables, pictured("profile"))
    else:
        add("ranks", "All tasks together", pictured("profile"))
    if verdict["matrix"]:
        tables = matrix_tables(verdict)
        add("factors", "Two factors", pictured("matrix"), tables, pictured("interaction"))
    for index, task in enumerate(verdict["tasks"]):
        name = str(task["name"])
        those = [pictured(kind, name) for kind in ("seeds", "differences", "curves", "steps")]
        own = task_tables(verdict, task) if several else None
        add(f"task-{index}", name if several else "Pictures", own, *those)
    if verdict["sensitivity"]:
        title = f"Sensitivity to {verdict['sensitivity']['key']}"
        add("sensitivity", title, pictured("sensitivity"), sensitivity_table(verdict))
    add("tuning", "Tuning", tuning_section(verdict))
    add("health", "Training health", health_section(verdict))
    add("runs", "Every run", runs_section())
    add("design", "The declared design", design_section(verdict))
    add("environment", "Environment", environment_section(verdict))
    add("gaps", "Withheld, missing, left out", gaps_section(verdict))
    return found


def names_of(specs: Mapping[str, Spec], kind: str, task: str | None) -> Sequence[str]:
    """Return the names of a task's pictures of a kind."""
    wanted = {"kind": kind, "task": task}
    return [
        name
        for name, spec in specs.items()
        if {key: spec["usermeta"].get(key) for key in wanted} == wanted
    ]


def sensitivity_table(verdict: Dict) -> Markup:
    """Return how wide the good range of each setting is, and what tuning gained."""
    found = verdict["sensitivity"]
    unit = Unit(found["metric"].endswith("/accuracy"), 2)
    rows = [
        [
            str(s["name"]),
            short(s["best"]),
            short(s["decades_within_1_point"]),
            unit.change(s["tuned_minus_default"]),
        ]
        for s in found["settings"]
    ]
    headings = ["setting", "best", "decades within 1 point of it", "tuned minus default"]
    return plain_table(f"How finely {found['key']} has to be tuned", headings, rows)


def contents(sections: Sequence[Section]) -> Markup:
    """Return the list of contents."""
    links = [tag("li", tag("a", one.title, href=f"#{one.identifier}")) for one in sections]
    return tag("nav", tag("ul", *links), aria_label="Contents")
