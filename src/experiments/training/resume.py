"""Continue a run from its last checkpoint: `resume=FOLDER` or `resume=auto`."""

from __future__ import annotations

import contextlib
import functools
import glob
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.catalogue.schedulers import depends_on_total
from experiments.config.launch import Launch
from experiments.config.overrides import is_within, key_of
from experiments.config.read_values import check_complete, check_read_values
from experiments.config.trusted import check_read
from experiments.data.datamodule import AUTO
from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, refuse_unless, user_error
from experiments.errors.wording import listed, spelled
from experiments.record.claim import Known, is_held, lost_records
from experiments.record.code import change_of_code, changes
from experiments.record.folder import CONFIG
from experiments.record.identity import flat, with_parts_named
from experiments.record.record import Record, read_record
from experiments.record.same_data import ALLOW, change_of, is_other_data, is_same_but_for_data
from experiments.record.trained_config import trained_config
from experiments.training.budget import Budget, Used
from experiments.training.console import logging_to
from experiments.training.launched import started_by_others
from experiments.training.recipe import Recipe
from experiments.training.run_parts import RunParts
from experiments.training.slurm_job import is_restarted_by_slurm
from experiments.training.whole_checkpoint import latest_whole, load_checkpoint

log = logging.getLogger(__name__)

CHANGEABLE = (
    "trainer.max_epochs",
    "trainer.max_steps",
    "trainer.max_time",
    "test",
    "keep_predictions",
    "steps_per_execution",
    "trainer.threads",
    "trainer.log_every_n_steps",
    "log_full_loss",
    "checkpoint.every_n_steps",
    "checkpoint.every_seconds",
    "data.root",
    "data.path",
    "data.test_path",
    "data.memory_limit",
    "data.num_workers",
)
OF_THIS_COMMAND = (
    *("resume", "again", "changed_data", "changed_code", "trusted", "progress", "paths"),
)
"""Keys that are never a run's own."""
UNCHANGING = (
    "keep_predictions",
    "steps_per_execution",
    "trainer.threads",
    "checkpoint.every_n_steps",
    "checkpoint.every_seconds",
    "data.root",
    "data.path",
    "data.test_path",
    "data.memory_limit",
    "data.num_workers",
)
"""Those of the keys that may be changed on the way which change nothing of the result."""
INSTEAD = "Delete it: the run then goes on from what is whole."
HARMLESS = (
    "resume",
    "again",
    "changed_data",
    "changed_code",
    "trusted",
    "logger",
    "progress",
    "paths",
    "trainer.profiler",
)


@dataclass(frozen=True)
class Resumed:
    """The run that is continued."""

    folder: Path
    record: Record

    @functools.cached_property
    def checkpoint(self) -> Path | None:
        """Its last checkpoint that is whole, looked for when it is asked for: each byte is read.

        None where it was stopped before the first.
        """
        return latest_whole(self.folder)


def read_run(folder: Path) -> Resumed:
    """Return the run of a folder, or raise UserError where it is none."""
    if not folder.is_dir():
        raise user_error("not_a_run", path=folder, reason="there is no such folder")
    record = read_record(folder)
    if not (folder / CONFIG).is_file():
        raise user_error("not_a_run", path=folder, reason=f"it has no {CONFIG}")
    return Resumed(folder, record)


def asked_for(config: dict[str, Any], launch: Launch) -> tuple[dict[str, Any], Resumed | None]:
    """Return the config to train with, and the run that `resume=FOLDER` names."""
    if config.get("resume") is None and is_begun_before(launch):
        log.info(TABLE["restarted"])
        config = {**config, "resume": "auto"}
    if config.get("resume") in (None, "auto"):
        return config, None
    if config["resume"] in ("", "true", "false"):
        allowed = "a run's folder, auto, or null for a new run"
        refuse_unless(False, "resume", config["resume"], allowed, "auto")
    resumed = read_run(Path(config["resume"]))
    return config_of(resumed, config, launch.overrides), resumed


def is_begun_before(launch: Launch) -> bool:
    """Return whether SLURM has started a run of one process again, which it was told to end."""
    return launch.sweep_dir is None and is_restarted_by_slurm() and not started_by_others()


def check_unchanged(resumed: Resumed) -> None:
    """Raise UserError where the run was taken up by another process meanwhile."""
    if read_record(resumed.folder) != resumed.record:
        raise user_error("run_is_alive", path=resumed.folder)


