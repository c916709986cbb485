"""The verdict: records in, one plain dictionary out, which every report is made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.comparison.blocks import Block, Fold, block_words, has_folds, ordered
from experiments.comparison.by_point import points_dict
from experiments.comparison.confounds import environment_of, joined, sentences_of
from experiments.comparison.confused import confused_dict
from experiments.comparison.design import Design, Dict, Request, design_of
from experiments.comparison.headline import headline
from experiments.comparison.judged import Judged, family_of, judge
from experiments.comparison.layer_health import health_dict
from experiments.comparison.matrix import matrix_dict
from experiments.comparison.mean_curves import Curves, curves_of
from experiments.comparison.notes import notes_of, notes_on_doubts
from experiments.comparison.pairs import finite_or_none
from experiments.comparison.reading import LeftOut, Reading
from experiments.comparison.run_score import Scored
from experiments.comparison.scoring import tasks_of
from experiments.comparison.sensitivity import sensitivity_dict, trials_dict
from experiments.comparison.settings import task_dict
from experiments.comparison.several import several_dict
from experiments.comparison.subject import title_of
from experiments.comparison.targets import targets_dict
from experiments.comparison.tuning_price import price_dict
from experiments.errors.messages import user_error
from experiments.errors.wording import all_visible
from experiments.record.record import now

SCHEMA = 1
REPORTED = (
    *("factor", "control", "metric", "higher_is_better", "delta", "comparisons", "protocol"),
    "test",
    *("alpha", "allow", "seeds", "declared_at", "source", "changes"),
)
"""What is reported of a design as it is."""


def compared(
    reading: Reading, request: Request, *, name: str, command: str
) -> tuple[Dict, list[Curves]]:
    """Return the verdict on runs as one plain dictionary, and their learning curves.

    Raises:
        UserError: nothing can be compared.
    """
    design, tasks, excluded = judged_runs(reading, request)
    head = {"schema": SCHEMA, "name": name, "made_at": now(), "command": command}
    verdict: Dict = all_visible(head | verdict_dict(reading, design, tasks, excluded))
    return verdict, curves_of(tasks)


def judged_runs(reading: Reading, request: Request) -> tuple[Design, list[Judged], list[LeftOut]]:
    """Return what is compared, the tasks with all that is said of them, and what has no part."""
    if not reading.runs:
        first = reading.unread[0]
        raise user_error("no_readable_run", number=len(reading.unread), reason=first.reason)
    design = design_of(reading, request)
    scored, excluded = tasks_of(reading, design)
    return design, [judge(task, reading, design) for task in scored], excluded


def answer(reading: Reading, request: Request) -> Dict:
    """Return of the verdict what a sweep ends with: its design, means, pairs and sentences.

    Raises:
        UserError: nothing can be compared.
    """
    design, tasks, _ = judged_runs(reading, request)
    verdict = answer_dict(design, tasks)
    said: Dict = all_visible(verdict | {"headline": headline(verdict, design)})
    return said


def answer_dict(design: Design, tasks: Sequence[Judged]) -> Dict:
    return {
        "design": {
            **{name: getattr(design, name) for name in REPORTED},
            "unit": "points" if design.is_share else "",
            "looks": list(design.looks.looks.sizes) if design.looks else None,
            "spending": design.looks.looks.spending if design.looks else None,
            "family": family_of(tasks),
            "command": "; ".join(design.commands) or None,
        },
        "tasks": [task_dict(judged, design) for judged in tasks],
        "matrix": matrix_dict(tasks[0].task, design) if tasks else None,
    }


def verdict_dict(
    reading: Reading, design: Design, tasks: Sequence[Judged], excluded: Sequence[LeftOut]
) -> Dict:
    """Return all that the verdict says of the runs."""
    answered = answer_dict(design, tasks)
    answered["tasks"] = [
        {
            **said,
            "test_points": points_dict(judged, design),
            "confused": confused_dict(judged.task, design),
        }
        for said, judged in zip(answered["tasks"], tasks, strict=True)
    ]
    missing = missing_cells(tasks, design)
    runs = [
        (judged.task.name, index, scored)
        for judged in tasks
        for index, setting in enumerate(judged.task.settings)
        for scored in setting.every
    ]
    num_seeds = [len(judged.task.seeds) for judged in tasks]
    folds = [said["folds"] for said in answered["tasks"]]
    verdict: Dict = {
        "title": title_of([scored.run for _, _, scored in runs], num_seeds, design, folds),
        "headline": [],
        **answered,
        "several_tasks": several_dict(answered["tasks"], design),
        "steps_to_target": targets_dict(tasks, design),
        "sensitivity": sensitivity_dict(tasks, design),
        "trials": trials_dict(tasks, design),
        "tuning_price": price_dict(tasks, design),
        "health": health_dict(tasks),
        "confounds": confound_lists(tasks),
        "missing": missing,
        "missing_command": missing_command(design, excluded) if missing else None,
        "unread": [vars(left_out) for left_out in reading.unread],
        "excluded": [vars(left_out) for left_out in excluded],
        "notes": [],
        "environment": environments(scored for _, _, scored in runs),
        "runs": [run_dict(*run) for run in runs],
    }
    verdict["headline"] = headline(verdict, design)
    notes = notes_of(verdict, design, tasks) + notes_on_doubts(reading)
    verdict["notes"] = [note for note in notes if note not in verdict["headline"]]
    return verdict


def missing_cells(tasks: Sequence[Judged], design: Design) -> list[str]:
    """Return the blocks that settings lack, of those declared or had by another setting."""
    missing = []
    for judged in tasks:
        blocks = judged.task.blocks | declared_blocks(judged.task.blocks, design)
        prefix = f"{judged.task.name}: " if len(tasks) > 1 else ""
        for index, setting in enumerate(judged.task.settings):
            wanted = blocks if judged.looks is None else judged.wanted(index)
            lacking = ordered(wanted - setting.scores.keys())
            if lacking:
                missing.append(f"{prefix}{setting.name}: {block_words(lacking)}")
    return missing


def declared_blocks(there: Iterable[Block], design: Design) -> set[Block]:
    """Return the seeds that were declared, of a cross validation each on each fold."""
    cuts = {(block.split_seed, block.folds) for block in there if isinstance(block, Fold)}
    if not cuts:
        return set(design.seeds)
    follows = "data.split_seed" in design.following_seed
    return {
        Fold(seed, seed if follows else split_seed, folds, fold)
        for seed in design.seeds
        for split_seed, folds in cuts
        for fold in design.folds
    }


def missing_command(design: Design, excluded: Sequence[LeftOut]) -> str | None:
    if not design.commands:
        return None
    has_failed = any(left_out.reason.startswith("failed") for left_out in excluded)
    return design.commands[0] + (" sweep.retry_failed=true" if has_failed else "")


def confound_lists(tasks: Sequence[Judged]) -> Dict:
    """Return what differs between settings, what is mixed alike in all, and what was allowed."""
    lists: dict[str, list[str]] = {"withholding": [], "listed": [], "allowed": []}
    for judged in tasks:
        prefix = f"{judged.task.name}: " if len(tasks) > 1 else ""
        confounds = judged.confounds
        alike = [f"{key}: {joined(texts)}" for key, texts in confounds.alike.items()]
        between = sentences_of(judged.task, confounds.between)
        allowed = sentences_of(judged.task, confounds.allowed)
        for own, sentences in zip(lists.values(), (between, alike, allowed), strict=True):
            own += [prefix + sentence for sentence in sentences]
    return lists


def environments(runs: Iterable[Scored]) -> dict[str, list[str]]:
    """Return every value that runs have of each part of their environment."""
    values: dict[str, set[str]] = {}
    for scored in runs:
        for key, value in environment_dict(scored.run.record["environment"]).items():
            values.setdefault(key, set()).add(value)
    return {key: sorted(texts) for key, texts in sorted(values.items())}


def environment_dict(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return what a run was made on, as it is reported: a commit says whether it was changed."""
    values = {
        key.removeprefix("environment.").removeprefix("versions."): value
        for key, value in environment_of(environment).items()
    }
    commit, is_clean = values.pop("commit", None), values.pop("clean", None)
    if commit not in (None, "None"):
        values["commit"] = f"{str(commit)[:12]} ({'clean' if is_clean == 'True' else 'changed'})"
    return values


def run_dict(task: str, setting: int, scored: Scored) -> Dict:
    record = scored.run.record
    return {
        "folder": scored.run.folder,
        "task": task,
        "setting": setting,
        "seed": record["seed"],
        "fold": scored.run.config["data"]["fold"] if has_folds(scored.run.config) else None,
        "status": record["status"],
        "score": finite_or_none(scored.score),
        "identity": record["identity"],
        "epochs": record["epochs"],
        "steps": record["steps"],
        "seconds": record["duration_seconds"],
        "error": scored.failure or record["error"],
        "metrics": dict(record["metrics"]),
    }


def verdict_json(verdict: Dict) -> str:
    """Return verdict.json as a text; numbers that JSON has no word for are mistakes of ours."""
    return json.dumps(verdict, indent=1, allow_nan=False) + "\n"
