"""`data.batch_size=auto`: the largest batch that fits, tried for real before the run is built.

A batch is tried by two optimizer steps of a network that is thrown away, with the run's own
optimizer, precision, augmentation and data. Lightning's `Tuner.scale_batch_size` has the same idea
(powers of two from 2 on, at most 8192 or the training set). It does not serve here: it writes a
checkpoint of the run and tries with the run's own Trainer, network and streams, knows no error of
Apple's GPUs, and stops at the last batch that fits with nothing to spare.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
from pathlib import Path

import torch

from experiments.config.entries import Config
from experiments.config.launch import Launch
from experiments.config.schema import DataConfig
from experiments.data.datamodule import AUTO, DataModule
from experiments.data.sources import Subset
from experiments.errors.error_table import TABLE
from experiments.errors.memory import is_out_of_memory
from experiments.errors.messages import RunFailed, UserError, user_error
from experiments.record.folder import read_config
from experiments.record.record import read_record
from experiments.record.same_data import is_same_but_for_data
from experiments.training import devices, out_of_memory
from experiments.training.interruption import interruptible
from experiments.training.resume import newest_first, records_at
from experiments.training.run_parts import RunParts, build_run
from experiments.training.trainer import trainer_with
from experiments.training.trial import drawing_from
from experiments.training.user_module import UserModule

log = logging.getLogger(__name__)

MOST = 8192
"""Points of a batch on a GPU, as in Lightning's finder."""
MOST_ON_CPU = int(DataConfig.batch_size)
"""Where memory does not run out before time does, and where a system that has none left ends the
process (Linux) in place of saying so: there the batch is the usual one, as far as it fits."""
NUM_STEPS = 2
"""The second finds the optimizer's state in memory."""
OF_TRIAL = {
    **{"max_epochs": 1, "max_steps": -1, "max_time": None, "profiler": None},
    **{"val_check_interval": 1.0, "check_val_every_n_epoch": 1},
    **dict.fromkeys(("limit_train_batches", "limit_val_batches", "limit_test_batches")),
    "overfit_batches": 0,
}
"""Keys of the trainer of a network that is tried: one epoch, with its validation."""


def settle_batch_size(config: Config, launch: Launch) -> None:
    """Put a number in the place of `data.batch_size=auto`, such that the run is one of that number.

    A run that `resume=auto` goes on with has found one before.

    Raises:
        UserError: several processes, or a mistake in the config.
        RunFailed: no batch fits.
    """
    if config["data"]["batch_size"] != AUTO:
        return
    accelerator, num_devices = devices.choose_devices(config["trainer"])
    num_ranks = num_devices * config["trainer"]["num_nodes"]
    if num_ranks > 1:
        raise user_error("batch_of_ranks", given=num_ranks)
    size = found_before(config, launch) if config["resume"] == "auto" else None
    why = "the run that goes on has found"
    if size is None:
        with drawing_from(config["seed"], "batch"):  # streams of this process stay where they are
            size, why = found(config, MOST_ON_CPU if accelerator == "cpu" else MOST)
    log.info(TABLE["batch_found"], size, why, size)
    config["data"]["batch_size"] = size


def found(config: Config, most: int) -> tuple[int, str]:
    """Return the largest power of two that fits with a quarter to spare, and what ended the search.

    Args:
        most: points that are not gone beyond.
    """
    parts = build_run(of_trial(config))
    num_train = len(parts.datamodule.train)
    size = min(2, num_train)
    if (reason := refusal(parts, size)) is not None:
        raise RunFailed(TABLE["no_batch"].format(reason=reason))
    while 2 * size <= min(most, num_train):
        if refusal(parts, 2 * size + size // 2) is not None:
            return size, f"fits; {2 * size} would not with a quarter to spare"
        size *= 2
    if 2 * size > num_train:
        return size, f"fits; the next is more than the {num_train} training points"
    return size, f"fits, and is the most that is tried on this device ({parts.accelerator})"


def of_trial(config: Config) -> Config:
    """Return the config of a network that is tried and thrown away: one epoch, nothing beside."""
    trainer = {**config["trainer"], **OF_TRIAL}
    # A second batch of a step finds the gradient of the first in memory; a third finds no more.
    trainer["accumulate_grad_batches"] = min(2, trainer["accumulate_grad_batches"])
    data = {**config["data"], "batch_size": "full"}
    beside = {"callbacks": {}, "log_full_loss": False, "steps_per_execution": 1, "resume": None}
    return copy.deepcopy({**config, **beside, "trainer": trainer, "data": data})


def refusal(parts: RunParts, size: int) -> str | None:
    """Train a network on batches of `size`, and return how its memory ran out; None: it did not.

    Args:
        parts: of a trial; the network moves.
    """
    module, node = parts.module, parts.config["trainer"]
    num_batches = NUM_STEPS * node["accumulate_grad_batches"]
    limits = {"limit_train_batches": num_batches, "limit_val_batches": 1}
    data = repeated(parts.datamodule, size, num_batches)
    trainer = trainer_with(
        {**parts.config, "trainer": {**node, **limits}},
        [],
        parts.accelerator,
        parts.num_devices,
        has_validation=len(data.val) > 0,
        own_steps=not isinstance(module, UserModule),
    )
    # What a schedule may ask for, and callbacks measure that a trial does without.
    trainer.measured = dict.fromkeys(module.measured_names(parts.config), torch.zeros(()))
    try:
        with (
            interruptible(trainer),
            devices.without_asking_for_gpus(),
            devices.computing_with(parts.num_threads, node["matmul_precision"]),
        ):
            trainer.fit(module.trained, data)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        told = out_of_memory.told_of(error, dataclasses.replace(parts, datamodule=data))
        out_of_memory.let_go_of(error)
        return told
    finally:
        module.zero_grad(set_to_none=True)
        if parts.accelerator != "cpu":
            out_of_memory.give_back()
    return None


def repeated(data: DataModule, size: int, num_batches: int) -> DataModule:
    """Return data with at least so many training batches of `size`, of the same points again and
    again; on a device they take the room that all of them take in the run.
    """
    number = max(len(data.train), size * num_batches)
    rows = data.train.rows[torch.arange(number) % len(data.train)]
    other = copy.copy(data)
    other.train, other.batch_size = Subset(data.train.points, rows), size
    return other


def found_before(config: Config, launch: Launch) -> int | None:
    """Return the batch of the newest run whose config is the same but for its batch, if any."""
    runs = Path(config["paths"]["output"], "runs").glob("*/*/record.json")
    for path in [*records_at(launch.run_dir), *newest_first(runs)]:
        with contextlib.suppress(UserError):  # what cannot be read is no run to go on with
            size = read_config(path.parent)["data"]["batch_size"]
            data = {**config["data"], "batch_size": size}
            if is_same_but_for_data(read_record(path.parent), {**config, "data": data}):
                return int(size)
    return None
