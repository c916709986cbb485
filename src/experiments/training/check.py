"""Every mistake in a config that concerns several of its parts, told before anything is written."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from inspect import signature

import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from experiments.catalogue.parameter_groups import by_matrix
from experiments.catalogue.schedulers import depends_on_total
from experiments.config.allowed import check_finite, check_values
from experiments.config.dotted_paths import find_target
from experiments.config.entries import Config, call_of, target_of
from experiments.config.first_lines import first_line_missing, missing_keys
from experiments.config.launch import Launch
from experiments.config.overrides import dotted_keys, key_and_word, key_of
from experiments.config.schema import GROUPS, AugmentConfig, ExperimentConfig
from experiments.data.datamodule import AUTO, DataModule
from experiments.data.sources import DataSpec
from experiments.errors.error_table import TABLE
from experiments.errors.messages import refuse_unless, unknown_key, user_error
from experiments.errors.wording import listed
from experiments.record.host import cores_of_machine
from experiments.tracking import agent
from experiments.training.file_loggers import check_logger
from experiments.training.launched import check_tasks, started_by_others
from experiments.training.recipe import Recipe, interval_of

CATALOGUE_GROUPS = ("model", "activation", "init", "loss", "optim", "scheduler", "data")
COLLECTIONS = {"optim": "pytorch_optimizer", "data": "torchvision", "model": "torchvision"}
NEEDED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(CATALOGUE_GROUPS, ("name", "_target_")),
    "logger": ("name",),
    "trainer": ("accelerator", "devices", "strategy", "max_epochs"),
    "checkpoint": ("monitor", "mode"),
    "paths": ("output",),
}
"""What each part of a config must have; its other keys have defaults or are checked where used."""


def check_launch(config: Config, launch: Launch, is_resumed: bool) -> None:
    """Raise UserError for what was typed and would not do what it says.

    What only sweeps heed is such in a single run, which would be trained instead. A run that is
    resumed has a config of its own, with which overrides were compared already.
    """
    agent.check_parameters(config)
    if not is_resumed:
        check_names(config, launch.overrides)
    if launch.sweep_dir is not None:
        check_batch_of_sweep(config)
    if launch.sweep_dir is not None or launch.is_repeated:
        return
    if config["protocol"] != "fixed":
        raise user_error("protocol_without_sweep", given=config["protocol"])
    for override in launch.overrides:
        if key_of(override).startswith("sweep."):
            raise user_error("key_without_sweep", given=override)
    if launch.has_sweep:
        raise user_error("file_without_mode")


def check_batch_of_sweep(config: Config) -> None:
    """Raise UserError for a run of a sweep that is to find a batch of its own."""
    if config["data"]["batch_size"] == AUTO:
        raise user_error("batch_of_sweep")


def check_names(config: Config, overrides: list[str]) -> None:
    """Raise UserError for `optim.name=lion` beside `optim=adam`, which would train Adam."""
    for override in overrides:
        key, given = key_and_word(override)
        group, _, word = key.partition(".")
        is_deleted = override.startswith("~")
        if key == "logger.name" and "_target_" not in config["logger"] and not is_deleted:
            raise user_error("name", key=key, given=given, group=group, or_collection="")
        if word != "name" or group not in CATALOGUE_GROUPS or is_deleted:
            continue
        target = find_target(group, config[group]["_target_"])
        # One's own data, which have a path, are called as one likes.
        takes_name = {"name", "path"} & set(signature(target).parameters)
        if not getattr(target, "gives_class", False) and not takes_name:
            by_name = COLLECTIONS.get(group)
            raise user_error(
                "name",
                key=key,
                given=given,
                group=group,
                or_collection=f", or {group}={by_name} {key}={given}" if by_name else "",
            )


def check_keys(config: Config, overrides: list[str]) -> None:
    """Raise UserError for keys that are missing, or that nothing takes.

    What is said of one job of a sweep is so for all that differ from it in values alone.
    """
    check_complete(config)
    check_names(config, overrides)
    for group in CATALOGUE_GROUPS:
        call_of(config, group)
    check_augment(config)


def check_config(config: Config) -> None:
    """Raise UserError for parts that are missing, and values that a run cannot have."""
    check_complete(config)
    check_strategy(config["trainer"]["strategy"])
    check_values(config, ExperimentConfig, GROUPS)
    check_logger(config["logger"])
    check_finite(config)
    check_budget(config["trainer"])
    check_fold(config["data"])


def check_complete(config: Config) -> None:
    """Raise UserError for parts that are missing, and for top-level keys that mean nothing."""
    known = [field.name for field in dataclasses.fields(ExperimentConfig)]
    for key in config:
        if key not in known:
            raise unknown_key(key, known, elsewhere=dotted_keys(config))
    for key in known:
        node = config.get(key)
        needed = NEEDED.get(key, ())
        missing = [word for word in needed if word not in (node or {})]
        if key not in config or missing:
            lines = listed(f"{word}: ..." for word in missing)
            of_file = TABLE["lines_of_file"].format(group=key, lines=lines)
            is_from_file = bool(node) and bool(missing)
            raise user_error(
                "missing_group",
                group=key,
                key=" and no ".join(missing) or "value",
                of_file=of_file if is_from_file else "",
            )
        if isinstance(node, dict) and (missing := missing_keys(key, node)):
            raise first_line_missing(key, node, missing)


def check_budget(trainer: Config) -> None:
    """Raise UserError for a run without an end, or one that ends before its first validation."""
    most, every = trainer["max_epochs"], trainer["check_val_every_n_epoch"]
    has_end = most != -1 or trainer["max_time"] is not None or trainer["max_steps"] != -1
    allowed = "-1 only together with trainer.max_steps or trainer.max_time"
    refuse_unless(has_end, "trainer.max_epochs", -1, allowed, 20)
    allowed = f"1 to {most} (trainer.max_epochs)"
    fits = most == -1 or every <= most
    refuse_unless(fits, "trainer.check_val_every_n_epoch", every, allowed, 1)
    threads, cores = trainer["threads"], cores_of_machine()
    allowed = f"auto or a whole number of at most {cores}, the cores that there are"
    fits = threads == "auto" or threads <= cores
    refuse_unless(fits, "trainer.threads", threads, allowed, "auto")


def check_strategy(strategy: str) -> None:
    """Raise UserError for strategies that share out the weights, which these steps take whole.

    Of its part alone a process would clip by a norm of its own, and Muon would see no matrices.
    """
    if strategy.startswith(("fsdp", "deepspeed", "model_parallel")):
        raise user_error("parts_of_weights", given=strategy)


def check_fold(data: Config) -> None:
    """Raise UserError for a fold of a cross validation that has no such fold."""
    folds, fold = data["folds"], data["fold"]
    if folds is None and fold:
        raise user_error("fold_alone", given=fold, instead=max(5, fold + 1))
    if folds is not None and fold >= folds:
        raise user_error("fold_beyond", given=fold, folds=folds, most=folds - 1)


def check_augment(config: Config) -> None:
    """Raise UserError for a key of data.augment that means nothing."""
    known = [field.name for field in dataclasses.fields(AugmentConfig)]
    for key in config["data"].get("augment") or {}:
        if key not in known:
            raise unknown_key(key, known, "data.augment.", "data.augment")


def check_gain(init: Config) -> None:
    """Raise UserError for a gain that no initialiser can have."""
    gain = init.get("gain", 1)
    is_number = isinstance(gain, int | float) and not isinstance(gain, bool)
    fits = is_number and 0 < gain < math.inf
    given = "null" if gain is None else gain
    refuse_unless(fits, "init.gain", given, "auto or a number above 0", 1)


def check_recipe(config: Config, recipe: Recipe, num_ranks: int) -> None:
    """Raise UserError where what the recipe needs cannot be had in this combination."""
    check_schedule(config, recipe)
    trainer, name, needs = config["trainer"], config["optim"]["name"], recipe.optimizer.needs
    one_by_one = needs.closure or needs.form == "matrices"
    for does_not_fit, given, reason, instead in (
        (
            needs.closure and num_ranks > 1,
            f"{num_ranks} processes",
            "it searches along its step, which each process would do by its own share of the batch",
            "trainer=auto",
        ),
        (
            needs.closure and trainer["accumulate_grad_batches"] > 1,
            f"trainer.accumulate_grad_batches={trainer['accumulate_grad_batches']}",
            "it computes the loss of its batch again, and would do so for the last part alone",
            "trainer.accumulate_grad_batches=1",
        ),
        (
            one_by_one and trainer["precision"] == "16-mixed",
            "trainer.precision=16-mixed",
            "its gradients cannot be scaled",
            "trainer.precision=bf16-mixed",
        ),
        (
            needs.switched and trainer["ema_decay"] is not None,
            f"trainer.ema_decay={trainer['ema_decay']}",
            "it averages the weights itself",
            "trainer.ema_decay=null",
        ),
    ):
        if does_not_fit:
            raise user_error(
                "optimizer_fit", name=name, given=given, reason=reason, instead=instead
            )


def check_schedule(config: Config, recipe: Recipe) -> None:
    """Raise UserError where the schedule needs the length of a run that has none."""
    trainer, scheduler = config["trainer"], config["scheduler"]
    interval = interval_of(scheduler)
    allowed = "epoch: a plateau is one of the losses at the ends of epochs"
    fits = scheduler["name"] != "plateau" or interval == "epoch"
    refuse_unless(fits, "scheduler.interval", interval, allowed, "epoch")
    is_endless = trainer["max_epochs"] == -1 and trainer["max_steps"] == -1
    if is_endless and depends_on_total(recipe.make_scheduler):
        raise user_error("endless_schedule", given=scheduler["name"])


def check_shape(config: Config, spec: DataSpec) -> None:
    """Raise UserError where the model cannot take data of this shape."""
    model, num_dims = config["model"]["name"], len(spec.shape) - 1
    least, most, what = getattr(target_of(config, "model"), "takes_dimensions", (0, num_dims, ""))
    if not least <= num_dims <= most:
        data = config["data"]["name"]
        reason = f"{what}, and one data point of {data} has the shape {spec.shape}"
        instead = "model=resnet" if 1 <= num_dims <= 3 else "model=mlp"
        raise user_error("shape", model=model, data=data, reason=reason, instead=instead)


def check_network(
    config: Config, network: nn.Module, recipe: Recipe, accelerator: str, num_devices: int
) -> None:
    """Raise UserError where the network, the optimizer and the devices do not go together."""
    trainer = config["trainer"]
    if recipe.optimizer.needs.form != "plain" and not by_matrix(network)[0]:
        raise user_error("no_matrices", owner=recipe.optimizer.class_name)
    if accelerator == "cpu" and trainer["precision"].startswith("16"):
        raise user_error("half_precision", given=trainer["precision"])
    if trainer["num_nodes"] > 1 and not started_by_others():
        raise user_error("several_nodes", given=trainer["num_nodes"])
    check_tasks(num_devices, trainer["num_nodes"])
    has_ranks = num_devices * trainer["num_nodes"] > 1
    if config["resume"] == "auto" and has_ranks and started_by_others():
        raise user_error("resume_ranks")
    if has_ranks and has_batch_norm(network):
        check_batch_norm(trainer, accelerator, num_devices * trainer["num_nodes"])


def check_batch_norm(trainer: Config, accelerator: str, num_ranks: int) -> None:
    """Raise UserError where each process would normalise by its own share of a batch."""
    if accelerator == "cpu":
        raise user_error("batch_norm_ranks", given=num_ranks)
    if not trainer["sync_batchnorm"]:
        raise user_error("batch_norm_apart", given=num_ranks)


def check_bits(module: nn.Module, accelerator: str, data_name: str) -> None:
    """Raise UserError for data that need 64 bits on a device without them."""
    if accelerator == "mps" and any(b.dtype == torch.float64 for b in module.buffers()):
        raise user_error("mps_64_bits", data=data_name)


def has_batch_norm(network: nn.Module) -> bool:
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    return any(isinstance(module, kinds) for module in network.modules())


def check_monitors(
    callbacks: Sequence[Callback], names: Sequence[str], has_validation: bool
) -> None:
    """Raise UserError for a callback that watches what is not measured.

    Args:
        names: of what is.
    """
    measured = [name for name in names if has_validation or name.startswith("train/")]
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor not in measured:
            name = type(callback).__name__
            raise user_error(
                "callback_monitor", given=name, monitor=monitor, choices=listed(measured)
            )


def check_intervals(config: Config, data: DataModule, has_validation: bool) -> None:
    """Raise UserError for parts without a batch, and steps between validations that none has."""
    trainer = config["trainer"]
    interval = trainer["val_check_interval"]
    num_batches = limited(trainer, ("limit_train_batches", "overfit_batches"), data.num_batches)
    if len(data.val):
        num_val = math.ceil(len(data.val) / data.evaluation_batch_size)
        limited(trainer, ("limit_val_batches",), num_val)
    num_test = math.ceil(len(data.test) / data.evaluation_batch_size)
    limited(trainer, ("limit_test_batches",), num_test)
    num_steps = num_batches // trainer["accumulate_grad_batches"]
    fits = not isinstance(interval, int) or interval <= num_steps or not has_validation
    allowed = f"1 to {num_steps} (the whole optimizer steps of an epoch), or a part (0.25)"
    refuse_unless(fits, "trainer.val_check_interval", interval, allowed, 1.0)


def limited(trainer: Config, keys: tuple[str, ...], num_batches: int) -> int:
    """Return how many of `num_batches` the limits leave, or raise UserError for none of them."""
    for key in keys:
        limit = trainer[key]
        is_none = isinstance(limit, float) and 0 < limit < 1 and int(num_batches * limit) == 0
        allowed = f"a number of batches, or a part of the {num_batches} that holds one"
        refuse_unless(not is_none, f"trainer.{key}", limit, allowed, 1)
        if isinstance(limit, int) and limit:
            num_batches = min(num_batches, limit)
        elif limit:
            num_batches = int(num_batches * limit)
    return num_batches
