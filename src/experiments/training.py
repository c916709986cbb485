"""A config in, a trained and recorded run out."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf

from experiments import console, hardware, ranks, resuming
from experiments.combinations import check_names
from experiments.data.order import mix
from experiments.errors import TABLE, user_error
from experiments.folders import (
    Launch,
    logging_to,
    open_folder,
    quiet_lightning,
    read_config,
    rewrite_config,
)
from experiments.loggers import finish_loggers, log_media, start_loggers
from experiments.notices import (
    apply_full_batch,
    say_single_steps,
    warn_of_batch_norm,
    warn_of_no_effect,
)
from experiments.preparation import Prepared, prepare
from experiments.recording import Outcome, broken_off, finish_record, full_disk_told, new_record
from experiments.records import Record, now, write_record
from experiments.threads import computing_with
from experiments.trainer import build_trainer

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
    quiet_lightning()
    launch = Launch.from_hydra()
    container: Any = OmegaConf.to_container(composed, resolve=True)
    config: Config = container
    apply_full_batch(config, launch.overrides)
    resumed = None
    if config.get("resume") not in (None, "auto"):
        resumed = resuming.read_run(Path(config["resume"]))
        config = resuming.config_of(resumed, config, launch.overrides)
    if resumed is None:
        check_names(config, launch.overrides)
    prepared = prepare(config)
    if config["resume"] == "auto" and prepared.num_ranks > 1 and ranks.started_by_others():
        raise user_error("resume_ranks")
    if ranks.this_rank(prepared.num_ranks) > 0:
        # Rank 0 has the folder and the record; this one takes part.
        fit_and_test(prepared, Outcome(), None, resumed.checkpoint if resumed else None, [])
        return None
    if config["resume"] == "auto":
        place = launch.sweep_dir or Path(config["paths"]["output"]) / "runs"
        resumed = next(resuming.unfinished_runs(place, prepared.identity), None)
    with full_disk_told(Path(config["paths"]["output"])):
        folder = folder_of(prepared, launch, resumed)
        with resuming.held(folder), logging_to(folder):
            if resumed is not None:
                resuming.check_unchanged(resumed)
                rewrite_config(folder, config)
            warn_of_no_effect(config, launch.overrides, not prepared.datamodule.fits_in_memory)
            say_single_steps(config, prepared.callbacks)
            warn_of_batch_norm(prepared.module, config["optim"]["name"])
            record = run(prepared, folder, launch, resumed)
    monitor = prepared.monitor[0]
    return record["metrics"].get(monitor) if monitor else None


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
        announce(prepared, folder)
        loggers = start_loggers(prepared, folder, launch, record, resumed is not None)
        checkpoint = resuming.carry_over(resumed, folder) if resumed else None
        fit_and_test(prepared, outcome, folder, checkpoint, loggers, record)
        finish_record(record, folder, outcome)
        log_media(prepared, record, folder, loggers)
    except BaseException as error:
        told = broken_off(record, folder, outcome, error)
        if told is error:
            raise
        raise told from error
    finally:
        record["duration_seconds"] += time.perf_counter() - started
        record["ended_at"] = now()
        try:
            write_record(folder, record)
        finally:
            exit_code = 0 if record["status"] == "completed" else 1
            finish_loggers(prepared, loggers, record, folder, exit_code)
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


def fit_and_test(
    prepared: Prepared,
    outcome: Outcome,
    folder: Path | None,
    checkpoint: Path | None,
    loggers: list[Logger],
    record: Record | None = None,
) -> None:
    """Fit, and test once with the selected weights; every rank does this.

    `outcome` is filled on the way, so that a run which breaks off knows how far it came.
    """
    config, module = prepared.config, prepared.module
    hardware.keep_freed_memory()
    rank = ranks.this_rank(prepared.num_ranks)
    # What dropout draws from; each rank its own stream.
    L.seed_everything(mix(config["seed"], 2**32 - 1 - rank), workers=True, verbose=False)
    trainer, watch = build_trainer(
        config,
        folder,
        monitor=prepared.monitor,
        accelerator=prepared.accelerator,
        num_devices=prepared.num_devices,
        rank=rank,
        loggers=loggers,
        callbacks=prepared.callbacks,
    )
    outcome.watch = watch
    if config["compile"]:
        log.info(TABLE["compile"])
        module.network.compile()
        if module.average is not None:
            module.average.module.compile()
    with (
        other_ranks(folder, prepared.num_devices, checkpoint, record),
        interruptible(trainer),
        hardware.without_asking_for_gpus(),
        computing_with(prepared.num_threads, config["trainer"]["matmul_precision"]),
    ):
        with outcome.clock():
            trainer.fit(module, prepared.datamodule, ckpt_path=checkpoint, weights_only=True)
        best = watch.best.best_model_path
        if config["test"] and watch.divergence.diverged is None and best:
            trainer.test(
                module, prepared.datamodule, ckpt_path=best, verbose=False, weights_only=True
            )
            metrics = trainer.callback_metrics.items()
            outcome.test_metrics = {n: float(v) for n, v in metrics if n.startswith("test/")}


@contextlib.contextmanager
def other_ranks(
    folder: Path | None, num_ranks: int, checkpoint: Path | None, record: Record | None
) -> Iterator[None]:
    """Run the other ranks of this machine beside rank 0."""
    if folder is None or record is None:
        yield
        return

    def on_death(reason: str) -> None:
        # This process hangs in a collective call; only its end ends that.
        record["status"], record["error"], record["ended_at"] = "failed", reason, now()
        write_record(folder, record)
        log.error("The run failed: %s", reason)
        signal.raise_signal(signal.SIGKILL)

    with ranks.other_ranks(folder, num_ranks, checkpoint, on_death):
        yield


def take_part(folder: Path, checkpoint: Path | None) -> None:
    """Be one of the other ranks of the run in `folder`."""
    config = read_config(folder)
    fit_and_test(prepare(config), Outcome(), folder, checkpoint, [])


@contextlib.contextmanager
def interruptible(trainer: L.Trainer) -> Iterator[None]:
    """Turn Lightning's ways out of a signal into the usual ones.

    Ctrl-C, which it makes sys.exit(1), becomes KeyboardInterrupt again; SIGTERM exits with 143.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SIGTERMException as error:
        # Its own exit code is 0, as if all had been done.
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:
        if trainer.interrupted and error.code == 1:
            raise KeyboardInterrupt from error
        raise
    finally:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, handler)


if __name__ == "__main__":
    # A rank beyond 0, started by ranks.py with the run folder and the checkpoint to go on from.
    take_part(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None)
    ranks.leave()
