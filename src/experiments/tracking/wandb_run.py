"""One run of W&B, from its start to its end, as a config and a record describe it.

What a single run tells W&B itself and what the mirror tells of a sweep's runs is the same, since
both are these functions.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb

from experiments.records import Record
from experiments.tracking import agent
from experiments.tracking.server import Mode

Config = Mapping[str, Any]

STAGED_HERE = "EXPERIMENTS_WANDB_DATA_DIR"
LONGEST_TAG = 64
FROM_ENDED_RECORD = (
    "status",
    "error",
    "health",
    "best_epoch",
    "epochs",
    "steps",
    "duration_seconds",
    "fit_seconds",
    "train_seconds",
    "samples_per_second",
    "ended_at",
)
"""What of a record is known at its end, and stands in W&B's summary beside the metrics."""
ELSEWHERE = ("seed", "metrics", "wandb_id")
FROM_RECORD = tuple(
    name for name in Record.__annotations__ if name not in FROM_ENDED_RECORD + ELSEWHERE
)
"""All the rest of it, which stands in W&B's config. `remote_record` reads everything back."""
SELECTED = "selected/"


def wandb_config(config: Config, record: Record) -> dict[str, Any]:
    """Return what W&B has as the run's config: nested and resolved, and what the data decided."""
    values: Mapping[str, Any] = record
    return {**config, **{name: values[name] for name in FROM_RECORD}}


def tags_of(config: Config, further: Sequence[str] = ()) -> list[str]:
    """Return the tags of a run: what it is made of, and those of the user."""
    names = [config[group]["name"] for group in ("model", "activation", "optim", "data")]
    return sorted({*names, *config["logger"]["tags"], *(tag[:LONGEST_TAG] for tag in further)})


def summary_of(record: Record) -> dict[str, Any]:
    """Return what W&B shows of a finished run.

    `val/*` are left to W&B's own best values; those of the selected weights are `selected/val/*`.
    """
    values: Mapping[str, Any] = record
    return {
        # W&B drops what is null, and a metric that is no number must not look like none at all.
        **{summary_key(n): math.nan if v is None else v for n, v in record["metrics"].items()},
        **{name: values[name] for name in FROM_ENDED_RECORD},
    }


def summary_key(metric: str) -> str:
    """Return under which name W&B's summary has a metric of the selected weights.

    >>> summary_key("test/accuracy"), summary_key("val/accuracy")
    ('test/accuracy', 'selected/val/accuracy')
    """
    return metric if metric.startswith("test/") else f"{SELECTED}{metric}"


def wandb_folder(config: Config) -> Path:
    """Return where the files of W&B's runs lie."""
    # W&B's service would take a relative path from the folder that it was started in.
    return Path(config["paths"]["output"]).resolve() / "wandb"


def open_run(
    mode: Mode,
    config: Config,
    record: Record,
    *,
    name: str,
    job_type: str | None,
    tags: Sequence[str] = (),
    is_resumed: bool = False,
    **settings: Any,
) -> tuple[Any, str | None]:
    """Start a run; where the server refuses it, offline, and return the line that says so.

    Args:
        mode: online or offline.
        config: the nested, resolved config.
        record: identity, setting and W&B's id of the run.
        name: what W&B shows.
        job_type: the name of the sweep.
        tags: added to those of the config.
        is_resumed: whether the run may be on the server already.
        settings: more of `wandb.Settings`.

    Returns:
        The run, and None or the line.
    """
    node = config["logger"]
    arguments = {
        "project": node["project"],
        "entity": node["entity"],
        "id": record["wandb_id"],
        "name": name,
        "group": record["setting"],
        "job_type": job_type,
        "tags": tags_of(config, tags),
        "notes": node["notes"],
        "config": wandb_config(config, record),
        "resume": "allow" if is_resumed and mode == "online" else None,
    }
    run, line = start_run(mode, wandb_folder(config), arguments, **settings)
    define_metrics(run)
    return run, line


def start_run(
    mode: Mode, folder: Path, arguments: Mapping[str, Any], **settings: Any
) -> tuple[Any, str | None]:
    """Call `wandb.init`; where the server refuses the run, offline, and return the line about it.

    Args:
        mode: online or offline.
        folder: where the files of W&B's runs lie, called wandb.
        arguments: of `wandb.init`, with an id.
        settings: more of `wandb.Settings`.

    Returns:
        The run, and None or the line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stage_artifacts_in(folder)
    arguments = {
        "dir": str(folder.parent),
        "reinit": "create_new",
        "settings": wandb.Settings(silent=True, **{"init_timeout": 30, **settings}),
        **arguments,
    }
    try:
        return wandb.init(mode=mode, **arguments), None
    except wandb.errors.Error as error:
        if mode == "offline" or agent.run_id():
            raise  # an agent's run has one id, which stays taken by the attempt that failed
        reason = " ".join(str(error).split())[:200]
        # The id stays taken in this process by the attempt that failed.
        arguments |= {"resume": None, "id": f"{arguments['id']}-offline"}
        run = wandb.init(mode="offline", **arguments)
        return run, f"W&B: offline, because the server refused the run ({reason})."


def define_metrics(run: Any) -> None:
    """Have W&B draw over the optimizer's steps, and keep the best of each validation."""
    # As Lightning's logger would have it, were it to make the run itself.
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    for metric, best in (("val/accuracy", "max"), ("val/loss", "min"), ("val/r2", "max")):
        run.define_metric(metric, step_metric="trainer/global_step", summary=best)


def stage_artifacts_in(folder: Path) -> None:
    """Have W&B stage artifacts below `folder` instead of the user's data folder.

    An environment variable is the only way; one that the user has set is left alone.
    """
    if os.environ.get("WANDB_DATA_DIR", "") in ("", os.environ.get(STAGED_HERE, "")):
        os.environ["WANDB_DATA_DIR"] = os.environ[STAGED_HERE] = str(folder)


def log_row(run: Any, row: Mapping[str, float]) -> None:
    """Log a row of history.csv as Lightning's logger does: the step is a value among others."""
    values = {name: value for name, value in row.items() if name != "step"}
    run.log({**values, "trainer/global_step": row["step"]})


def finish_run(
    run: Any, summary: Mapping[str, Any], exit_code: int, checkpoint: Path | None
) -> None:
    """Write the summary, attach the best checkpoint if one is given, and end the run.

    Args:
        exit_code: 0, or what makes W&B show the run as failed.
    """
    run.summary.update(dict(summary))
    if checkpoint is not None and checkpoint.is_file():
        artifact = wandb.Artifact(f"model-{run.id}", type="model")
        artifact.add_file(str(checkpoint))
        run.log_artifact(artifact, aliases=["best"])
    run.finish(exit_code=exit_code)
