"""What the page holds beside the tables: its sections, the rows of all runs, and its pictures."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from experiments.comparison.formats import Unit, rounded, unit_of, unit_of_metric
from experiments.comparison.lookups import Dict
from experiments.comparison.plots.palette import DARK, LIGHT
from experiments.comparison.plots.picture import FOLDER, WHOLE, Spec
from experiments.errors.wording import listed


def titles_of(verdict: Dict, figures: Collection[tuple[str, str | None]]) -> dict[str, str]:
    """Return the titles of the sections by their identifiers; those without content are not there.

    The figures are kind and task of each that there is.
    """
    tasks = verdict["tasks"]
    is_ranked = verdict["several_tasks"] or ("profile", None) in figures
    titles = {
        "verdict": "Verdict",
        "factors": "Interaction and shares of the variance" if verdict["matrix"] else "",
        "ranks": "All tasks together" if is_ranked else "",
    }
    if len(tasks) > 1:
        titles |= {f"task-{index}": str(task["name"]) for index, task in enumerate(tasks)}
    elif any(task is not None for _, task in figures):
        titles["task-0"] = "Every combination" if verdict["matrix"] else "Seeds and curves"
    is_tuned = any(s["tuned"] for task in tasks for s in task["settings"])
    titles |= {
        "sensitivity": f"Sensitivity to {listed(keys)}" if (keys := tuned_keys(verdict)) else "",
        "tuning": "Tuning" if is_tuned else "",
        "health": "Training health" if verdict["health"] else "",
        "runs": "Every run",
        "methods": "Methods, for a paper",
        "design": "The declared design",
        "environment": "Environment",
        "gaps": "Withheld, missing, left out",
    }
    return {identifier: title for identifier, title in titles.items() if title}


def tuned_keys(verdict: Dict) -> list[str]:
    """Return the keys that were tuned and of which more than one value was tried."""
    if sensitivity := verdict["sensitivity"]:
        return [sensitivity["key"]]
    return list((verdict.get("trials") or {"keys": []})["keys"])


def runs_data(verdict: Dict, folder: Path | None) -> dict[str, Any]:
    """Return the rows of all runs, compact, from which the page draws a table by pages.

    Links are relative to the report's folder; without one there are none.
    """
    tasks = verdict["tasks"]
    names = {(t["name"], s["id"]): str(s["name"]) for t in tasks for s in t["settings"]}
    metrics = sorted({name for run in verdict["runs"] for name in run["metrics"]})
    metric, rows = verdict["design"]["metric"], []
    units = {task["name"]: unit_of(verdict, task) for task in tasks}
    for run in verdict["runs"]:
        row: list[Any] = [folder and link(run["folder"], folder), Path(run["folder"]).name]
        row += [run["task"], names[run["task"], run["setting"]]]
        measured, error = run["metrics"].get(metric), run["error"]
        if error is None:
            measured = run["score"]
        elif measured != run["score"]:  # a failure, which counts as guessing
            value = units[run["task"]].value(run["score"])
            error = f"{error}; {'ranks last' if run['score'] is None else f'counts as {value}'}"
        fold = run.get("fold")
        seed = run["seed"] if fold is None else f"{run['seed']}, fold {fold}"
        row += [seed, run["status"], measured, run["epochs"], run["steps"]]
        row += [rounded(run["seconds"]), error]
        rows.append([*row, [rounded(run["metrics"].get(metric)) for metric in metrics]])
    unit = unit_of(verdict, tasks[0]) if tasks else Unit(False, 4)
    return {
        "rows": rows,
        "metrics": metrics,
        "shares": [unit_of_metric(metric).is_points for metric in metrics],
        "metric": verdict["design"]["metric"],
        "points": unit.is_points,
        "decimals": unit.decimals,
        "several": len(tasks) > 1,
    }


def link(target: str, folder: Path) -> str:
    """Return a relative link from the report's folder to a run's.

    >>> link("outputs/runs/a=1", Path("outputs/reports/x"))
    '../../runs/a%3D1/'
    """
    relative = os.path.relpath(target, folder).replace(os.sep, "/")
    return quote(relative, safe="/") + "/"


PAGE_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
VARIABLES = {colour: f"var(--{name})" for name, colour in LIGHT.items()}


def figures_of(specs: Mapping[str, Spec]) -> dict[tuple[str, str | None], list[str]]:
    """Return the names of pictures by kind and task: a figure each, of which a reader picks one."""
    figures: dict[tuple[str, str | None], list[str]] = {}
    for name, spec in specs.items():
        meta = spec["usermeta"]
        figures.setdefault((meta["kind"], meta["task"]), []).append(name)
    return figures


def files_of(
    specs: Mapping[str, Spec], folder: Path | None
) -> dict[str, dict[str, dict[str, str]]]:
    """Return the files of each picture that lie beside the report in its folder.

    They are links by kind (SVG, PNG), by what follows the picture's name: nothing or `WHOLE`.
    """
    files: dict[str, dict[str, dict[str, str]]] = {}
    for name in specs:
        for end in ("", WHOLE):
            paths = {kind: f"{FOLDER}/{name}{end}.{kind}" for kind in ("svg", "png")}
            there = {k: path for k, path in paths.items() if folder and (folder / path).is_file()}
            files.setdefault(name, {})[end] = there
    return files


def data_of(specs: Mapping[str, Spec]) -> dict[str, Any]:
    """Return what the page's script needs of each picture."""
    data = {}
    for name, spec in specs.items():
        meta = {key: value for key, value in spec["usermeta"].items() if value is not None}
        rows = [list(row.values()) for row in meta.pop("rows")]
        words = {"title": spec["title"]["text"], "subtitle": " ".join(spec["title"]["subtitle"])}
        words["description"] = spec["description"]
        data[name] = {"spec": for_page(spec), "rows": rows, **words, **meta}
    return data


