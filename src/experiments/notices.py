"""What a run says of its own config: parts that follow from others, overrides without effect."""

from __future__ import annotations

import logging
from inspect import signature
from typing import Any

from lightning.pytorch.callbacks import Callback
from torch import nn

from experiments import optimization
from experiments.entries import target_of
from experiments.errors import TABLE
from experiments.execution import per_batch_hooks
from experiments.module import ExperimentModule
from experiments.optimizer_needs import Needs

log = logging.getLogger(__name__)

Config = dict[str, Any]


def say_single_steps(config: Config, callbacks: list[Callback]) -> None:
    """Say why each step is a call of its own, where that is not what was asked for."""
    hooks = per_batch_hooks(callbacks)
    if hooks and config["steps_per_execution"] != 1:
        log.info(TABLE["single_steps"].format(hook=hooks[0]))


def warn_of_batch_norm(module: ExperimentModule, optim_name: str) -> None:
    """Say where batch norm's running statistics are not those of the weights that are tested."""
    is_batch_norm = (isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())
    if module.updates.switched and any(is_batch_norm):
        log.warning(TABLE["batch_norm_switched"].format(name=optim_name))


def decay_of(config: Config) -> float:
    """Return the weight decay, that of the class where none is given."""
    known = signature(target_of(config, "optim")).parameters
    default = known["weight_decay"].default if "weight_decay" in known else 0.0
    return float(config["optim"].get("weight_decay", default) or 0.0)


def has_momentum(config: Config) -> bool:
    """Return whether the optimizer has a momentum that a schedule may change."""
    node = config["optim"]
    is_simple = optimization.optimizer_of(config).needs == Needs("plain")
    return is_simple and (bool(node.get("momentum")) or len(node.get("betas", ())) == 2)


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
        "scheduler": config["optim"]["name"] == "rprop"
        and config["scheduler"]["name"] != "constant"
        and "optim=rprop, which takes lr for its first step alone",
        "optim.no_decay": not decay_of(config) and "optim.weight_decay=0",
        "init.gain": config["init"].get("std") is not None and f"init.std={config['init']['std']}",
        "scheduler.cycle_momentum": not has_momentum(config) and f"optim={config['optim']['name']}",
        "checkpoint.mode": config["checkpoint"]["monitor"] == "auto" and "checkpoint.monitor=auto",
    }
    for override in overrides:
        key = override.lstrip("+").partition("=")[0]
        reason = no_effect_with.get("activation" if key.startswith("activation") else key)
        if reason:
            log.warning(TABLE["no_effect"].format(given=override, with_=reason))
