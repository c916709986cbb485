"""Runs trained alone and as members, on the same points, without a Trainer."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import yaml
from running import CONF, plain
from torch import Tensor

from experiments.data.order import BatchOrder
from experiments.data.sources import DataSpec
from experiments.training.build import build_module
from experiments.training.module import ExperimentModule
from experiments.training.population.stacked import Stack
from experiments.training.recipe import build_recipe

SMALL_MLP = ("model=mlp", "model.hidden=[8,6]")
SMALL_CNN = ("model=cnn", "model.channels=[4,6]", "model.pool=max")
VECTORS, SIGNALS, IMAGES = (6,), (2, 8), (2, 8, 8)
PARTS = ("activation", "init", "loss", "optim", "scheduler")
SEEDS = (("seed=0",), ("seed=1",), ("seed=2",))


@dataclass
class Trained:
    """A run that can be a member: its config and module, and what trained it alone."""

    config: dict[str, Any]
    module: ExperimentModule
    optimizer: Any = None
    scheduler: Any = None
    losses: list[float] = field(default_factory=list)


@functools.cache
def points(shape: tuple[int, ...], task: str, num_outputs: int, dtype: torch.dtype) -> Any:
    """Return 44 points of noise, normalised, with targets that depend on them."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(44, *shape, generator=generator, dtype=torch.float64)
    scores = x.flatten(1) @ torch.randn(
        x[0].numel(), num_outputs, generator=generator, dtype=torch.float64
    )
    targets = scores.argmax(1) if task == "classification" else (scores / scores.std(0)).to(dtype)
    return x.to(dtype), targets


def config_of(*overrides: str) -> dict[str, Any]:
    """Return a config of which only networks and data are composed, as that takes 0.2 s each."""
    pairs = [override.split("=", 1) for override in overrides]
    is_of_part = {key: key.partition(".")[0] in PARTS for key, _ in pairs}
    config = plain("logger=none", *(f"{k}={word}" for k, word in pairs if not is_of_part[k]))
    for key, word in pairs:
        group, _, name = key.partition(".")
        if is_of_part[key] and not name:
            config[group] = copy.deepcopy(choice(group, word))
    for key, word in pairs:
        group, _, name = key.partition(".")
        if is_of_part[key] and name:
            config[group][name] = yaml.safe_load(word)
    return config


@functools.cache
def choice(group: str, name: str) -> dict[str, Any]:
    node = yaml.safe_load((CONF / group / f"{name}.yaml").read_text())
    has_schema = bool(node.pop("defaults", None))
    return ({"full_batch": False, "no_decay": []} if has_schema else {}) | node


def built(
    *overrides: str, shape: tuple[int, ...] = VECTORS, dtype: torch.dtype = torch.float64
) -> Trained:
    config = config_of(*overrides)
    is_regression = config["data"]["name"] == "diabetes"
    task = "regression" if is_regression else "classification"
    spec = DataSpec(shape, 2 if is_regression else 4, task)
    module = build_module(config, spec, build_recipe(config)).to(dtype)
    return Trained(config, module)


def batches(seed: int, num_steps: int) -> Iterator[Tensor]:
    """Yield the rows of so many batches of a run; the last of an epoch is short."""
    order, epoch = BatchOrder(44, 12, seed), 0
    while True:
        order.set_epoch(epoch)
        for share in order:
            if num_steps == 0:
                return
            yield share.rows
            num_steps -= 1
        epoch += 1


def points_of(run: Trained) -> tuple[Tensor, Tensor]:
    spec, dtype = run.module.spec, next(run.module.network.parameters()).dtype
    x, targets = points(spec.shape, spec.task, spec.num_outputs, dtype)
    return x, targets


def train_alone(
    run: Trained, num_total: int, *, first: int = 0, last: int | None = None
) -> Trained:
    """Train as `Steps` does, from one step to before another; four steps are an epoch."""
    module, (x, targets) = run.module, points_of(run)
    recipe, rules, network = module.recipe, module.rules, module.network
    assert recipe is not None
    if run.optimizer is None:
        run.optimizer = recipe.optimizer.make(network)
        run.scheduler = recipe.make_scheduler(run.optimizer, num_total)
    parameters = list(network.parameters())
    if rules.switched:
        run.optimizer.train()
    steps = list(batches(run.config["seed"], num_total if last is None else last))
    for rows in steps[first:]:
        run.optimizer.zero_grad(set_to_none=True)
        loss = module.loss(network(x[rows]), targets[rows])
        loss.backward()
        rules.step(run.optimizer, parameters, None, None)
        rules.after_step(network, None, run.scheduler)
        run.losses.append(loss.item())
        if rules.interval == "epoch" and len(run.losses) % 4 == 0:
            of_plateau = type(run.scheduler).__name__ == "ReduceLROnPlateau"
            run.scheduler.step(*([loss.item()] if of_plateau else []))
    return run


def train_stacked(
    runs: Sequence[Trained],
    num_total: int,
    *,
    first: int = 0,
    last: int | None = None,
    stack: Stack | None = None,
) -> Stack:
    """Train the same runs as members of a stack, and copy their weights back."""
    stack = stack or Stack(runs, num_total)
    x, targets = points_of(runs[0])
    stack.to_training()
    num_steps = num_total if last is None else last
    steps = list(zip(*(batches(run.config["seed"], num_steps) for run in runs), strict=True))
    for of_runs in steps[first:]:
        rows = torch.stack([of_runs[i] for i in stack.active])
        losses, _ = stack.backward(x[rows], targets[rows])
        stack.update()
        for i, loss in zip(stack.active, losses.tolist(), strict=True):
            runs[i].losses.append(loss)
        if len(runs[stack.active[0]].losses) % 4 == 0:
            stack.end_epoch({i: runs[i].losses[-1] for i in stack.active})
    for i in stack.active:
        stack.unstack(i)
    return stack


def assert_alike(
    stack: Stack, members: Sequence[Trained], alone: Sequence[Trained], **tolerance: float
) -> None:
    """Hold each member's weights, losses and states against those of the run alone."""
    for i, (member, run) in enumerate(zip(members, alone, strict=True)):
        close(member.losses, run.losses, **tolerance)
        close(member.module.network.state_dict(), run.module.network.state_dict(), **tolerance)
        close(stack.optimizer_state(i), run.optimizer.state_dict(), **tolerance)
        close(stack.scheduler_state(i), run.scheduler.state_dict(), **tolerance)


def close(got: Any, expected: Any, **tolerance: Any) -> None:
    """Hold nested values against others: their keys, types and numbers."""
    assert type(got) is type(expected)
    if isinstance(expected, dict):
        assert got.keys() == expected.keys()
        for key in expected:
            close(got[key], expected[key], **tolerance)
    elif isinstance(expected, list | tuple):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            close(one, other, **tolerance)
    elif isinstance(expected, Tensor | float):
        torch.testing.assert_close(got, expected, **tolerance)
    else:
        assert got == expected


def compare(
    variants: Sequence[Sequence[str]],
    *overrides: str,
    num_steps: int,
    tolerance: dict[str, float],
    **built_with: Any,
) -> Stack:
    """Train each variant alone and all as members, and hold them against each other."""
    members = [built(*overrides, *v, **built_with) for v in variants]
    alone = [train_alone(copy.deepcopy(member), num_steps) for member in members]
    stack = train_stacked(members, num_steps)
    assert_alike(stack, members, alone, **tolerance)
    return stack


def state_of(run: Trained) -> tuple[Any, Any]:
    return copy.deepcopy(run.optimizer.state_dict()), copy.deepcopy(run.scheduler.state_dict())
