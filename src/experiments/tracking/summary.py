"""The verdict of a comparison as a run of W&B: sentences, tables, pictures and the whole report.

W&B is the mirror: what goes wrong with it is said in a line, and spoils no report.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import wandb

from experiments.tracking.mirror import OF_ONE_RUN
from experiments.tracking.mirrored import CHEAP
from experiments.tracking.server import Mode, choose_mode
from experiments.tracking.state import State, opened_now, read_state, remove_offline, write_state
from experiments.tracking.summary_tables import pairs_table, settings_table
from experiments.tracking.wandb_run import LONGEST_TAG, start_run

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


def write_summary(
    verdict: Verdict,
    folder: Path,
    *,
    project: str,
    entity: str | None,
    mode: str,
    output: str | Path,
) -> str:
    """Write a verdict to W&B, in the place of what it was told of this comparison before.

    Online the run has the same id each time and replaces the one before. Offline W&B cannot go on
    with a run, and the same id would only make a second folder, so the one before is removed.

    Args:
        verdict: the plain dict of verdict.json.
        folder: of the report: its files are what is shown. `.mirror.json` is kept there.
        project: of W&B.
        entity: of W&B; None is the user's own.
        mode: `logger.mode`: auto, online, offline or disabled.
        output: below which W&B's offline runs lie.

    Returns:
        One line: where the verdict is, or why it is nowhere.
    """
    with as_no_run_of_an_agent():
        wandb.setup(wandb.Settings(silent=True))
        chosen, line = choose_mode(mode)
        if chosen == "disabled":
            return line
        arguments = {
            "project": project,
            "entity": entity,
            "id": run_id(verdict["name"]),
            "name": verdict["name"],
            "group": verdict["name"],
            "job_type": JOB_TYPE,
            "tags": [JOB_TYPE, *(key[:LONGEST_TAG] for key in verdict["design"]["factor"])],
            "notes": "\n".join(verdict["headline"]),
            "config": {"comparison": verdict["name"], **{key: verdict[key] for key in IN_CONFIG}},
        }
        try:
            return write(verdict, folder, chosen, arguments, Path(output).resolve() / "wandb", line)
        except TimeoutError:
            return "W&B: the server takes nothing more; the verdict is not there."
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            return f"W&B: the verdict is not written there ({reason})."


def write(
    verdict: Verdict,
    folder: Path,
    mode: Mode,
    arguments: dict[str, Any],
    wandb_folder: Path,
    line: str,
) -> str:
    """Start the run, tell it all, end it, and return where it is."""
    before = read_state(folder)
    if before is not None:
        remove_offline(before, wandb_folder)
    # Written first, so that whoever comes after a kill in between knows what to look for.
    state = State(arguments["id"], mode, opened_now())
    write_state(folder, state)
    run, refusal = start_run(mode, wandb_folder, arguments, **CHEAP)
    if refusal is not None:
        state.mode, line = "offline", refusal
    state.wandb_folder = Path(run.settings.sync_dir).name
    write_state(folder, state)
    try:
        tell(run, verdict, folder)
    except BaseException:
        with contextlib.suppress(Exception):
            run.finish(exit_code=1)
        raise
    where = run.url if state.mode == "online" else wandb_folder / state.wandb_folder
    run.finish(exit_code=0)
    state.finished = True
    write_state(folder, state)
    return f"{line} The verdict is {where}"


def tell(run: Any, verdict: Verdict, folder: Path) -> None:
    """Log tables, pictures and report in one row, the verdict as summary, and all files."""
    shown: dict[str, Any] = {"settings": settings_table(verdict), "pairs": pairs_table(verdict)}
    for path in sorted((folder / "plots").glob("*.png")):
        shown[f"plots/{path.stem}"] = wandb.Image(str(path))
    if (folder / REPORT).is_file():
        # As it is: anything put into it would break the page's own policy.
        shown["report"] = wandb.Html(str(folder / REPORT), inject=False)
    run.log(shown)
    run.summary.update(scalars(verdict))
    artifact = wandb.Artifact(f"verdict-{slug(verdict['name'])}", type=JOB_TYPE)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            artifact.add_file(str(path), name=path.relative_to(folder).as_posix())
    run.log_artifact(artifact)


def scalars(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as W&B's summary: one word or number under each name.

    `mean/SETTING`, and `verdict/`, `difference/` and `p_holm/` of each pair, called A-B for A minus
    B; of several tasks the task's name stands before.
    """
    tasks = verdict["tasks"]
    found: dict[str, Any] = {"headline": "\n".join(verdict["headline"])}
    for task in tasks:
        prefix = f"{task['name']}/" if len(tasks) > 1 else ""
        names = {setting["id"]: setting["name"] for setting in task["settings"]}
        for setting in task["settings"]:
            found[f"mean/{prefix}{setting['name']}"] = setting["mean"]
        for pair in task["pairs"]:
            name = f"{prefix}{names[pair['a']]}-{names[pair['b']]}"
            for key in ("verdict", "difference", "p_holm"):
                found[f"{key}/{name}"] = pair[key]
    found["pairs_by_verdict"] = Counter(pair["verdict"] for t in tasks for pair in t["pairs"])
    return found


def run_id(name: str) -> str:
    """Return W&B's id of the run of a comparison: always the same, and readable.

    >>> run_id("activations")
    'verdict-activations-25be62c8'
    """
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"verdict-{slug(name)}-{digest}"


def slug(name: str) -> str:
    """Return a name as W&B's ids and artifacts can have it.

    >>> slug("activation=relu x optim")
    'activation-relu-x-optim'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name)[:LONGEST_NAME].strip("-") or "unnamed"


@contextlib.contextmanager
def as_no_run_of_an_agent() -> Iterator[None]:
    """Hide for the length of the block what W&B's agent tells a run that it has started."""
    hidden = {name: os.environ.pop(name) for name in OF_ONE_RUN if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
