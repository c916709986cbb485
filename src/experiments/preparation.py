"""Everything of a run built and checked before anything is written."""

from __future__ import annotations

import dataclasses
import logging
import math
from dataclasses import dataclass
from typing import Any

from lightning.pytorch.callbacks import Callback, EarlyStopping

from experiments import building, entries, hardware
from experiments.bounds import check_budget, check_execution, check_words
from experiments.combinations import (
    CATALOGUE_GROUPS,
    check_names,
    check_optimizer,
    check_ranks,
    check_schedule,
)
from experiments.cores import num_cores
from experiments.data.augmentation import check_mixing
from experiments.data.datamodule import DataModule
from experiments.entries import refused
from experiments.errors import listed, unknown_top_level_key, user_error
from experiments.module import ExperimentModule
from experiments.records import identity_of, setting_of
from experiments.schema import ExperimentConfig
from experiments.threads import choose_threads
from experiments.trainer import build_trainer, execution_of, monitor_of
from experiments.work import Work, work_of

log = logging.getLogger(__name__)

Config = dict[str, Any]

NEEDED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(CATALOGUE_GROUPS, ("name", "_target_")),
    "logger": ("name",),
    "trainer": ("accelerator", "devices", "strategy", "max_epochs"),
    "checkpoint": ("monitor", "mode"),
    "paths": ("output",),
}
"""What each part of a config must have; its other keys have defaults or are checked where used."""


@dataclass
class Prepared:
    """A run of which all parts are built and checked, and nothing is written yet."""

    config: Config
    datamodule: DataModule
    module: ExperimentModule
    data_checksum: str
    monitor: tuple[str | None, str]
    accelerator: str
    num_devices: int
    callbacks: list[Callback]
    work: Work
    num_activation_parameters: int

    @property
    def identity(self) -> str:
        """What names this run among all others."""
        return identity_of(self.config, self.data_checksum)

    @property
    def setting(self) -> str:
        """The identity without the seed."""
        return setting_of(self.config, self.data_checksum)

    @property
    def num_ranks(self) -> int:
        """How many processes train this run together."""
        return int(self.num_devices * self.config["trainer"]["num_nodes"])

    @property
    def num_threads(self) -> int:
        """How many CPU threads a process of this run uses."""
        multiplications = self.datamodule.batch_size * self.work.multiplications
        wanted = self.config["trainer"]["threads"]
        return choose_threads(wanted, multiplications, num_cores(), self.num_devices)

    @property
    def num_parameters(self) -> int:
        """The number of trainable weights."""
        return sum(p.numel() for p in self.module.network.parameters() if p.requires_grad)


def prepare(config: Config) -> Prepared:
    """Load the data and build everything, or raise UserError."""
    check_complete(config)
    check_seed(config["seed"])
    check_words(config)
    check_budget(config["trainer"])
    check_execution(config)
    accelerator, num_devices = hardware.choose_devices(config["trainer"])
    check_schedule(config)
    check_optimizer(config, num_devices * config["trainer"]["num_nodes"])
    data = building.load_data(config)
    datamodule = building.build_datamodule(config, data)
    monitor = monitor_of(config, data.task, len(datamodule.val) > 0)
    module = building.build_module(config, data.spec)
    check_ranks(config, module, accelerator, num_devices)
    num_ranks = num_devices * config["trainer"]["num_nodes"]
    check_mixing(datamodule.augmentation, module.loss, config["loss"]["name"], num_ranks)
    building.fit_normalization(module, datamodule, config["data"]["normalize"])
    prepared = Prepared(
        config,
        datamodule,
        module,
        data.checksum(),
        monitor,
        accelerator,
        num_devices,
        building.build_callbacks(config),
        work_of(module.network, data.spec.shape),
        building.num_activation_parameters(config, module),
    )
    trainer = config["trainer"]
    if not any(
        trainer[key] for key in ("limit_val_batches", "limit_test_batches", "overfit_batches")
    ):
        # Else a number of batches would be another set of points for every network.
        datamodule.evaluation_batch_size = prepared.work.evaluation_batch_size
    check_trainer(prepared)
    check_interval(prepared)
    module.execution = execution_of(config, prepared.callbacks, prepared.num_ranks)
    datamodule.at_once = not module.execution.by_batch
    return prepared


