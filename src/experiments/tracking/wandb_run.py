"""One run of W&B, from its start to its end, as a config and a record describe it.

What a single run tells W&B itself and what the mirror tells of a sweep's runs is the same, since
both are these functions.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wandb

from experiments.record.folder import CHECKPOINTS, CONFIG, HISTORY, RECORD
from experiments.record.metric import Added, is_higher_better, names_in_stages
from experiments.record.record import Record
from experiments.record.strangers_files import is_within
from experiments.tracking.finishing import finish_in_time
from experiments.tracking.names import LONGEST, group_of, name_of
from experiments.tracking.reachable import Mode, choose_mode
from experiments.tracking.starting import remove_superseded, start_run
from experiments.tracking.wandb_settings import LONGEST_TAG, reason_of, told

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger

Config = Mapping[str, Any]
Row = Mapping[str, float | None]

PROJECT = "experiments"
"""Where runs go if neither the config nor W&B was told."""
START_SECONDS = 10.0
"""How long a run waits for W&B at its start, in all."""
OFFLINE_SECONDS = 2.0
"""What of this is left for the start of an offline run, where the server was waited for in vain."""
FINISH_SECONDS = 30.0
"""How long a run waits for W&B at its end."""

FILES = {f"run_{name}": name for name in (RECORD, CONFIG, HISTORY)}
"""What is saved with a run when it ends, and read back by `remote`: W&B's names for the files of
the run folder. W&B has a config.yaml of its own, and its folder is not to look like a run's."""

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
"""All the rest of it, which stands in W&B's config."""


def wandb_config(config: Config, record: Record) -> dict[str, Any]:
    """Return what W&B has as the run's config: nested and resolved, and what the data decided."""
    values: Mapping[str, Any] = record
    return {**config, **{name: values[name] for name in FROM_RECORD}}


def tags_of(config: Config, further: Sequence[str] = ()) -> list[str]:
    names = [config[group]["name"] for group in ("model", "activation", "optim", "data")]
    tags = [*names, *config["logger"]["tags"], *further, *(told("run_tags") or ())]
    return sorted({str(tag)[:LONGEST_TAG] for tag in tags if str(tag)})


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
    return metric if metric.startswith("test/") else f"selected/{metric}"


def wandb_folder(config: Config) -> Path:
    """Return where the files of W&B's runs lie: below WANDB_DIR, or in the output folder."""
    # W&B's service would take a relative path from the folder that it was started in.
    return Path(told("root_dir") or config["paths"]["output"]).resolve() / "wandb"


def project_of(project: str | None) -> str:
    """Return where a run goes: where it was typed, or else where W&B was told."""
    return str(project or told("project") or PROJECT)


def start_wandb(
    config: dict[str, Any],
    record: Record,
    *,
    job_type: str | None,
    rows: Sequence[Row] | None = None,
) -> tuple[WandbLogger | None, str]:
    """Start the W&B run of a single run, online where that works, and never with a question.

    It takes `START_SECONDS` at most, whatever the server does; and nothing that is wrong with W&B
    stops a training.

    Args:
        config: the nested, resolved config.
        record: identity, setting and W&B's id of the run.
        job_type: the name of the sweep.
        rows: of history.csv, where the run goes on; None where it begins.

    Returns:
        A logger for the Trainer, None where W&B is disabled or cannot be used at all; and the line
        that says which.
    """
    # The mirror, which imports this module, needs no Lightning.
    from experiments.tracking.spared_logger import SparedLogger

    started = time.monotonic()
    try:
        mode, line = choose_mode(config["logger"]["mode"], own_folder(config))
        if mode == "disabled":
            return None, line
        seconds_left = START_SECONDS - (time.monotonic() - started) - OFFLINE_SECONDS
        run, refusal = open_run(
            mode,
            config,
            record,
            job_type=job_type,
            rows=rows or (),
            is_resumed=rows is not None,
            init_timeout=max(1.0, seconds_left),
            finish_timeout=finish_seconds(config),
            finish_timeout_raises=True,
            x_transaction_log_flush_interval=1,
        )
        if rows is not None and record["wandb_id"] != record["identity"]:
            remove_superseded(run, wandb_folder(config))  # older ids are those of several runs
        return SparedLogger(experiment=run), refusal or line
    except Exception as error:
        return None, f"W&B: nothing is written for it ({reason_of(error)})."


def own_folder(config: Config) -> Path:
    """Return the folder for what wandb keeps where there is no home folder."""
    return Path(config["paths"]["output"]).resolve() / "wandb"


def finish_seconds(config: Config) -> float:
    """Return how long W&B may take at the end; configs of older runs do not say it."""
    return float(config["logger"].get("finish_timeout", FINISH_SECONDS))


