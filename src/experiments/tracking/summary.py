"""The verdict of a comparison as a run of W&B: sentences, tables, pictures and the whole report.

W&B is the mirror: what goes wrong with it is said in a line, and spoils no report.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb

from experiments.record.strangers_files import is_within
from experiments.tracking import agent
from experiments.tracking.finishing import finish_in_time, sync_command
from experiments.tracking.mirrored import CHEAP
from experiments.tracking.names import LONGEST, slug
from experiments.tracking.reachable import Mode, choose_mode
from experiments.tracking.starting import start_run
from experiments.tracking.state import open_state, read_state, write_state
from experiments.tracking.wandb_run import project_of
from experiments.tracking.wandb_settings import LONGEST_TAG, told

Verdict = Mapping[str, Any]

JOB_TYPE = "verdict"
REPORT = "report.html"
IN_CONFIG = (
    "schema",
    "design",
    "confounds",
    "missing",
    "notes",
    "environment",
    "made_at",
    "command",
)
LONGEST_NAME = 40
PICTURES = "pictures"
OF_SETTING = ("n", "mean", "sd", "interval_low", "interval_high", "median", "low", "high")
OF_SETTING_TOO = ("failure_rate", "num_parameters", "seconds", "steps")
OF_PAIR = (
    "n",
    "difference",
    "interval_low",
    "interval_high",
    "level",
    "p",
    "p_holm",
    "superiority",
    "chance_better",
    "chance_within",
    "chance_worse",
    "verdict",
    "reason",
    "seeds_needed",
    "detectable",
    "settled_at",
    "sentence",
)
OF_PRICE = ("task", "setting", "trials", "expected_best")


def write_summary(
    verdict: Verdict,
    folder: Path,
    *,
    project: str | None,
    entity: str | None,
    mode: str,
    output: str | Path,
) -> str:
    """Write a verdict to W&B, in the place of what it was told of this report before.

    Online the run of a report folder has the same id each time and replaces the one before.
    Offline W&B cannot go on with a run, and the same id would only make a second folder, so the
    one before is removed.

    Args:
        verdict: the plain dict of verdict.json.
        folder: of the report: its files are what is shown. `.mirror.json` is kept there.
        project, entity: of W&B; None where W&B was told, or else `experiments` and the user's own.
        mode: `logger.mode`: auto, online, offline or disabled.
        output: below which W&B's offline runs lie.

    Returns:
        One line: where the verdict is, or why it is nowhere.
    """
    with agent.hidden():
        try:
            chosen, line = choose_mode(mode, Path(output).resolve() / "wandb")
            if chosen == "disabled":
                return line
            arguments = arguments_of(verdict, folder)
            arguments |= {"project": project_of(project), "entity": entity}
            files = Path(told("root_dir") or output) / "wandb"
            return write_run(verdict, folder, chosen, arguments, files, line)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            return f"W&B: the verdict is not written there ({reason})."


def arguments_of(verdict: Verdict, folder: Path) -> dict[str, Any]:
    """Return what `wandb.init` is told of a verdict."""
    before, name = read_state(folder), verdict["name"][:LONGEST]
    tags = [JOB_TYPE, *verdict["design"]["factor"], *(told("run_tags") or ())]
    return {
        "id": before.wandb_id if before else new_id(name),
        "name": told("run_name") or name,
        "group": told("run_group") or name,
        "job_type": JOB_TYPE,
        "tags": list(dict.fromkeys(str(tag)[:LONGEST_TAG] for tag in tags)),
        "notes": as_markdown("\n".join(verdict["headline"])),
        "config": {"comparison": verdict["name"], **{key: verdict[key] for key in IN_CONFIG}},
    }


def as_markdown(text: str) -> str:
    r"""Return a text of which W&B, which shows notes as Markdown, makes no link, picture or tag.

    >>> as_markdown("relu beats ![x](http://host/x) by 1 point")
    'relu beats ![x\\](http://host/x) by 1 point'
    """
    return re.sub(r"](?=[(\[:])|[<`]", r"\\\g<0>", text)


def write_run(
    verdict: Verdict,
    folder: Path,
    mode: Mode,
    arguments: dict[str, Any],
    wandb_folder: Path,
    line: str,
) -> str:
    """Start the run, tell it all, end it, and return where it is, by a path as it was given."""
    state = open_state(folder, arguments["id"], mode, wandb_folder.resolve())
    run, refusal = start_run(mode, wandb_folder.resolve(), arguments, **CHEAP)
    if refusal is not None:
        state.mode, line = "offline", refusal
    state.wandb_folder = Path(run.settings.sync_dir).name
    write_state(folder, state)
    where = run.url if state.mode == "online" else wandb_folder / state.wandb_folder
    try:
        finish_in_time(run, 0, lambda: log_verdict(run, verdict, folder))
    except TimeoutError:
        return (
            "W&B: the server has not taken all of the verdict in time. All is on disk; to send "
            f"it: {sync_command(run)}"
        )
    state.finished = True
    write_state(folder, state)
    return f"{line} The verdict is {where}"


def log_verdict(run: Any, verdict: Verdict, folder: Path) -> None:
    """Write tables, pictures, report and the verdict's numbers as summary, and attach all files.

    Nothing goes into the history: W&B would draw curves of one point, of a table's number of
    columns and of a picture's height.
    """
    run.summary.update({"settings": settings_table(verdict), "pairs": pairs_table(verdict)})
    if verdict.get("tuning_price"):
        run.summary.update({"tuning_price": price_table(verdict)})
    paths = sorted((folder / "plots").glob("*.png"))
    if paths:
        pictures = [[path.stem, wandb.Image(str(path))] for path in paths]
        run.summary.update({PICTURES: wandb.Table(columns=["name", "picture"], data=pictures)})
    if (folder / REPORT).is_file():
        # As it is: anything put into it would break the page's own policy.
        run.summary.update({"report": wandb.Html(str(folder / REPORT), inject=False)})
    run.summary.update(scalars(verdict))
    artifact = wandb.Artifact(f"verdict-{slug(verdict['name'], LONGEST_NAME)}", type=JOB_TYPE)
    for path in sorted(folder.rglob("*")):
        is_own = path.is_file() and is_within(path, folder)
        if is_own and not path.name.startswith("."):
            artifact.add_file(str(path), name=path.relative_to(folder).as_posix())
    run.log_artifact(artifact)


def settings_table(verdict: Verdict) -> Any:
    factors = list(verdict["design"]["factor"])
    columns: list[Any] = ["task", "setting", *factors, "is_control", *OF_SETTING, *OF_SETTING_TOO]
    rows = []
    for task in verdict["tasks"]:
        for setting in task["settings"]:
            values = {**setting, **ends(setting), "task": task["name"], "setting": setting["name"]}
            # Text: a column of W&B's has one type, and the levels of a key need not have one.
            levels = {key: str(value) for key, value in setting["levels"].items()}
            values = {**values, **{key: levels.get(key) for key in factors}}
            rows.append([values.get(column) for column in columns])
    return wandb.Table(columns=columns, data=rows, allow_mixed_types=True)


def pairs_table(verdict: Verdict) -> Any:
    """Return the table of comparisons: a row for each pair of each task, the difference a - b."""
    columns: list[Any] = ["task", "a", "b", *OF_PAIR]
    rows = []
    for task in verdict["tasks"]:
        names = {setting["id"]: setting["name"] for setting in task["settings"]}
        for pair in task["pairs"]:
            who = {"task": task["name"], "a": names[pair["a"]], "b": names[pair["b"]]}
            chances = {f"chance_{key}": p for key, p in (pair.get("chances") or {}).items()}
            look = pair.get("look") or {"settled": False}
            settled = {"settled_at": look["seeds"] if look["settled"] else None}
            values = {**pair, **ends(pair), **chances, **settled, **who}
            rows.append([values.get(column) for column in columns])
    return wandb.Table(columns=columns, data=rows, allow_mixed_types=True)


def price_table(verdict: Verdict) -> Any:
    """Return the table of what tuning costs: the best score to be expected of 1, 2, ... trials."""
    rows = [
        [task["name"], setting["name"], trials, expected]
        for task in verdict["tuning_price"]["tasks"]
        for setting in task["settings"]
        for trials, expected in enumerate(setting["expected"], 1)
    ]
    return wandb.Table(columns=list(OF_PRICE), data=rows, allow_mixed_types=True)


def ends(values: Mapping[str, Any]) -> dict[str, float | None]:
    low, high = values["interval"] or (None, None)
    return {"interval_low": low, "interval_high": high}


def scalars(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as W&B's summary: one word or number under each name.

    `mean/SETTING`, and `verdict/`, `difference/` and `p_holm/` of each pair, called A-B for A minus
    B; of several tasks the task's name stands before.
    """
    tasks = verdict["tasks"]
    values: dict[str, Any] = {"headline": "\n".join(verdict["headline"])}
    for task in tasks:
        prefix = f"{task['name']}/" if len(tasks) > 1 else ""
        names = {setting["id"]: setting["name"] for setting in task["settings"]}
        for setting in task["settings"]:
            values[f"mean/{prefix}{setting['name']}"] = setting["mean"]
        for pair in task["pairs"]:
            name = f"{prefix}{names[pair['a']]}-{names[pair['b']]}"
            for key in ("verdict", "difference", "p_holm"):
                values[f"{key}/{name}"] = pair[key]
    values["pairs_by_verdict"] = Counter(pair["verdict"] for t in tasks for pair in t["pairs"])
    return values


def new_id(name: str) -> str:
    """Return W&B's id of the verdict of a report folder, which keeps it: no other folder has it.

    >>> new_id("activations")[:-8]
    'verdict-activations-'
    """
    return f"{JOB_TYPE}-{slug(name, LONGEST_NAME)}-{secrets.token_hex(4)}"