def check_complete(config: Config) -> None:
    """Raise UserError for parts that are missing, and for top-level keys that mean nothing."""
    known = [field.name for field in dataclasses.fields(ExperimentConfig)]
    for key in config:
        if key not in known:
            raise unknown_top_level_key(key, known)
    for key in known:
        node = config.get(key)
        needed = NEEDED.get(key, ())
        missing = [word for word in needed if word not in (node or {})]
        if key not in config or missing:
            raise user_error("missing_group", group=key, key=" and no ".join(missing) or "value")


def check_keys(config: Config, overrides: list[str]) -> None:
    """Raise UserError for keys that are missing, or that nothing takes.

    What is said of one job of a sweep is so for all that differ from it in values alone.

    Args:
        config: of the job.
        overrides: of the job.
    """
    check_complete(config)
    check_names(config, overrides)
    for group in CATALOGUE_GROUPS:
        entries.check_keys(config, group)
    building.check_augment(config)


def check_trainer(prepared: Prepared) -> None:
    """Raise UserError for what the Trainer or a callback refuses, before anything is written."""
    config = prepared.config
    stages = ("train", "val") if prepared.monitor[0] is not None else ("train",)
    measured = [f"{stage}/{name}" for stage in stages for name in prepared.module.means.names]
    measured += ["train/full_loss"] if config["log_full_loss"] else []
    for callback in prepared.callbacks:
        monitor = getattr(callback, "monitor", None)
        if isinstance(callback, EarlyStopping) and str(monitor).startswith("train/"):
            # Measured at the end of an epoch; amid one there is nothing to look at.
            callback._check_on_train_epoch_end = True
        if isinstance(monitor, str) and monitor not in measured:
            name = type(callback).__name__
            raise user_error(
                "callback_monitor", given=name, monitor=monitor, choices=listed(measured)
            )
    refused(
        "trainer",
        lambda: build_trainer(
            config,
            None,
            monitor=prepared.monitor,
            accelerator=prepared.accelerator,
            num_devices=prepared.num_devices,
            rank=0,
            loggers=[],
            callbacks=prepared.callbacks,
        ),
        "Lightning's Trainer",
    )


def check_interval(prepared: Prepared) -> None:
    """Raise UserError for parts without a batch, and steps between validations that none has."""
    trainer, data = prepared.config["trainer"], prepared.datamodule
    interval = trainer["val_check_interval"]
    num_batches = limited(trainer, ("limit_train_batches", "overfit_batches"), data.num_batches)
    if len(data.val):
        num_val = math.ceil(len(data.val) / data.evaluation_batch_size)
        limited(trainer, ("limit_val_batches",), num_val)
    num_test = math.ceil(len(data.test) / data.evaluation_batch_size)
    limited(trainer, ("limit_test_batches",), num_test)
    num_steps = num_batches // trainer["accumulate_grad_batches"]
    if isinstance(interval, int) and interval > num_steps and prepared.monitor[0] is not None:
        raise user_error(
            "not_allowed",
            key="trainer.val_check_interval",
            given=interval,
            allowed=f"1 to {num_steps} (the whole optimizer steps of an epoch), or a part (0.25)",
            instead=1.0,
        )


def limited(trainer: Config, keys: tuple[str, ...], num_batches: int) -> int:
    """Return how many of `num_batches` the limits leave, or raise UserError for none of them."""
    for key in keys:
        limit = trainer[key]
        if isinstance(limit, float) and 0 < limit < 1 and int(num_batches * limit) == 0:
            raise user_error(
                "not_allowed",
                key=f"trainer.{key}",
                given=limit,
                allowed=f"a number of batches, or a part of the {num_batches} that holds one",
                instead=1,
            )
        if isinstance(limit, int) and limit:
            num_batches = min(num_batches, limit)
        elif limit:
            num_batches = int(num_batches * limit)
    return num_batches


def check_seed(seed: int) -> None:
    """Raise UserError for a seed that numpy and torch cannot both take."""
    if not 0 <= seed < 2**32:
        raise user_error(
            "not_allowed", key="seed", given=seed, allowed="0 to 4294967295", instead=0
        )
