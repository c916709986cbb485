"""`python compare.py`: a config in plain values in, a verdict, its report and their files out.

Torch-free: a report is made of records alone.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments.comparison.contradictions import contradiction_of
from experiments.comparison.design import Dict, Request
from experiments.comparison.mean_curves import Curves
from experiments.comparison.reading import (
    TUNING,
    ConfigReader,
    FoundRun,
    LeftOut,
    Reading,
    add_doubts,
    read_runs,
)
from experiments.comparison.verdict import compared, verdict_json
from experiments.errors.commands import command_of
from experiments.errors.messages import UserError, check_choice, user_error
from experiments.errors.wording import listed
from experiments.record.evidence import contradicted
from experiments.record.folder import write_atomic
from experiments.record.history import read_history
from experiments.record.record import read_record

WANDB = ("auto", "online", "offline", "disabled")
REPORTS = "reports"
MOST_NAMES = 3


def report(config: Dict) -> None:
    """Compare the runs that a config names, print the verdict, and write the report.

    Raises:
        UserError: there is nothing to compare, or a word is none that the runs know.
    """
    from experiments.comparison.report.terminal import in_plain_signs, print_verdict

    check_choice("wandb", config["wandb"], WANDB)
    output = Path(config["paths"]["output"])
    folders = [Path(folder) for folder in as_words(config["runs"])]
    source = config["source"]
    if (source is None) == (not folders):
        raise which_runs(output)
    reading = read_runs(folders) if source is None else read_remote(source)
    name = folder_name(config["name"] or name_of(reading, folders))
    command = shlex.join([*command_of("compare").split(), *sys.argv[1:]])
    verdict, curves = compared(reading, request_of(config), name=name, command=command)
    folder = output / REPORTS / name
    write_files(verdict, curves, folder)
    console = Console()
    with in_plain_signs(console):
        print_verdict(verdict, console)
    lines = [f"Report: {folder / 'report.html'}"]
    for line in lines + tell_wandb(config, verdict, reading, folder, output):
        console.print(line, markup=False, soft_wrap=True)


def which_runs(output: Path) -> UserError:
    """Build the error for runs that are named nowhere, or in two places."""
    sweeps = sorted(path.parent for path in output.glob("sweeps/*/sweep.yaml"))
    return user_error("which_runs", choices=listed(sweeps) or "none yet")


def as_words(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(word) for word in value] if isinstance(value, list) else [str(value)]


def request_of(config: Mapping[str, Any]) -> Request:
    """Return what was typed of the design."""
    words: Dict = {key: as_words(config[key]) or None for key in ("factor", "control")}
    plain = {key: config[key] for key in ("metric", "delta", "comparisons", "test", "alpha")}
    return Request(**words, **plain, allow=tuple(config["allow"]))


def read_remote(source: str) -> Reading:
    """Return the runs that live on W&B's server, from the files that were saved with them.

    Raises:
        UserError: there is none, or none that can be read.
    """
    from experiments.tracking import remote

    reading, parse = Reading(), ConfigReader()
    problems: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for run in remote.download_runs(source, Path(scratch)):
            if run.problem is not None:
                problems.setdefault(run.problem, []).append(run.name)
                continue
            try:
                record, config = read_record(run.folder), parse(str(run.folder))
            except UserError as error:
                reading.unread.append(LeftOut(run.url, str(error)))
                continue
            if (reason := contradiction_of(str(run.folder), record, config)) is not None:
                reading.unread.append(LeftOut(run.url, reason))
                continue
            rows = read_history(run.folder)
            if (reason := contradicted(run.folder, record, rows)) is not None:
                reading.unread.append(LeftOut(run.url, reason))
                continue
            add_doubts(reading, run.url, record)
            is_tuning = (run.sweep or "").endswith(f"/{TUNING}")
            readable = FoundRun(run.url, record, config, run.sweep, rows.copy)
            (reading.tuning if is_tuning else reading.runs).append(readable)
    reading.unread += [LeftOut(listed(names), problem) for problem, names in problems.items()]
    if not reading.runs and not reading.unread:
        raise user_error("no_runs", path=source)
    if not reading.runs:
        reasons = "; ".join(f"{unread.folder}: {unread.reason}" for unread in reading.unread)
        raise user_error("wandb_unread", given=source, reason=reasons)
    return reading


def name_of(reading: Reading, folders: Iterable[Path]) -> str:
    """Return what a report is called: as its sweeps, or as the folders that were given."""
    sweeps = sorted({os.path.basename(run.sweep) for run in reading.runs if run.sweep})
    names = sweeps or sorted(folder.resolve().name for folder in folders)
    return "+".join(names) if 0 < len(names) <= MOST_NAMES else "runs"


def folder_name(name: str) -> str:
    """Return a name as a folder can have it.

    >>> folder_name("activations"), folder_name("a/b=c")
    ('activations', 'a-b-c')
    """
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "runs"


def write_files(verdict: Dict, curves: Sequence[Curves], folder: Path) -> None:
    """Write the report and everything beside it; verdict.json last, so that it is whole."""
    from experiments.comparison.plots.every_picture import pictures_of
    from experiments.comparison.plots.picture import FOLDER, write_pictures
    from experiments.comparison.report.report import write_report
    from experiments.comparison.report.table_files import csv_of, latex_of, markdown_of

    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "table.md", markdown_of(verdict))
    write_atomic(folder / "table.csv", csv_of(verdict))
    write_atomic(folder / "table.tex", latex_of(verdict))
    write_pictures(pictures_of(verdict, curves), folder / FOLDER)
    write_report(verdict, curves, folder)
    write_atomic(folder / "verdict.json", verdict_json(verdict))


def tell_wandb(
    config: Dict, verdict: Dict, reading: Reading, folder: Path, output: Path
) -> list[str]:
    """Write the verdict to W&B where the runs are told there, and say so."""
    uploaded = [run for run in reading.runs if run.record["wandb_id"]]
    mode = config["wandb"]
    node = (uploaded or reading.runs)[0].config["logger"]
    server: Dict = {"project": node.get("project"), "entity": node.get("entity")}
    if config["source"] is not None:
        from experiments.tracking import remote

        parsed = remote.parse(config["source"])
        server = {"project": parsed.project, "entity": parsed.entity}
    lines = []
    if config["dashboard"]:
        sweeps = sorted({run.sweep for run in reading.runs if run.sweep})
        shown = {"verdict": verdict, "sweeps": sweeps if config["source"] else None}
        lines.append(keep_dashboard(folder, mode, **server, **shown))
    if mode != "disabled" and (uploaded or mode != "auto"):
        from experiments.tracking.summary import write_summary

        chosen = node.get("mode", "auto") if mode == "auto" else mode
        lines.append(write_summary(verdict, folder, **server, mode=chosen, output=output))
    return lines


def keep_dashboard(folder: Path, mode: str, **contents: Any) -> str:
    """Build W&B's workspace, keep it beside the report, and save it where a server answers."""
    from experiments.tracking import dashboard

    workspace = dashboard.build(**contents)
    path = folder / "dashboard.json"
    write_atomic(path, json.dumps(dashboard.serialise(workspace), indent=1) + "\n")
    if mode in ("offline", "disabled"):
        return f"Dashboard: {path}; to save it at W&B, leave wandb={mode} away."
    try:
        return f"Dashboard: {dashboard.save(workspace)}"
    except UserError as error:
        return f"Dashboard: {path}; it is not saved at W&B. {error}"
