"""Everything of a run built and checked before anything is written."""

from __future__ import annotations

import dataclasses
import logging
import math
from dataclasses import dataclass
from typing import Any

from lightning.pytorch.callbacks import Callback, EarlyStopping
from torch import nn

from experiments import building, hardware
from experiments.bounds import check_budget, check_execution, check_words
from experiments.data.datamodule import DataModule
from experiments.errors import TABLE, listed, unknown_top_level_key, user_error
from experiments.execution import per_batch_hooks
from experiments.module import ExperimentModule
from experiments.ranks import started_by_others
from experiments.records import identity_of, setting_of
from experiments.schedulers import depends_on_total
from experiments.schema import ExperimentConfig
from experiments.threads import choose_threads
from experiments.trainer import build_trainer, execution_of, monitor_of
from experiments.work import Work, work_of

log = logging.getLogger(__name__)

Config = dict[str, Any]

CATALOGUE_GROUPS = ("model", "activation", "init", "loss", "optim", "scheduler", "data")
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
        return choose_threads(wanted, multiplications, hardware.num_cores(), self.num_devices)

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
    data = building.load_data(config)
    datamodule = building.build_datamodule(config, data)
    monitor = monitor_of(config, data.task, len(datamodule.val) > 0)
    module = building.build_module(config, data.spec)
    check_ranks(config, module, accelerator, num_devices)
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


def check_schedule(config: Config) -> None:
    """Raise UserError where the schedule needs the length of a run that has none."""
    trainer = config["trainer"]
    if trainer["max_epochs"] == -1 and trainer["max_steps"] == -1:
        scheduler = building.entry(config, "scheduler", leave_out=("interval",), supplied=2)
        if depends_on_total(scheduler):
            raise user_error("endless_schedule", given=config["scheduler"]["name"])


def check_ranks(
    config: Config, module: ExperimentModule, accelerator: str, num_devices: int
) -> None:
    """Raise UserError for what a CPU or several processes cannot do."""
    trainer = config["trainer"]
    if accelerator == "cpu" and trainer["precision"].startswith("16"):
        raise user_error("half_precision", given=trainer["precision"])
    if trainer["num_nodes"] > 1 and not started_by_others():
        raise user_error("several_nodes", given=trainer["num_nodes"])
    batch_norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    has_batch_norm = any(isinstance(m, batch_norms) for m in module.modules())
    if accelerator == "cpu" and num_devices > 1 and has_batch_norm:
        raise user_error("batch_norm_ranks", given=num_devices)


def check_trainer(prepared: Prepared) -> None:
    """Raise UserError for what the Trainer or a callback refuses, before anything is written."""
    config = prepared.config
    stages = ("train", "val") if prepared.monitor[0] is not None else ("train",)
    measured = [f"{stage}/{name}" for stage in stages for name in prepared.module.means.names]
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
    building.refused(
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


def apply_full_batch(config: Config, overrides: list[str]) -> None:
    """Make the batch the whole training set where the optimizer is gradient descent itself."""
    if not (config.get("optim") or {}).get("full_batch") or not config.get("data"):
        return
    batch_size = config["data"]["batch_size"]
    typed = any(o.lstrip("+").startswith("data.batch_size=") for o in overrides)
    if batch_size != "full" and typed:
        raise user_error("full_batch", given=batch_size)
    config["data"]["batch_size"] = "full"


def say_single_steps(config: Config, callbacks: list[Callback]) -> None:
    """Say why each step is a call of its own, where that is not what was asked for."""
    hooks = per_batch_hooks(callbacks)
    if hooks and config["steps_per_execution"] != 1:
        log.info(TABLE["single_steps"].format(hook=hooks[0]))


def warn_of_no_effect(config: Config, overrides: list[str], is_large: bool) -> None:
    """Say which overrides change nothing in this combination.

    Args:
        is_large: the data are above the memory limit.
    """
    model, trainer = config["model"], config["trainer"]
    pool, norm = model.get("pool"), model.get("norm")
    is_linear = model["name"] == "linear"
    no_effect_with = {
        "activation": is_linear and "model=linear, which has no hidden layer",
        "model.pool_size": pool == "none" and "model.pool=none",
        "model.norm_groups": "group" not in (norm or "") and f"model.norm={norm}",
        "trainer.gradient_clip_algorithm": trainer["gradient_clip_val"] is None
        and "trainer.gradient_clip_val=null",
        "trainer.sync_batchnorm": trainer["strategy"] == "auto" and "one device",
        "steps_per_execution": trainer["strategy"] != "auto" and "several processes",
        "data.num_workers": not is_large and "data that fit data.memory_limit",
        **dict.fromkeys(
            ("trainer.val_check_interval", "trainer.check_val_every_n_epoch"),
            not config["data"]["val_fraction"] and "data.val_fraction=0",
        ),
        "checkpoint.mode": config["checkpoint"]["monitor"] == "auto" and "checkpoint.monitor=auto",
    }
    for override in overrides:
        key = override.lstrip("+").partition("=")[0]
        reason = no_effect_with.get("activation" if key.startswith("activation") else key)
        if reason:
            log.warning(TABLE["no_effect"].format(given=override, with_=reason))
