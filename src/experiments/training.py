"""A config in, a trained and recorded run out."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from experiments import claims, console, ranks, resuming
from experiments.claims import Known
from experiments.combinations import check_names
from experiments.derived import apply_full_batch
from experiments.errors import TABLE, user_error
from experiments.fitting import fit_and_test
from experiments.folders import (
    Launch,
    key_of,
    logging_to,
    open_folder,
    quiet_lightning,
    rewrite_config,
)
from experiments.loggers import finish_loggers, keep_media, log_media, start_loggers
from experiments.notices import (
    say_single_steps,
    warn_of_batch_norm,
    warn_of_no_effect,
)
from experiments.preparation import Prepared, prepare
from experiments.recording import Outcome, broken_off, finish_record, full_disk_told, new_record
from experiments.records import Record, now, write_record
from experiments.tracking import agent

log = logging.getLogger(__name__)

Config = dict[str, Any]


def train(composed: DictConfig) -> float | None:
    """Train, test and record the run that a composed config describes.

    Returns:
        The selected value of the monitored metric, for Hydra's sweepers.

    Raises:
        UserError: a mistake in the config; nothing was written.
        RunFailed: the run broke off; its record says failed.
    """
    launch = Launch.from_hydra()
    container: Any = OmegaConf.to_container(composed, resolve=True)
    agent.check_parameters(container)
    known = carry_out(container, launch)
    if known is None:
        return None
    monitor = container["checkpoint"]["monitor"]
    return known.record["metrics"].get("val/loss" if monitor == "auto" else monitor)


def carry_out(config: Config, launch: Launch) -> Known | None:
    """Train, test and record the run that a config in plain values describes.

    In a sweep a run that is there already is left as it is, or continued where it was broken off.

    Returns:
        The run; None where another process is training it, or on ranks other than 0.
    """
    quiet_lightning()
    apply_full_batch(config, launch.overrides)
    resumed = None
    if config.get("resume") not in (None, "auto"):
        resumed = resuming.read_run(Path(config["resume"]))
        config = resuming.config_of(resumed, config, launch.overrides)
    if resumed is None:
        check_names(config, launch.overrides)
    check_protocol(config, launch)
    prepared = prepare(config)
    if config["resume"] == "auto" and prepared.num_ranks > 1 and ranks.started_by_others():
        raise user_error("resume_ranks")
    if ranks.this_rank(prepared.num_ranks) > 0:
        # Rank 0 has the folder and the record; this one takes part.
        fit_and_test(prepared, Outcome(), None, resumed.checkpoint if resumed else None, [])
        return None
    if launch.sweep_dir is not None and resumed is None:
        return take_up(prepared, launch, launch.sweep_dir)
    if config["resume"] == "auto":
        place = Path(config["paths"]["output"]) / "runs"
        resumed = next(resuming.unfinished_runs(place, prepared.identity), None)
    return in_its_folder(prepared, launch, resumed)


def check_protocol(config: Config, launch: Launch) -> None:
    """Raise UserError for what only sweeps heed in a single run, which would be trained instead."""
    if launch.sweep_dir is not None or launch.is_repeated:
        return
    if config["protocol"] != "fixed":
        raise user_error("protocol_without_sweep", given=config["protocol"])
    for override in launch.overrides:
        key = key_of(override)
        if key.startswith("sweep."):
            raise user_error("key_without_sweep", given=override)
    if launch.has_sweep:
        raise user_error("file_without_mode")


def take_up(prepared: Prepared, launch: Launch, sweep_dir: Path) -> Known | None:
    """Carry out a run of a sweep, unless it is done or another process is at it."""
    with claims.claim(sweep_dir, prepared.identity) as is_ours:
        if not is_ours:
            log.info(TABLE["claimed"].format(identity=prepared.identity))
            return None
        known = claims.find_run(sweep_dir, prepared.identity)
        retries = launch.retry_failed or prepared.config["sweep"]["retry_failed"]
        if known and (known.is_finished or (known.record["status"] == "failed" and not retries)):
            return known
        resumed = resuming.read_run(known.folder) if known else None
        return in_its_folder(prepared, launch, resumed)


def in_its_folder(prepared: Prepared, launch: Launch, resumed: resuming.Resumed | None) -> Known:
    """Carry out a prepared run in the folder that is its own."""
    config = prepared.config
    with full_disk_told(Path(config["paths"]["output"])):
        folder = folder_of(prepared, launch, resumed)
        with resuming.held(folder), logging_to(folder):
            if resumed is not None:
                resuming.check_unchanged(resumed)
                rewrite_config(folder, config)
            warn_of_no_effect(config, launch.overrides, not prepared.datamodule.fits_in_memory)
            say_single_steps(config, prepared.callbacks)
            warn_of_batch_norm(prepared.module, config["optim"]["name"])
            return Known(folder, run(prepared, folder, launch, resumed))


def folder_of(prepared: Prepared, launch: Launch, resumed: resuming.Resumed | None) -> Path:
    """Return the run's folder: the resumed one where the identity is the same, else a new one.

    A larger budget makes another identity: that run begins with what the first one did.
    """
    config, identity = prepared.config, prepared.identity
    if resumed is not None:
        resuming.check_something_left(resumed, identity, config["trainer"]["max_epochs"])
        if resumed.record["identity"] == identity:
            return resumed.folder
        resuming.check_schedule(resumed, config["scheduler"]["name"], prepared.module)
    return open_folder(launch, config, identity)


def run(
    prepared: Prepared, folder: Path, launch: Launch, resumed: resuming.Resumed | None
) -> Record:
    """Carry out a prepared run in its folder; the record is true at every moment."""
    record = new_record(prepared, launch, resumed.record if resumed else None)
    write_record(folder, record)
    started = time.perf_counter()
    loggers: list[Logger] = []
    outcome = Outcome()
    try:
        if not launch.is_quiet:
            announce(prepared, folder)
        if not (launch.is_mirrored and record["wandb_id"]):
            loggers = start_loggers(prepared, folder, launch, record, resumed is not None)
        checkpoint = resuming.carry_over(resumed, folder) if resumed else None
        fit_and_test(prepared, outcome, folder, checkpoint, loggers, record)
        finish_record(record, folder, outcome)
        log_media(prepared, record, folder, loggers)
        if launch.is_mirrored:
            keep_media(prepared, record, folder)
    except BaseException as error:
        told = broken_off(record, folder, outcome, error, launch.sweep_dir is not None)
        if told is error:
            raise
        raise told from error
    finally:
        record["duration_seconds"] += time.perf_counter() - started
        record["ended_at"] = now()
        try:
            write_record(folder, record)
        finally:
            exit_code = 0 if record["status"] in ("completed", "pruned") else 1
            finish_loggers(prepared, loggers, record, folder, exit_code)
    if not launch.is_quiet:
        console.final_table(record, folder, Path(prepared.config["paths"]["output"]))
    return record


def announce(prepared: Prepared, folder: Path) -> None:
    """Print the start panel."""
    datamodule, spec = prepared.datamodule, prepared.datamodule.spec
    of_activation = prepared.num_activation_parameters
    what = f"{spec.num_outputs} classes" if spec.task == "classification" else spec.task
    console.start_panel(
        prepared.config,
        {
            "parameters": f"{prepared.num_parameters:,}"
            + (f", {of_activation:+,} by the activation" if of_activation else ""),
            "data": f"{len(datamodule.train):,} training, {len(datamodule.val):,} validation, "
            f"{len(datamodule.test):,} test points of shape {spec.shape}, {what}",
            "device": f"{prepared.num_devices} x {prepared.accelerator}, "
            + ("1 thread, " if prepared.num_threads == 1 else f"{prepared.num_threads} threads, ")
            + prepared.config["trainer"]["precision"],
            "folder": str(folder),
        },
    )
