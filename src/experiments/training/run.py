"""The page: what a run is, from its config to its record.

From here to the optimizer's step: `train` calls `fit_and_test`, Lightning calls `training_step`
(module.py), which calls `Steps.take` and `UpdateRules.step` (steps.py).
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import lightning as L

from experiments.config.composer import Config, apply_full_batch
from experiments.config.launch import Launch
from experiments.config.trusted import trust_typed
from experiments.data.order import mix
from experiments.errors.error_table import TABLE
from experiments.record.claim import Known
from experiments.record.predictions import replace_predictions
from experiments.training import console, devices, ranks, repeat, resume
from experiments.training.carried_over import carry_over, kept_rows
from experiments.training.check import check_config, check_launch
from experiments.training.claimed_folder import check_planned_code, claimed_folder
from experiments.training.counted_tables import write_tables
from experiments.training.diagnostics import health
from experiments.training.fitting_batch import settle_batch_size
from experiments.training.interruption import interruptible
from experiments.training.loggers import RunLoggers
from experiments.training.notices import tell_start, telling_of_delay
from experiments.training.out_of_memory import memory_told
from experiments.training.recording import Outcome, Recorder
from experiments.training.run_parts import RunParts, build_run
from experiments.training.told_points import ToldPoints

log = logging.getLogger(__name__)


def train(config: Config, launch: Launch) -> Known | None:
    """Train, test and record the run that a config in plain values describes.

    In a sweep a run that is there already is left as it is, or continued where it was broken off.

    Returns:
        The run; None where another process is training it, or on ranks other than 0.

    Raises:
        UserError: a mistake in the config; nothing was written.
        RunFailed: the run broke off, its record says failed; or it was trained again (`from`), and
            is not the same.
    """
    console.quiet_lightning()
    apply_full_batch(config, launch.overrides)
    trust_typed(config)
    with contextlib.nullcontext() if launch.is_quiet else console.logging_to(None):
        config, original = repeat.asked_again(launch.settled(config), launch)
        resumed = None
        if original is None:
            config, resumed = resume.asked_for(config, launch)
        config = launch.settled(config)
        check_config(config)
        check_launch(config, launch, is_resumed=bool(resumed or original))
        with telling_of_delay(config), memory_told():
            settle_batch_size(config, launch)
            parts = build_run(config)
        check_planned_code(launch, parts)
    if original is not None:
        resume.check_same_data(original, parts, "again_data")
    if resumed is not None:
        resume.check_same_data(resumed, parts)
        resume.check_same_code(resumed, parts)
    if parts.rank > 0:  # rank 0 has the folder and the record; this one takes part
        parts = parts.going_on(resumed.record if resumed else None)
        with parts.trainer.interruption.heeded():
            fit_and_test(parts, resumed.checkpoint if resumed else None, Outcome())
        return None
    with (
        parts.trainer.interruption.heeded(is_of_sweep=launch.sweep_dir is not None),
        claimed_folder(parts, launch, resumed) as (folder, claim),
    ):
        if folder is None:
            return claim.known
        before = claim.resumed or original
        parts = parts.going_on(before.record if before else None)
        # Ended last: they tell the record, and the result is shown before a server is waited for.
        with launch.standing_in(folder), RunLoggers(parts, launch, folder) as loggers:
            with Recorder(parts, launch, folder, claim.resumed) as recorder:
                tell_start(parts, launch, folder)
                checkpoint = carry_over(claim.resumed, folder, parts)
                loggers.start(recorder, kept_rows(claim.resumed, checkpoint, folder))
                parts.trainer.write_to(folder, loggers.started)
                with ranks.other_ranks(folder, parts.num_ranks, checkpoint, recorder.end_as_failed):
                    fit_and_test(parts, checkpoint, recorder.outcome)
                replace_predictions(folder, recorder.outcome.predictions)
                write_tables(parts, folder)
                recorder.finish()
                loggers.write_media()
            if not launch.is_quiet:
                console.final_table(recorder.record, folder, loggers.wandb_folder)
        known = Known(folder, recorder.record)
        if original is not None:
            repeat.tell_whether_same(original, known)
        return known


def fit_and_test(parts: RunParts, checkpoint: Path | None, outcome: Outcome) -> None:
    """Fit, and test once with the selected weights; every rank does this.

    Args:
        parts: of the run; they are used up.
        checkpoint: to go on from; None from the start.
        outcome: filled on the way, so that a run which breaks off knows how far it came.
    """
    config, module, data, trainer = parts.config, parts.module, parts.datamodule, parts.trainer
    devices.keep_freed_memory()
    # What dropout draws from; each rank its own stream.
    L.seed_everything(mix(config["seed"], 2**32 - 1 - parts.rank), workers=True, verbose=False)
    if config["compile"]:
        log.info(TABLE["compile"])
        module.compile_networks()
    with (
        interruptible(trainer),
        devices.without_asking_for_gpus(),
        devices.computing_with(parts.num_threads, config["trainer"]["matmul_precision"]),
    ):
        if checkpoint is not None:
            # Lightning does so after it has loaded the weights: a network of 32 bits would round
            # those of 64.
            trainer.precision_plugin.convert_module(module.trained)
        with outcome.clock():
            trainer.fit(module.trained, data, ckpt_path=checkpoint, weights_only=True)
        if trainer.is_ended_early:
            return
        if module.trained is module:  # steps of ours, which it looks into
            outcome.health = health.diagnosis(trainer, module, data)
        if config["test"] and trainer.best_path:
            best = trainer.best_path
            is_kept = config["keep_predictions"] and module.is_measurable
            module.tested = ToldPoints(data) if is_kept else None
            trainer.test(module.trained, data, ckpt_path=best, verbose=False, weights_only=True)
            metrics = trainer.callback_metrics.items()
            outcome.test_metrics = {n: float(v) for n, v in metrics if n.startswith("test/")}
            outcome.predictions = module.tested.predictions if module.tested else None


def monitored_value(config: Config, known: Known | None) -> float | None:
    """Return the monitored metric of a run with its selected weights, for Hydra's sweepers."""
    if known is None:
        return None
    monitor = config["checkpoint"]["monitor"]
    return known.record["metrics"].get("val/loss" if monitor == "auto" else monitor)