def open_run(
    mode: Mode,
    config: Config,
    record: Record,
    *,
    job_type: str | None,
    tags: Sequence[str] = (),
    rows: Sequence[Row] = (),
    is_resumed: bool = False,
    project: str | None = None,
    entity: str | None = None,
    **settings: Any,
) -> tuple[Any, str | None]:
    """Start a run, or go on with it; where the server refuses it, offline.

    Online a run goes on in the one that the server has; offline nobody knows what the server has,
    so that it is written anew as a whole, and takes the place of all before when it is synced.

    Args:
        mode: online or offline.
        config: the nested, resolved config.
        record: identity, setting and W&B's id of the run.
        job_type: the name of the sweep.
        tags: added to those of the config.
        rows: of history.csv so far: W&B has each of them afterwards, once.
        is_resumed: whether the run may be on the server already.
        project, entity: in the place of those of the config.
        settings: more of `wandb.Settings`.

    Returns:
        The run, and None or the line that says that it is offline.
    """
    node, overrides = config["logger"], record["overrides"] or ()
    arguments = {
        "project": project or project_of(node["project"]),
        "entity": entity or node["entity"],
        "id": record["wandb_id"],
        "name": shown_name(config, record, is_one_of_many=job_type is not None),
        "group": told("run_group") or group_of(config, overrides, record["setting"]),
        "job_type": job_type[:LONGEST] if job_type else None,
        "tags": tags_of(config, tags),
        "notes": node["notes"],
        "config": wandb_config(config, record),
        "resume": "allow" if is_resumed and mode == "online" else None,
    }
    folder = wandb_folder(config)
    run, line = start_run(mode, folder, arguments, **settings)
    if run.starting_step > len(rows):
        # The run went on from a checkpoint before its last rows at W&B: it is written anew.
        run.finish()
        run, line = start_run(mode, folder, {**arguments, "resume": None}, **settings)
    define_metrics(run, config.get("metrics"))
    for row in rows[run.starting_step :]:
        log_row(run, row)
    return run, line


def shown_name(config: Config, record: Record, *, is_one_of_many: bool) -> str:
    """Return what W&B shows: setting and seed, or the name that W&B was told.

    Of a sweep, whose runs would all have that one name, it stands before their own.
    """
    own, name = name_of(config, record["overrides"] or ()), told("run_name")
    return str(own if not name else f"{name} {own}"[:LONGEST] if is_one_of_many else name)


def define_metrics(run: Any, added: Added | None = None) -> None:
    """Have W&B draw over the optimizer's steps, and keep the best of each validation."""
    # As Lightning's logger would have it, were it to make the run itself.
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    for metric in names_in_stages("val", added=added):
        best = "max" if is_higher_better(metric, added) else "min"
        run.define_metric(metric, step_metric="trainer/global_step", summary=best)


def log_row(run: Any, row: Row) -> None:
    """Log a row of history.csv as Lightning's logger does: the step is a value among others."""
    values = {name: value for name, value in row.items() if name != "step" and value is not None}
    run.log({**values, "trainer/global_step": row["step"]})


def finish_run(
    run: Any,
    summary: Mapping[str, Any],
    exit_code: int,
    folder: Path,
    with_checkpoint: bool,
    is_one_of_many: bool = False,
    also: Callable[[], object] | None = None,
) -> None:
    """Write the summary, save the run folder's files, and end the run.

    Args:
        summary: as `summary_of` gives it.
        exit_code: 0, or what makes W&B show the run as failed.
        with_checkpoint: attach the best checkpoint, where there is one.
        is_one_of_many: other runs of this process go on, whose service must not be ended.
        also: tells more before that.

    Raises:
        TimeoutError: the server has not taken everything in time.
    """
    artifact = checkpoint_artifact(run, folder) if with_checkpoint else None

    def tell() -> None:
        # What the server is asked about comes last: all else is on disk by then.
        run.summary.update(dict(summary))
        save_files(run, folder)
        if also is not None:
            also()
        if artifact is not None:
            run.log_artifact(artifact, aliases=["best"])

    if is_one_of_many:
        tell()
        run.finish(exit_code=exit_code)
    else:
        finish_in_time(run, exit_code, tell)


def checkpoint_artifact(run: Any, folder: Path) -> Any:
    """Return the best checkpoint as W&B takes it; None where there is none."""
    checkpoint = folder / CHECKPOINTS / "best.ckpt"
    if not (checkpoint.is_file() and is_within(checkpoint, folder)):
        return None
    artifact = wandb.Artifact(f"model-{run.id}", type="model")
    artifact.add_file(str(checkpoint))
    return artifact


def save_files(run: Any, folder: Path) -> None:
    """Save record, config and history with a run, offline too, as they are now.

    W&B would link them, and what `wandb sync` uploads later would be what they are by then.
    """
    for saved_name, name in FILES.items():
        # A link may lead to a file that is nobody's to see.
        if (folder / name).is_file() and is_within(folder / name, folder):
            copy = Path(run.dir) / saved_name
            shutil.copyfile(folder / name, copy)
            run.save(copy, base_path=run.dir, policy="now", glob=False)
