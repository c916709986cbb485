"""The time of a step of many members against the same number of steps of single runs.

    python benchmarks/population.py [--rounds 30] [--sizes 1 4 8 16 32] [--threads 1]

Two networks: the MLP 64-64-64-10 on digits and the CNN of MNIST-1D (three convolutions of 25
channels), batch 64, Adam; members that differ in their seeds alone, and members with a learning
rate each. A single step is that of training/steps.py: forward, backward, the optimizer's step. In
one process on the same batch, by turns; the first turn does not count. Prints medians with their
range and writes outputs/benchmarks/population.json.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from report import keep, ratios, spread
from torch import Tensor

from experiments.config.composer import composer_at, plain
from experiments.training.build import (
    build_datamodule,
    build_module,
    fit_normalization,
    load_data,
)
from experiments.training.devices import keep_freed_memory, without_asking_for_gpus
from experiments.training.module import ExperimentModule
from experiments.training.population.stacked import Stack
from experiments.training.recipe import build_recipe

CONF = Path(__file__).resolve().parents[1] / "conf"
NETWORKS = {
    "MLP 64-64-64-10": ["model=mlp", "model.hidden=[64,64]", "data=digits", "optim=adam"],
    "CNN of MNIST-1D": ["experiment=mnist1d_cnn", "optim=adam"],
}
STEPS = 10
"""In a turn."""


@dataclass
class Member:
    """A run as a stack takes it."""

    config: dict[str, Any]
    module: ExperimentModule


def first_member(overrides: list[str]) -> tuple[Member, Tensor, Tensor]:
    """Return a run, and a batch of it as its network and its loss take them."""
    config = plain(composer_at(CONF, "config").task([*overrides, "logger=none"]))
    data = load_data(config)
    module = build_module(config, data.spec, build_recipe(config))
    batches = build_datamodule(config, data)
    fit_normalization(module, batches, config["data"]["normalize"])
    points = batches.train.take(torch.arange(config["data"]["batch_size"]))
    targets, _ = module.standardized(points.targets)
    return Member(config, module), module.normalize(points.inputs), targets


def members_like(first: Member, number: int, own_rates: bool) -> list[Member]:
    """Return members that differ in nothing that takes time, or in their learning rates."""
    configs = [copy.deepcopy(first.config) for _ in range(number)]
    for i, config in enumerate(configs):
        config["optim"]["lr"] *= 1 + i / 100 if own_rates else 1
    return [Member(config, first.module) for config in configs]


def single_step(member: Member, x: Tensor, targets: Tensor) -> Callable[[], None]:
    module = copy.deepcopy(member.module)
    recipe, rules, network = module.recipe, module.rules, module.network
    assert recipe is not None
    optimizer = recipe.optimizer.make(network)
    scheduler = recipe.make_scheduler(optimizer, 1)
    parameters = list(network.parameters())

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        module.loss(network(x), targets).backward()
        rules.step(optimizer, parameters, None, None)
        rules.after_step(network, None, scheduler)

    return step


def stacked_step(members: list[Member], x: Tensor, targets: Tensor) -> Callable[[], None]:
    stack = Stack(members, 1)
    inputs = x.expand(len(members), *x.shape).contiguous()
    wanted = targets.expand(len(members), *targets.shape).contiguous()

    def step() -> None:
        stack.backward(inputs, wanted)
        stack.update()

    return step


def by_turns(contestants: list[Callable[[], None]], rounds: int) -> list[list[float]]:
    """Return the seconds of a step of each contestant in each turn."""
    taken: list[list[float]] = [[] for _ in contestants]
    for _ in range(rounds + 1):
        for step, times in zip(contestants, taken, strict=True):
            start = time.perf_counter()
            for _ in range(STEPS):
                step()
            times.append((time.perf_counter() - start) / STEPS)
    return [times[1:] for times in taken]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 8, 16, 32])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    milliseconds: dict[str, dict[str, list[float]]] = {}
    throughput: dict[str, dict[str, list[float]]] = {}
    for network, overrides in NETWORKS.items():
        first, x, targets = first_member(overrides)
        for own_rates in (False, True):
            kind = "a learning rate each" if own_rates else "seeds alone"
            name = f"{network}, {kind}"
            milliseconds[name], throughput[name] = {}, {}
            for size in arguments.sizes:
                members = members_like(first, size, own_rates)
                contestants = [
                    single_step(first, x, targets),
                    stacked_step(members, x, targets),
                ]
                with without_asking_for_gpus():
                    alone, together = by_turns(contestants, arguments.rounds)
                gained = [size * ratio for ratio in ratios(alone, together)]
                milliseconds[name][str(size)] = [1e3 * seconds for seconds in together]
                throughput[name][str(size)] = gained
                print(
                    f"{name}, {size} members: {spread([1e3 * s for s in together])} ms a step, "
                    f"single {spread([1e3 * s for s in alone])} ms, throughput x {spread(gained)}",
                    flush=True,
                )
    threads = dict.fromkeys(NETWORKS, arguments.threads)
    keep("population", {"milliseconds": milliseconds, "throughput": throughput}, threads)


if __name__ == "__main__":
    main()