def check_same_code(resumed: Resumed, parts: RunParts) -> None:
    """Raise UserError where a run would go on with other code, unless that is asked for."""
    before = resumed.record["code"] or {}
    if changes(before, parts.code) and parts.config["changed_code"] != ALLOW:
        change = change_of_code(before, parts.code)
        raise user_error("resume_code", path=resumed.folder, change=change)


def check_same_data(resumed: Resumed, parts: RunParts, error: str = "resume_data") -> None:
    """Raise UserError where a run would go on with other data, unless that is asked for."""
    if not is_other_data(resumed.record, parts.data_checksum):
        return
    data = parts.datamodule
    num_points = len(data.train) + len(data.val) + len(data.test)
    change = change_of(resumed.record, num_points, parts.data_checksum)
    if parts.config["changed_data"] != ALLOW:
        raise user_error(error, path=resumed.folder, change=change)


def config_of(
    resumed: Resumed,
    config: dict[str, Any],
    overrides: list[str],
    changeable: tuple[str, ...] = CHANGEABLE,
    error: str = "resume_override",
) -> dict[str, Any]:
    """Return the run's own config, with what may be changed taken from the present one.

    Args:
        changeable: keys that may be typed beside.
        error: the name of what is said of any other.

    Raises:
        UserError: an override that makes anything else another than it was.
    """

    def check(config: dict[str, Any]) -> None:
        check_read(config, resumed.folder)
        check_read_values(config, resumed.folder / CONFIG)

    saved = trained_config(resumed.folder, resumed.record, check)
    saved.setdefault("metrics", {})  # of an older run, as the next
    saved.setdefault("keep_predictions", True)
    check_complete(saved, OF_THIS_COMMAND, resumed.folder / CONFIG)
    # Of a key that is typed twice the last value counts; what is wrong of a key is said of that
    # key, and not of the group that it belongs to.
    typed = {key_of(override): override for override in overrides}
    for key, override in sorted(typed.items(), key=lambda item: "." not in item[0]):
        if key in changeable or key.startswith(HARMLESS):
            continue
        if key == "data.batch_size" and config["data"]["batch_size"] == AUTO:
            continue  # the one that it has found
        if (different := difference(saved, config, key, changeable)) is not None:
            raise user_error(
                error,
                path=resumed.folder,
                given=override,
                own=different,
                allowed=listed(changeable),
            )
    for key in [key for key in map(key_of, overrides) if key in changeable]:
        group, _, word = key.rpartition(".")
        kept, wanted = (node[group] if group else node for node in (saved, config))
        kept[word] = wanted[word]
    for key in OF_THIS_COMMAND:
        saved[key] = config[key]
    saved["logger"] = logger_of(saved["logger"], config["logger"], overrides)
    saved["trainer"]["profiler"] = config["trainer"]["profiler"]
    return saved


def logger_of(saved: Any, present: Any, overrides: list[str]) -> Any:
    """Return where a resumed run is told: where it was before, save for what is typed now."""
    keys = [key_of(override) for override in overrides]
    typed = {key.partition(".")[2] for key in keys if key.startswith("logger.")}
    if "logger" in keys:
        return present
    if saved["name"] != present["name"]:
        return present if typed else saved
    return {**present, **{k: v for k, v in saved.items() if k in present and k not in typed}}


def difference(
    saved: dict[str, Any],
    config: dict[str, Any],
    key: str,
    changeable: tuple[str, ...] = CHANGEABLE,
) -> str | None:
    """Return in what a config is another than that of a run, in what a key sets; None for nothing.

    What a run's config lacks came with a later version. A group that has no part of its own, as
    experiment, may set anything.
    """
    before, after = (flat(with_parts_named(node)) for node in (saved, config))
    is_part = any(is_within(name, [key]) for name in {*before, *after})
    names = before if not is_part else {*before, key}
    for name in sorted(names, key=lambda name: (not name.endswith(".name"), name)):
        is_meant = (is_within(name, [key]) or not is_part) and name not in changeable
        if not is_meant or name.startswith(HARMLESS):
            continue
        if before.get(name) != after.get(name):
            return f"{name}={spelled(before[name])}" if name in before else f"no {name}"
    return None


def unfinished_runs(parent: Path, identity: str, run_dir: Path | None = None) -> Iterator[Resumed]:
    """Yield the runs that have this identity and are not finished, newest first.

    Args:
        parent: that run folders lie below.
        run_dir: a folder that the user has named for the run, which is looked at first.
    """
    paths = parent.glob(f"**/*-{identity[:8]}*/record.json")
    for path in [*records_at(run_dir), *newest_first(paths)]:
        resumed = unfinished(path.parent)
        if resumed is not None and resumed.record["identity"] == identity:
            yield resumed


