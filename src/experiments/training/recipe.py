"""What a network is trained with: its optimizer, its schedule and the rules of an update."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from experiments.catalogue.optimizer_needs import Needs, TinyNetwork, takes_channels_last
from experiments.catalogue.optimizers import (
    as_arguments,
    check_steppable,
    check_values,
    needs_for,
    no_decay_of,
    optimizer_for,
)
from experiments.config.dotted_paths import find_target
from experiments.config.entries import Config, call_or_refuse, called, entry, target_of
from experiments.config.schema import SchedulerConfig
from experiments.training.steps import UpdateRules

MakeScheduler = Callable[[Optimizer, int], LRScheduler]


class OptimizerRecipe(NamedTuple):
    """What makes the optimizer of a network, and what that needs of the steps.

    Attributes:
        takes_channels_last: whether it steps kernels with channels innermost in memory.
    """

    make: Callable[[nn.Module], Optimizer]
    needs: Needs
    takes_channels_last: Callable[[], bool]
    class_name: str


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; nothing of it is needed to predict.

    Attributes:
        make_scheduler: called with the optimizer and the number of times that it is advanced.
    """

    optimizer: OptimizerRecipe
    make_scheduler: MakeScheduler
    rules: UpdateRules


def build_recipe(config: Config) -> Recipe:
    """Return the recipe of a config, each part tried on something tiny.

    Raises:
        UserError: values that the optimizer or the schedule refuses.
    """
    optimizer = optimizer_of(config)
    optimizer.make(TinyNetwork())
    return Recipe(optimizer, scheduler_of(config), update_rules(config, optimizer.needs))


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
    name = getattr(bound.func, "__name__", str(bound.func))
    return OptimizerRecipe(make, needs, takes_layout, name)


def scheduler_of(config: Config) -> MakeScheduler:
    """Return what makes the schedule, tried once."""
    scheduler = entry(config, "scheduler")
    trial = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    call_or_refuse("scheduler", lambda: scheduler(trial, 1), called(scheduler))
    return scheduler


def interval_of(scheduler: Config) -> str:
    """Return after what a schedule is advanced, epoch or step."""
    interval: str = scheduler.get("interval", SchedulerConfig.interval)
    return interval


def update_rules(config: Config, needs: Needs) -> UpdateRules:
    """Return what belongs to an optimizer step beside the optimizer."""
    trainer = config["trainer"]
    return UpdateRules(
        accumulate=trainer["accumulate_grad_batches"],
        clip_val=trainer["gradient_clip_val"],
        clip_algorithm=trainer["gradient_clip_algorithm"],
        interval=interval_of(config["scheduler"]),
        closure=needs.closure,
        switched=needs.switched,
    )
