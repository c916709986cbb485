"""Which parts of a config do not go together, said before anything is built on them."""

from __future__ import annotations

from inspect import signature
from typing import Any

from torch import nn

from experiments import optimization
from experiments.entries import find_target
from experiments.errors import user_error
from experiments.module import ExperimentModule
from experiments.ranks import started_by_others
from experiments.schedulers import depends_on_total

Config = dict[str, Any]

CATALOGUE_GROUPS = ("model", "activation", "init", "loss", "optim", "scheduler", "data")
COLLECTIONS = {"optim": "pytorch_optimizer", "data": "torchvision"}


def check_names(config: Config, overrides: list[str]) -> None:
    """Raise UserError for `optim.name=lion` beside `optim=adam`, which would train Adam."""
    for override in overrides:
        key, _, given = override.lstrip("+").partition("=")
        group, _, word = key.partition(".")
        if word != "name" or group not in CATALOGUE_GROUPS:
            continue
        target = find_target(group, config[group]["_target_"])
        if not getattr(target, "gives_class", False) and "name" not in signature(target).parameters:
            by_name = COLLECTIONS.get(group)
            raise user_error(
                "name",
                key=key,
                given=given,
                group=group,
                or_collection=f", or {group}={by_name} {key}={given}" if by_name else "",
            )


def check_schedule(config: Config) -> None:
    """Raise UserError where the schedule needs the length of a run that has none."""
    trainer = config["trainer"]
    if config["scheduler"]["name"] == "plateau" and config["scheduler"]["interval"] != "epoch":
        raise user_error(
            "not_allowed",
            key="scheduler.interval",
            given=config["scheduler"]["interval"],
            allowed="epoch: a plateau is one of the losses at the ends of epochs",
            instead="epoch",
        )
    is_endless = trainer["max_epochs"] == -1 and trainer["max_steps"] == -1
    if is_endless and depends_on_total(optimization.scheduler_of(config)):
        raise user_error("endless_schedule", given=config["scheduler"]["name"])


def check_optimizer(config: Config, num_ranks: int) -> None:
    """Raise UserError where the optimizer's needs cannot be met in this combination."""
    trainer, name = config["trainer"], config["optim"]["name"]
    needs = optimization.optimizer_of(config).needs
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