def newest_first(paths: Iterable[Path]) -> list[Path]:
    """Return records by the moment at which their runs began, the last one first.

    The names of folders tell the time of a wall clock, which goes back an hour in autumn, and which
    another time zone has otherwise.
    """

    def began(path: Path) -> tuple[str, Path]:
        with contextlib.suppress(UserError):
            return str(read_record(path.parent)["started_at"]), path
        return "", path

    return sorted(paths, key=began, reverse=True)


def named_run(run_dir: Path | None, identity: str) -> Known | None:
    """Return the run of this identity in a folder that the user has named, if nothing is left of it
    to do.

    Raises:
        UserError: another process is training it.
    """
    same = []
    for path in records_at(run_dir):
        with contextlib.suppress(UserError):
            known = Known(path.parent, read_record(path.parent))
            same += [known] if known.record["identity"] == identity else []
    if held := [known.folder for known in same if is_held(known.folder)]:
        raise user_error("run_is_alive", path=held[0])
    return next((known for known in same if known.is_finished), None)


def tell_lost(parent: Path, identity: str, run_dir: Path | None = None) -> None:
    """Say which runs `resume=auto` would have gone on with, could their records be read."""
    folders = sorted(parent.glob(f"**/*-{identity[:8]}*/record.json"), reverse=True)
    for reason in lost_records(path.parent for path in [*records_at(run_dir), *folders]):
        with logging_to(None):
            log.warning(TABLE["lost_record"].format(reason=reason))


def records_at(run_dir: Path | None) -> list[Path]:
    """Return the records of a folder and of those beside it that a number was added to."""
    if run_dir is None:
        return []
    beside = run_dir.parent.glob(f"{glob.escape(run_dir.name)}-*/record.json")
    numbered = [path for path in beside if path.parent.name.rpartition("-")[2].isdigit()]
    return [*sorted(numbered, reverse=True), run_dir / "record.json"]


def unfinished(folder: Path) -> Resumed | None:
    """Return the run of a folder where it is not finished and nobody trains it."""
    try:
        resumed = read_run(folder)
    except UserError:
        return None
    is_unfinished = resumed.record["status"] in ("running", "failed", "interrupted")
    return resumed if is_unfinished and not is_held(folder) else None


def check_no_other(parent: Path, parts: RunParts, run_dir: Path | None) -> None:
    """Raise UserError where `resume=auto` would go on with a run, were its data and code what they
    were.
    """
    for path in [*records_at(run_dir), *sorted(parent.glob("*/*/record.json"), reverse=True)]:
        resumed = unfinished(path.parent)
        if resumed is not None and is_same_but_for_data(resumed.record, parts.config):
            check_same_data(resumed, parts)
            check_same_code(resumed, parts)


def check_something_left(resumed: Resumed, identity: str, budget: Budget) -> None:
    """Raise UserError where the budget is spent, or the run has diverged."""
    record = resumed.record
    if is_held(resumed.folder):
        raise user_error("run_is_alive", path=resumed.folder)
    if record["status"] == "diverged":
        raise user_error("resume_diverged", path=resumed.folder, error=record["error"])
    is_done = record["status"] == "completed" and record["identity"] == identity
    if resumed.checkpoint is None and not is_done:
        return
    # By the checkpoint, since a killed run's record does not know how far it came.
    used = Used(record["epochs"], record["steps"], None)
    if resumed.checkpoint is not None:
        used = Used.by(load_checkpoint(resumed.checkpoint, INSTEAD))
    overdrawn = budget.overdrawn(used)
    if is_done or overdrawn is not None:
        key, number = overdrawn or done_by(budget, used)
        raise user_error(
            "resume_done",
            path=resumed.folder,
            status=record["status"],
            epochs=used.epochs,
            steps=used.steps,
            instead=f"{key}={2 * max(number, 1)}",
        )


def done_by(budget: Budget, used: Used) -> tuple[str, int]:
    """Return the key that has ended a run, and how much of it was used."""
    if budget.max_steps is not None and used.steps >= budget.max_steps:
        return "trainer.max_steps", used.steps
    return "trainer.max_epochs", used.epochs


def check_schedule(resumed: Resumed, scheduler: str, recipe: Recipe) -> None:
    """Raise UserError where a schedule that is laid out over the whole run gets another length."""
    if depends_on_total(recipe.make_scheduler):
        raise user_error("resume_schedule", path=resumed.folder, scheduler=scheduler)