def for_page(spec: Spec) -> Spec:
    """Return a picture for the page: colours as CSS variables, data packed.

    The page's script knows how wide its place is. Its title is the page's own, and so is the
    legend of a picture whose settings can be hidden.
    """
    skipped = {"title", "description", "usermeta", "$schema", "width"}
    page = recoloured({key: value for key, value in spec.items() if key not in skipped})
    page["autosize"] = {"type": "fit-x", "contains": "padding"}
    page["config"] |= {"font": PAGE_FONT, "background": None, "padding": 5}
    if "series" in spec["usermeta"]:
        for layer in page["layer"]:
            for channel in layer["encoding"].values():
                if "legend" in channel:
                    channel["legend"] = None
    return page


def recoloured(value: Any) -> Any:
    """Return a spec with each colour replaced by the CSS variable of its name; data stay."""
    if isinstance(value, Mapping):
        return {
            key: packed(part) if key == "data" else recoloured(part) for key, part in value.items()
        }
    if isinstance(value, list):
        return [recoloured(part) for part in value]
    return VARIABLES.get(value, value) if isinstance(value, str) else value


def packed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return rows as lists of values, which the page's script unpacks.

    A column of text is numbers of its words, which stand once: names are long and repeat.
    """
    rows = data["values"]
    columns = list(rows[0]) if rows else []
    values = [[row.get(column) for row in rows] for column in columns]
    words: dict[str, list[str]] = {}
    for index, column in enumerate(values):
        if column and all(isinstance(value, str) for value in column):
            words[str(index)] = list(dict.fromkeys(column))
            number = {word: i for i, word in enumerate(words[str(index)])}
            values[index] = [number[word] for word in column]
    return {
        "columns": columns,
        "words": words,
        "rows": [list(row) for row in zip(*values, strict=True)],
    }


def colours_css() -> str:
    """Return the colours as CSS variables: light, dark where that is preferred, light on paper."""
    light = "".join(f"--{name}:{colour};" for name, colour in LIGHT.items())
    dark = "".join(f"--{name}:{colour};" for name, colour in DARK.items())
    return (
        f":root{{color-scheme:light dark;--font:{PAGE_FONT};{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f"@media print{{:root{{color-scheme:light;{light}}}}}\n"
    )
