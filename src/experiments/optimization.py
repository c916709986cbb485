"""From plain config values to what moves the weights: optimizer, schedule and their rules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from experiments.entries import entry, find_target, refused, target_of
from experiments.optimizer_needs import Needs, takes_channels_last
from experiments.optimizers import (
    as_arguments,
    check_steppable,
    check_values,
    needs_for,
    no_decay_of,
    optimizer_for,
)
from experiments.updates import UpdateRules

Config = dict[str, Any]


class OptimizerRecipe(NamedTuple):
    """What makes the optimizer of a network, and what that needs of the steps."""

    make: Callable[[torch.nn.Module], torch.optim.Optimizer]
    needs: Needs
    takes_channels_last: Callable[[], bool]


def optimizer_of(config: Config) -> OptimizerRecipe:
    """Return what makes the optimizer, or raise UserError where it cannot be stepped."""
    node = config["optim"]
    check_values(node)
    optimizer_class = target_of(config, "optim")
    if optimizer_class is not find_target("optim", node["_target_"]):
        # One of a collection. Of a class that cannot be stepped at all the keys are no matter.
        check_steppable(optimizer_class, node)
    bound = entry(config, "optim")
    make = functools.partial(
        optimizer_for,
        optimizer_class=bound.func,
        values=bound.keywords,
        no_decay=no_decay_of(node),
    )
    needs = needs_for(bound.func, bound.keywords)
    takes_layout = functools.partial(
        takes_channels_last, bound.func, as_arguments(bound.keywords), needs
    )
    return OptimizerRecipe(make, needs, takes_layout)


def scheduler_of(config: Config) -> Callable[..., torch.optim.lr_scheduler.LRScheduler]:
    """Return what makes the schedule, tried once."""
    scheduler = entry(config, "scheduler")
    trial = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    refused("scheduler", lambda: scheduler(trial, 1), config["scheduler"]["_target_"])
    return scheduler


def update_rules(config: Config, needs: Needs) -> UpdateRules:
    """Return what belongs to an optimizer step beside the optimizer."""
    trainer = config["trainer"]
    return UpdateRules(
        accumulate=trainer["accumulate_grad_batches"],
        clip_val=trainer["gradient_clip_val"],
        clip_algorithm=trainer["gradient_clip_algorithm"],
        ema_decay=trainer["ema_decay"],
        interval=config["scheduler"]["interval"],
        closure=needs.closure,
        switched=needs.switched,
    )
