"""`python compare.py`: a config in plain values in, a report and its files out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments.comparison.comparing import command_line, compared, name_of, write_verdict
from experiments.comparison.curves import Curves
from experiments.comparison.design import Request
from experiments.comparison.reading import TUNING, FoundRun, Reading, Unread, read_runs
from experiments.errors import UserError, check_choice, listed, user_error
from experiments.records import write_atomic

Dict = dict[str, Any]
WANDB = ("auto", "online", "offline", "disabled")
REPORTS = "reports"


def report(config: Dict) -> None:
    """Compare the runs that a config names, print the verdict, and write the report.

    Raises:
        UserError: there is nothing to compare, or a word is none that the runs know.
    """
    check_choice("wandb", config["wandb"], WANDB)
    output = Path(config["paths"]["output"])
    places = [Path(place) for place in words_of(config["runs"])]
    reading = read(config["source"], places, output)
    name = report_name(config["name"] or name_of(reading, places))
    verdict, curves = compared(reading, request_of(config), name=name, command=command_line())
    folder = output / REPORTS / name
    write(verdict, curves, folder)
    console = Console()
    show(verdict, folder, console)
    for line in tell_wandb(config, verdict, reading, folder, output):
        console.print(line, markup=False, soft_wrap=True)


def words_of(value: Any) -> list[str]:
    """Return one word or several as a list."""
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def request_of(config: Mapping[str, Any]) -> Request:
    """Return what was typed of the design."""
    return Request(
        factor=words_of(config["factor"]) or None,
        control=words_of(config["control"]) or None,
        metric=config["metric"],
        delta=config["delta"],
        comparisons=config["comparisons"],
        alpha=config["alpha"],
        allow=tuple(config["allow"]),
    )


def read(source: str | None, places: Sequence[Path], output: Path) -> Reading:
    """Return the runs that were asked for, of folders or of W&B's server."""
    if (source is None) == (not places):
        sweeps = sorted(path.parent for path in output.glob("sweeps/*/sweep.yaml"))
        raise user_error("which_runs", choices=listed(sweeps) or "none yet")
    if source is None:
        return read_runs(places)
    return read_remote(source)


def read_remote(source: str) -> Reading:
    """Return the runs that live on W&B's server."""
    from experiments.tracking import remote

    reading = Reading()
    runs = remote.read_runs(source)
    able = [run for run in runs if run.record is not None]
    for run, rows in zip(able, remote.histories(able), strict=True):
        assert run.record is not None
        is_tuning = (run.sweep or "").endswith(f"/{TUNING}")
        found = FoundRun(run.url, run.record, run.config, run.sweep, rows.copy)
        (reading.tuning if is_tuning else reading.runs).append(found)
    reading.unread += [
        Unread(run.url, run.problems or "it has no record") for run in runs if run.record is None
    ]
    if not reading.runs and not reading.unread:
        raise user_error("no_runs", path=source)
    return reading


def report_name(name: str) -> str:
    """Return a name as a folder can have it.

    >>> report_name("activations"), report_name("a/b c")
    ('activations', 'a-b-c')
    """
    return re.sub(r"[^\w.=+,-]+", "-", name).strip("-.") or "runs"


def write(verdict: Dict, curves: Sequence[Curves], folder: Path) -> None:
    """Write the report and everything beside it; verdict.json last, so that it is whole."""
    from experiments.comparison import plots, tables
    from experiments.comparison import report as page

    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "table.md", tables.to_markdown(verdict))
    write_atomic(folder / "table.csv", tables.to_csv(verdict))
    write_atomic(folder / "table.tex", tables.to_latex(verdict))
    plots.write(plots.pictures(verdict, curves), folder / "plots")
    page.write(verdict, curves, folder)
    write_atomic(folder / "verdict.json", write_verdict(verdict))


def show(verdict: Dict, folder: Path, console: Console) -> None:
    """Print the verdict, and where the report is."""
    from experiments.comparison import terminal

    terminal.show(verdict, console)
    console.print(f"Report: {folder / 'report.html'}", markup=False, soft_wrap=True)


def tell_wandb(
    config: Dict, verdict: Dict, reading: Reading, folder: Path, output: Path
) -> list[str]:
    """Write the verdict to W&B where the runs are told there, and say so."""
    told = [run for run in reading.runs if run.record["wandb_id"]]
    mode = config["wandb"]
    node = (told or reading.runs)[0].config["logger"]
    project, entity = place_of(config["source"], node)
    lines = []
    if config["dashboard"]:
        sweeps = sorted({run.sweep for run in reading.runs if run.sweep})
        lines += build_dashboard(
            verdict, project, entity, sweeps if config["source"] else None, folder, mode
        )
    if mode != "disabled" and (told or mode != "auto"):
        from experiments.tracking.summary import write_summary

        chosen = node.get("mode", "auto") if mode == "auto" else mode
        lines.append(
            write_summary(
                verdict, folder, project=project, entity=entity, mode=chosen, output=output
            )
        )
    return lines


def place_of(source: str | None, node: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return W&B's project and entity of a comparison: where its runs are."""
    if source is None:
        return node.get("project", "experiments"), node.get("entity")
    from experiments.tracking import remote

    there = remote.parse(source)
    return there.project, there.entity


def build_dashboard(
    verdict: Dict,
    project: str,
    entity: str | None,
    sweeps: Sequence[str] | None,
    folder: Path,
    mode: str,
) -> list[str]:
    """Build W&B's workspace, keep it beside the report, and save it where a server answers."""
    from experiments.tracking import dashboard

    workspace = dashboard.build(verdict, project=project, entity=entity, sweeps=sweeps)
    path = folder / "dashboard.json"
    write_atomic(path, json.dumps(dashboard.serialise(workspace), indent=1) + "\n")
    if mode in ("offline", "disabled"):
        return [f"Dashboard: {path}; to save it at W&B, leave wandb={mode} away."]
    try:
        return [f"Dashboard: {dashboard.save(workspace)}"]
    except UserError as error:
        return [f"Dashboard: {path}; it is not saved at W&B. {error}"]
