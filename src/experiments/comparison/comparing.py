"""`python compare.py`: from a config to a verdict, its report, and where they go.

Torch-free: a report is made of records alone.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.comparison import words
from experiments.comparison.confounds import environment_of
from experiments.comparison.curves import Curves, bands
from experiments.comparison.design import Design, Request, design_of
from experiments.comparison.health import health_dict
from experiments.comparison.judged import Judged, index_of_control, judge
from experiments.comparison.matrix import matrix_dict
from experiments.comparison.reading import Reading
from experiments.comparison.scoring import Excluded, tasks_of
from experiments.comparison.several import several_dict
from experiments.comparison.targets import targets_dict
from experiments.comparison.trials import sensitivity_dict
from experiments.comparison.verdict import (
    confound_lists,
    missing_cells,
    run_dicts,
    task_dict,
)
from experiments.errors import user_error
from experiments.records import now

Dict = dict[str, Any]
SCHEMA = 1
MOST_NAMES = 3
MANY_PAIRS = 10
SERIES = ("val/accuracy", "val/loss", "train/loss", "train/accuracy", "val/mae", "val/r2")


def compared(
    reading: Reading, request: Request, *, name: str, command: str
) -> tuple[Dict, list[Curves]]:
    """Return the verdict on runs as one plain dictionary, and their learning curves.

    Args:
        reading: the runs.
        request: what was typed.
        name: of the report.
        command: what was typed, as one line.

    Raises:
        UserError: nothing can be compared.
    """
    if not reading.runs:
        first = reading.unread[0]
        raise user_error("no_readable_run", number=len(reading.unread), reason=first.reason)
    design = design_of(reading, request)
    tasks, excluded = tasks_of(reading, design)
    judged = [judge(task, reading, design, request.allow) for task in tasks]
    verdict = verdict_dict(reading, design, judged, excluded, name=name, command=command)
    return verdict, curves_of(judged)


def verdict_dict(
    reading: Reading,
    design: Design,
    judged: Sequence[Judged],
    excluded: Sequence[Excluded],
    *,
    name: str,
    command: str,
) -> Dict:
    """Return the verdict as one plain dictionary."""
    tasks = [task_dict(one, design) for one in judged]
    missing = missing_cells(judged, design)
    first = judged[0] if judged else None
    verdict: Dict = {
        "schema": SCHEMA,
        "name": name,
        "made_at": now(),
        "command": command,
        "headline": [],
        "design": design_dict(design, judged),
        "tasks": tasks,
        "matrix": matrix_dict(first, design, index_of_control(first.task, design))
        if first
        else None,
        "several_tasks": several_dict(tasks, design),
        "steps_to_target": targets_dict(judged, design),
        "sensitivity": sensitivity_dict(judged, design),
        "health": health_dict(judged),
        "confounds": confound_lists(judged),
        "missing": missing,
        "missing_command": command_for(design, excluded) if missing else None,
        "unread": [{"folder": one.folder, "reason": one.reason} for one in reading.unread],
        "excluded": [{"folder": one.folder, "reason": one.reason} for one in excluded],
        "notes": [],
        "environment": environments(judged),
        "runs": run_dicts(judged),
    }
    verdict["notes"] = notes_of(verdict, design, judged)
    verdict["headline"] = words.headline(verdict, design)
    return verdict


def design_dict(design: Design, judged: Sequence[Judged]) -> Dict:
    """Return what was compared, as it is reported."""
    return {
        "factor": design.factor,
        "control": design.control,
        "metric": design.metric,
        "higher_is_better": design.higher_is_better,
        "unit": "points" if design.is_accuracy else "",
        "delta": design.delta,
        "comparisons": design.comparisons,
        "protocol": design.protocol,
        "alpha": design.alpha,
        "family": max((one.family for one in judged), default=1),
        "seeds": design.seeds,
        "declared_at": design.declared_at,
        "source": design.source,
        "changes": design.changes,
        "command": "; ".join(design.commands) or None,
    }


def command_for(design: Design, excluded: Sequence[Excluded]) -> str | None:
    """Return the command that makes the runs which are missing."""
    if not design.commands:
        return None
    has_failed = any(one.reason.startswith("failed") for one in excluded)
    return design.commands[0] + (" sweep.retry_failed=true" if has_failed else "")


def notes_of(verdict: Dict, design: Design, judged: Sequence[Judged]) -> list[str]:
    """Return further sentences: what the numbers rest on, and what they cannot show."""
    notes = []
    for task in verdict["tasks"]:
        most = max((setting["n"] for setting in task["settings"]), default=0)
        if 0 < most < task["fewest_seeds"]:
            notes.append(words.too_few_seeds(most, design_family(judged, task), design.alpha) + ".")
    if design.control is None and max((one.family for one in judged), default=0) > MANY_PAIRS:
        notes.append(
            f"No control was named, so all {max(one.family for one in judged)} pairs are compared. "
            "control=... asks fewer questions, and needs fewer seeds to answer them."
        )
    if verdict["matrix"] is not None and len(judged) > 1:
        notes.append(
            f"The matrix and its effects are those of {judged[0].task.name}; for another data set "
            "compare its runs alone."
        )
    if design.delta is None:
        notes.append(
            "No smallest difference that matters was declared (sweep.delta, or delta=... here), so "
            "nothing can be shown to be equivalent, and any difference counts."
        )
    if any(one.task.num_classes is None for one in judged) and design.is_accuracy:
        notes.append(
            "The records do not say how many classes there are, so a run at chance could not be "
            "told from one that learned, and one that diverged counts as accuracy 0."
        )
    if design.metric.startswith("val/"):
        notes.append(
            f"{design.metric} also selected each run's weights, so it flatters all settings."
        )
    climbing = [
        one.name(index) for one in judged for index, tuned in one.tuned.items() if tuned.is_climbing
    ]
    if climbing:
        notes.append(
            f"Still climbing when their epochs ended: {words.few(climbing)}. The verdict is about "
            "this budget of epochs; with more of them it may be another."
        )
    varied = {
        key for one in judged for key in one.confounds.alike if not key.startswith("environment.")
    }
    if varied:
        notes.append(f"Scores are means over what else varies: {', '.join(sorted(varied))}.")
    return notes


def design_family(judged: Sequence[Judged], task: Dict) -> int:
    """Return the number of comparisons on a task."""
    return next((one.family for one in judged if one.task.name == task["name"]), 1)


def environments(judged: Sequence[Judged]) -> dict[str, list[str]]:
    """Return every value that runs have of each part of their environment."""
    found: dict[str, set[str]] = {}
    for one in judged:
        for setting in one.task.settings:
            for scored in setting.every:
                for key, value in told_of(scored.run.record["environment"]).items():
                    found.setdefault(key, set()).add(value)
    return {key: sorted(values) for key, values in sorted(found.items())}


def told_of(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return what a run was made on, as it is reported: a commit says whether it was changed."""
    told = {
        key.removeprefix("environment.").removeprefix("versions."): value
        for key, value in environment_of(environment).items()
    }
    commit, is_clean = told.pop("commit", None), told.pop("clean", None)
    if commit not in (None, "None"):
        told["commit"] = f"{str(commit)[:12]} ({'clean' if is_clean == 'True' else 'changed'})"
    return told


def curves_of(judged: Sequence[Judged]) -> list[Curves]:
    """Return the learning curves of every setting on every task."""
    found = []
    for one in judged:
        for index, setting in enumerate(one.task.settings):
            histories = [scored.run.history() for scored in setting.every]
            epochs, series = bands(histories, SERIES)
            if series:
                found.append(Curves(one.task.name, index, epochs, series))
    return found


def name_of(reading: Reading, places: Iterable[Path]) -> str:
    """Return what a report is called: as its sweeps, or as the folders that were given."""
    sweeps = sorted({os.path.basename(run.sweep) for run in reading.runs if run.sweep})
    names = sweeps or sorted(place.resolve().name for place in places)
    return "+".join(names) if 0 < len(names) <= MOST_NAMES else "runs"


def command_line() -> str:
    """Return the command that this process was started with, as one types it."""
    return shlex.join(["python", os.path.basename(sys.argv[0]), *sys.argv[1:]])


def write_verdict(verdict: Dict) -> str:
    """Return verdict.json as a text; numbers that JSON has no word for are mistakes of ours."""
    return json.dumps(verdict, indent=1, allow_nan=False) + "\n"
