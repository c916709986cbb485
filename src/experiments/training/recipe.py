"""What a network is trained with: its optimizer, its schedule and the rules of an update."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from experiments.catalogue.optimizer_needs import (
    Needs,
    TinyNetwork,
    check_can_be_kept,
    takes_channels_last,
)
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
from experiments.errors.messages import user_error
from experiments.training.steps import UpdateRules
from experiments.training.trial import is_of_others

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
    """Return what makes the schedule, tried once; of somebody else's it is advanced too."""
    scheduler = entry(config, "scheduler")
    owner, optimizer = called(scheduler), one_weight()
    made = call_or_refuse("scheduler", lambda: scheduler(optimizer, 1), owner)
    if not isinstance(made, LRScheduler):
        given, wanted = type(made).__name__, "a scheduler of torch.optim.lr_scheduler"
        raise user_error("no_module", key="scheduler", owner=owner, given=given, wanted=wanted)
    if is_of_others(scheduler.func):
        when = " when it is advanced"
        call_or_refuse("scheduler", lambda: advance(scheduler, owner), owner, when)
    return scheduler


def one_weight() -> Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)


def advance(scheduler: MakeScheduler, owner: str, num_total: int = 3) -> None:
    """Advance a schedule to its end, or raise UserError: rates that are none, a state that no
    checkpoint can hold.
    """
    refuse = functools.partial(user_error, "numbers", key="scheduler", owner=owner)
    optimizer = one_weight()
    schedule = scheduler(optimizer, num_total)
    for number in range(1, num_total + 1):
        optimizer.step()
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(0.0)
        else:
            schedule.step()
        lr = float(optimizer.param_groups[0]["lr"])
        if not math.isfinite(lr) or lr < 0:
            when = f"as learning rate {number} of {num_total}, where it began with 0.1"
            raise refuse(given=f"{lr:g}", when=when, instead="Give finite numbers from 0 on")
    try:
        check_can_be_kept(schedule.state_dict())
    except TypeError as error:
        given, when = "a state with more than numbers in it", "to be kept, which no checkpoint can"
        raise refuse(given=given, when=when, instead="Leave it out of state_dict") from error


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
